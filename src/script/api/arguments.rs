//! Arguments of functions that take more than one type: whole numbers where numbers are wanted, a tensor or
//! a number, one axis or an array of them.
//!
//! Rhai calls a function only when the types match exactly, so such a parameter is a `Dynamic` and converted
//! here. The names of these types are what the manual prints.

use rhai::{Array as List, Dynamic, EvalAltResult};

use crate::error::{Error, Result as Outcome};
use crate::script::cast;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::{Dtype, Number, Operand, Tensor};

/// What a function of the API returns.
pub type Answer<T> = Result<T, Box<EvalAltResult>>;

/// A number, whole or not.
pub type Num = Dynamic;
/// A tensor or a number.
pub type TensorOrNumber = Dynamic;
/// A tensor, a number, or nested arrays of numbers.
pub type Numbers = Dynamic;
/// A shape: an array of whole numbers, or one.
pub type Shape = Dynamic;
/// One axis, or an array of them.
pub type Axes = Dynamic;
/// A tensor, or a layer of a network.
pub type TensorOrLayer = Dynamic;
/// The name of a file, or a u8 tensor of its bytes.
pub type FileOrBytes = Dynamic;
/// A tensor, or a map from names to tensors.
pub type TensorOrMap = Dynamic;
/// A layer, or an array of layers.
pub type Layers = Dynamic;

/// Returns a number as a tensor takes it.
pub fn number(value: &Dynamic) -> Answer<Number> {
    match (value.as_int(), value.as_float()) {
        (Ok(value), _) => Ok(Number::Int(value)),
        (_, Ok(value)) => Ok(Number::Float(value)),
        _ => Err(raise(Error::script(format!("expected a number, found {}", type_phrase(value.type_name()))))),
    }
}

/// Returns a number; `what` names the parameter and the function in errors: "`mean` of `normal`".
pub fn float(value: &Dynamic, what: &str) -> Answer<f64> {
    let float = value.as_float().or_else(|_| value.as_int().map(|whole| whole as f64));
    float.map_err(|found| raise(Error::script(format!("{what}: expected a number, found {}", type_phrase(found)))))
}

/// Returns a side of an operator; `hold` keeps a tensor alive.
pub fn operand<'a>(value: &Dynamic, hold: &'a mut Option<Tensor>) -> Answer<Operand<'a>> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return Ok(Operand::Tensor(hold.insert(tensor.clone())));
    }
    match number(value) {
        Ok(number) => Ok(Operand::Number(number)),
        Err(_) => Err(raise(Error::script(format!(
            "expected a tensor or a number, found {}",
            type_phrase(value.type_name())
        )))),
    }
}

/// Runs an operation on a tensor or a number.
pub fn with(value: &Dynamic, run: impl FnOnce(Operand) -> Outcome<Tensor>) -> Answer<Tensor> {
    let mut hold = None;
    run(operand(value, &mut hold)?).map_err(raise)
}

/// Returns an axis or a position; negative ones count from the end.
pub fn place(value: i64) -> isize {
    isize::try_from(value).unwrap_or(isize::MAX)
}

/// Returns one axis or an array of them.
pub fn axes(value: &Dynamic) -> Answer<Vec<isize>> {
    match value.as_int() {
        Ok(one) => Ok(vec![place(one)]),
        Err(_) => whole(value, "axes: a whole number or an array of them"),
    }
}

/// Returns an array of whole numbers; `what` says what they are.
pub fn whole(value: &Dynamic, what: &str) -> Answer<Vec<isize>> {
    let wrong = |found: &str| raise(Error::script(format!("expected {what}, found {}", type_phrase(found))));
    let list = value.read_lock::<List>().ok_or_else(|| wrong(value.type_name()))?;
    list.iter()
        .map(|item| item.as_int().map(place))
        .collect::<Result<_, _>>()
        .map_err(|found| raise(Error::script(format!("expected {what}, found {} in the array", type_phrase(found)))))
}

/// Returns the lengths of a shape: an array of whole numbers of at least 0, or one.
pub fn sizes(value: &Dynamic) -> Answer<Vec<usize>> {
    let sizes = match value.as_int() {
        Ok(one) => vec![place(one)],
        Err(_) => whole(value, "a shape: an array of whole numbers, such as `[2, 3]`")?,
    };
    sizes
        .iter()
        .map(|&size| {
            usize::try_from(size)
                .map_err(|_| raise(Error::script(format!("a shape has no negative length, found {size}"))))
        })
        .collect()
}

/// Returns positions: whole numbers, in a tensor or an array, which may be empty.
pub fn positions(value: &Dynamic) -> Answer<Tensor> {
    match value.read_lock::<List>().is_some_and(|list| list.is_empty()) {
        true => Tensor::zeros(&[0], Dtype::I64).map_err(raise),
        false => cast::to_tensor(value).map_err(raise),
    }
}

/// Returns an array of texts; `what` names them in errors.
pub fn texts(list: &List, what: &str) -> Answer<Vec<String>> {
    let text = |item: &Dynamic| {
        item.as_immutable_string_ref()
            .map(|text| text.to_string())
            .map_err(|found| raise(Error::script(format!("{what}: expected texts, found {}", type_phrase(found)))))
    };
    list.iter().map(text).collect()
}
