//! Arguments of functions of tensors that are the same for all lanes.

use crate::script::vectorise::value::Value;
use crate::tensor::Number;

/// Returns the one number of all lanes.
pub fn number(value: &Value) -> Option<Number> {
    let Value::Same(value) = value else { return None };
    value.as_int().map(Number::Int).or_else(|_| value.as_float().map(Number::Float)).ok()
}

/// A shape or axes: an array of whole numbers, or one.
pub(super) fn sizes(value: &Value) -> Option<Vec<isize>> {
    match value {
        Value::List(items) => items.iter().map(|item| item.same_int().map(|size| size as isize)).collect(),
        value => value.same_int().map(|size| vec![size as isize]),
    }
}

/// Pairs of what stands before and behind each axis.
pub(super) fn widths(value: &Value) -> Option<Vec<(usize, usize)>> {
    let Value::List(pairs) = value else { return None };
    let pair = |pair: &Value| match sizes(pair)?.as_slice() {
        [before, after] => Some((usize::try_from(*before).ok()?, usize::try_from(*after).ok()?)),
        _ => None,
    };
    pairs.iter().map(pair).collect()
}

/// Returns an axis of a lane counted from 0.
pub(super) fn place(axis: isize, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as isize } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}

/// The axes of the lanes' array from those of a lane, counted from 0.
pub(super) fn order(axes: impl Iterator<Item = usize>) -> Vec<isize> {
    std::iter::once(0).chain(axes.map(|axis| axis as isize + 1)).collect()
}
