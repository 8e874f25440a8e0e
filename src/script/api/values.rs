//! Values of the language itself, where the host changes what Rhai does: how they print, and when they are
//! equal.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, EvalAltResult, Map, Module};

use crate::error::{Error, codes};
use crate::network::{Network, Symbol};
use crate::record::{Record, Records};
use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::api::loader::LoaderHandle;
use crate::script::api::random::Rng;
use crate::script::api::table::{self, ANY, Kind, REFUSED};
use crate::script::api::trainer::TrainerHandle;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::{Number, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page { name: "values", title: "Values", intro: INTRO, register };

const INTRO: &str = "The language is [Rhai](https://rhai.rs/book/): whole numbers (64 bits), numbers with a fraction, `true` and \
    `false`, texts, arrays, maps, functions, and `()` for nothing. This page has what this program adds or does otherwise.\n\n\
    A value prints as the expression that makes it:\n\n\
    ```rhai\n\
    [1, 2.0, \"text\", 'c', (), #{ x: tensor([1.5]) }] // => [1, 2.0, \"text\", 'c', (), #{\"x\": tensor([1.5])}]\n\
    1e-7 // => 1e-7\n\
    ```\n\n\
    A field that a map does not have is an error, with the nearest name; [`get`](recipe.md) takes a default, and \
    `\"name\" in map` asks. Whole numbers divide without a fraction; any number may stand where a function of this manual \
    wants one.\n\n\
    ```rhai\n\
    7 / 2 // => 3\n\
    7 / 2.0 // => 3.5\n\
    ```\n\n\
    Comparing things that do not compare, such as a tensor or a record with a text, is an error rather than false. \
    Every method may also be called as a function: `x.sum()` is `sum(x)`.";

fn register(engine: &mut Engine) {
    let mut module = exported_module!(functions);
    module.combine_flatten(exported_module!(printing));
    refuse_comparisons::<Record>(&mut module, "compare fields, as in `a.x == b.x`");
    refuse_comparisons::<Records>(&mut module, "compare columns, as in `a.column(\"x\") == b.column(\"x\")`");
    refuse_comparisons::<Symbol>(&mut module, "layers of a network have no values yet");
    refuse_comparisons::<Network>(&mut module, "a network has no order and no equal");
    refuse_comparisons::<Rng>(&mut module, "compare the numbers that it draws");
    refuse_comparisons::<LoaderHandle>(&mut module, "a loader has no order and no equal");
    refuse_comparisons::<TrainerHandle>(&mut module, "compare what they return");
    engine.register_global_module(module.into());
}

/// Rhai takes things that do not compare for unequal without a word. `==` and `!=` against `()` stay.
fn refuse_comparisons<T: Clone + Send + Sync + 'static>(module: &mut Module, hint: &'static str) {
    let own = Kind::of::<T>("");
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        for (left, right) in [(own, own), (own, ANY), (ANY, own)] {
            let parameters = [("left", left), ("right", right)];
            table::register(module, operator, "", &parameters, REFUSED, move |_, arguments| match operator {
                "==" | "!=" if arguments.iter().any(|side| side.is_unit()) => Ok((operator == "!=").into()),
                _ => Err(raise(
                    Error::script(format!(
                        "`{operator}` does not work between {} and {}",
                        type_phrase(arguments[0].type_name()),
                        type_phrase(arguments[1].type_name())
                    ))
                    .coded(codes::WRONG_OPERANDS)
                    .hint(hint),
                )),
            });
        }
    }
}

/// Returns whether two values are equal as a whole: tensors by dtype, shape and elements, arrays and maps by
/// what they hold, numbers as numbers; values of different types are not.
fn same(context: &NativeCallContext, left: &Dynamic, right: &Dynamic) -> Answer<bool> {
    if let (Some(left), Some(right)) = (left.read_lock::<Tensor>(), right.read_lock::<Tensor>()) {
        return same_tensors(&left, &right).map_err(raise);
    }
    if let (Some(left), Some(right)) = (left.read_lock::<List>(), right.read_lock::<List>()) {
        return same_lists(context, &left, &right);
    }
    if let (Some(left), Some(right)) = (left.read_lock::<Map>(), right.read_lock::<Map>()) {
        return same_maps(context, &left, &right);
    }
    if let (Ok(left), Ok(right)) = (left.as_immutable_string_ref(), right.as_immutable_string_ref()) {
        return Ok(left.as_str() == right.as_str());
    }
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return Ok(left == right);
    }
    if left.is::<Tensor>() || right.is::<Tensor>() {
        return Ok(false);
    }
    match context.call_native_fn_raw("==", true, &mut [&mut left.clone(), &mut right.clone()]) {
        Ok(answer) => Ok(answer.as_bool().unwrap_or(false)),
        Err(error) => match *error {
            EvalAltResult::ErrorFunctionNotFound(..) if left.type_id() != right.type_id() => Ok(false),
            _ => Err(error),
        },
    }
}

fn same_tensors(left: &Tensor, right: &Tensor) -> crate::Result<bool> {
    if left.dtype() != right.dtype() || left.shape() != right.shape() {
        return Ok(false);
    }
    Ok(left.size() == 0 || left.equal(right)?.all(None, false)?.item()? != Number::Int(0))
}

fn same_lists(context: &NativeCallContext, left: &List, right: &List) -> Answer<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !same(context, left, right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_maps(context: &NativeCallContext, left: &Map, right: &Map) -> Answer<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (name, left) in left {
        match right.get(name) {
            Some(right) if same(context, left, right)? => (),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn position(context: &NativeCallContext, array: &List, value: &Dynamic, start: usize) -> Answer<Option<usize>> {
    for (at, item) in array.iter().enumerate().skip(start) {
        if same(context, item, value)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
#[export_module]
mod functions {
    /// Returns the number with a fraction that stands for no number, which is equal to nothing: a gap that
    /// `std.transformers.impute` fills. `x.is_nan()` asks.
    ///
    /// ```rhai
    /// nan() == nan() // => false
    /// nan().is_nan() // => true
    /// ```
    #[rhai_fn(name = "nan")]
    pub fn nan() -> f64 {
        f64::NAN
    }

    /// Returns whether both hold equal values: arrays in the same order, maps under the same names. Tensors in
    /// them are equal when dtype, shape and all elements are.
    ///
    /// ```rhai
    /// [1, tensor([2, 3])] == [1, tensor([2, 3])] // => true
    /// #{ x: 1 } == #{ x: 1, y: 2 } // => false
    /// ```
    #[rhai_fn(name = "==", pure, return_raw)]
    pub fn equal_arrays(context: NativeCallContext, left: &mut List, right: List) -> Answer<bool> {
        same_lists(&context, left, &right)
    }

    #[rhai_fn(name = "==", pure, return_raw)]
    pub fn equal_maps(context: NativeCallContext, left: &mut Map, right: Map) -> Answer<bool> {
        same_maps(&context, left, &right)
    }

    /// Returns whether they hold different values; see `==`.
    ///
    /// ```rhai
    /// [tensor([1])] != [tensor([2])] // => true
    /// ```
    #[rhai_fn(name = "!=", pure, return_raw)]
    pub fn unequal_arrays(context: NativeCallContext, left: &mut List, right: List) -> Answer<bool> {
        same_lists(&context, left, &right).map(|same| !same)
    }

    #[rhai_fn(name = "!=", pure, return_raw)]
    pub fn unequal_maps(context: NativeCallContext, left: &mut Map, right: Map) -> Answer<bool> {
        same_maps(&context, left, &right).map(|same| !same)
    }

    /// Returns whether an array holds a value: `value in array`.
    ///
    /// ```rhai
    /// "b" in ["a", "b"] // => true
    /// tensor([1, 2]) in [tensor([1, 2])] // => true
    /// ```
    #[rhai_fn(name = "contains", pure, return_raw)]
    pub fn contains(context: NativeCallContext, array: &mut List, value: Dynamic) -> Answer<bool> {
        position(&context, array, &value, 0).map(|at| at.is_some())
    }

    /// Returns the position of the first element that equals a value, from `start` on (negative: counted from
    /// the end), or -1. Given a function instead of a value, the first element for which it returns true.
    ///
    /// ```rhai
    /// ["setosa", "virginica"].index_of("virginica") // => 1
    /// [1, 2, 1].index_of(1, 1) // => 2
    /// ```
    #[rhai_fn(name = "index_of", pure, return_raw)]
    pub fn index_of(context: NativeCallContext, array: &mut List, value: Dynamic) -> Answer<i64> {
        position(&context, array, &value, 0).map(|at| at.map_or(-1, |at| at as i64))
    }

    #[rhai_fn(name = "index_of", pure, return_raw)]
    pub fn index_of_from(context: NativeCallContext, array: &mut List, value: Dynamic, start: i64) -> Answer<i64> {
        let start = if start < 0 { (array.len() as i64).saturating_add(start).max(0) } else { start };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        position(&context, array, &value, start).map(|at| at.map_or(-1, |at| at as i64))
    }
}

/// As `{:?}` prints, which is also how tensors print their elements.
#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod printing {
    #[rhai_fn(name = "to_string", name = "to_debug", name = "print", name = "debug")]
    pub fn float(value: f64) -> String {
        format!("{value:?}")
    }

    /// What `catch (error)` holds when the host refused something.
    #[rhai_fn(name = "to_string", name = "to_debug", name = "print", name = "debug", pure)]
    pub fn refusal(error: &mut crate::Error) -> String {
        error.to_string()
    }

    #[rhai_fn(name = "to_debug", name = "debug")]
    pub fn character(value: char) -> String {
        format!("{value:?}")
    }
}
