//! Tensors of one shape a lane as one array with the lanes on axis 0. Every function here gives the bits that
//! the same function gives row by row: elements are computed by the same code, and a reduction is done at once
//! only where its sums run in the same order. Anything else goes row by row, natively.

mod arguments;
mod call;
mod operate;
mod reduce;
mod windows;

use rhai::Dynamic;

pub(super) use arguments::number;
pub(super) use call::call;
pub(super) use operate::{arithmetic, operate};
pub(super) use windows::cropped;

use super::halt::{Halt, Outcome};
use super::value::Value;
use crate::error::Result;
use crate::tensor::{Array, Number, Tensor};

/// Returns a property of each lane's tensor.
pub(super) fn property(array: &Array, name: &str) -> Option<Value> {
    let shape = array.shape().get(1..)?;
    let int = |value: usize| Value::int(value as i64);
    Some(match name {
        "shape" => Value::list(shape.iter().map(|&size| int(size)).collect()),
        "len" => int(shape.first().copied().unwrap_or(1)),
        "rank" => int(shape.len()),
        "size" => int(shape.iter().product()),
        "dtype" => Value::text(array.dtype().name()),
        "item" if shape.iter().product::<usize>() == 1 => numbers(array),
        _ => return None,
    })
}

/// Returns the elements as numbers of scripts, one a lane.
fn numbers(array: &Array) -> Value {
    match array.dtype().is_float() {
        true => Value::floats(array.as_f64().into_owned()),
        false => Value::ints(array.as_i64().into_owned()),
    }
}

/// Returns rows or, of tensors with one axis, numbers.
fn rows_or_numbers(array: Array) -> Value {
    match array.rank() {
        1 => numbers(&array),
        _ => Value::Tensors(array),
    }
}

/// Returns an element or a row of each lane's tensor; `None` when there is no column form.
pub(super) fn index(of: &Value, index: &Value) -> Outcome<Option<Value>> {
    let place = |at: i64, length: usize| {
        let at = if at < 0 { at + length as i64 } else { at };
        usize::try_from(at).ok().filter(|at| *at < length).ok_or_else(|| Halt::new("a position outside of a tensor"))
    };
    match (of, index) {
        (Value::Tensors(array), _) if array.rank() >= 2 => {
            let length = array.shape()[1];
            if let Some(at) = index.same_int() {
                return Ok(Some(rows_or_numbers(column(array, place(at, length)?)?)));
            }
            if let Value::Ints(each) = index {
                let rows = each.iter().enumerate().map(|(lane, &at)| Ok(array.row(lane).row(place(at, length)?)));
                let rows = rows.collect::<Outcome<Vec<Array>>>()?;
                return Ok(Some(rows_or_numbers(Array::stack(&rows)?)));
            }
            if let Value::Same(value) = index
                && let Some(range) = value.read_lock::<std::ops::Range<i64>>()
            {
                let part = Tensor::Host(array.clone()).slice(1, range.start as isize, Some(range.end as isize))?;
                return Ok(Some(Value::Tensors(part.to_host()?)));
            }
            Ok(None)
        }
        (Value::Same(_), Value::Ints(each)) => match of.same_tensor() {
            Some(Tensor::Host(array)) if array.rank() >= 1 => {
                let places = each.iter().map(|&at| place(at, array.shape()[0])).collect::<Outcome<Vec<usize>>>()?;
                Ok(Some(rows_or_numbers(array.take_rows(&places)?)))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Returns position `at` of axis 1.
fn column(array: &Array, at: usize) -> Result<Array> {
    Tensor::Host(array.clone()).slice(1, at as isize, Some(at as isize + 1))?.squeeze(Some(1))?.to_host()
}

/// Returns the rows of each lane's tensor, as a loop goes over them.
pub(super) fn rows(over: &Value, _len: usize) -> Outcome<Option<Vec<Value>>> {
    if let Value::Tensors(array) = over {
        let count = if array.rank() < 2 { 0 } else { array.shape()[1] };
        let rows = (0..count).map(|at| Ok(rows_or_numbers(column(array, at)?)));
        return rows.collect::<Result<_>>().map(Some).map_err(Into::into);
    }
    let Some(tensor) = over.same_tensor() else { return Ok(None) };
    let count = if tensor.rank() == 0 { 0 } else { tensor.len() };
    let row = |at: usize| {
        let row = tensor.index(at as isize)?;
        Ok(match row.shape() {
            [] => match row.item()? {
                Number::Int(value) => Value::int(value),
                Number::Float(value) => Value::Same(Dynamic::from(value)),
            },
            _ => Value::tensor(row),
        })
    };
    (0..count).map(row).collect::<Result<_>>().map(Some).map_err(Into::into)
}
