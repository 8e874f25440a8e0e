//! Native functions on the values of many lanes: on whole columns where there is a form for that, else lane by
//! lane, through the very function that interpretation would call.

use std::sync::Arc;

use rhai::Dynamic;

use super::halt::{Halt, Outcome};
use super::run::{Run, is_shared_rng};
use super::value::Value;
use super::{draws, lists, maps, natives, numbers, records, tensors, texts};
use crate::script::api::random::Rng;

/// Calls a native function; the first argument may be changed.
pub(super) fn call(run: &mut Run, name: &str, arguments: &mut [Value], len: usize) -> Outcome<Value> {
    if arguments.iter().any(|value| matches!(value, Value::Same(value) if is_shared_rng(value))) {
        return Err(Halt::new("draws from a generator that all records share"));
    }
    if name == natives::TYPE_OF {
        return match arguments {
            [Value::Same(value)] => Ok(Value::text(run.natives.type_name(value))),
            [Value::List(_)] => Ok(Value::text("array")),
            [Value::Map(_)] => Ok(Value::text("map")),
            _ => Err(Halt::new("asks for a type with `type_of`")),
        };
    }
    let found = match arguments.first() {
        Some(Value::List(_)) => lists::call(run, name, arguments, len)?,
        Some(Value::Map(_)) => maps::call(name, arguments, len)?,
        Some(Value::Records(_)) => records::call(name, arguments)?,
        Some(Value::Rngs(_)) => draws::call(name, arguments, len)?,
        Some(Value::Texts(_)) => texts::call(name, arguments)?,
        Some(Value::Each(_)) => lists::call_ragged(run, name, arguments, len)?,
        Some(Value::Ints(_) | Value::Floats(_) | Value::Bools(_)) => numbers::call(name, arguments),
        _ => None,
    };
    if let Some(found) = found {
        return Ok(found);
    }
    if let Some(found) = tensors::call(name, arguments, len)? {
        return Ok(found);
    }
    each(run, name, arguments, len)
}

/// Calls a function once when all lanes have the same arguments, else lane by lane.
pub(super) fn each(run: &mut Run, name: &str, arguments: &mut [Value], len: usize) -> Outcome<Value> {
    let changes = natives::may_change(name);
    if arguments.iter().all(Value::is_uniform) {
        let mut one = lane(arguments, 0)?;
        let answer = run.natives.call(name, &mut one)?;
        if let Some(first) = one.into_iter().next().filter(|_| changes) {
            arguments[0] = Value::from_dynamic(first);
        }
        return Ok(Value::from_dynamic(answer));
    }
    let mut answers = Vec::with_capacity(len);
    let mut receivers = Vec::with_capacity(if changes { len } else { 0 });
    // A receiver that nobody else holds is changed where it is.
    let mut owned = match arguments.first_mut() {
        Some(Value::Each(values)) if changes => Some(std::mem::take(Arc::make_mut(values)).into_iter()),
        _ => None,
    };
    for at in 0..len {
        let mut one = match &mut owned {
            None => lane(arguments, at)?,
            Some(values) => {
                let rest = arguments[1..].iter().map(|value| value.lane_or_halt(at));
                std::iter::once(Ok(values.next().unwrap_or(Dynamic::UNIT))).chain(rest).collect::<Outcome<Vec<_>>>()?
            }
        };
        answers.push(run.natives.call(name, &mut one)?);
        put_back(arguments, &one, at);
        if let Some(first) = one.into_iter().next().filter(|_| changes) {
            receivers.push(first);
        }
    }
    if changes {
        arguments[0] = Value::compact(receivers);
    }
    Ok(Value::compact(answers))
}

fn lane(arguments: &[Value], at: usize) -> Outcome<Vec<Dynamic>> {
    arguments.iter().map(|value| value.lane_or_halt(at)).collect()
}

/// What a lane drew is gone from its stream.
fn put_back(arguments: &[Value], one: &[Dynamic], at: usize) {
    for (value, lane) in arguments.iter().zip(one) {
        if let (Value::Rngs(rngs), Some(rng)) = (value, lane.read_lock::<Rng>()) {
            rngs.put(at, rng.state());
        }
    }
}
