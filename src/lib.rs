//! Barrage: an embedded scripting host for supervised deep learning.
//!
//! A recipe names the components of a training run (loader, transformer, augmentors, network,
//! losses, metrics, optimizer, services); components are Rhai scripts or built in; the hot paths are
//! native. The modules below stand in reading order, and each uses only those above it; the table of
//! who may use whom is in `docs/ARCHITECTURE.md`, and a test holds it.

pub mod error;
pub mod random;
pub mod registry;

pub mod tensor;

pub mod augmentor;
pub mod batch;
pub mod dataset;
pub mod loader;
pub mod record;
pub mod transformer;

pub mod kernel;
pub mod loss;
pub mod metric;
pub mod network;
pub mod optimizer;
pub mod schedule;

pub mod artifact;
pub mod predictor;
pub mod service;
pub mod trainer;

pub mod assemble;
pub mod cli;
pub mod recipe;
pub mod script;

pub use error::{Error, Result};
