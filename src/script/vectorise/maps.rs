//! Maps with the same names in every lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Identifier};

use super::halt::{Halt, Outcome};
use super::value::Value;

/// Functions of a map.
pub(super) fn call(name: &str, arguments: &mut [Value], len: usize) -> Outcome<Option<Value>> {
    let Some(Value::Map(fields)) = arguments.first().cloned() else { return Ok(None) };
    if let Some(Value::Closure(_)) = fields.get(name) {
        return Err(Halt::new(format!("calls the function `{name}` of a map")));
    }
    Ok(match (name, &arguments[1..]) {
        ("keys", []) => Some(Value::list(fields.keys().map(|name| Value::text(name)).collect())),
        ("values", []) => Some(Value::list(fields.values().cloned().collect())),
        ("len", []) => Some(Value::int(fields.len() as i64)),
        ("is_empty", []) => Some(Value::bool(fields.is_empty())),
        ("contains", [key]) => match key {
            Value::Texts(keys) => Some(Value::bools(keys.iter().map(|key| fields.contains_key(&**key)).collect())),
            key => key.same_text().map(|key| Value::bool(fields.contains_key(key.as_str()))),
        },
        ("get", [key, default]) => match key {
            Value::Texts(keys) => look_up(&fields, keys, Some(default), len)?,
            key => key.same_text().map(|key| fields.get(key.as_str()).unwrap_or(default).clone()),
        },
        _ => None,
    })
}

/// Returns the field that each lane names; `None` when the values have no common form.
pub(super) fn look_up(
    fields: &Arc<BTreeMap<Identifier, Value>>,
    keys: &[Arc<str>],
    default: Option<&Value>,
    len: usize,
) -> Outcome<Option<Value>> {
    if !fields.values().all(|value| matches!(value, Value::Same(_))) {
        return Ok(None);
    }
    let one = |(lane, key): (usize, &Arc<str>)| -> Outcome<Dynamic> {
        match (fields.get(&**key), default) {
            (Some(value), _) => value.lane_or_halt(lane),
            (None, Some(default)) => default.lane_or_halt(lane),
            (None, None) => Err(Halt::new(format!("a map has no field `{key}`"))),
        }
    };
    Ok(Some(Value::compact(keys.iter().take(len).enumerate().map(one).collect::<Outcome<_>>()?)))
}
