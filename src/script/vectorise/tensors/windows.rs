//! Slices at positions that differ from lane to lane.

use super::arguments::{number, place, widths};
use super::reduce::by_row;
use crate::script::vectorise::halt::Outcome;
use crate::script::vectorise::value::Value;
use crate::tensor::{Array, Number, Tensor, batched};

/// `slice` at positions that differ from lane to lane.
pub(super) fn sliced(name: &str, array: &Array, rest: &[Value], len: usize) -> Outcome<Option<Value>> {
    if name != "slice" {
        return Ok(None);
    }
    let own: Vec<(usize, usize)> = vec![(0, 0); array.rank() - 1];
    if let Some(found) = windows(array, &own, Number::Int(0), rest)? {
        return Ok(Some(found));
    }
    let position = |value: &Value, lane: usize| match value {
        Value::Ints(values) => values.get(lane).map(|&at| at as isize),
        value => value.same_int().map(|at| at as isize),
    };
    let (axis, start, end) = match rest {
        [axis, start] => (axis, start, None),
        [axis, start, end] => (axis, start, Some(end)),
        _ => return Ok(None),
    };
    let known = |value: &Value| matches!(value, Value::Ints(_)) || value.same_int().is_some();
    let Some(axis) = axis.same_int().filter(|_| known(start) && end.is_none_or(known)) else { return Ok(None) };
    let row = |lane: usize| {
        let row = Tensor::Host(array.row(lane));
        row.slice(axis as isize, position(start, lane).unwrap_or(0), end.and_then(|end| position(end, lane)))
    };
    by_row(len, row).map(Some)
}

/// `x.pad(widths, value).slice(axis, start, end)`, which moves and crops images, without the padded tensors; `None`
/// when there is no column form of that, or when a lane would raise an error.
pub fn cropped(padded: &[Value], slice: &[Value]) -> Outcome<Option<Value>> {
    let [Value::Tensors(array), around, value] = padded else { return Ok(None) };
    match (widths(around), number(value)) {
        (Some(widths), Some(value)) => windows(array, &widths, value, slice),
        _ => Ok(None),
    }
}

/// Slices of one length, from positions that may differ from lane to lane.
fn windows(array: &Array, widths: &[(usize, usize)], value: Number, slice: &[Value]) -> Outcome<Option<Value>> {
    let [axis, start, end] = slice else { return Ok(None) };
    let Some(axis) = axis.same_int().and_then(|axis| place(axis as isize, widths.len())) else { return Ok(None) };
    let (Some(&own), Some(&(before, behind))) = (array.shape().get(axis + 1), widths.get(axis)) else {
        return Ok(None);
    };
    let Some(whole) = own.checked_add(before).and_then(|size| size.checked_add(behind)) else { return Ok(None) };
    let border = |at: i64| if at < 0 { usize::try_from(at + whole as i64) } else { usize::try_from(at) }.ok();
    let borders = |value: &Value| -> Option<Vec<usize>> {
        match value {
            Value::Ints(each) => each.iter().map(|&at| border(at)).collect(),
            value => value.same_int().and_then(border).map(|at| vec![at; array.len()]),
        }
    };
    let (Some(starts), Some(ends)) = (borders(start), borders(end)) else { return Ok(None) };
    let mut lengths = starts.iter().zip(&ends).map(|(start, end)| end.checked_sub(*start));
    let Some(Some(length)) = lengths.next() else { return Ok(None) };
    if lengths.any(|other| other != Some(length)) {
        return Ok(None);
    }
    Ok(batched::windows(array, widths, value, axis, &starts, length)?.map(Value::Tensors))
}
