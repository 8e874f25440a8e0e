//! Values of lanes that were apart, put together again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Identifier;

use super::halt::{Halt, Outcome};
use super::rngs::Rngs;
use super::value::{Value, repeated};
use crate::record::Rows;
use crate::tensor::{Array, Tensor};

impl Value {
    /// Returns the values of lanes that were apart: `order` has, for each lane, its position in the parts one
    /// after another; each part comes with its number of lanes.
    ///
    /// # Errors
    /// Closures, and random numbers of two streams.
    pub fn merge(parts: &[(&Value, usize)], order: &[u32]) -> Outcome<Value> {
        let Some(((first, _), rest)) = parts.split_first() else { return Ok(Value::UNIT) };
        if rest.iter().all(|(part, _)| first.is_one_with(part)) {
            return Ok((*first).clone());
        }
        if let Some(merged) = merge_lists(parts, order) {
            return merged;
        }
        if let Some(merged) = merge_maps(parts, order) {
            return merged;
        }
        if let Some(values) = gathered(parts, order, Value::as_ints) {
            return Ok(Value::ints(values));
        }
        if let Some(values) = gathered(parts, order, Value::as_floats) {
            return Ok(Value::floats(values));
        }
        if let Some(values) = gathered(parts, order, Value::as_bools) {
            return Ok(Value::bools(values));
        }
        if let Some(values) = gathered(parts, order, Value::as_texts) {
            return Ok(Value::texts(values));
        }
        if let Some(array) = merge_tensors(parts, order) {
            return Ok(Value::Tensors(array));
        }
        if let Some(rows) = merge_records(parts, order) {
            return Ok(Value::Records(rows));
        }
        if let Some(rngs) = Rngs::merge(parts, order) {
            return Ok(Value::Rngs(rngs));
        }
        let mut all = Vec::with_capacity(parts.iter().map(|(_, len)| len).sum());
        for (part, len) in parts {
            if matches!(part, Value::Rngs(_) | Value::Closure(_)) {
                return Err(Halt::new("functions or random numbers depend on a condition"));
            }
            for lane in 0..*len {
                all.push(part.lane_or_halt(lane)?);
            }
        }
        Ok(Value::compact(order.iter().filter_map(|&at| all.get(at as usize).cloned()).collect()))
    }
}

fn merge_lists(parts: &[(&Value, usize)], order: &[u32]) -> Option<Outcome<Value>> {
    let list = |value: &Value| match value {
        Value::List(items) => Some(items.clone()),
        _ => None,
    };
    let lists: Vec<Arc<Vec<Value>>> = parts.iter().map(|(part, _)| list(part)).collect::<Option<_>>()?;
    let width = lists.first()?.len();
    if lists.iter().any(|list| list.len() != width) {
        return None;
    }
    let element = |at: usize| {
        let parts: Vec<(&Value, usize)> = lists.iter().zip(parts).map(|(list, (_, len))| (&list[at], *len)).collect();
        Value::merge(&parts, order)
    };
    Some((0..width).map(element).collect::<Outcome<Vec<Value>>>().map(Value::list))
}

fn merge_maps(parts: &[(&Value, usize)], order: &[u32]) -> Option<Outcome<Value>> {
    let map = |value: &Value| match value {
        Value::Map(fields) => Some(fields.clone()),
        _ => None,
    };
    let maps: Vec<_> = parts.iter().map(|(part, _)| map(part)).collect::<Option<_>>()?;
    let names: Vec<Identifier> = maps.first()?.keys().cloned().collect();
    if !maps.iter().all(|map| map.keys().eq(names.iter())) {
        return None;
    }
    let field = |name: &Identifier| {
        let parts: Vec<(&Value, usize)> =
            maps.iter().zip(parts).filter_map(|(map, (_, len))| Some((map.get(name)?, *len))).collect();
        Ok((name.clone(), Value::merge(&parts, order)?))
    };
    Some(names.iter().map(field).collect::<Outcome<BTreeMap<_, _>>>().map(|fields| Value::Map(Arc::new(fields))))
}

fn merge_records(parts: &[(&Value, usize)], order: &[u32]) -> Option<Rows> {
    let rows = |part: &Value| match part {
        Value::Records(rows) => Some(rows.clone()),
        _ => None,
    };
    let parts: Vec<Rows> = parts.iter().map(|(part, _)| rows(part)).collect::<Option<_>>()?;
    Rows::concat(&parts).map(|all| all.take(order))
}

fn gathered<T: Clone>(
    parts: &[(&Value, usize)],
    order: &[u32],
    read: fn(&Value, usize) -> Option<Arc<Vec<T>>>,
) -> Option<Vec<T>> {
    let columns: Vec<_> = parts.iter().map(|(part, len)| read(part, *len)).collect::<Option<_>>()?;
    let all: Vec<&T> = columns.iter().flat_map(|column| column.iter()).collect();
    order.iter().map(|&at| all.get(at as usize).map(|value| (*value).clone())).collect()
}

fn merge_tensors(parts: &[(&Value, usize)], order: &[u32]) -> Option<Array> {
    let rows = |(part, len): &(&Value, usize)| match part {
        Value::Tensors(array) => Some(array.clone()),
        Value::Same(_) => match part.same_tensor()? {
            Tensor::Host(array) => repeated(&array, *len),
            Tensor::Graph(_) => None,
        },
        _ => None,
    };
    let arrays: Vec<Array> = parts.iter().map(rows).collect::<Option<_>>()?;
    let first = arrays.first()?;
    let alike = |array: &Array| array.dtype() == first.dtype() && array.shape()[1..] == first.shape()[1..];
    if !arrays.iter().all(alike) {
        return None;
    }
    let all = Array::concat(&arrays, 0).ok()?;
    all.take_rows(&order.iter().map(|&at| at as usize).collect::<Vec<_>>()).ok()
}
