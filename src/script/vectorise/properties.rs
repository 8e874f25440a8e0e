//! What stands behind a dot or between square brackets, what a loop goes over, and text with values in it.

use std::sync::Arc;

use rhai::{Array as List, Dynamic, Map};

use super::halt::{Halt, Outcome};
use super::run::{Run, is_shared_rng};
use super::value::Value;
use super::{call, maps, natives, records, tensors};

/// Returns a property of a value.
pub(super) fn property(run: &mut Run, of: &Value, name: &str, len: usize) -> Outcome<Value> {
    match of {
        Value::Map(fields) => {
            return fields.get(name).cloned().ok_or_else(|| Halt::new(format!("a map has no field `{name}`")));
        }
        Value::Records(rows) => {
            if let Some(value) = records::field(rows, name)? {
                return Ok(value);
            }
            let field = |record: crate::record::Record| Ok(crate::script::cast::from_value(record.get(name)?));
            let values = rows.records().map(field).collect::<Outcome<Vec<Dynamic>>>()?;
            return Ok(Value::compact(values));
        }
        Value::List(items) if name == "len" => return Ok(Value::int(items.len() as i64)),
        Value::Tensors(array) => {
            if let Some(value) = tensors::property(array, name) {
                return Ok(value);
            }
        }
        Value::Same(value) if is_shared_rng(value) => {
            return Err(Halt::new("draws from a generator that all records share"));
        }
        Value::Each(values) if values.iter().all(Dynamic::is_map) => {
            let field = |value: &Dynamic| {
                let map = value.read_lock::<Map>();
                let field = map.as_ref().and_then(|map| map.get(name).cloned());
                field.ok_or_else(|| Halt::new(format!("a map has no field `{name}`")))
            };
            return Ok(Value::compact(values.iter().map(field).collect::<Outcome<_>>()?));
        }
        _ => (),
    }
    natives::check_property(name)?;
    call::each(run, &format!("get${name}"), &mut [of.clone()], len)
}

/// Returns an element.
pub(super) fn index(run: &mut Run, of: &Value, index: &Value, len: usize) -> Outcome<Value> {
    match of {
        Value::List(items) => {
            let place = |at: i64| {
                let at = if at < 0 { at + items.len() as i64 } else { at };
                usize::try_from(at).ok().filter(|at| *at < items.len())
            };
            let outside = || Halt::new("a position outside of an array");
            if let Some(at) = index.same_int() {
                return place(at).map(|at| items[at].clone()).ok_or_else(outside);
            }
            if let Value::Ints(each) = index {
                let order =
                    each.iter().enumerate().map(|(lane, &at)| Ok((place(at).ok_or_else(outside)? * len + lane) as u32));
                let order = order.collect::<Outcome<Vec<u32>>>()?;
                let parts: Vec<(&Value, usize)> = items.iter().map(|item| (item, len)).collect();
                return Value::merge(&parts, &order);
            }
        }
        Value::Map(fields) => {
            if let Some(name) = index.same_text() {
                return property(run, of, &name, len);
            }
            if let Value::Texts(names) = index
                && let Some(found) = maps::look_up(fields, names, None, len)?
            {
                return Ok(found);
            }
        }
        Value::Records(_) => {
            if let Some(name) = index.same_text().filter(|name| name.as_str() != "row") {
                return property(run, of, &name, len);
            }
        }
        _ => {
            if let Some(found) = tensors::index(of, index)? {
                return Ok(found);
            }
        }
    }
    by_lane(run, of, index, len)
}

/// Arrays and maps are indexed by the language itself, everything else by a function.
fn by_lane(run: &mut Run, of: &Value, index: &Value, len: usize) -> Outcome<Value> {
    let one = |run: &mut Run, at: usize| -> Outcome<Dynamic> {
        let (of, index) = (of.lane_or_halt(at)?, index.lane_or_halt(at)?);
        if let Some(list) = of.read_lock::<List>() {
            let wanted = index.as_int().map_err(|_| Halt::new("an array indexed by something else than a number"))?;
            let place = if wanted < 0 { wanted + list.len() as i64 } else { wanted };
            let found = usize::try_from(place).ok().and_then(|place| list.get(place).cloned());
            return found.ok_or_else(|| Halt::new("a position outside of an array"));
        }
        if let Some(map) = of.read_lock::<Map>() {
            let name = index.as_immutable_string_ref().map_err(|_| Halt::new("a map indexed by something else"))?;
            return map
                .get(name.as_str())
                .cloned()
                .ok_or_else(|| Halt::new(format!("a map has no field `{}`", name.as_str())));
        }
        if of.is_string() || of.is_int() {
            return Err(Halt::new("indexes a text or a number"));
        }
        run.natives.call("index$get$", &mut [of, index])
    };
    if of.is_uniform() && index.is_uniform() {
        return one(run, 0).map(Value::from_dynamic);
    }
    Ok(Value::compact((0..len).map(|at| one(run, at)).collect::<Outcome<_>>()?))
}

/// Returns a text made of texts and values.
pub(super) fn join(run: &mut Run, parts: &[Value], len: usize) -> Outcome<Value> {
    let mut texts: Vec<String> = vec![String::new(); len];
    let uniform = parts.iter().all(Value::is_uniform);
    let lanes = if uniform { len.min(1) } else { len };
    for part in parts {
        for (at, text) in texts.iter_mut().enumerate().take(lanes) {
            match part {
                Value::Texts(values) => text.push_str(&values[at]),
                Value::Ints(values) => text.push_str(&values[at].to_string()),
                _ => {
                    let value = part.lane_or_halt(at)?;
                    match value.as_immutable_string_ref() {
                        Ok(known) => text.push_str(&known),
                        Err(_) if value.is_int() => text.push_str(&value.to_string()),
                        Err(_) => {
                            return Err(Halt::new("writes something else than texts and whole numbers into a text"));
                        }
                    };
                }
            }
        }
    }
    let _ = run;
    Ok(match uniform {
        true => Value::text(texts.first().map_or("", String::as_str)),
        false => Value::texts(texts.into_iter().map(Into::into).collect()),
    })
}

/// What a loop goes over.
pub(super) enum Items {
    /// The same number of items in every lane.
    Columns(Vec<Value>),
    /// The same whole numbers in every lane: those from the first to before the last.
    Range(i64, i64),
    /// Whole numbers, lane by lane.
    Ranges(Vec<(i64, i64)>),
    /// Arrays of any length, lane by lane.
    Ragged(Arc<Vec<Dynamic>>),
}

/// Returns the items of a value.
pub(super) fn items(over: &Value, len: usize) -> Outcome<Items> {
    if let Value::List(items) = over {
        return Ok(Items::Columns(items.to_vec()));
    }
    if let Value::Each(values) = over {
        if values.iter().all(Dynamic::is_array) {
            return Ok(Items::Ragged(values.clone()));
        }
        if let Some(ranges) = values.iter().map(range).collect() {
            return Ok(Items::Ranges(ranges));
        }
    }
    if let Value::Same(value) = over
        && let Some((start, end)) = range(value)
    {
        return Ok(Items::Range(start, end));
    }
    match tensors::rows(over, len)? {
        Some(rows) => Ok(Items::Columns(rows)),
        None => Err(Halt::new("a loop over something else than an array, a range or a tensor")),
    }
}

/// Returns the numbers of a range, from the first to before the last.
fn range(value: &Dynamic) -> Option<(i64, i64)> {
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Some((range.start, range.end));
    }
    let range = value.read_lock::<std::ops::RangeInclusive<i64>>()?;
    Some((*range.start(), range.end().checked_add(1)?))
}

impl Items {
    /// Returns the number of steps of the lane that has most.
    pub fn longest(&self) -> usize {
        match self {
            Items::Columns(items) => items.len(),
            Items::Range(start, end) => steps((*start, *end)),
            Items::Ranges(ranges) => ranges.iter().copied().map(steps).max().unwrap_or(0),
            Items::Ragged(values) => values.iter().map(length).max().unwrap_or(0),
        }
    }

    /// Returns the positions of lanes that have an item at a step, and of those that have none, when there are any
    /// of the latter. `here` has the lanes that are left, by their position at the start of the loop.
    pub fn split(&self, step: usize, here: Option<&[u32]>, len: usize) -> Option<(Vec<u32>, Vec<u32>)> {
        let length = |lane: usize| match self {
            Items::Columns(_) | Items::Range(..) => usize::MAX,
            Items::Ranges(ranges) => ranges.get(lane).copied().map_or(0, steps),
            Items::Ragged(values) => values.get(lane).map_or(0, length),
        };
        if matches!(self, Items::Columns(_) | Items::Range(..)) {
            return None;
        }
        let has = |at: &u32| length(here.map_or(*at, |here| here[*at as usize]) as usize) > step;
        let (on, off): (Vec<u32>, Vec<u32>) = (0..len as u32).partition(has);
        (!off.is_empty()).then_some((on, off))
    }

    /// Returns the item of a step for the lanes that are left.
    pub fn at(&self, step: usize, here: Option<&[u32]>) -> Outcome<Value> {
        let lanes = |all: usize| -> Vec<usize> {
            here.map_or_else(|| (0..all).collect(), |here| here.iter().map(|&lane| lane as usize).collect())
        };
        match self {
            Items::Columns(items) => Ok(match here {
                None => items[step].clone(),
                Some(here) => items[step].take(here),
            }),
            Items::Range(start, _) => Ok(Value::int(start + step as i64)),
            Items::Ranges(ranges) => {
                Ok(Value::ints(lanes(ranges.len()).into_iter().map(|lane| ranges[lane].0 + step as i64).collect()))
            }
            Items::Ragged(values) => {
                let item = |lane: usize| {
                    let list = values[lane].as_array_ref().ok();
                    list.and_then(|list| list.get(step).cloned()).unwrap_or(Dynamic::UNIT)
                };
                Ok(Value::compact(lanes(values.len()).into_iter().map(item).collect()))
            }
        }
    }
}

/// Returns how many numbers a range has.
fn steps((start, end): (i64, i64)) -> usize {
    usize::try_from(end.saturating_sub(start)).unwrap_or(0)
}

fn length(value: &Dynamic) -> usize {
    value.as_array_ref().map_or(0, |list| list.len())
}
