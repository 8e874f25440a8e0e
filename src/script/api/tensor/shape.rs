//! Functions that arrange elements, without changing them.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic};

use crate::error::Error;
use crate::script::api::arguments::{Answer, Num, Numbers, Shape, number, place, positions as rows, sizes, whole};
use crate::script::traceback::raise;
use crate::tensor::Tensor;

/// Registers the functions.
pub fn register(module: &mut rhai::Module) {
    module.combine_flatten(exported_module!(functions));
}

/// Returns how many places come before and behind each axis.
pub(super) fn pairs(widths: &List) -> Answer<Vec<(usize, usize)>> {
    let pair = |item: &Dynamic| match sizes(item)?.as_slice() {
        [before, after] => Ok((*before, *after)),
        _ => Err(raise(Error::script("expected `[before, after]` for each axis"))),
    };
    widths.iter().map(pair).collect()
}

#[export_module]
mod functions {
    /// Returns the same elements in another shape; one length may be -1 and is worked out.
    ///
    /// # Errors
    /// A shape with another number of elements.
    ///
    /// ```rhai
    /// range(0, 6).reshape([2, -1]).shape // => [2, 3]
    /// ```
    #[rhai_fn(name = "reshape", return_raw)]
    pub fn reshape(tensor: Tensor, shape: Shape) -> Answer<Tensor> {
        let one = shape.as_int().map(|length| vec![place(length)]);
        let lengths = one.or_else(|_| whole(&shape, "a shape: an array of whole numbers, such as `[2, -1]`"))?;
        tensor.reshape(&lengths).map_err(raise)
    }

    /// Returns the elements along one axis.
    ///
    /// ```rhai
    /// zeros([2, 3]).flatten().shape // => [6]
    /// ```
    #[rhai_fn(name = "flatten", return_raw)]
    pub fn flatten(tensor: Tensor) -> Answer<Tensor> {
        tensor.flatten().map_err(raise)
    }

    /// Returns the tensor with its axes reversed.
    ///
    /// ```rhai
    /// zeros([2, 3]).transpose().shape // => [3, 2]
    /// ```
    #[rhai_fn(name = "transpose", return_raw)]
    pub fn transpose(tensor: Tensor) -> Answer<Tensor> {
        tensor.transpose(None).map_err(raise)
    }

    /// Returns the tensor with its axes in the given order.
    ///
    /// ```rhai
    /// zeros([2, 3, 4]).transpose([2, 0, 1]).shape // => [4, 2, 3]
    /// ```
    #[rhai_fn(name = "transpose", return_raw)]
    pub fn transpose_to(tensor: Tensor, order: List) -> Answer<Tensor> {
        tensor.transpose(Some(&whole(&Dynamic::from(order), "an order of axes")?)).map_err(raise)
    }

    /// Returns the tensor with a new axis of length 1.
    ///
    /// ```rhai
    /// zeros([2, 3]).expand(0).shape // => [1, 2, 3]
    /// ```
    #[rhai_fn(name = "expand", return_raw)]
    pub fn expand(tensor: Tensor, axis: i64) -> Answer<Tensor> {
        tensor.expand(place(axis)).map_err(raise)
    }

    /// Returns the tensor without its axes of length 1.
    ///
    /// ```rhai
    /// zeros([1, 2, 1]).squeeze().shape // => [2]
    /// ```
    #[rhai_fn(name = "squeeze", return_raw)]
    pub fn squeeze(tensor: Tensor) -> Answer<Tensor> {
        tensor.squeeze(None).map_err(raise)
    }

    /// Returns the tensor without one axis of length 1.
    ///
    /// # Errors
    /// An axis of another length.
    ///
    /// ```rhai
    /// zeros([1, 2, 1]).squeeze(0).shape // => [2, 1]
    /// ```
    #[rhai_fn(name = "squeeze", return_raw)]
    pub fn squeeze_axis(tensor: Tensor, axis: i64) -> Answer<Tensor> {
        tensor.squeeze(Some(place(axis))).map_err(raise)
    }

    /// Returns the part of an axis from `start` (included) to `end` (excluded); both may be negative.
    ///
    /// ```rhai
    /// tensor([1, 2, 3, 4]).slice(0, 1, -1) // => tensor([2, 3])
    /// ```
    #[rhai_fn(name = "slice", return_raw)]
    pub fn slice(tensor: Tensor, axis: i64, start: i64, end: i64) -> Answer<Tensor> {
        tensor.slice(place(axis), place(start), Some(place(end))).map_err(raise)
    }

    /// Returns the rest of an axis from `start`.
    ///
    /// ```rhai
    /// tensor([1, 2, 3, 4]).slice(0, 2) // => tensor([3, 4])
    /// ```
    #[rhai_fn(name = "slice", return_raw)]
    pub fn slice_rest(tensor: Tensor, axis: i64, start: i64) -> Answer<Tensor> {
        tensor.slice(place(axis), place(start), None).map_err(raise)
    }

    /// Returns the rows at the given positions.
    ///
    /// # Errors
    /// A position outside the tensor.
    ///
    /// ```rhai
    /// tensor([10, 20, 30]).take([2, 0]) // => tensor([30, 10])
    /// ```
    #[rhai_fn(name = "take", return_raw)]
    pub fn take(tensor: Tensor, positions: Numbers) -> Answer<Tensor> {
        tensor.take(&rows(&positions)?, 0).map_err(raise)
    }

    /// Returns the parts of an axis at the given positions.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).take([1], 1) // => tensor([[2], [4]])
    /// ```
    #[rhai_fn(name = "take", return_raw)]
    pub fn take_axis(tensor: Tensor, positions: Numbers, axis: i64) -> Answer<Tensor> {
        tensor.take(&rows(&positions)?, place(axis)).map_err(raise)
    }

    /// Returns one element for each position in `positions` (same number of axes), along an axis.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).gather(tensor([[1], [0]]), 1) // => tensor([[2], [3]])
    /// ```
    #[rhai_fn(name = "gather", return_raw)]
    pub fn gather(tensor: Tensor, positions: Tensor, axis: i64) -> Answer<Tensor> {
        tensor.gather(&positions, place(axis)).map_err(raise)
    }

    /// Returns the tensor with numbers of one value added around it: `[before, after]` for each axis.
    ///
    /// # Errors
    /// Not one pair for each axis.
    ///
    /// ```rhai
    /// tensor([1, 2]).pad([[1, 2]], 0) // => tensor([0, 1, 2, 0, 0])
    /// ```
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad(tensor: Tensor, widths: List, value: Num) -> Answer<Tensor> {
        tensor.pad(&super::pairs(&widths)?, number(&value)?).map_err(raise)
    }
}
