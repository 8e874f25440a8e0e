//! Tensors as scripts see them: a thin layer over `tensor::Tensor`.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, EvalAltResult, Map};

use crate::error::{Error, Result as Outcome};
use crate::network::Symbol;
use crate::script::api::{Page, network};
use crate::script::cast;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::{Arithmetic, Comparison, Dtype, Nested, Number, Operand, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page { name: "tensor", title: "Tensor", intro: INTRO, register };

const INTRO: &str = "An n-dimensional array of one dtype: `f32`, `f64`, `i64` or `u8`. Tensors are never changed: every function \
    returns a new one, sharing data where it can.\n\n\
    *Dtypes.* `tensor([1.0, 2.0])` is f32, `tensor([1, 2])` is i64. Numbers of scripts are weak: they take the dtype of the \
    tensor they meet, except that an i64 or u8 tensor with a fraction, or divided by anything, gives f32. Nothing else \
    promotes; f32 with f64 is refused. Comparisons give u8: 0 or 1.\n\n\
    *Shapes.* Two tensors combine when their shapes are equal, when one is a single number, when one shape equals the last \
    axes of the other (a value for each feature), or when they differ only where one has length 1, axis 0 excepted. A batch \
    axis is never stretched unseen.\n\n\
    *Axes and positions* may be negative: they count from the last. A reduction without axes takes all; `axes` is one axis or \
    an array of them. Variance is of the population.\n\n\
    A loop over the elements is some 400 times slower than one of these functions.";

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Tensor>("Tensor");
    let mut module = exported_module!(functions);
    module.combine_flatten(exported_module!(operators));
    module.combine_flatten(exported_module!(reductions));
    module.set_iter(std::any::TypeId::of::<Tensor>(), |value| match value.try_cast::<Tensor>() {
        Some(tensor) => {
            let rows: Vec<Dynamic> =
                (0..tensor.len() as isize).filter_map(|at| tensor.index(at).ok()).map(element).collect();
            Box::new(rows.into_iter())
        }
        None => Box::new(std::iter::empty()),
    });
    engine.register_global_module(module.into());
}

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// One element or row: a number when nothing is left of the shape.
fn element(tensor: Tensor) -> Dynamic {
    match tensor.shape().is_empty() {
        true => number(&tensor).unwrap_or(Dynamic::UNIT),
        false => Dynamic::from(tensor),
    }
}

fn number(tensor: &Tensor) -> Outcome<Dynamic> {
    Ok(match tensor.item()? {
        Number::Int(value) => Dynamic::from(value),
        Number::Float(value) => Dynamic::from(value),
    })
}

fn to_number(value: &Dynamic) -> Answer<Number> {
    match (value.as_int(), value.as_float()) {
        (Ok(value), _) => Ok(Number::Int(value)),
        (_, Ok(value)) => Ok(Number::Float(value)),
        _ => Err(raise(Error::script(format!("expected a number, found {}", type_phrase(value.type_name()))))),
    }
}

/// A side of an operator; `hold` keeps a tensor alive.
fn operand<'a>(value: &Dynamic, hold: &'a mut Option<Tensor>) -> Answer<Operand<'a>> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return Ok(Operand::Tensor(hold.insert(tensor.clone())));
    }
    match to_number(value) {
        Ok(number) => Ok(Operand::Number(number)),
        Err(_) => Err(raise(Error::script(format!(
            "expected a tensor or a number, found {}",
            type_phrase(value.type_name())
        )))),
    }
}

fn with(value: &Dynamic, run: impl FnOnce(Operand) -> Outcome<Tensor>) -> Answer<Tensor> {
    let mut hold = None;
    run(operand(value, &mut hold)?).map_err(raise)
}

fn axis(value: i64) -> isize {
    isize::try_from(value).unwrap_or(isize::MAX)
}

/// One axis or an array of them.
fn axes(value: &Dynamic) -> Answer<Vec<isize>> {
    if let Ok(one) = value.as_int() {
        return Ok(vec![axis(one)]);
    }
    whole(value, "axes: one axis or an array of them")
}

fn whole(value: &Dynamic, what: &str) -> Answer<Vec<isize>> {
    let list = value.read_lock::<List>();
    let numbers =
        list.as_ref().and_then(|list| list.iter().map(|item| item.as_int().ok().map(axis)).collect::<Option<Vec<_>>>());
    numbers.ok_or_else(|| raise(Error::script(format!("expected {what}, found {}", type_phrase(value.type_name())))))
}

fn sizes(value: &Dynamic) -> Answer<Vec<usize>> {
    let sizes = match value.as_int() {
        Ok(one) => vec![axis(one)],
        Err(_) => whole(value, "a shape: an array of whole numbers")?,
    };
    sizes
        .iter()
        .map(|&size| {
            usize::try_from(size)
                .map_err(|_| raise(Error::script(format!("a shape has no negative length, found {size}"))))
        })
        .collect()
}

fn tensors(list: &List) -> Answer<Vec<Tensor>> {
    list.iter().map(|item| cast::to_tensor(item).map_err(raise)).collect()
}

#[export_module]
mod functions {
    /// Returns a tensor of nested arrays of numbers, or of one number: i64 when all are whole, else f32.
    ///
    /// # Errors
    /// Arrays of unequal length, or anything that is no number.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).shape // => [2, 2]
    /// tensor([1, 2.5]) // => tensor([1.0, 2.5])
    /// ```
    #[rhai_fn(name = "tensor", return_raw)]
    pub fn tensor(values: Dynamic) -> Answer<Tensor> {
        cast::to_tensor(&values).map_err(raise)
    }

    /// Returns zeros of a shape (f32).
    ///
    /// ```rhai
    /// zeros([2, 2]) // => tensor([[0.0, 0.0], [0.0, 0.0]])
    /// ```
    #[rhai_fn(name = "zeros", return_raw)]
    pub fn zeros(shape: Dynamic) -> Answer<Tensor> {
        Tensor::zeros(&sizes(&shape)?, Dtype::F32).map_err(raise)
    }

    /// Returns ones of a shape (f32).
    ///
    /// ```rhai
    /// ones([2]) // => tensor([1.0, 1.0])
    /// ```
    #[rhai_fn(name = "ones", return_raw)]
    pub fn ones(shape: Dynamic) -> Answer<Tensor> {
        Tensor::ones(&sizes(&shape)?, Dtype::F32).map_err(raise)
    }

    /// Returns a shape filled with one number: i64 when it is whole, else f32.
    ///
    /// ```rhai
    /// full([2], 0.5) // => tensor([0.5, 0.5])
    /// ```
    #[rhai_fn(name = "full", return_raw)]
    pub fn full(shape: Dynamic, value: Dynamic) -> Answer<Tensor> {
        Tensor::full(&sizes(&shape)?, to_number(&value)?, None).map_err(raise)
    }

    /// Returns the numbers from `start` (included) to `end` (excluded): i64 when all are whole, else f32.
    /// (This takes the place of Rhai's own `range`; a loop over it, or over `0..5`, goes through its numbers.)
    ///
    /// ```rhai
    /// range(0, 3) // => tensor([0, 1, 2])
    /// range(0.0, 1.0, 0.5) // => tensor([0.0, 0.5])
    /// ```
    #[rhai_fn(name = "range", return_raw)]
    pub fn range_step(start: Dynamic, end: Dynamic, step: Dynamic) -> Answer<Tensor> {
        Tensor::range(to_number(&start)?, to_number(&end)?, to_number(&step)?).map_err(raise)
    }

    /// Returns the whole numbers from `start` (included) to `end` (excluded).
    #[rhai_fn(name = "range", return_raw)]
    pub fn range(start: i64, end: i64) -> Answer<Tensor> {
        Tensor::range(start, end, 1).map_err(raise)
    }

    /// Returns the numbers from `start` (included) to `end` (excluded) in steps of one.
    #[rhai_fn(name = "range", return_raw)]
    pub fn range_float(start: f64, end: f64) -> Answer<Tensor> {
        Tensor::range(start, end, 1).map_err(raise)
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
    pub fn stack(list: List) -> Answer<Tensor> {
        Tensor::stack(&tensors(&list)?, 0).map_err(raise)
    }

    /// Returns tensors along a new axis.
    ///
    /// ```rhai
    /// stack([tensor([1, 2]), tensor([3, 4])], 1) // => tensor([[1, 3], [2, 4]])
    /// ```
    #[rhai_fn(name = "stack", return_raw)]
    pub fn stack_axis(list: List, along: i64) -> Answer<Tensor> {
        Tensor::stack(&tensors(&list)?, axis(along)).map_err(raise)
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
    pub fn concat(list: List) -> Answer<Dynamic> {
        match list.first().is_some_and(|first| first.is::<Symbol>()) {
            true => network::merge("Concatenate", &list, Map::new()).map(Dynamic::from),
            false => Tensor::concat(&tensors(&list)?, -1).map(Dynamic::from).map_err(raise),
        }
    }

    /// Returns tensors, or layers of a network, one after the other along an axis.
    ///
    /// ```rhai
    /// concat([tensor([[1], [2]]), tensor([[3]])], 0) // => tensor([[1], [2], [3]])
    /// ```
    #[rhai_fn(name = "concat", return_raw)]
    pub fn concat_axis(list: List, along: i64) -> Answer<Dynamic> {
        match list.first().is_some_and(|first| first.is::<Symbol>()) {
            true => {
                let options = Map::from([("axis".into(), Dynamic::from(along))]);
                network::merge("Concatenate", &list, options).map(Dynamic::from)
            }
            false => Tensor::concat(&tensors(&list)?, axis(along)).map(Dynamic::from).map_err(raise),
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
    pub fn one_hot(indices: Dynamic, classes: i64) -> Answer<Tensor> {
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
    pub fn choose(condition: Tensor, yes: Dynamic, no: Dynamic) -> Answer<Tensor> {
        let mut hold = None;
        let yes = operand(&yes, &mut hold)?;
        with(&no, |no| condition.r#where(yes, no))
    }

    /// Returns the length of each axis.
    ///
    /// ```rhai
    /// zeros([2, 3]).shape // => [2, 3]
    /// ```
    #[rhai_fn(get = "shape", name = "shape")]
    pub fn shape(x: Tensor) -> List {
        x.shape().iter().map(|&size| Dynamic::from(size as i64)).collect()
    }

    /// Returns the length of the first axis; 1 for a single number.
    ///
    /// ```rhai
    /// zeros([2, 3]).len // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(x: Tensor) -> i64 {
        x.len() as i64
    }

    /// Returns the number of axes.
    ///
    /// ```rhai
    /// zeros([2, 3]).rank // => 2
    /// ```
    #[rhai_fn(get = "rank", name = "rank")]
    pub fn rank(x: Tensor) -> i64 {
        x.rank() as i64
    }

    /// Returns the number of elements.
    ///
    /// ```rhai
    /// zeros([2, 3]).size // => 6
    /// ```
    #[rhai_fn(get = "size", name = "size")]
    pub fn size(x: Tensor) -> i64 {
        x.size() as i64
    }

    /// Returns the dtype: `"f32"`, `"f64"`, `"i64"` or `"u8"`.
    ///
    /// ```rhai
    /// tensor([1, 2]).dtype // => "i64"
    /// ```
    #[rhai_fn(get = "dtype", name = "dtype")]
    pub fn dtype(x: Tensor) -> String {
        x.dtype().name().to_owned()
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
    pub fn item(x: Tensor) -> Answer<Dynamic> {
        number(&x).map_err(raise)
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
    pub fn index(x: Tensor, position: i64) -> Answer<Dynamic> {
        x.index(axis(position)).map(element).map_err(raise)
    }

    /// Returns the elements as nested arrays of numbers.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).to_array() // => [[1, 2], [3, 4]]
    /// ```
    #[rhai_fn(name = "to_array", return_raw)]
    pub fn to_array(x: Tensor) -> Answer<Dynamic> {
        let nested: Nested = x.to_array().map_err(raise)?;
        Ok(cast::from_nested(&nested))
    }

    /// Returns the tensor as f32.
    ///
    /// ```rhai
    /// tensor([1, 2]).to_f32() // => tensor([1.0, 2.0])
    /// ```
    #[rhai_fn(name = "to_f32", return_raw)]
    pub fn to_f32(x: Tensor) -> Answer<Tensor> {
        x.to_f32().map_err(raise)
    }

    /// Returns the tensor as i64; fractions are cut off.
    ///
    /// ```rhai
    /// tensor([1.9, -1.9]).to_i64() // => tensor([1, -1])
    /// ```
    #[rhai_fn(name = "to_i64", return_raw)]
    pub fn to_i64(x: Tensor) -> Answer<Tensor> {
        x.to_i64().map_err(raise)
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
    pub fn to_u8(x: Tensor) -> Answer<Tensor> {
        x.to_u8().map_err(raise)
    }

    /// Returns the same elements in another shape; one length may be -1 and is worked out.
    ///
    /// # Errors
    /// A shape with another number of elements.
    ///
    /// ```rhai
    /// range(0, 6).reshape([2, -1]).shape // => [2, 3]
    /// ```
    #[rhai_fn(name = "reshape", return_raw)]
    pub fn reshape(x: Tensor, shape: List) -> Answer<Tensor> {
        x.reshape(&whole(&Dynamic::from(shape), "a shape: whole numbers")?).map_err(raise)
    }

    /// Returns the elements along one axis.
    ///
    /// ```rhai
    /// zeros([2, 3]).flatten().shape // => [6]
    /// ```
    #[rhai_fn(name = "flatten", return_raw)]
    pub fn flatten(x: Tensor) -> Answer<Tensor> {
        x.flatten().map_err(raise)
    }

    /// Returns the tensor with its axes reversed.
    ///
    /// ```rhai
    /// zeros([2, 3]).transpose().shape // => [3, 2]
    /// ```
    #[rhai_fn(name = "transpose", return_raw)]
    pub fn transpose(x: Tensor) -> Answer<Tensor> {
        x.transpose(None).map_err(raise)
    }

    /// Returns the tensor with its axes in the given order.
    ///
    /// ```rhai
    /// zeros([2, 3, 4]).transpose([2, 0, 1]).shape // => [4, 2, 3]
    /// ```
    #[rhai_fn(name = "transpose", return_raw)]
    pub fn transpose_to(x: Tensor, order: List) -> Answer<Tensor> {
        x.transpose(Some(&whole(&Dynamic::from(order), "an order of axes")?)).map_err(raise)
    }

    /// Returns the tensor with a new axis of length 1.
    ///
    /// ```rhai
    /// zeros([2, 3]).expand(0).shape // => [1, 2, 3]
    /// ```
    #[rhai_fn(name = "expand", return_raw)]
    pub fn expand(x: Tensor, at: i64) -> Answer<Tensor> {
        x.expand(axis(at)).map_err(raise)
    }

    /// Returns the tensor without its axes of length 1.
    ///
    /// ```rhai
    /// zeros([1, 2, 1]).squeeze().shape // => [2]
    /// ```
    #[rhai_fn(name = "squeeze", return_raw)]
    pub fn squeeze(x: Tensor) -> Answer<Tensor> {
        x.squeeze(None).map_err(raise)
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
    pub fn squeeze_axis(x: Tensor, at: i64) -> Answer<Tensor> {
        x.squeeze(Some(axis(at))).map_err(raise)
    }

    /// Returns the part of an axis from `start` (included) to `end` (excluded); both may be negative.
    ///
    /// ```rhai
    /// tensor([1, 2, 3, 4]).slice(0, 1, -1) // => tensor([2, 3])
    /// ```
    #[rhai_fn(name = "slice", return_raw)]
    pub fn slice(x: Tensor, along: i64, start: i64, end: i64) -> Answer<Tensor> {
        x.slice(axis(along), axis(start), Some(axis(end))).map_err(raise)
    }

    /// Returns the rest of an axis from `start`.
    ///
    /// ```rhai
    /// tensor([1, 2, 3, 4]).slice(0, 2) // => tensor([3, 4])
    /// ```
    #[rhai_fn(name = "slice", return_raw)]
    pub fn slice_rest(x: Tensor, along: i64, start: i64) -> Answer<Tensor> {
        x.slice(axis(along), axis(start), None).map_err(raise)
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
    pub fn take(x: Tensor, positions: Dynamic) -> Answer<Tensor> {
        x.take(&cast::to_tensor(&positions).map_err(raise)?, 0).map_err(raise)
    }

    /// Returns the parts of an axis at the given positions.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).take([1], 1) // => tensor([[2], [4]])
    /// ```
    #[rhai_fn(name = "take", return_raw)]
    pub fn take_axis(x: Tensor, positions: Dynamic, along: i64) -> Answer<Tensor> {
        x.take(&cast::to_tensor(&positions).map_err(raise)?, axis(along)).map_err(raise)
    }

    /// Returns one element for each position in `positions` (same number of axes), along an axis.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).gather(tensor([[1], [0]]), 1) // => tensor([[2], [3]])
    /// ```
    #[rhai_fn(name = "gather", return_raw)]
    pub fn gather(x: Tensor, positions: Tensor, along: i64) -> Answer<Tensor> {
        x.gather(&positions, axis(along)).map_err(raise)
    }

    /// Returns the tensor with `[before, after]` numbers added at each axis, filled with a value.
    ///
    /// ```rhai
    /// tensor([1, 2]).pad([[1, 2]], 0) // => tensor([0, 1, 2, 0, 0])
    /// ```
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad(x: Tensor, widths: List, value: Dynamic) -> Answer<Tensor> {
        let pair = |item: &Dynamic| match sizes(item)?.as_slice() {
            [before, after] => Ok((*before, *after)),
            _ => Err(raise(Error::script("expected `[before, after]` for each axis"))),
        };
        let widths = widths.iter().map(pair).collect::<Answer<Vec<_>>>()?;
        x.pad(&widths, to_number(&value)?).map_err(raise)
    }

    /// Returns the elements limited to `low` … `high`.
    ///
    /// ```rhai
    /// tensor([-1.0, 0.5, 2.0]).clip(0.0, 1.0) // => tensor([0.0, 0.5, 1.0])
    /// ```
    #[rhai_fn(name = "clip", return_raw)]
    pub fn clip(x: Tensor, low: Dynamic, high: Dynamic) -> Answer<Tensor> {
        x.clip(to_number(&low)?, to_number(&high)?).map_err(raise)
    }

    /// Returns the elements to a power.
    ///
    /// ```rhai
    /// tensor([2.0, 3.0]).pow(2) // => tensor([4.0, 9.0])
    /// ```
    #[rhai_fn(name = "pow", return_raw)]
    pub fn pow(x: Tensor, exponent: Dynamic) -> Answer<Tensor> {
        with(&exponent, |exponent| x.pow(exponent))
    }

    /// Returns numbers along the last axis as probabilities that sum to 1.
    ///
    /// ```rhai
    /// tensor([0.0, 0.0]).softmax() // => tensor([0.5, 0.5])
    /// ```
    #[rhai_fn(name = "softmax", return_raw)]
    pub fn softmax(x: Tensor) -> Answer<Tensor> {
        x.softmax(-1).map_err(raise)
    }

    /// Returns numbers along an axis as probabilities that sum to 1.
    #[rhai_fn(name = "softmax", return_raw)]
    pub fn softmax_axis(x: Tensor, along: i64) -> Answer<Tensor> {
        x.softmax(axis(along)).map_err(raise)
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
    pub fn matmul(x: Tensor, other: Tensor) -> Answer<Tensor> {
        x.matmul(&other).map_err(raise)
    }

    /// Returns the sum of the products of two tensors of one axis.
    ///
    /// ```rhai
    /// tensor([1.0, 2.0]).dot(tensor([3.0, 4.0])).item // => 11.0
    /// ```
    #[rhai_fn(name = "dot", return_raw)]
    pub fn dot(x: Tensor, other: Tensor) -> Answer<Tensor> {
        x.dot(&other).map_err(raise)
    }

    /// Returns the elements along the last axis in increasing order.
    ///
    /// ```rhai
    /// tensor([3, 1, 2]).sort() // => tensor([1, 2, 3])
    /// ```
    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort(x: Tensor) -> Answer<Tensor> {
        x.sort(Some(-1), false).map_err(raise)
    }

    /// Returns the positions that would sort the last axis.
    ///
    /// ```rhai
    /// tensor([3, 1, 2]).argsort() // => tensor([1, 2, 0])
    /// ```
    #[rhai_fn(name = "argsort", return_raw)]
    pub fn argsort(x: Tensor) -> Answer<Tensor> {
        x.argsort(Some(-1), false).map_err(raise)
    }

    /// Returns the different elements in increasing order.
    ///
    /// ```rhai
    /// tensor([2, 1, 2]).unique() // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "unique", return_raw)]
    pub fn unique(x: Tensor) -> Answer<Tensor> {
        x.unique().map_err(raise)
    }

    /// Returns the expression that makes the tensor, shortened when it is long.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(x: Tensor) -> String {
        x.to_string()
    }

    /// Returns the distance of each element from 0.
    ///
    /// ```rhai
    /// tensor([-2.0, 3.0]).abs() // => tensor([2.0, 3.0])
    /// ```
    #[rhai_fn(name = "abs", return_raw)]
    pub fn abs(x: Tensor) -> Answer<Tensor> {
        x.abs().map_err(raise)
    }

    /// Returns e to the power of each element.
    ///
    /// ```rhai
    /// tensor([0.0]).exp() // => tensor([1.0])
    /// ```
    #[rhai_fn(name = "exp", return_raw)]
    pub fn exp(x: Tensor) -> Answer<Tensor> {
        x.exp().map_err(raise)
    }

    /// Returns the natural logarithm of each element.
    ///
    /// ```rhai
    /// tensor([1.0]).log() // => tensor([0.0])
    /// ```
    #[rhai_fn(name = "log", return_raw)]
    pub fn log(x: Tensor) -> Answer<Tensor> {
        x.log().map_err(raise)
    }

    /// Returns the square root of each element.
    ///
    /// ```rhai
    /// tensor([4.0]).sqrt() // => tensor([2.0])
    /// ```
    #[rhai_fn(name = "sqrt", return_raw)]
    pub fn sqrt(x: Tensor) -> Answer<Tensor> {
        x.sqrt().map_err(raise)
    }

    /// Returns 1 / (1 + e^-x) of each element.
    ///
    /// ```rhai
    /// tensor([0.0]).sigmoid() // => tensor([0.5])
    /// ```
    #[rhai_fn(name = "sigmoid", return_raw)]
    pub fn sigmoid(x: Tensor) -> Answer<Tensor> {
        x.sigmoid().map_err(raise)
    }

    /// Returns the hyperbolic tangent of each element.
    ///
    /// ```rhai
    /// tensor([0.0]).tanh() // => tensor([0.0])
    /// ```
    #[rhai_fn(name = "tanh", return_raw)]
    pub fn tanh(x: Tensor) -> Answer<Tensor> {
        x.tanh().map_err(raise)
    }

    /// Returns each element, or 0 where it is negative.
    ///
    /// ```rhai
    /// tensor([-1.0, 2.0]).relu() // => tensor([0.0, 2.0])
    /// ```
    #[rhai_fn(name = "relu", return_raw)]
    pub fn relu(x: Tensor) -> Answer<Tensor> {
        x.relu().map_err(raise)
    }

    /// Returns the nearest whole numbers, halves away from zero.
    ///
    /// ```rhai
    /// tensor([0.5, 1.4]).round() // => tensor([1.0, 1.0])
    /// ```
    #[rhai_fn(name = "round", return_raw)]
    pub fn round(x: Tensor) -> Answer<Tensor> {
        x.round().map_err(raise)
    }

    /// Returns the next whole numbers below.
    ///
    /// ```rhai
    /// tensor([1.7, -1.2]).floor() // => tensor([1.0, -2.0])
    /// ```
    #[rhai_fn(name = "floor", return_raw)]
    pub fn floor(x: Tensor) -> Answer<Tensor> {
        x.floor().map_err(raise)
    }
}

#[export_module]
mod operators {
    /// Returns the elements with the other sign.
    ///
    /// ```rhai
    /// -tensor([1, -2]) // => tensor([-1, 2])
    /// ```
    #[rhai_fn(name = "-", return_raw)]
    pub fn neg(x: Tensor) -> Answer<Tensor> {
        x.neg().map_err(raise)
    }

    /// Returns the sum, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 2]) + 1 // => tensor([2, 3])
    /// ```
    #[rhai_fn(name = "+", return_raw)]
    pub fn add(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.add(&y).map_err(raise)
    }

    /// Returns the sum, element by element.
    #[rhai_fn(name = "+", return_raw)]
    pub fn add_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.add(y))
    }

    /// Returns the sum, element by element.
    #[rhai_fn(name = "+", return_raw)]
    pub fn add_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Arithmetic::Add.apply(x, &y))
    }

    /// Returns the difference, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1.5, 2.0]) - tensor([0.5, 1.0]) // => tensor([1.0, 1.0])
    /// ```
    #[rhai_fn(name = "-", return_raw)]
    pub fn sub(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.sub(&y).map_err(raise)
    }

    /// Returns the difference, element by element.
    #[rhai_fn(name = "-", return_raw)]
    pub fn sub_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.sub(y))
    }

    /// Returns the difference, element by element.
    #[rhai_fn(name = "-", return_raw)]
    pub fn sub_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Arithmetic::Sub.apply(x, &y))
    }

    /// Returns the product, element by element; one side may be a number.
    ///
    /// ```rhai
    /// 2 * tensor([1.0, 2.0]) // => tensor([2.0, 4.0])
    /// ```
    #[rhai_fn(name = "*", return_raw)]
    pub fn mul(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.mul(&y).map_err(raise)
    }

    /// Returns the product, element by element.
    #[rhai_fn(name = "*", return_raw)]
    pub fn mul_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.mul(y))
    }

    /// Returns the product, element by element.
    #[rhai_fn(name = "*", return_raw)]
    pub fn mul_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Arithmetic::Mul.apply(x, &y))
    }

    /// Returns the quotient, at least f32, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 2]) / 2 // => tensor([0.5, 1.0])
    /// ```
    #[rhai_fn(name = "/", return_raw)]
    pub fn div(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.div(&y).map_err(raise)
    }

    /// Returns the quotient, at least f32, element by element.
    #[rhai_fn(name = "/", return_raw)]
    pub fn div_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.div(y))
    }

    /// Returns the quotient, at least f32, element by element.
    #[rhai_fn(name = "/", return_raw)]
    pub fn div_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Arithmetic::Div.apply(x, &y))
    }

    /// Returns the remainder, with the sign of the dividend, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([5, -5]) % 3 // => tensor([2, -2])
    /// ```
    #[rhai_fn(name = "%", return_raw)]
    pub fn rem(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.rem(&y).map_err(raise)
    }

    /// Returns the remainder, with the sign of the dividend, element by element.
    #[rhai_fn(name = "%", return_raw)]
    pub fn rem_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.rem(y))
    }

    /// Returns the remainder, with the sign of the dividend, element by element.
    #[rhai_fn(name = "%", return_raw)]
    pub fn rem_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Arithmetic::Rem.apply(x, &y))
    }

    /// Returns the power, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([2.0]) ** 3 // => tensor([8.0])
    /// ```
    #[rhai_fn(name = "**", return_raw)]
    pub fn pow(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.pow(&y).map_err(raise)
    }

    /// Returns the power, element by element.
    #[rhai_fn(name = "**", return_raw)]
    pub fn pow_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.pow(y))
    }

    /// Returns the power, element by element.
    #[rhai_fn(name = "**", return_raw)]
    pub fn pow_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Arithmetic::Pow.apply(x, &y))
    }

    /// Returns 1 where both are equal, else 0, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 2]) == 2 // => tensor([0, 1]).to_u8()
    /// ```
    #[rhai_fn(name = "==", name = "equal", return_raw)]
    pub fn equal(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.equal(&y).map_err(raise)
    }

    /// Returns 1 where both are equal, else 0, element by element.
    #[rhai_fn(name = "==", name = "equal", return_raw)]
    pub fn equal_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.equal(y))
    }

    /// Returns 1 where both are equal, else 0, element by element.
    #[rhai_fn(name = "==", return_raw)]
    pub fn equal_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Comparison::Equal.apply(x, &y))
    }

    /// Returns 1 where they differ, else 0, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 2]) != 2 // => tensor([1, 0]).to_u8()
    /// ```
    #[rhai_fn(name = "!=", name = "not_equal", return_raw)]
    pub fn not_equal(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.not_equal(&y).map_err(raise)
    }

    /// Returns 1 where they differ, else 0, element by element.
    #[rhai_fn(name = "!=", name = "not_equal", return_raw)]
    pub fn not_equal_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.not_equal(y))
    }

    /// Returns 1 where they differ, else 0, element by element.
    #[rhai_fn(name = "!=", return_raw)]
    pub fn not_equal_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Comparison::NotEqual.apply(x, &y))
    }

    /// Returns 1 where the left one is less, else 0, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 2]) < 2 // => tensor([1, 0]).to_u8()
    /// ```
    #[rhai_fn(name = "<", name = "less", return_raw)]
    pub fn less(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.less(&y).map_err(raise)
    }

    /// Returns 1 where the left one is less, else 0, element by element.
    #[rhai_fn(name = "<", name = "less", return_raw)]
    pub fn less_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.less(y))
    }

    /// Returns 1 where the left one is less, else 0, element by element.
    #[rhai_fn(name = "<", return_raw)]
    pub fn less_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Comparison::Less.apply(x, &y))
    }

    /// Returns 1 where the left one is not greater, else 0, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 3]) <= 2 // => tensor([1, 0]).to_u8()
    /// ```
    #[rhai_fn(name = "<=", name = "less_equal", return_raw)]
    pub fn less_equal(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.less_equal(&y).map_err(raise)
    }

    /// Returns 1 where the left one is not greater, else 0, element by element.
    #[rhai_fn(name = "<=", name = "less_equal", return_raw)]
    pub fn less_equal_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.less_equal(y))
    }

    /// Returns 1 where the left one is not greater, else 0, element by element.
    #[rhai_fn(name = "<=", return_raw)]
    pub fn less_equal_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Comparison::LessEqual.apply(x, &y))
    }

    /// Returns 1 where the left one is greater, else 0, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 3]) > 2 // => tensor([0, 1]).to_u8()
    /// ```
    #[rhai_fn(name = ">", name = "greater", return_raw)]
    pub fn greater(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.greater(&y).map_err(raise)
    }

    /// Returns 1 where the left one is greater, else 0, element by element.
    #[rhai_fn(name = ">", name = "greater", return_raw)]
    pub fn greater_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.greater(y))
    }

    /// Returns 1 where the left one is greater, else 0, element by element.
    #[rhai_fn(name = ">", return_raw)]
    pub fn greater_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Comparison::Greater.apply(x, &y))
    }

    /// Returns 1 where the left one is not less, else 0, element by element; one side may be a number.
    ///
    /// ```rhai
    /// tensor([1, 3]) >= 3 // => tensor([0, 1]).to_u8()
    /// ```
    #[rhai_fn(name = ">=", name = "greater_equal", return_raw)]
    pub fn greater_equal(x: Tensor, y: Tensor) -> Answer<Tensor> {
        x.greater_equal(&y).map_err(raise)
    }

    /// Returns 1 where the left one is not less, else 0, element by element.
    #[rhai_fn(name = ">=", name = "greater_equal", return_raw)]
    pub fn greater_equal_right(x: Tensor, y: Dynamic) -> Answer<Tensor> {
        with(&y, |y| x.greater_equal(y))
    }

    /// Returns 1 where the left one is not less, else 0, element by element.
    #[rhai_fn(name = ">=", return_raw)]
    pub fn greater_equal_left(x: Dynamic, y: Tensor) -> Answer<Tensor> {
        with(&x, |x| Comparison::GreaterEqual.apply(x, &y))
    }
}

#[export_module]
mod reductions {
    /// Returns the sum over all elements.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).sum() // => tensor(10)
    /// ```
    #[rhai_fn(name = "sum", return_raw)]
    pub fn sum(x: Tensor) -> Answer<Tensor> {
        x.sum(None, false).map_err(raise)
    }

    /// Returns the sum over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).sum(0) // => tensor([4, 6])
    /// ```
    #[rhai_fn(name = "sum", return_raw)]
    pub fn sum_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.sum(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the mean (at least f32) over all elements.
    ///
    /// ```rhai
    /// tensor([1.0, 3.0]).mean() // => tensor(2.0)
    /// ```
    #[rhai_fn(name = "mean", return_raw)]
    pub fn mean(x: Tensor) -> Answer<Tensor> {
        x.mean(None, false).map_err(raise)
    }

    /// Returns the mean (at least f32) over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[1.0, 3.0], [5.0, 7.0]]).mean(1) // => tensor([2.0, 6.0])
    /// ```
    #[rhai_fn(name = "mean", return_raw)]
    pub fn mean_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.mean(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the standard deviation of the population (at least f32) over all elements.
    ///
    /// ```rhai
    /// tensor([1.0, 3.0]).std() // => tensor(1.0)
    /// ```
    #[rhai_fn(name = "std", return_raw)]
    pub fn std(x: Tensor) -> Answer<Tensor> {
        x.std(None, false).map_err(raise)
    }

    /// Returns the standard deviation of the population (at least f32) over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[1.0, 3.0]]).std(1) // => tensor([1.0])
    /// ```
    #[rhai_fn(name = "std", return_raw)]
    pub fn std_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.std(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the variance of the population (at least f32) over all elements.
    ///
    /// ```rhai
    /// tensor([1.0, 3.0]).variance() // => tensor(1.0)
    /// ```
    #[rhai_fn(name = "variance", return_raw)]
    pub fn variance(x: Tensor) -> Answer<Tensor> {
        x.variance(None, false).map_err(raise)
    }

    /// Returns the variance of the population (at least f32) over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[1.0, 3.0]]).variance(1) // => tensor([1.0])
    /// ```
    #[rhai_fn(name = "variance", return_raw)]
    pub fn variance_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.variance(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the smallest element over all elements.
    ///
    /// ```rhai
    /// tensor([3, 1]).min() // => tensor(1)
    /// ```
    #[rhai_fn(name = "min", return_raw)]
    pub fn min(x: Tensor) -> Answer<Tensor> {
        x.min(None, false).map_err(raise)
    }

    /// Returns the smallest element over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[3, 1], [2, 5]]).min(1) // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "min", return_raw)]
    pub fn min_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.min(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the largest element over all elements.
    ///
    /// ```rhai
    /// tensor([3, 1]).max() // => tensor(3)
    /// ```
    #[rhai_fn(name = "max", return_raw)]
    pub fn max(x: Tensor) -> Answer<Tensor> {
        x.max(None, false).map_err(raise)
    }

    /// Returns the largest element over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[3, 1], [2, 5]]).max(1) // => tensor([3, 5])
    /// ```
    #[rhai_fn(name = "max", return_raw)]
    pub fn max_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.max(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns 1 when any element is not 0 (u8) over all elements.
    ///
    /// ```rhai
    /// tensor([0, 2]).any().item // => 1
    /// ```
    #[rhai_fn(name = "any", return_raw)]
    pub fn any(x: Tensor) -> Answer<Tensor> {
        x.any(None, false).map_err(raise)
    }

    /// Returns 1 when any element is not 0 (u8) over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[0, 2]]).any(1).shape // => [1]
    /// ```
    #[rhai_fn(name = "any", return_raw)]
    pub fn any_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.any(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns 1 when no element is 0 (u8) over all elements.
    ///
    /// ```rhai
    /// tensor([0, 2]).all().item // => 0
    /// ```
    #[rhai_fn(name = "all", return_raw)]
    pub fn all(x: Tensor) -> Answer<Tensor> {
        x.all(None, false).map_err(raise)
    }

    /// Returns 1 when no element is 0 (u8) over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[0, 2]]).all(1).shape // => [1]
    /// ```
    #[rhai_fn(name = "all", return_raw)]
    pub fn all_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.all(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the square root of the sum of squares (at least f32) over all elements.
    ///
    /// ```rhai
    /// tensor([3.0, 4.0]).norm() // => tensor(5.0)
    /// ```
    #[rhai_fn(name = "norm", return_raw)]
    pub fn norm(x: Tensor) -> Answer<Tensor> {
        x.norm(None, false).map_err(raise)
    }

    /// Returns the square root of the sum of squares (at least f32) over the given axes, which disappear.
    ///
    /// ```rhai
    /// tensor([[3.0, 4.0]]).norm(1) // => tensor([5.0])
    /// ```
    #[rhai_fn(name = "norm", return_raw)]
    pub fn norm_axes(x: Tensor, over: Dynamic) -> Answer<Tensor> {
        x.norm(Some(&axes(&over)?), false).map_err(raise)
    }

    /// Returns the sum over the given axes, which stay with length 1 when `keep` is true. The other
    /// reductions take `expand` afterwards.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).sum(1, true).shape // => [2, 1]
    /// ```
    #[rhai_fn(name = "sum", return_raw)]
    pub fn sum_keep(x: Tensor, over: Dynamic, keep: bool) -> Answer<Tensor> {
        x.sum(Some(&axes(&over)?), keep).map_err(raise)
    }

    /// Returns how many elements are not 0 (i64).
    ///
    /// ```rhai
    /// tensor([0, 2, 3]).count() // => tensor(2)
    /// ```
    #[rhai_fn(name = "count", return_raw)]
    pub fn count(x: Tensor) -> Answer<Tensor> {
        x.count(None, None, false).map_err(raise)
    }

    /// Returns how many elements equal a value (i64).
    ///
    /// ```rhai
    /// tensor([0, 2, 2]).count(2) // => tensor(2)
    /// ```
    #[rhai_fn(name = "count", return_raw)]
    pub fn count_value(x: Tensor, value: Dynamic) -> Answer<Tensor> {
        x.count(Some(to_number(&value)?), None, false).map_err(raise)
    }

    /// Returns the position of the largest element (i64), the first of equals, in the flattened tensor.
    ///
    /// ```rhai
    /// tensor([1, 5, 2]).argmax().item // => 1
    /// ```
    #[rhai_fn(name = "argmax", return_raw)]
    pub fn argmax(x: Tensor) -> Answer<Tensor> {
        x.argmax(None, false).map_err(raise)
    }

    /// Returns the position of the largest element along an axis (i64), which disappears.
    ///
    /// ```rhai
    /// tensor([[1, 5], [4, 2]]).argmax(1) // => tensor([1, 0])
    /// ```
    #[rhai_fn(name = "argmax", return_raw)]
    pub fn argmax_axis(x: Tensor, along: i64) -> Answer<Tensor> {
        x.argmax(Some(axis(along)), false).map_err(raise)
    }

    /// Returns the position of the smallest element (i64), the first of equals, in the flattened tensor.
    ///
    /// ```rhai
    /// tensor([1, 5, 2]).argmin().item // => 0
    /// ```
    #[rhai_fn(name = "argmin", return_raw)]
    pub fn argmin(x: Tensor) -> Answer<Tensor> {
        x.argmin(None, false).map_err(raise)
    }

    /// Returns the position of the smallest element along an axis (i64), which disappears.
    ///
    /// ```rhai
    /// tensor([[1, 5], [4, 2]]).argmin(1) // => tensor([0, 1])
    /// ```
    #[rhai_fn(name = "argmin", return_raw)]
    pub fn argmin_axis(x: Tensor, along: i64) -> Answer<Tensor> {
        x.argmin(Some(axis(along)), false).map_err(raise)
    }
}
