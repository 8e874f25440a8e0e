//! Tensors as scripts see them: a thin layer over `tensor::Tensor`.

mod elementwise;
mod make;
mod operators;
mod picture;
mod reduce;
mod shape;

use std::ops::{Range, RangeInclusive};

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine};

use crate::error::Result as Outcome;
use crate::script::api::Page;
use crate::script::api::arguments::{Answer, place};
use crate::script::cast;
use crate::script::traceback::raise;
use crate::tensor::{Nested, Number, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page { name: "tensor", title: "Tensor", intro: INTRO, register };

const INTRO: &str = "An n-dimensional array of one dtype: `f32`, `f64`, `i64` or `u8`. Tensors are never changed: every function \
    returns a new one, sharing data where it can.\n\n\
    *Dtypes.* `tensor([1.0, 2.0])` is f32, `tensor([1, 2])` is i64. Numbers of scripts are weak: they take the dtype of the \
    tensor they meet, except that an i64 or u8 tensor with a fraction, or divided by anything, gives f32. Nothing else \
    promotes; f32 with f64 is refused. Comparisons give u8: 0 or 1.\n\n\
    ```rhai\n\
    tensor([1.0, 2.0]) + 1 // => tensor([2.0, 3.0])\n\
    tensor([1, 2]) * 0.5 // => tensor([0.5, 1.0])\n\
    ```\n\n\
    *Shapes.* Two tensors combine when their shapes are equal, when one is a single number, when one shape equals the last \
    axes of the other (a value for each feature), or when they differ only where one has length 1, axis 0 excepted. A batch \
    axis is never stretched unseen.\n\n\
    ```rhai\n\
    let batch = tensor([[1.0, 2.0], [3.0, 4.0]]);\n\
    batch - batch.mean(0) // => tensor([[-1.0, -1.0], [1.0, 1.0]])\n\
    ```\n\n\
    *Axes and positions* may be negative: they count from the last. A reduction without axes takes all; `axes` is one axis or \
    an array of them. Variance is of the population.\n\n\
    *Numbers out of tensors.* `x[0]` is a row, or a number when there is one axis; `x.item` is the only element as a number. \
    `if` wants true or false, so compare numbers: `if loss.sum().item > 2.0 { … }`.\n\n\
    A loop over the elements is some 400 times slower than one of these functions. A script's loss and metrics get tensors \
    with the same functions; those of a loss carry gradients.";

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Tensor>("Tensor");
    let mut module = exported_module!(functions);
    make::register(&mut module);
    shape::register(&mut module);
    elementwise::register(&mut module);
    operators::register(&mut module);
    reduce::register(&mut module);
    picture::register(&mut module);
    module.set_iter(std::any::TypeId::of::<Tensor>(), |value| match value.try_cast::<Tensor>() {
        Some(tensor) => Box::new((0..tensor.len() as isize).filter_map(move |at| tensor.index(at).ok()).map(row)),
        None => Box::new(std::iter::empty()),
    });
    engine.register_global_module(module.into());
}

/// One element or row: a number when nothing is left of the shape.
fn row(tensor: Tensor) -> Dynamic {
    match tensor.shape().is_empty() {
        true => element(&tensor).unwrap_or(Dynamic::UNIT),
        false => Dynamic::from(tensor),
    }
}

fn element(tensor: &Tensor) -> Outcome<Dynamic> {
    Ok(match tensor.item()? {
        Number::Int(value) => Dynamic::from(value),
        Number::Float(value) => Dynamic::from(value),
    })
}

#[export_module]
mod functions {
    /// Returns the length of each axis.
    ///
    /// ```rhai
    /// zeros([2, 3]).shape // => [2, 3]
    /// ```
    #[rhai_fn(get = "shape", name = "shape")]
    pub fn shape(tensor: Tensor) -> List {
        tensor.shape().iter().map(|&size| Dynamic::from(size as i64)).collect()
    }

    /// Returns the length of the first axis; 1 for a single number.
    ///
    /// ```rhai
    /// zeros([2, 3]).len // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(tensor: Tensor) -> i64 {
        tensor.len() as i64
    }

    /// Returns the number of axes.
    ///
    /// ```rhai
    /// zeros([2, 3]).rank // => 2
    /// ```
    #[rhai_fn(get = "rank", name = "rank")]
    pub fn rank(tensor: Tensor) -> i64 {
        tensor.rank() as i64
    }

    /// Returns the number of elements.
    ///
    /// ```rhai
    /// zeros([2, 3]).size // => 6
    /// ```
    #[rhai_fn(get = "size", name = "size")]
    pub fn size(tensor: Tensor) -> i64 {
        tensor.size() as i64
    }

    /// Returns the dtype: `"f32"`, `"f64"`, `"i64"` or `"u8"`.
    ///
    /// ```rhai
    /// tensor([1, 2]).dtype // => "i64"
    /// ```
    #[rhai_fn(get = "dtype", name = "dtype")]
    pub fn dtype(tensor: Tensor) -> String {
        tensor.dtype().name().to_owned()
    }

    /// Returns the only element as a number.
    ///
    /// # Errors
    /// More or fewer elements than one.
    ///
    /// ```rhai
    /// tensor([2.5]).item // => 2.5
    /// ```
    #[rhai_fn(get = "item", name = "item", return_raw)]
    pub fn item(tensor: Tensor) -> Answer<Dynamic> {
        element(&tensor).map_err(raise)
    }

    /// Returns a row (one element of the first axis), or a number when the tensor has one axis. Negative
    /// positions count from the end.
    ///
    /// # Errors
    /// A position outside the tensor.
    ///
    /// ```rhai
    /// let x = tensor([[1, 2], [3, 4]]);
    /// [x[0][1], x[-1]] // => [2, tensor([3, 4])]
    /// ```
    #[rhai_fn(index_get, return_raw)]
    pub fn index(tensor: Tensor, position: i64) -> Answer<Dynamic> {
        tensor.index(place(position)).map(row).map_err(raise)
    }

    /// Returns the rows of a range of positions.
    ///
    /// ```rhai
    /// tensor([1, 2, 3, 4])[1..3] // => tensor([2, 3])
    /// tensor([1, 2, 3, 4])[0..=2] // => tensor([1, 2, 3])
    /// ```
    #[rhai_fn(index_get, return_raw)]
    pub fn index_range(tensor: Tensor, positions: Range<i64>) -> Answer<Tensor> {
        tensor.slice(0, place(positions.start), Some(place(positions.end))).map_err(raise)
    }

    #[rhai_fn(index_get, return_raw)]
    pub fn index_range_inclusive(tensor: Tensor, positions: RangeInclusive<i64>) -> Answer<Tensor> {
        let end = place(*positions.end()).checked_add(1).filter(|end| *end != 0);
        tensor.slice(0, place(*positions.start()), end).map_err(raise)
    }

    /// Returns the elements as nested arrays of numbers.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).to_array() // => [[1, 2], [3, 4]]
    /// ```
    #[rhai_fn(name = "to_array", return_raw)]
    pub fn to_array(tensor: Tensor) -> Answer<Dynamic> {
        let nested: Nested = tensor.to_array().map_err(raise)?;
        Ok(cast::from_nested(&nested))
    }

    /// Returns the expression that makes the tensor, shortened when it is long.
    ///
    /// ```rhai
    /// ones([2]).to_string() // => "tensor([1.0, 1.0])"
    /// ```
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(tensor: Tensor) -> String {
        tensor.to_string()
    }
}
