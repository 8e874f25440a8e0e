//! Numbers and arrays of numbers become tensors, for all lanes at once.

use std::sync::Arc;

use rhai::Dynamic;

use super::halt::{Halt, Outcome};
use super::value::{Value, repeated, stacked};
use crate::script::cast;
use crate::tensor::{Array, Tensor};

/// Returns what `tensor(value)` gives; `None` when the lanes' tensors differ in dtype or shape.
///
/// # Errors
/// What a lane's value would raise.
pub(super) fn tensor(value: &Value, len: usize) -> Outcome<Option<Value>> {
    match value {
        Value::Tensors(_) => Ok(Some(value.clone())),
        Value::Each(values) => {
            let tensors = values.iter().map(cast::to_tensor).collect::<crate::Result<Vec<Tensor>>>()?;
            Ok(Some(match stacked(&tensors) {
                Some(array) => Value::Tensors(array),
                None => Value::Each(Arc::new(tensors.into_iter().map(Dynamic::from).collect())),
            }))
        }
        value if value.is_uniform() => {
            let one = value.lane_or_halt(0)?;
            match cast::to_tensor(&one)? {
                Tensor::Host(array) => Ok(repeated(&array, len).map(Value::Tensors)),
                Tensor::Graph(_) => Ok(None),
            }
        }
        value => numbers(value, len).map(Some),
    }
}

/// A number at its place in a lane's array.
enum Leaf<'a> {
    Ints(&'a [i64]),
    Floats(&'a [f64]),
    Bools(&'a [bool]),
    Int(i64),
    Float(f64),
}

impl Leaf<'_> {
    fn is_whole(&self) -> bool {
        matches!(self, Leaf::Ints(_) | Leaf::Bools(_) | Leaf::Int(_))
    }

    /// Writes whole numbers; where there are others, nothing is written.
    fn write_whole(&self, data: &mut [i64], at: usize, width: usize) {
        let places = data.iter_mut().skip(at).step_by(width);
        match self {
            Leaf::Ints(values) => places.zip(*values).for_each(|(place, &value)| *place = value),
            Leaf::Bools(values) => places.zip(*values).for_each(|(place, &value)| *place = i64::from(value)),
            Leaf::Int(value) => places.for_each(|place| *place = *value),
            Leaf::Floats(_) | Leaf::Float(_) => (),
        }
    }

    fn write(&self, data: &mut [f32], at: usize, width: usize) {
        let places = data.iter_mut().skip(at).step_by(width);
        match self {
            Leaf::Ints(values) => places.zip(*values).for_each(|(place, &value)| *place = value as f64 as f32),
            Leaf::Floats(values) => places.zip(*values).for_each(|(place, &value)| *place = value as f32),
            Leaf::Bools(values) => places.zip(*values).for_each(|(place, &value)| *place = f32::from(u8::from(value))),
            Leaf::Int(value) => places.for_each(|place| *place = *value as f64 as f32),
            Leaf::Float(value) => places.for_each(|place| *place = *value as f32),
        }
    }
}

/// Whole numbers give i64; with any other among them all are f32, as in one lane.
fn numbers(value: &Value, len: usize) -> Outcome<Value> {
    let mut shape = vec![len];
    let mut first = value;
    while let Value::List(items) = first {
        shape.push(items.len());
        match items.first() {
            Some(item) => first = item,
            None => break,
        }
    }
    let mut leaves = Vec::new();
    collect(value, &shape[1..], &mut leaves)?;
    let width = leaves.len();
    if leaves.iter().all(Leaf::is_whole) && width > 0 {
        if let [Leaf::Ints(values)] = leaves.as_slice() {
            return Ok(Value::Tensors(Array::from_i64(values.to_vec(), &shape)?));
        }
        let mut data = vec![0i64; width * len];
        leaves.iter().enumerate().for_each(|(at, leaf)| leaf.write_whole(&mut data, at, width));
        return Ok(Value::Tensors(Array::from_i64(data, &shape)?));
    }
    if let [Leaf::Floats(values)] = leaves.as_slice() {
        return Ok(Value::Tensors(Array::from_f32(values.iter().map(|&value| value as f32).collect(), &shape)?));
    }
    let mut data = vec![0.0f32; width * len];
    leaves.iter().enumerate().for_each(|(at, leaf)| leaf.write(&mut data, at, width));
    Ok(Value::Tensors(Array::from_f32(data, &shape)?))
}

fn collect<'a>(value: &'a Value, shape: &[usize], leaves: &mut Vec<Leaf<'a>>) -> Outcome<()> {
    match (value, shape) {
        (Value::List(items), [length, inner @ ..]) if items.len() == *length => {
            items.iter().try_for_each(|item| collect(item, inner, leaves))
        }
        (Value::Ints(values), []) => {
            leaves.push(Leaf::Ints(values));
            Ok(())
        }
        (Value::Floats(values), []) => {
            leaves.push(Leaf::Floats(values));
            Ok(())
        }
        (Value::Bools(values), []) => {
            leaves.push(Leaf::Bools(values));
            Ok(())
        }
        (Value::Same(value), []) => match (value.as_int(), value.as_float(), value.as_bool()) {
            (Ok(value), ..) => {
                leaves.push(Leaf::Int(value));
                Ok(())
            }
            (_, Ok(value), _) => {
                leaves.push(Leaf::Float(value));
                Ok(())
            }
            (.., Ok(value)) => {
                leaves.push(Leaf::Int(i64::from(value)));
                Ok(())
            }
            _ => Err(Halt::new("a tensor of something else than numbers")),
        },
        _ => Err(Halt::new("a tensor of arrays whose lengths differ, or of something else than numbers")),
    }
}
