//! Tensors: n-dimensional arrays with a dtype, one type with two hosts inside.
//!
//! [`Array`] holds data on the CPU in `ndarray` arrays that copy on write: data preparation, strided
//! views, stacking. [`Graph`] is a Candle tensor: networks, losses, metrics, with autograd. The script
//! type [`Tensor`] is either of them, with the same methods on both.

mod array;
pub mod device;

pub use array::Array;
pub use device::Device;

/// A Candle tensor: a value inside the training step.
pub type Graph = candle_core::Tensor;

/// The element types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit floating point: what networks compute in, and what a list of floats becomes.
    F32,
    /// 64-bit floating point.
    F64,
    /// 64-bit integer: class indices, counts.
    I64,
    /// 8-bit unsigned integer: pixels, and the 0 and 1 of comparisons.
    U8,
}

/// A tensor on either host; cheap to clone.
#[derive(Clone, Debug)]
pub enum Tensor {
    /// On the CPU, outside any graph.
    Host(Array),
    /// A value of a training step, on any device.
    Graph(Graph),
}
