//! Tensors of one shape a lane as one array with the lanes on axis 0. Every function here gives the bits that
//! the same function gives row by row: elements are computed by the same code, and a reduction is done at once
//! only where its sums run in the same order. Anything else goes row by row, natively.

use rhai::Dynamic;

use super::halt::{Halt, Outcome};
use super::pack;
use super::program::Operator;
use super::value::{Value, repeated, stacked};
use crate::error::Result;
use crate::tensor::{Arithmetic, Array, Comparison, Dtype, Number, Operand, Tensor, batched};

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

/// What an operator does to tensors.
#[derive(Clone, Copy)]
enum Does {
    Compute(Arithmetic),
    Compare(Comparison),
}

impl Does {
    fn of(operator: Operator) -> Option<Does> {
        Some(match operator {
            Operator::Add => Does::Compute(Arithmetic::Add),
            Operator::Sub => Does::Compute(Arithmetic::Sub),
            Operator::Mul => Does::Compute(Arithmetic::Mul),
            Operator::Div => Does::Compute(Arithmetic::Div),
            Operator::Rem => Does::Compute(Arithmetic::Rem),
            Operator::Pow => Does::Compute(Arithmetic::Pow),
            Operator::Equal => Does::Compare(Comparison::Equal),
            Operator::NotEqual => Does::Compare(Comparison::NotEqual),
            Operator::Less => Does::Compare(Comparison::Less),
            Operator::LessEqual => Does::Compare(Comparison::LessEqual),
            Operator::Greater => Does::Compare(Comparison::Greater),
            Operator::GreaterEqual => Does::Compare(Comparison::GreaterEqual),
            Operator::Other(_) => return None,
        })
    }

    fn apply<'a>(self, left: impl Into<Operand<'a>>, right: impl Into<Operand<'a>>) -> Result<Tensor> {
        match self {
            Does::Compute(operation) => operation.apply(left, right),
            Does::Compare(comparison) => comparison.apply(left, right),
        }
    }

    /// Returns the dtype in which a tensor meets a number.
    fn with_number(self, tensor: Dtype, whole: bool) -> Dtype {
        let number = if whole { Number::Int(1) } else { Number::Float(1.0) };
        match (self, tensor.with_number(number)) {
            (Does::Compute(Arithmetic::Div), Dtype::I64) => Dtype::F32,
            (Does::Compute(_), dtype) => dtype,
            (Does::Compare(_), _) => match (tensor, whole) {
                (Dtype::F32, _) => Dtype::F32,
                (Dtype::F64, _) | (_, false) => Dtype::F64,
                _ => Dtype::I64,
            },
        }
    }
}

/// A side of an operator.
enum Side {
    /// Lanes on axis 0.
    Batch(Array),
    One(Array),
    Number(Number),
    /// A number a lane, of shape `[lanes]`, and whether they are whole.
    Numbers(Array, bool),
}

fn side(value: &Value) -> Option<Side> {
    Some(match value {
        Value::Tensors(array) => Side::Batch(array.clone()),
        Value::Ints(values) => Side::Numbers(Array::from_i64(values.to_vec(), &[values.len()]).ok()?, true),
        Value::Floats(values) => Side::Numbers(Array::from_f64(values.to_vec(), &[values.len()]).ok()?, false),
        Value::Same(one) => match (one.as_int(), one.as_float(), value.same_tensor()) {
            (Ok(value), ..) => Side::Number(Number::Int(value)),
            (_, Ok(value), _) => Side::Number(Number::Float(value)),
            (.., Some(Tensor::Host(array))) => Side::One(array),
            _ => return None,
        },
        _ => return None,
    })
}

/// Applies an operator of which a side is a tensor; `None` when there is no column form.
pub(super) fn operate(operator: Operator, left: &Value, right: &Value, len: usize) -> Outcome<Option<Value>> {
    let (Some(does), Some(left), Some(right)) = (Does::of(operator), side(left), side(right)) else { return Ok(None) };
    let host = |array: Array| Tensor::Host(array);
    let done = match (left, right) {
        (Side::Batch(a), Side::Number(b)) => does.apply(&host(a), b)?,
        (Side::Number(a), Side::Batch(b)) => does.apply(a, &host(b))?,
        // A power of 2 is a product; which power it is differs from lane to lane.
        (Side::Numbers(..), _) | (_, Side::Numbers(..)) if operator == Operator::Pow => return Ok(None),
        (Side::Numbers(a, whole), Side::Batch(b)) => with_numbers(does, &a, whole, &b, true)?,
        (Side::Batch(a), Side::Numbers(b, whole)) => with_numbers(does, &b, whole, &a, false)?,
        (Side::Numbers(a, whole), Side::One(b)) => match repeated(&b, len) {
            Some(b) => with_numbers(does, &a, whole, &b, true)?,
            None => return Ok(None),
        },
        (Side::One(a), Side::Numbers(b, whole)) => match repeated(&a, len) {
            Some(a) => with_numbers(does, &b, whole, &a, false)?,
            None => return Ok(None),
        },
        (Side::Batch(a), Side::Batch(b)) => {
            let (a, b) = alike(&a, &b)?;
            does.apply(&host(a), &host(b))?
        }
        (Side::Batch(a), Side::One(b)) => match a.shape()[1..].ends_with(b.shape()) {
            true => does.apply(&host(a), &host(b))?,
            false => {
                let b = repeated(&b, len).ok_or_else(|| Halt::new("a tensor that is too large"))?;
                let (a, b) = alike(&a, &b)?;
                does.apply(&host(a), &host(b))?
            }
        },
        (Side::One(a), Side::Batch(b)) => match b.shape()[1..].ends_with(a.shape()) {
            true => does.apply(&host(a), &host(b))?,
            false => {
                let a = repeated(&a, len).ok_or_else(|| Halt::new("a tensor that is too large"))?;
                let (a, b) = alike(&a, &b)?;
                does.apply(&host(a), &host(b))?
            }
        },
        _ => return Ok(None),
    };
    Ok(Some(Value::Tensors(done.to_host()?)))
}

/// Applies an operator to tensors and one number a lane, which stands on the left when `reversed`. The number
/// takes the dtype that it would take alone.
fn with_numbers(does: Does, numbers: &Array, whole: bool, batch: &Array, reversed: bool) -> Result<Tensor> {
    let dtype = does.with_number(batch.dtype(), whole);
    let (batch, numbers) = (batch.cast(dtype), numbers.cast(dtype));
    let numbers = batched::stretched(&numbers, batch.shape().get(1..).unwrap_or(&[]))?;
    let (batch, numbers) = (Tensor::Host(batch), Tensor::Host(numbers));
    match reversed {
        true => does.apply(&numbers, &batch),
        false => does.apply(&batch, &numbers),
    }
}

/// Brings the lanes of two arrays to one shape, by the rule that holds for a single lane.
fn alike(a: &Array, b: &Array) -> Result<(Array, Array)> {
    if a.shape() == b.shape() {
        return Ok((a.clone(), b.clone()));
    }
    let shape = batched::common(a.shape().get(1..).unwrap_or(&[]), b.shape().get(1..).unwrap_or(&[]))?;
    Ok((batched::stretched(a, &shape)?, batched::stretched(b, &shape)?))
}

/// Functions of tensors, and those that make them; `None` when there is no column form.
pub(super) fn call(name: &str, arguments: &[Value], len: usize) -> Outcome<Option<Value>> {
    if arguments.iter().all(Value::is_uniform) {
        return Ok(None);
    }
    if let Some(operator) = named(name)
        && let [left, right] = arguments
    {
        return operate(operator, left, right, len);
    }
    match (name, arguments) {
        ("tensor", [value]) => return pack::tensor(value, len),
        ("stack" | "concat", [Value::List(parts), rest @ ..]) => {
            let axis = match rest {
                [] if name == "stack" => Some(0),
                [] => Some(-1),
                [axis] => axis.same_int(),
                _ => None,
            };
            return match axis {
                Some(axis) => joined(name == "stack", parts, axis as isize, len),
                None => Ok(None),
            };
        }
        ("one_hot", [value, classes]) => {
            let Some(classes) = classes.same_int().and_then(|classes| usize::try_from(classes).ok()) else {
                return Ok(None);
            };
            return match pack::tensor(value, len)? {
                Some(Value::Tensors(array)) => {
                    let hot = Tensor::one_hot(&Tensor::Host(array), classes)?;
                    Ok(Some(Value::Tensors(hot.to_host()?)))
                }
                _ => Ok(None),
            };
        }
        ("where", [condition, yes, no]) => return choose(condition, yes, no, len),
        _ => (),
    }
    let Some((Value::Tensors(array), rest)) = arguments.split_first() else { return Ok(None) };
    if let ("shift", [down, right, fill]) = (name, rest) {
        let places = |value: &Value| -> Option<Vec<isize>> {
            match value {
                Value::Ints(each) => Some(each.iter().map(|&by| by as isize).collect()),
                value => value.same_int().map(|by| vec![by as isize; len]),
            }
        };
        let (Some(down), Some(right), Some(fill)) = (places(down), places(right), number(fill)) else {
            return Ok(None);
        };
        return Ok(batched::shifted(array, &down, &right, fill)?.map(Value::Tensors));
    }
    if rest.iter().any(|value| !value.is_uniform()) {
        return sliced(name, array, rest, len);
    }
    let tensor = Tensor::Host(array.clone());
    let rank = array.rank() - 1;
    let ints: Vec<Option<i64>> = rest.iter().map(Value::same_int).collect();
    let done = match (name, ints.as_slice()) {
        ("to_f32", []) => tensor.to_f32()?,
        ("to_f64", []) => tensor.to_f64()?,
        ("to_i64", []) => tensor.to_i64()?,
        ("to_u8", []) => tensor.to_u8()?,
        ("abs", []) => tensor.abs()?,
        ("exp", []) => tensor.exp()?,
        ("log", []) => tensor.log()?,
        ("sqrt", []) => tensor.sqrt()?,
        ("sigmoid", []) => tensor.sigmoid()?,
        ("tanh", []) => tensor.tanh()?,
        ("relu", []) => tensor.relu()?,
        ("round", []) => tensor.round()?,
        ("floor", []) => tensor.floor()?,
        ("-", []) => tensor.neg()?,
        ("!", []) => tensor.equal(0)?,
        ("item", []) => return Ok(property(array, name)),
        ("shape" | "len" | "rank" | "size" | "dtype", []) => return Ok(property(array, name)),
        ("clip", [_, _]) => match (number(&rest[0]), number(&rest[1])) {
            (Some(low), Some(high)) => tensor.clip(low, high)?,
            _ => return Ok(None),
        },
        ("flatten", []) => tensor.reshape(&[len as isize, array.shape()[1..].iter().product::<usize>() as isize])?,
        ("reshape", [_]) => match sizes(&rest[0]) {
            Some(shape) if array.size() > 0 => {
                tensor.reshape(&std::iter::once(len as isize).chain(shape).collect::<Vec<_>>())?
            }
            _ => return Ok(None),
        },
        ("transpose", []) => tensor.transpose(Some(&order((0..rank).rev())))?,
        ("transpose", [_]) => match sizes(&rest[0]).map(|axes| axes.iter().map(|&axis| place(axis, rank)).collect()) {
            Some(Some(axes)) => tensor.transpose(Some(&order(Vec::into_iter(axes))))?,
            _ => return Ok(None),
        },
        ("expand", [Some(axis)]) => match place(*axis as isize, rank + 1) {
            Some(axis) => tensor.expand(axis as isize + 1)?,
            None => return Ok(None),
        },
        ("squeeze", []) => {
            let shape = array.shape()[1..].iter().filter(|&&size| size != 1).map(|&size| size as isize);
            tensor.reshape(&std::iter::once(len as isize).chain(shape).collect::<Vec<_>>())?
        }
        ("squeeze", [Some(axis)]) => match place(*axis as isize, rank) {
            Some(axis) => tensor.squeeze(Some(axis as isize + 1))?,
            None => return Ok(None),
        },
        ("slice", [Some(axis), Some(start), end @ ..]) => match (place(*axis as isize, rank), end) {
            (Some(axis), []) => tensor.slice(axis as isize + 1, *start as isize, None)?,
            (Some(axis), [Some(end)]) => tensor.slice(axis as isize + 1, *start as isize, Some(*end as isize))?,
            _ => return Ok(None),
        },
        ("take", [_, axis @ ..]) if rank > 0 => {
            let positions = rest[0].uniform().and_then(|value| crate::script::api::arguments::positions(&value).ok());
            match (positions, axis) {
                (Some(positions), []) if positions.rank() == 1 => tensor.take(&positions, 1)?,
                (Some(positions), [Some(axis)]) if positions.rank() == 1 => match place(*axis as isize, rank) {
                    Some(axis) => tensor.take(&positions, axis as isize + 1)?,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
        ("pad", [_, _]) => match (widths(&rest[0]), number(&rest[1])) {
            (Some(widths), Some(value)) => {
                tensor.pad(&std::iter::once((0, 0)).chain(widths).collect::<Vec<_>>(), value)?
            }
            _ => return Ok(None),
        },
        ("softmax", []) if rank > 0 => tensor.softmax(-1)?,
        ("softmax", [Some(axis)]) => match place(*axis as isize, rank) {
            Some(axis) => tensor.softmax(axis as isize + 1)?,
            None => return Ok(None),
        },
        ("sort", []) if rank > 0 => tensor.sort(Some(-1), false)?,
        ("argsort", []) if rank > 0 => tensor.argsort(Some(-1), false)?,
        ("argmax" | "argmin", axis) => {
            let (tensor, axis) = match axis {
                [] if rank > 0 => (tensor.reshape(&[len as isize, -1])?, 1),
                [Some(axis)] => match place(*axis as isize, rank) {
                    Some(axis) => (tensor, axis as isize + 1),
                    None => return Ok(None),
                },
                _ => return Ok(None),
            };
            if name == "argmax" { tensor.argmax(Some(axis), false)? } else { tensor.argmin(Some(axis), false)? }
        }
        ("sum" | "mean" | "std" | "variance" | "min" | "max" | "any" | "all" | "norm", _) => {
            return reduced(name, array, rest, len);
        }
        _ => return Ok(None),
    };
    match done.shape().first() == Some(&len) {
        true => Ok(Some(Value::Tensors(done.to_host()?))),
        false => Err(Halt::new(format!("`{name}` lost the records"))),
    }
}

/// The functions that are operators by another name.
fn named(name: &str) -> Option<Operator> {
    Some(match name {
        "equal" => Operator::Equal,
        "not_equal" => Operator::NotEqual,
        "less" => Operator::Less,
        "less_equal" => Operator::LessEqual,
        "greater" => Operator::Greater,
        "greater_equal" => Operator::GreaterEqual,
        "pow" => Operator::Pow,
        _ => return None,
    })
}

/// Returns the one number of all lanes.
pub(super) fn number(value: &Value) -> Option<Number> {
    let Value::Same(value) = value else { return None };
    value.as_int().map(Number::Int).or_else(|_| value.as_float().map(Number::Float)).ok()
}

/// Returns the arithmetic of an operator; `None` for one that compares.
pub(super) fn arithmetic(operator: Operator) -> Option<Arithmetic> {
    match Does::of(operator)? {
        Does::Compute(arithmetic) => Some(arithmetic),
        Does::Compare(_) => None,
    }
}

/// A shape or axes: an array of whole numbers, or one.
fn sizes(value: &Value) -> Option<Vec<isize>> {
    match value {
        Value::List(items) => items.iter().map(|item| item.same_int().map(|size| size as isize)).collect(),
        value => value.same_int().map(|size| vec![size as isize]),
    }
}

fn widths(value: &Value) -> Option<Vec<(usize, usize)>> {
    let Value::List(pairs) = value else { return None };
    let pair = |pair: &Value| match sizes(pair)?.as_slice() {
        [before, after] => Some((usize::try_from(*before).ok()?, usize::try_from(*after).ok()?)),
        _ => None,
    };
    pairs.iter().map(pair).collect()
}

/// Returns an axis of a lane counted from 0.
fn place(axis: isize, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as isize } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}

fn order(axes: impl Iterator<Item = usize>) -> Vec<isize> {
    std::iter::once(0).chain(axes.map(|axis| axis as isize + 1)).collect()
}

/// A reduction: at once where every lane's elements are then folded in the same order as alone.
fn reduced(name: &str, array: &Array, rest: &[Value], len: usize) -> Outcome<Option<Value>> {
    let rank = array.rank() - 1;
    let keep = match rest.get(1) {
        None => false,
        Some(Value::Same(keep)) if keep.is_bool() => keep.as_bool() == Ok(true),
        Some(_) => return Ok(None),
    };
    let over: Vec<usize> = match rest.first() {
        None => (0..rank).collect(),
        Some(axes) => {
            let axes =
                sizes(axes).and_then(|axes| axes.iter().map(|&axis| place(axis, rank)).collect::<Option<Vec<_>>>());
            let Some(mut axes) = axes else { return Ok(None) };
            axes.sort_unstable();
            if axes.windows(2).any(|pair| pair[0] == pair[1]) {
                return Ok(None);
            }
            axes
        }
    };
    let reduce = |tensor: &Tensor, over: &[isize]| match name {
        "sum" => tensor.sum(Some(over), keep),
        "mean" => tensor.mean(Some(over), keep),
        "std" => tensor.std(Some(over), keep),
        "variance" => tensor.variance(Some(over), keep),
        "min" => tensor.min(Some(over), keep),
        "max" => tensor.max(Some(over), keep),
        "any" => tensor.any(Some(over), keep),
        "all" => tensor.all(Some(over), keep),
        _ => tensor.norm(Some(over), keep),
    };
    // Leading axes of a lane are folded row by row, which they are not when the lanes stand before them.
    let leading = over.len() < rank && over.iter().enumerate().all(|(at, &axis)| at == axis) && !over.is_empty();
    if leading {
        let axes: Vec<isize> = over.iter().map(|&axis| axis as isize).collect();
        return by_row(len, |lane| reduce(&Tensor::Host(array.row(lane)), &axes)).map(Some);
    }
    let axes: Vec<isize> = over.iter().map(|&axis| axis as isize + 1).collect();
    Ok(Some(Value::Tensors(reduce(&Tensor::Host(array.clone()), &axes)?.to_host()?)))
}

/// Computes row by row, natively.
fn by_row(len: usize, row: impl Fn(usize) -> Result<Tensor>) -> Outcome<Value> {
    let rows = (0..len).map(row).collect::<Result<Vec<Tensor>>>()?;
    Ok(match stacked(&rows) {
        Some(array) => Value::Tensors(array),
        None => Value::Each(std::sync::Arc::new(rows.into_iter().map(Dynamic::from).collect())),
    })
}

/// `slice` at positions that differ from lane to lane.
fn sliced(name: &str, array: &Array, rest: &[Value], len: usize) -> Outcome<Option<Value>> {
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
pub(super) fn cropped(padded: &[Value], slice: &[Value]) -> Outcome<Option<Value>> {
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

/// `stack` and `concat` of tensors, some of which may be the same for all lanes.
fn joined(stack: bool, parts: &[Value], axis: isize, len: usize) -> Outcome<Option<Value>> {
    let part = |part: &Value| -> Outcome<Option<Tensor>> {
        let array = match part {
            Value::Tensors(array) => Some(array.clone()),
            Value::Same(_) => match part.same_tensor() {
                Some(Tensor::Host(array)) => repeated(&array, len),
                Some(Tensor::Graph(_)) => None,
                None => packed(part, len)?,
            },
            part => packed(part, len)?,
        };
        Ok(array.map(Tensor::Host))
    };
    let parts = parts.iter().map(part).collect::<Outcome<Option<Vec<Tensor>>>>()?;
    let Some(parts) = parts.filter(|parts| !parts.is_empty()) else { return Ok(None) };
    let rank = parts[0].rank() - 1;
    let Some(axis) = place(axis, if stack { rank + 1 } else { rank }) else { return Ok(None) };
    let done = match stack {
        true => Tensor::stack(&parts, axis as isize + 1)?,
        false => Tensor::concat(&parts, axis as isize + 1)?,
    };
    Ok(Some(Value::Tensors(done.to_host()?)))
}

fn packed(value: &Value, len: usize) -> Outcome<Option<Array>> {
    Ok(match pack::tensor(value, len)? {
        Some(Value::Tensors(array)) => Some(array),
        _ => None,
    })
}

/// `where(condition, yes, no)`.
fn choose(condition: &Value, yes: &Value, no: &Value, len: usize) -> Outcome<Option<Value>> {
    let batch = |value: &Value| match side(value)? {
        Side::Batch(array) => Some(array),
        Side::One(array) => repeated(&array, len),
        _ => None,
    };
    let Some(mask) = batch(condition) else { return Ok(None) };
    let done = match (number(yes), number(no)) {
        (Some(yes), Some(no)) => Tensor::Host(mask).r#where(yes, no)?,
        (None, Some(no)) => {
            let Some(yes) = batch(yes) else { return Ok(None) };
            let (mask, yes) = alike(&mask, &yes)?;
            Tensor::Host(mask).r#where(&Tensor::Host(yes), no)?
        }
        (Some(yes), None) => {
            let Some(no) = batch(no) else { return Ok(None) };
            let (mask, no) = alike(&mask, &no)?;
            Tensor::Host(mask).r#where(yes, &Tensor::Host(no))?
        }
        (None, None) => {
            let (Some(yes), Some(no)) = (batch(yes), batch(no)) else { return Ok(None) };
            let (yes, no) = alike(&yes, &no)?;
            let (mask, yes) = alike(&mask, &yes)?;
            let (mask, no) = alike(&mask, &no)?;
            Tensor::Host(mask).r#where(&Tensor::Host(yes), &Tensor::Host(no))?
        }
    };
    Ok(Some(Value::Tensors(done.to_host()?)))
}
