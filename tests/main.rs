//! The integration tests, one binary: it links once.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod absurd;
mod architecture;
mod broken;
mod cli;
mod documents;
mod end_to_end;
mod fuzz;
mod kernels;
mod kills;
mod memory;
mod numeric;
mod onnx;
mod pretrained;
mod recipe;
mod resume;
mod script;
mod sources;
mod steady;
mod transcript;
mod vectorise;
