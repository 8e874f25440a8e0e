//! Functions of tensors, and those that make them.

use super::arguments::{number, order, place, sizes, widths};
use super::operate::{choose, named, operate};
use super::property;
use super::reduce::reduced;
use super::windows::sliced;
use crate::error::Result;
use crate::script::vectorise::halt::{Halt, Outcome};
use crate::script::vectorise::pack;
use crate::script::vectorise::value::{Value, repeated};
use crate::tensor::{Array, Tensor, batched};

/// Functions of tensors, and those that make them; `None` when there is no column form.
pub fn call(name: &str, arguments: &[Value], len: usize) -> Outcome<Option<Value>> {
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
    let done = match (name, rest) {
        ("item" | "shape" | "len" | "rank" | "size" | "dtype", []) => return Ok(property(array, name)),
        ("sum" | "mean" | "std" | "variance" | "min" | "max" | "any" | "all" | "norm", _) => {
            return reduced(name, array, rest, len);
        }
        ("softmax" | "sort" | "argsort" | "argmax" | "argmin", _) => along(name, array, rest, len)?,
        (_, []) if let Some(done) = element_wise(name, array)? => Some(done),
        _ => shaped(name, array, rest, len)?,
    };
    let Some(done) = done else { return Ok(None) };
    match done.shape().first() == Some(&len) {
        true => Ok(Some(Value::Tensors(done.to_host()?))),
        false => Err(Halt::new(format!("`{name}` lost the records"))),
    }
}

/// Functions of each element, without arguments.
fn element_wise(name: &str, array: &Array) -> Result<Option<Tensor>> {
    let tensor = Tensor::Host(array.clone());
    Ok(Some(match name {
        "to_f32" => tensor.to_f32()?,
        "to_f64" => tensor.to_f64()?,
        "to_i64" => tensor.to_i64()?,
        "to_u8" => tensor.to_u8()?,
        "abs" => tensor.abs()?,
        "exp" => tensor.exp()?,
        "log" => tensor.log()?,
        "sqrt" => tensor.sqrt()?,
        "sigmoid" => tensor.sigmoid()?,
        "tanh" => tensor.tanh()?,
        "relu" => tensor.relu()?,
        "round" => tensor.round()?,
        "floor" => tensor.floor()?,
        "-" => tensor.neg()?,
        "!" => tensor.equal(0)?,
        _ => return Ok(None),
    }))
}

/// Functions that give the elements, or some of them, another shape or place.
fn shaped(name: &str, array: &Array, rest: &[Value], len: usize) -> Outcome<Option<Tensor>> {
    let tensor = Tensor::Host(array.clone());
    let rank = array.rank() - 1;
    let ints: Vec<Option<i64>> = rest.iter().map(Value::same_int).collect();
    Ok(Some(match (name, ints.as_slice()) {
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
        _ => return Ok(None),
    }))
}

/// Functions that look along an axis.
fn along(name: &str, array: &Array, rest: &[Value], len: usize) -> Outcome<Option<Tensor>> {
    let tensor = Tensor::Host(array.clone());
    let rank = array.rank() - 1;
    let ints: Vec<Option<i64>> = rest.iter().map(Value::same_int).collect();
    Ok(Some(match (name, ints.as_slice()) {
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
        _ => return Ok(None),
    }))
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
