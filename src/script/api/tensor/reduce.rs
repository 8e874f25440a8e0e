//! Reductions: many elements become one, over all of them or along axes.

use rhai::plugin::*;
use rhai::{Dynamic, Module};

use crate::error::Result as Outcome;
use crate::script::api::arguments::{Answer, Axes, Num, axes, number, place};
use crate::script::api::table::{AXES, BOOL, INT, TENSOR, register as add};
use crate::script::traceback::raise;
use crate::tensor::Tensor;

/// A reduction over any axes: name, function, what it returns, examples.
type OverAxes = (&'static str, fn(&Tensor, Option<&[isize]>, bool) -> Outcome<Tensor>, &'static str, &'static str);

const OVER_AXES: [OverAxes; 9] = [
    (
        "sum",
        Tensor::sum,
        "the sum",
        "tensor([[1, 2], [3, 4]]).sum() // => tensor(10)\n\
         tensor([[1, 2], [3, 4]]).sum(0) // => tensor([4, 6])\n\
         tensor([[1, 2], [3, 4]]).sum(1, true) // => tensor([[3], [7]])",
    ),
    (
        "mean",
        Tensor::mean,
        "the mean (at least f32)",
        "tensor([[1.0, 3.0], [5.0, 7.0]]).mean() // => tensor(4.0)\n\
         tensor([[1.0, 3.0], [5.0, 7.0]]).mean(1) // => tensor([2.0, 6.0])",
    ),
    (
        "std",
        Tensor::std,
        "the standard deviation of the population (at least f32)",
        "tensor([1.0, 3.0]).std() // => tensor(1.0)\ntensor([[1.0, 3.0]]).std(1) // => tensor([1.0])",
    ),
    (
        "variance",
        Tensor::variance,
        "the variance of the population (at least f32)",
        "tensor([1.0, 5.0]).variance() // => tensor(4.0)\ntensor([[1.0, 5.0]]).variance(1) // => tensor([4.0])",
    ),
    (
        "min",
        Tensor::min,
        "the smallest element",
        "tensor([3, 1]).min() // => tensor(1)\ntensor([[3, 1], [2, 5]]).min(1) // => tensor([1, 2])",
    ),
    (
        "max",
        Tensor::max,
        "the largest element",
        "tensor([3, 1]).max() // => tensor(3)\ntensor([[3, 1], [2, 5]]).max(1) // => tensor([3, 5])",
    ),
    (
        "any",
        Tensor::any,
        "1 when any element is not 0, else 0 (u8)",
        "tensor([0, 2]).any().item // => 1\ntensor([[0, 2], [0, 0]]).any(1) // => tensor([1, 0]).to_u8()",
    ),
    (
        "all",
        Tensor::all,
        "1 when no element is 0, else 0 (u8)",
        "tensor([0, 2]).all().item // => 0\ntensor([[1, 2], [0, 3]]).all(1) // => tensor([1, 0]).to_u8()",
    ),
    (
        "norm",
        Tensor::norm,
        "the square root of the sum of squares (at least f32)",
        "tensor([3.0, 4.0]).norm() // => tensor(5.0)\ntensor([[3.0, 4.0]]).norm(1) // => tensor([5.0])",
    ),
];

/// A reduction along one axis: name, function, what it returns, examples.
type AlongAxis = (&'static str, fn(&Tensor, Option<isize>, bool) -> Outcome<Tensor>, &'static str, &'static str);

const ALONG_AXIS: [AlongAxis; 2] = [
    (
        "argmax",
        Tensor::argmax,
        "largest",
        "tensor([1, 5, 2]).argmax().item // => 1\ntensor([[1, 5], [4, 2]]).argmax(1) // => tensor([1, 0])",
    ),
    (
        "argmin",
        Tensor::argmin,
        "smallest",
        "tensor([1, 5, 2]).argmin().item // => 0\ntensor([[1, 5], [4, 2]]).argmin(1) // => tensor([0, 1])",
    ),
];

/// Registers the reductions.
pub fn register(module: &mut Module) {
    for (name, reduce, what, examples) in OVER_AXES {
        let text = format!(
            "Returns {what} over all elements, or over `axes`, which disappear; with `keep` they stay with length 1.\n\n\
             # Errors\nAn axis that does not exist.\n\n```rhai\n{examples}\n```"
        );
        let parameters = [("tensor", TENSOR), ("axes", AXES), ("keep", BOOL)];
        for taken in 1..=3 {
            add(module, name, &text, &parameters[..taken], "Tensor", move |_, arguments| {
                let over = arguments.get(1).map(|value| axes(value)).transpose()?;
                let keep = arguments.get(2).is_some_and(|keep| keep.as_bool() == Ok(true));
                reduced(arguments, |tensor| reduce(tensor, over.as_deref(), keep))
            });
        }
    }
    for (name, reduce, what, examples) in ALONG_AXIS {
        let text = format!(
            "Returns the position of the {what} element (i64), the first of equals: in the flattened tensor, or along \
             an axis, which disappears; with `keep` it stays with length 1.\n\n\
             # Errors\nAn axis that does not exist or has no elements.\n\n```rhai\n{examples}\n```"
        );
        let parameters = [("tensor", TENSOR), ("axis", INT), ("keep", BOOL)];
        for taken in 1..=3 {
            add(module, name, &text, &parameters[..taken], "Tensor", move |_, arguments| {
                let along = arguments.get(1).and_then(|value| value.as_int().ok()).map(place);
                let keep = arguments.get(2).is_some_and(|keep| keep.as_bool() == Ok(true));
                reduced(arguments, |tensor| reduce(tensor, along, keep))
            });
        }
    }
    module.combine_flatten(exported_module!(functions));
}

fn reduced(arguments: &[&mut Dynamic], run: impl FnOnce(&Tensor) -> Outcome<Tensor>) -> Answer<Dynamic> {
    match arguments[0].read_lock::<Tensor>() {
        Some(tensor) => run(&tensor).map(Dynamic::from).map_err(raise),
        None => Ok(Dynamic::UNIT),
    }
}

#[export_module]
mod functions {
    /// Returns how many elements are not 0 (i64).
    ///
    /// ```rhai
    /// tensor([0, 2, 3]).count() // => tensor(2)
    /// ```
    #[rhai_fn(name = "count", return_raw)]
    pub fn count(tensor: Tensor) -> Answer<Tensor> {
        tensor.count(None, None, false).map_err(raise)
    }

    /// Returns how many elements equal a value (i64), over all of them or over the given axes.
    ///
    /// ```rhai
    /// tensor([0, 2, 2]).count(2) // => tensor(2)
    /// tensor([[0, 2], [2, 2]]).count(2, 1) // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "count", return_raw)]
    pub fn count_value(tensor: Tensor, value: Num) -> Answer<Tensor> {
        tensor.count(Some(number(&value)?), None, false).map_err(raise)
    }

    #[rhai_fn(name = "count", return_raw)]
    pub fn count_value_axes(tensor: Tensor, value: Num, over: Axes) -> Answer<Tensor> {
        tensor.count(Some(number(&value)?), Some(&axes(&over)?), false).map_err(raise)
    }
}
