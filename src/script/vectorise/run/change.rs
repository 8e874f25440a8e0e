//! Native calls and assignments: what may change a part of a variable.

use std::sync::Arc;

use super::Run;
use crate::script::vectorise::frame::Frame;
use crate::script::vectorise::halt::{Halt, Outcome};
use crate::script::vectorise::program::{Node, Operator, Place, Step};
use crate::script::vectorise::value::Value;
use crate::script::vectorise::{call, numbers, tensors};

impl Run<'_> {
    pub(super) fn native(
        &mut self,
        frame: &mut Frame,
        name: &str,
        nodes: &[Node],
        place: Option<&Place>,
    ) -> Outcome<Value> {
        let len = frame.lanes.len();
        if name == "slice"
            && let Some((Node::Call { name, arguments: padded, place, at }, slice)) = nodes.split_first()
            && name == "pad"
            && let [receiver, around, value] = padded.as_slice()
        {
            // Arrays and texts have a `pad` that changes them; what stands at a place can be looked at first.
            let tensors = place.is_none() || matches!(self.value(frame, receiver)?, Value::Tensors(_));
            if tensors {
                let mut padded =
                    vec![self.value(frame, receiver)?, self.value(frame, around)?, self.value(frame, value)?];
                let mut slice = self.values(frame, slice)?;
                if let Some(found) = tensors::cropped(&padded, &slice)? {
                    return Ok(found);
                }
                let whole = call::call(self, "pad", &mut padded, len).map_err(|halt| halt.or_at(*at))?;
                slice.insert(0, whole);
                return call::call(self, "slice", &mut slice, len);
            }
        }
        let Some(place) = place else {
            // `this.x.f(…)` and `x.f(…)` read their receiver; nothing is changed.
            let mut arguments = self.values(frame, nodes)?;
            return call::call(self, name, &mut arguments, len);
        };
        let Some((first, rest)) = nodes.split_first() else { return Err(Halt::new("a call without arguments")) };
        let rest = self.values(frame, rest)?;
        let steps = self.steps(frame, place)?;
        if is_read_only(frame.get(place.slot), &steps) {
            // A part of a record or a tensor is a copy: a change to it is a change to nothing.
            let mut arguments = vec![self.value(frame, first)?];
            arguments.extend(rest);
            return call::call(self, name, &mut arguments, len);
        }
        let slot = frame.get_mut(place.slot);
        // The value is taken out, so that a change needs no copy of it.
        let whole = std::mem::replace(slot, Value::UNIT);
        let mut whole = whole;
        let mut answer = Value::UNIT;
        let result = change(&mut whole, &steps, &mut |receiver| {
            let mut arguments = Vec::with_capacity(rest.len() + 1);
            arguments.push(std::mem::replace(receiver, Value::UNIT));
            arguments.extend(rest.iter().cloned());
            answer = call::call(self, name, &mut arguments, len)?;
            *receiver = arguments.swap_remove(0);
            Ok(())
        });
        *frame.get_mut(place.slot) = whole;
        frame.touch(place.slot);
        result.map(|()| answer)
    }

    pub(super) fn assign(
        &mut self,
        frame: &mut Frame,
        place: &Place,
        operator: Option<Operator>,
        value: Value,
    ) -> Outcome<()> {
        let len = frame.lanes.len();
        let steps = self.steps(frame, place)?;
        let mut whole = std::mem::replace(frame.get_mut(place.slot), Value::UNIT);
        let result = match (operator, steps.split_last()) {
            (None, None) => {
                whole = value;
                Ok(())
            }
            // A new name in a map, or a new value for one.
            (None, Some((At::Name(name), before))) => change(&mut whole, before, &mut |owner| match owner {
                Value::Map(fields) => {
                    Arc::make_mut(fields).insert(name.clone(), value.clone());
                    Ok(())
                }
                _ => Err(Halt::new(format!("`.{name}` of something that is no map"))),
            }),
            (None, Some(_)) => change(&mut whole, &steps, &mut |element| {
                *element = value.clone();
                Ok(())
            }),
            (Some(operator), _) => change(&mut whole, &steps, &mut |element| {
                if matches!(element, Value::List(_) | Value::Map(_) | Value::Each(_)) {
                    return Err(Halt::new(format!("`{}=` of an array or a map", operator.symbol())));
                }
                let old = std::mem::replace(element, Value::UNIT);
                *element = numbers::operate(self, operator, old, value.clone(), len)?;
                Ok(())
            }),
        };
        *frame.get_mut(place.slot) = whole;
        frame.touch(place.slot);
        result
    }

    fn steps(&mut self, frame: &mut Frame, place: &Place) -> Outcome<Vec<At>> {
        let step = |step: &Step| match step {
            Step::Field(name) => Ok(At::Name(name.clone())),
            Step::Index(node) => {
                let index = self.value(frame, node)?;
                match (index.same_int(), index.same_text()) {
                    (Some(at), _) => Ok(At::Number(at)),
                    (_, Some(name)) => Ok(At::Name(name.as_str().into())),
                    _ => Err(Halt::new("changes a part that differs from record to record")),
                }
            }
        };
        place.steps.iter().map(step).collect()
    }
}

/// A step to a part of a value.
enum At {
    Name(rhai::Identifier),
    Number(i64),
}

/// Returns whether a way into a value leads through a record or a tensor, whose parts are copies.
fn is_read_only(whole: &Value, steps: &[At]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return false };
    match (step, whole) {
        (At::Name(name), Value::Map(fields)) => fields.get(name).is_some_and(|field| is_read_only(field, rest)),
        (At::Number(at), Value::List(items)) => {
            let at = if *at < 0 { at + items.len() as i64 } else { *at };
            let item = usize::try_from(at).ok().and_then(|at| items.get(at));
            item.is_some_and(|item| is_read_only(item, rest))
        }
        (_, Value::Records(_) | Value::Tensors(_)) => true,
        (_, value) => value.same_tensor().is_some(),
    }
}

/// Changes a part of a value; the parts around it are copied when someone else holds them.
fn change(whole: &mut Value, steps: &[At], run: &mut dyn FnMut(&mut Value) -> Outcome<()>) -> Outcome<()> {
    let Some((step, rest)) = steps.split_first() else { return run(whole) };
    match (step, whole) {
        (At::Name(name), Value::Map(fields)) => match Arc::make_mut(fields).get_mut(name) {
            Some(field) => change(field, rest, run),
            None => Err(Halt::new(format!("a map has no field `{name}`"))),
        },
        (At::Number(at), Value::List(items)) => {
            let len = items.len() as i64;
            let place = if *at < 0 { at + len } else { *at };
            match usize::try_from(place).ok().and_then(|place| Arc::make_mut(items).get_mut(place)) {
                Some(item) => change(item, rest, run),
                None => Err(Halt::new("a position outside of an array")),
            }
        }
        _ => Err(Halt::new("changes a part of something that is no map or array of the same form in every record")),
    }
}
