//! Functions of each element, of lanes, and of matrices.

use rhai::plugin::*;

use crate::script::api::arguments::{Answer, Num, TensorOrNumber, number, place, with};
use crate::script::traceback::raise;
use crate::tensor::Tensor;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
mod functions {
    /// Returns the tensor as f32.
    ///
    /// ```rhai
    /// tensor([1, 2]).to_f32() // => tensor([1.0, 2.0])
    /// ```
    #[rhai_fn(name = "to_f32", return_raw)]
    pub fn to_f32(tensor: Tensor) -> Answer<Tensor> {
        tensor.to_f32().map_err(raise)
    }

    /// Returns the tensor as f64. Nothing else makes f64, and f64 beside f32 is refused.
    ///
    /// ```rhai
    /// tensor([1, 2]).to_f64() // => tensor([1.0, 2.0]).to_f64()
    /// ```
    #[rhai_fn(name = "to_f64", return_raw)]
    pub fn to_f64(tensor: Tensor) -> Answer<Tensor> {
        tensor.to_f64().map_err(raise)
    }

    /// Returns the tensor as i64; fractions are cut off.
    ///
    /// ```rhai
    /// tensor([1.9, -1.9]).to_i64() // => tensor([1, -1])
    /// ```
    #[rhai_fn(name = "to_i64", return_raw)]
    pub fn to_i64(tensor: Tensor) -> Answer<Tensor> {
        tensor.to_i64().map_err(raise)
    }

    /// Returns the tensor as u8.
    ///
    /// # Errors
    /// Numbers outside 0 to 255.
    ///
    /// ```rhai
    /// tensor([0, 255]).to_u8().dtype // => "u8"
    /// ```
    #[rhai_fn(name = "to_u8", return_raw)]
    pub fn to_u8(tensor: Tensor) -> Answer<Tensor> {
        tensor.to_u8().map_err(raise)
    }

    /// Returns the distance of each element from 0.
    ///
    /// ```rhai
    /// tensor([-2.0, 3.0]).abs() // => tensor([2.0, 3.0])
    /// ```
    #[rhai_fn(name = "abs", return_raw)]
    pub fn abs(tensor: Tensor) -> Answer<Tensor> {
        tensor.abs().map_err(raise)
    }

    /// Returns e to the power of each element.
    ///
    /// ```rhai
    /// tensor([0.0]).exp() // => tensor([1.0])
    /// ```
    #[rhai_fn(name = "exp", return_raw)]
    pub fn exp(tensor: Tensor) -> Answer<Tensor> {
        tensor.exp().map_err(raise)
    }

    /// Returns the natural logarithm of each element.
    ///
    /// ```rhai
    /// tensor([1.0]).log() // => tensor([0.0])
    /// ```
    #[rhai_fn(name = "log", return_raw)]
    pub fn log(tensor: Tensor) -> Answer<Tensor> {
        tensor.log().map_err(raise)
    }

    /// Returns the square root of each element.
    ///
    /// ```rhai
    /// tensor([4.0]).sqrt() // => tensor([2.0])
    /// ```
    #[rhai_fn(name = "sqrt", return_raw)]
    pub fn sqrt(tensor: Tensor) -> Answer<Tensor> {
        tensor.sqrt().map_err(raise)
    }

    /// Returns 1 / (1 + e^-x) of each element.
    ///
    /// ```rhai
    /// tensor([0.0]).sigmoid() // => tensor([0.5])
    /// ```
    #[rhai_fn(name = "sigmoid", return_raw)]
    pub fn sigmoid(tensor: Tensor) -> Answer<Tensor> {
        tensor.sigmoid().map_err(raise)
    }

    /// Returns the hyperbolic tangent of each element.
    ///
    /// ```rhai
    /// tensor([0.0]).tanh() // => tensor([0.0])
    /// ```
    #[rhai_fn(name = "tanh", return_raw)]
    pub fn tanh(tensor: Tensor) -> Answer<Tensor> {
        tensor.tanh().map_err(raise)
    }

    /// Returns each element, or 0 where it is negative.
    ///
    /// ```rhai
    /// tensor([-1.0, 2.0]).relu() // => tensor([0.0, 2.0])
    /// ```
    #[rhai_fn(name = "relu", return_raw)]
    pub fn relu(tensor: Tensor) -> Answer<Tensor> {
        tensor.relu().map_err(raise)
    }

    /// Returns the nearest whole numbers, halves away from zero.
    ///
    /// ```rhai
    /// tensor([0.5, 1.4]).round() // => tensor([1.0, 1.0])
    /// ```
    #[rhai_fn(name = "round", return_raw)]
    pub fn round(tensor: Tensor) -> Answer<Tensor> {
        tensor.round().map_err(raise)
    }

    /// Returns the next whole numbers below.
    ///
    /// ```rhai
    /// tensor([1.7, -1.2]).floor() // => tensor([1.0, -2.0])
    /// ```
    #[rhai_fn(name = "floor", return_raw)]
    pub fn floor(tensor: Tensor) -> Answer<Tensor> {
        tensor.floor().map_err(raise)
    }

    /// Returns the elements limited to `low` … `high`.
    ///
    /// ```rhai
    /// tensor([-1.0, 0.5, 2.0]).clip(0.0, 1.0) // => tensor([0.0, 0.5, 1.0])
    /// ```
    #[rhai_fn(name = "clip", return_raw)]
    pub fn clip(tensor: Tensor, low: Num, high: Num) -> Answer<Tensor> {
        tensor.clip(number(&low)?, number(&high)?).map_err(raise)
    }

    /// Returns the elements to a power; the same as `**`.
    ///
    /// ```rhai
    /// tensor([2.0, 3.0]).pow(2) // => tensor([4.0, 9.0])
    /// ```
    #[rhai_fn(name = "pow", return_raw)]
    pub fn pow(tensor: Tensor, exponent: TensorOrNumber) -> Answer<Tensor> {
        with(&exponent, |exponent| tensor.pow(exponent))
    }

    /// Returns numbers along the last axis as probabilities that sum to 1.
    ///
    /// ```rhai
    /// tensor([0.0, 0.0]).softmax() // => tensor([0.5, 0.5])
    /// ```
    #[rhai_fn(name = "softmax", return_raw)]
    pub fn softmax(tensor: Tensor) -> Answer<Tensor> {
        tensor.softmax(-1).map_err(raise)
    }

    /// Returns numbers along an axis as probabilities that sum to 1.
    ///
    /// ```rhai
    /// tensor([[1.0, 5.0], [1.0, 5.0]]).softmax(0) // => tensor([[0.5, 0.5], [0.5, 0.5]])
    /// ```
    #[rhai_fn(name = "softmax", return_raw)]
    pub fn softmax_axis(tensor: Tensor, axis: i64) -> Answer<Tensor> {
        tensor.softmax(place(axis)).map_err(raise)
    }

    /// Returns the matrix product; leading axes are batches and must be equal.
    ///
    /// # Errors
    /// Shapes that do not fit.
    ///
    /// ```rhai
    /// tensor([[1.0, 2.0]]).matmul(tensor([[3.0], [4.0]])) // => tensor([[11.0]])
    /// ```
    #[rhai_fn(name = "matmul", return_raw)]
    pub fn matmul(tensor: Tensor, other: Tensor) -> Answer<Tensor> {
        tensor.matmul(&other).map_err(raise)
    }

    /// Returns the sum of the products of two tensors of one axis.
    ///
    /// ```rhai
    /// tensor([1.0, 2.0]).dot(tensor([3.0, 4.0])).item // => 11.0
    /// ```
    #[rhai_fn(name = "dot", return_raw)]
    pub fn dot(tensor: Tensor, other: Tensor) -> Answer<Tensor> {
        tensor.dot(&other).map_err(raise)
    }

    /// Returns the elements along an axis, the last one by default, in increasing order.
    ///
    /// ```rhai
    /// tensor([3, 1, 2]).sort() // => tensor([1, 2, 3])
    /// tensor([[3, 1], [2, 4]]).sort(0) // => tensor([[2, 1], [3, 4]])
    /// ```
    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort(tensor: Tensor) -> Answer<Tensor> {
        tensor.sort(Some(-1), false).map_err(raise)
    }

    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort_along(tensor: Tensor, axis: i64) -> Answer<Tensor> {
        tensor.sort(Some(axis as isize), false).map_err(raise)
    }

    /// Returns the positions that would sort the last axis.
    ///
    /// ```rhai
    /// tensor([3, 1, 2]).argsort() // => tensor([1, 2, 0])
    /// ```
    #[rhai_fn(name = "argsort", return_raw)]
    pub fn argsort(tensor: Tensor) -> Answer<Tensor> {
        tensor.argsort(Some(-1), false).map_err(raise)
    }

    /// Returns the different elements in increasing order.
    ///
    /// ```rhai
    /// tensor([2, 1, 2]).unique() // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "unique", return_raw)]
    pub fn unique(tensor: Tensor) -> Answer<Tensor> {
        tensor.unique().map_err(raise)
    }
}
