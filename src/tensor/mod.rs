//! Tensors: n-dimensional arrays with a dtype, one type with two hosts inside.
//!
//! [`Array`] holds data on the CPU in `ndarray` arrays that copy on write: data preparation, strided
//! views, stacking. [`Graph`] is a Candle tensor: networks, losses, metrics, with autograd. The script
//! type [`Tensor`] is either of them, with the same methods and results on both; where the two meet, the
//! array is lifted into the graph.
//!
//! **Dtypes.** Numbers of scripts are weak: they take the tensor's dtype. Nothing promotes, except:
//! integers divided by anything, and integers with a float number, give f32; integers with a float tensor
//! give its dtype; u8 computes as i64, so that nothing wraps around. f32 with f64 is refused, and so is
//! an integer result that i64 cannot hold. Comparisons give u8: 0 or 1.
//!
//! **Shapes.** Two tensors combine element by element when
//! 1. their shapes are equal, or one of them is a scalar (shape `[]`);
//! 2. one shape equals the last axes of the other: a value for each feature, applied to every row;
//! 3. they have equally many axes and differ only where one has length 1, axis 0 excepted.
//!
//! Anything else is refused, so that a batch axis is never stretched unseen: `[32, 1]` with `[32]`, or
//! `[1, 4]` with `[32, 4]`.
//!
//! **Axes and positions** may be negative: they count from the last. A reduction without axes takes all.
//! Variance is of the population. Rounding takes halves away from zero; a remainder has the sign of the
//! dividend. Gradients of `abs` and `relu` are 0 at 0; of several equal maxima the first gets the gradient.

mod arithmetic;
mod array;
mod axes;
pub(crate) mod batched;
mod compare;
mod convert;
mod create;
pub mod device;
mod display;
mod dtype;
mod element;
mod elementwise;
pub mod graph;
mod join;
mod lanes;
mod linear;
pub mod memory;
mod nested;
mod number;
mod order;
mod pad;
mod pair;
mod picture;
mod reduce;
mod resize;
mod shape;
pub(crate) mod storage;
#[cfg(test)]
mod tests;

pub use arithmetic::Arithmetic;
pub use array::Array;
pub use compare::Comparison;
pub use device::Device;
pub use dtype::Dtype;
pub use nested::Nested;
pub use number::{Number, Operand};
pub use picture::Border;
pub use resize::Filter;

/// A Candle tensor: a value inside the training step.
pub type Graph = candle_core::Tensor;

/// A tensor on either host; cheap to clone.
#[derive(Clone, Debug)]
pub enum Tensor {
    /// On the CPU, outside any graph.
    Host(Array),
    /// A value of a training step, on any device.
    Graph(Graph),
}

impl Tensor {
    /// Returns the length of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Tensor::Host(array) => array.shape(),
            Tensor::Graph(graph) => graph.dims(),
        }
    }

    /// Returns the element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Tensor::Host(array) => array.dtype(),
            Tensor::Graph(graph) => Dtype::of_graph(graph.dtype()),
        }
    }

    /// Returns the number of axes.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// Returns the length of axis 0: the number of rows; 1 for a scalar.
    pub fn len(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of elements.
    pub fn size(&self) -> usize {
        self.shape().iter().product()
    }
}
