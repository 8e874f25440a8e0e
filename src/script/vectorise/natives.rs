//! The list of native functions that are followed. All of them are functions of their arguments alone: they
//! print nothing, write nothing and remember nothing, so that calling one lane by lane, or once on columns,
//! makes no difference. What is not on the list is refused.

use super::halt::{Halt, Outcome};
use crate::script::host::Host;

#[rustfmt::skip]
const FOLLOWED: &[&str] = &[
    // Operators that are called like functions.
    "-", "!", "contains",
    // Numbers.
    "abs", "sign", "sqrt", "exp", "ln", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos",
    "atan", "asinh", "acosh", "atanh", "hypot", "to_radians", "to_degrees", "floor", "ceiling", "round", "int",
    "fraction", "is_nan", "is_finite", "is_infinite", "is_odd", "is_even", "is_zero", "to_int", "to_float",
    "parse_int", "parse_float", "PI", "E", "min", "max",
    // Texts.
    "len", "is_empty", "chars", "bytes", "to_upper", "to_lower", "starts_with", "ends_with", "index_of", "sub_string",
    "split", "split_rev", "to_chars", "get", "trim", "replace", "crop", "make_upper", "make_lower", "truncate",
    "pad", "append", "remove", "clear", "pop", "set",
    // Arrays and maps.
    "push", "insert", "shift", "chop", "reverse", "splice", "extract", "drain", "retain", "sort", "dedup", "concat",
    "map", "filter", "some", "all", "keys", "values", "mixin", "fill_with",
    // Records.
    "gather", "row", "to_map",
    // Tensors.
    "tensor", "zeros", "ones", "full", "range", "stack", "one_hot", "shape", "rank", "size", "dtype", "item",
    "to_f32", "to_f64", "to_i64", "to_u8", "to_array", "reshape", "flatten", "transpose", "expand", "squeeze", "slice",
    "take", "pow", "clip", "sum", "mean", "std", "variance", "argmin", "argmax", "softmax", "sigmoid", "relu", "equal",
    "not_equal", "less", "less_equal", "greater", "greater_equal", "where", "any", "matmul", "dot", "norm", "argsort",
    "unique", "count", "nan",
    // Pictures.
    "resize", "flip", "roll", "rotate", "rotate90", "affine", "erase", "grayscale",
    // Files, which stay as they are while records are loaded, and words.
    "image", "sound", "text", "array", "encode", "decode", "words",
    // Random numbers, each lane from its own stream.
    "uniform", "normal", "below", "chance", "choice", "shuffled", "beta",
];

/// Functions that may change what they are called on: a text, an array or a map.
#[rustfmt::skip]
const CHANGING: &[&str] = &[
    "trim", "replace", "crop", "make_upper", "make_lower", "truncate", "pad", "append", "remove", "clear", "pop", "set",
    "push", "insert", "shift", "chop", "reverse", "splice", "drain", "retain", "sort", "dedup", "mixin", "fill_with",
];

/// Words of the language that look like functions, and why they are not followed.
const WORDS: [(&str, &str); 7] = [
    ("print", "prints"),
    ("debug", "prints"),
    ("call", "calls a function that is a value"),
    ("Fn", "makes a function from its name"),
    ("is_shared", "asks for a variable with `is_shared`"),
    ("is_def_var", "asks for a variable with `is_def_var`"),
    ("is_def_fn", "asks for a function with `is_def_fn`"),
];

/// Asks for the type of a value, which is known where all lanes have the same value.
pub(super) const TYPE_OF: &str = "type_of";

/// Refuses a function that is not on the list, or that the embedding program registered under a name of the list.
pub(super) fn check(host: &Host, name: &str) -> Outcome<()> {
    if let Some((_, why)) = WORDS.iter().find(|(word, _)| *word == name) {
        return Err(Halt::new(*why));
    }
    if name == TYPE_OF {
        return Ok(());
    }
    match FOLLOWED.contains(&name) && !host.has_added(name) {
        true => Ok(()),
        false => Err(Halt::new(format!("`{name}` is not among the functions that are followed"))),
    }
}

/// Properties that are followed; all others are fields of maps and records.
const PROPERTIES: [&str; 8] = ["len", "shape", "rank", "size", "dtype", "item", "row", "is_empty"];

/// Refuses a property that is not on the list.
pub(super) fn check_property(name: &str) -> Outcome<()> {
    match PROPERTIES.contains(&name) {
        true => Ok(()),
        false => Err(Halt::new(format!("the property `{name}` is not among those that are followed"))),
    }
}

/// Whether a function may change its first argument.
pub(super) fn may_change(name: &str) -> bool {
    CHANGING.contains(&name)
}

/// Whether a function draws random numbers.
pub(super) fn draws(name: &str) -> bool {
    ["uniform", "normal", "below", "chance", "choice", "shuffled", "beta"].contains(&name)
}
