//! Functions that make tensors.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Map, Module};

use crate::network::Symbol;
use crate::script::api::arguments::{
    Answer, Num, Numbers, Shape, TensorOrLayer, TensorOrNumber, number, operand, place, sizes, with,
};
use crate::script::api::network;
use crate::script::api::table::{self, FRACTION, Kind, NUMBER, WHOLE};
use crate::script::cast;
use crate::script::traceback::raise;
use crate::tensor::{Dtype, Tensor};

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
    // Rhai has a `range` of its own for these types, which would be found first.
    for kind in [NUMBER, WHOLE, FRACTION] {
        range(module, kind);
    }
}

/// Registers `range` for one type of numbers.
fn range(module: &mut Module, kind: Kind) {
    let names = [("start", kind), ("end", kind), ("step", kind)];
    for taken in [2, 3] {
        table::register(module, "range", RANGE, &names[..taken], "Tensor", move |_, arguments| {
            let step = arguments.get(2).map_or(Ok(1.into()), |step| number(step))?;
            Tensor::range(number(arguments[0])?, number(arguments[1])?, step).map(Dynamic::from).map_err(raise)
        });
    }
}

const RANGE: &str = "Returns the numbers from `start` (included) to `end` (excluded), in steps of one or as given: \
    i64 when all are whole, else f32. (This takes the place of Rhai's own `range`; a loop goes over its numbers, or \
    over `0..5`.)\n\n\
    ```rhai\n\
    range(0, 3) // => tensor([0, 1, 2])\n\
    range(0, 1, 0.5) // => tensor([0.0, 0.5])\n\
    ```";

fn tensors(values: &List) -> Answer<Vec<Tensor>> {
    values.iter().map(|item| cast::to_tensor(item).map_err(raise)).collect()
}

fn is_layers(values: &List) -> bool {
    values.first().is_some_and(|first| first.is::<Symbol>())
}

#[export_module]
mod functions {
    /// Returns a tensor of nested arrays of numbers, or of one number: i64 when all are whole, else f32.
    /// `true` and `false` are 1 and 0; a tensor stays as it is.
    ///
    /// # Errors
    /// Arrays of unequal length, or anything that is no number.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).shape // => [2, 2]
    /// tensor([1, 2.5]) // => tensor([1.0, 2.5])
    /// ```
    #[rhai_fn(name = "tensor", return_raw)]
    pub fn tensor(values: Numbers) -> Answer<Tensor> {
        cast::to_tensor(&values).map_err(raise)
    }

    /// Returns zeros of a shape, of dtype f32 or the one named.
    ///
    /// ```rhai
    /// zeros([2, 2]) // => tensor([[0.0, 0.0], [0.0, 0.0]])
    /// zeros([2], "i64") // => tensor([0, 0])
    /// ```
    #[rhai_fn(name = "zeros", return_raw)]
    pub fn zeros(shape: Shape) -> Answer<Tensor> {
        Tensor::zeros(&sizes(&shape)?, Dtype::F32).map_err(raise)
    }

    #[rhai_fn(name = "zeros", return_raw)]
    pub fn zeros_of(shape: Shape, dtype: &str) -> Answer<Tensor> {
        Tensor::zeros(&sizes(&shape)?, Dtype::parse(dtype).map_err(raise)?).map_err(raise)
    }

    /// Returns ones of a shape, of dtype f32 or the one named.
    ///
    /// ```rhai
    /// ones([2]) // => tensor([1.0, 1.0])
    /// ones(2, "u8") // => tensor([1, 1]).to_u8()
    /// ```
    #[rhai_fn(name = "ones", return_raw)]
    pub fn ones(shape: Shape) -> Answer<Tensor> {
        Tensor::ones(&sizes(&shape)?, Dtype::F32).map_err(raise)
    }

    #[rhai_fn(name = "ones", return_raw)]
    pub fn ones_of(shape: Shape, dtype: &str) -> Answer<Tensor> {
        Tensor::ones(&sizes(&shape)?, Dtype::parse(dtype).map_err(raise)?).map_err(raise)
    }

    /// Returns a shape filled with one number: i64 when it is whole, else f32, or of the dtype named.
    ///
    /// # Errors
    /// A number that the dtype cannot hold.
    ///
    /// ```rhai
    /// full([2], 0.5) // => tensor([0.5, 0.5])
    /// full([2], 1, "f32") // => tensor([1.0, 1.0])
    /// ```
    #[rhai_fn(name = "full", return_raw)]
    pub fn full(shape: Shape, value: Num) -> Answer<Tensor> {
        Tensor::full(&sizes(&shape)?, number(&value)?, None).map_err(raise)
    }

    #[rhai_fn(name = "full", return_raw)]
    pub fn full_of(shape: Shape, value: Num, dtype: &str) -> Answer<Tensor> {
        let dtype = Dtype::parse(dtype).map_err(raise)?;
        Tensor::full(&sizes(&shape)?, number(&value)?, Some(dtype)).map_err(raise)
    }

    /// Returns tensors of one shape and dtype along a new first axis.
    ///
    /// # Errors
    /// Shapes or dtypes that differ, an empty array.
    ///
    /// ```rhai
    /// stack([tensor([1, 2]), tensor([3, 4])]) // => tensor([[1, 2], [3, 4]])
    /// ```
    #[rhai_fn(name = "stack", return_raw)]
    pub fn stack(values: List) -> Answer<Tensor> {
        Tensor::stack(&tensors(&values)?, 0).map_err(raise)
    }

    /// Returns tensors along a new axis.
    ///
    /// ```rhai
    /// stack([tensor([1, 2]), tensor([3, 4])], 1) // => tensor([[1, 3], [2, 4]])
    /// ```
    #[rhai_fn(name = "stack", return_raw)]
    pub fn stack_axis(values: List, axis: i64) -> Answer<Tensor> {
        Tensor::stack(&tensors(&values)?, place(axis)).map_err(raise)
    }

    /// Returns tensors, or layers of a network, one after the other along the last axis.
    ///
    /// # Errors
    /// Other axes or dtypes that differ.
    ///
    /// ```rhai
    /// concat([tensor([1, 2]), tensor([3])]) // => tensor([1, 2, 3])
    /// ```
    #[rhai_fn(name = "concat", return_raw)]
    pub fn concat(values: List) -> Answer<TensorOrLayer> {
        match is_layers(&values) {
            true => network::merge("Concatenate", &values, Map::new()).map(Dynamic::from),
            false => Tensor::concat(&tensors(&values)?, -1).map(Dynamic::from).map_err(raise),
        }
    }

    /// Returns tensors, or layers of a network, one after the other along an axis.
    ///
    /// ```rhai
    /// concat([tensor([[1], [2]]), tensor([[3]])], 0) // => tensor([[1], [2], [3]])
    /// ```
    #[rhai_fn(name = "concat", return_raw)]
    pub fn concat_axis(values: List, axis: i64) -> Answer<TensorOrLayer> {
        match is_layers(&values) {
            true => {
                let options = Map::from([("axis".into(), Dynamic::from(axis))]);
                network::merge("Concatenate", &values, options).map(Dynamic::from)
            }
            false => Tensor::concat(&tensors(&values)?, place(axis)).map(Dynamic::from).map_err(raise),
        }
    }

    /// Returns class numbers as vectors with a 1 at their place (f32), along a new last axis.
    ///
    /// # Errors
    /// A class number outside 0 to `classes - 1`.
    ///
    /// ```rhai
    /// one_hot(1, 3) // => tensor([0.0, 1.0, 0.0])
    /// one_hot(tensor([0, 1]), 2) // => tensor([[1.0, 0.0], [0.0, 1.0]])
    /// ```
    #[rhai_fn(name = "one_hot", return_raw)]
    pub fn one_hot(indices: Numbers, classes: i64) -> Answer<Tensor> {
        let classes = sizes(&Dynamic::from(classes))?[0];
        Tensor::one_hot(&cast::to_tensor(&indices).map_err(raise)?, classes).map_err(raise)
    }

    /// Returns `yes` where the condition is not 0, else `no`; each is a tensor or a number.
    ///
    /// ```rhai
    /// let x = tensor([-1.0, 2.0]);
    /// where(x.greater(0.0), x, 0.0) // => tensor([0.0, 2.0])
    /// ```
    #[rhai_fn(name = "where", return_raw)]
    pub fn choose(condition: Tensor, yes: TensorOrNumber, no: TensorOrNumber) -> Answer<Tensor> {
        let mut hold = None;
        let yes = operand(&yes, &mut hold)?;
        with(&no, |no| condition.r#where(yes, no))
    }
}
