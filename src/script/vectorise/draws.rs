//! Random numbers for all lanes, each from its own stream, in the order in which the lane would draw them.

use super::halt::{Halt, Outcome};
use super::value::Value;
use crate::random::Random;
use crate::tensor::Array;

/// Draws; `None` where a lane's own arguments are needed.
pub(super) fn call(name: &str, arguments: &[Value], len: usize) -> Outcome<Option<Value>> {
    let Some((Value::Rngs(rngs), rest)) = arguments.split_first() else { return Ok(None) };
    let number = |at: usize| match rest.get(at) {
        Some(Value::Same(value)) => value.as_float().or_else(|_| value.as_int().map(|value| value as f64)).ok(),
        _ => None,
    };
    let floats = |one: &dyn Fn(&mut Random) -> f64| Some(Value::floats(rngs.draw(|random, _| one(random))));
    Ok(match (name, rest.len()) {
        ("uniform", 0) => floats(&|random| random.uniform()),
        ("normal", 0) => floats(&|random| random.normal()),
        ("uniform", 2) => match (number(0), number(1)) {
            (Some(low), Some(high)) => floats(&|random| random.uniform_between(low, high)),
            _ => None,
        },
        ("normal", 2) => match (number(0), number(1)) {
            (Some(mean), Some(deviation)) => floats(&|random| mean + deviation * random.normal()),
            _ => None,
        },
        ("below", 1) => match rest[0].same_int() {
            Some(n) if n > 0 => Some(Value::ints(rngs.draw(|random, _| random.below(n as u64) as i64))),
            _ => None,
        },
        ("chance", 1) => match number(0) {
            Some(probability) if (0.0..=1.0).contains(&probability) => {
                Some(Value::bools(rngs.draw(|random, _| random.uniform() < probability)))
            }
            _ => None,
        },
        ("uniform" | "normal", 3) => match (number(0), number(1), shape(&rest[2])) {
            (Some(a), Some(b), Some(shape)) => {
                let size = shape.iter().try_fold(1usize, |all, &size| all.checked_mul(size));
                let Some(size) = size.filter(|size| size.saturating_mul(len) <= MOST) else { return Ok(None) };
                let mut data = Vec::with_capacity(size * len);
                let uniform = name == "uniform";
                rngs.draw(|random, _| match uniform {
                    true => data.extend((0..size).map(|_| random.uniform_between(a, b) as f32)),
                    false => data.extend((0..size).map(|_| (a + b * random.normal()) as f32)),
                });
                let whole: Vec<usize> = std::iter::once(len).chain(shape).collect();
                Some(Value::Tensors(Array::from_f32(data, &whole).map_err(|error| Halt::new(error.message()))?))
            }
            _ => None,
        },
        _ => None,
    })
}

/// Numbers drawn for one chunk; above that each lane draws alone.
const MOST: usize = 1 << 26;

fn shape(value: &Value) -> Option<Vec<usize>> {
    let size = |value: &Value| value.same_int().and_then(|size| usize::try_from(size).ok());
    match value {
        Value::List(items) => items.iter().map(size).collect(),
        value => size(value).map(|size| vec![size]),
    }
}
