//! Fused CPU kernels on slices of `f32`: what the plan of the training engine runs.
//!
//! A kernel knows no layer and no graph: it takes slices and sizes, writes into slices its caller owns, and
//! allocates nothing. [`simd`] compiles one loop for several instruction sets and chooses when the program
//! runs; [`math`] has the elementary functions for such loops; [`rows`] adds up and
//! fills rows; [`pool`] splits work over threads; [`gemm`] multiplies
//! matrices.
//!
//! Two rules keep results equal to the bit on any number of threads: work is split by *output* (two threads
//! never add to the same number), and where a sum over records must be split, it is split into a fixed number
//! of pieces that are added in order.

// Loops that count over fixed lanes are what the compiler keeps in registers; iterators over them are not always.
#![allow(clippy::needless_range_loop)]

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod buffer;
pub mod conv2d;
pub mod curve;
pub mod depthwise;
pub mod gather;
pub mod gemm;
mod lanes;
pub mod layer_norm;
pub mod math;
pub mod packed;
pub mod pool;
pub mod pool2d;
pub mod recurrent;
pub mod rows;
pub mod scratch;
pub mod simd;
pub mod softmax;
