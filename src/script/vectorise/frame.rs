//! The names of a function, for some of its lanes: what is split at a condition and put together after it.

use std::sync::Arc;

use super::halt::Outcome;
use super::value::{Positions, Value};

/// The names of a function for some of its lanes.
#[derive(Clone)]
pub(super) struct Frame {
    /// The lanes, by their number in the function's call.
    pub lanes: Positions,
    slots: Vec<Slot>,
}

#[derive(Clone)]
struct Slot {
    value: Value,
    /// Positions still to be taken from `value`.
    pending: Option<Positions>,
    changed: bool,
}

impl Frame {
    /// Returns the frame of a call: its arguments, and room for all other names.
    pub fn new(arguments: Vec<Value>, slots: usize, len: usize) -> Frame {
        let slot = |value| Slot { value, pending: None, changed: false };
        let mut all: Vec<Slot> = arguments.into_iter().map(slot).collect();
        all.resize_with(slots.max(all.len()), || slot(Value::UNIT));
        Frame { lanes: Arc::new((0..len as u32).collect()), slots: all }
    }

    pub fn get(&mut self, slot: usize) -> &Value {
        self.get_mut(slot)
    }

    pub fn get_mut(&mut self, slot: usize) -> &mut Value {
        let slot = &mut self.slots[slot];
        if let Some(pending) = slot.pending.take() {
            slot.value = slot.value.take(&pending);
        }
        &mut slot.value
    }

    pub fn touch(&mut self, slot: usize) {
        self.slots[slot].changed = true;
    }

    pub fn set(&mut self, slot: usize, value: Value) {
        self.slots[slot] = Slot { value, pending: None, changed: true };
    }

    /// Takes all lanes out of the frame.
    pub fn leave(&mut self) -> Frame {
        let left = self.clone();
        self.lanes = Arc::new(Vec::new());
        left
    }

    /// Returns the frame for the lanes at some of its positions, with nothing changed yet: one side of a condition.
    pub fn side(&self, at: &Positions) -> Frame {
        let mut side = self.restricted(at);
        side.slots.iter_mut().for_each(|slot| slot.changed = false);
        side
    }

    /// Begins to note afresh what is changed, for a loop; returns the frame as it is, what was changed before included.
    pub fn begin(&mut self) -> Frame {
        let before = self.clone();
        self.slots.iter_mut().for_each(|slot| slot.changed = false);
        before
    }

    /// Ends what [`Frame::begin`] began.
    pub fn end(&mut self, before: &Frame) {
        for (slot, before) in self.slots.iter_mut().zip(&before.slots) {
            slot.changed |= before.changed;
        }
    }

    /// Returns the frame for the lanes at some of its positions; values are taken when they are used.
    pub fn restricted(&self, at: &Positions) -> Frame {
        let pick = |values: &[u32]| -> Positions { Arc::new(at.iter().map(|&at| values[at as usize]).collect()) };
        let slot = |slot: &Slot| Slot {
            value: slot.value.clone(),
            pending: Some(slot.pending.as_ref().map_or_else(|| at.clone(), |pending| pick(pending))),
            changed: slot.changed,
        };
        Frame { lanes: pick(&self.lanes), slots: self.slots.iter().map(slot).collect() }
    }

    /// Puts the parts of this frame together again: what none of them changed stays as it was here.
    pub fn rejoin(&mut self, parts: Vec<Frame>, base: usize) -> Outcome<()> {
        let (lanes, order) = union(&parts);
        let left = lanes.len() < self.lanes.len();
        let still: Positions = if left { Arc::new(positions_in(&self.lanes, &lanes)) } else { Arc::default() };
        let mut parts = parts;
        for at in 0..self.slots.len() {
            if at >= base {
                self.slots[at] = Slot { value: Value::UNIT, pending: None, changed: false };
            } else if parts.iter().any(|part| part.slots[at].changed) {
                let value = merged(&mut parts, at, &order)?;
                self.set(at, value);
            } else if left {
                let whole = self.get(at).take(&still);
                self.slots[at].value = whole;
            }
        }
        self.lanes = Arc::new(lanes);
        Ok(())
    }

    /// Makes this frame of frames whose lanes left it at different times in a loop, which began with `before`.
    pub fn gather(&mut self, mut parts: Vec<Frame>, before: &Frame, base: usize) -> Outcome<()> {
        parts.retain(|part| !part.lanes.is_empty());
        let (lanes, order) = union(&parts);
        let whole = lanes.len() == before.lanes.len();
        let still: Positions = if whole { Arc::default() } else { Arc::new(positions_in(&before.lanes, &lanes)) };
        for at in 0..self.slots.len() {
            if at >= base || parts.is_empty() {
                self.slots[at] = Slot { value: Value::UNIT, pending: None, changed: false };
            } else if parts.iter().any(|part| part.slots[at].changed) {
                let value = merged(&mut parts, at, &order)?;
                self.set(at, value);
            } else {
                let mut slot = before.slots[at].clone();
                if !whole {
                    if let Some(pending) = slot.pending.take() {
                        slot.value = slot.value.take(&pending);
                    }
                    slot.pending = Some(still.clone());
                }
                self.slots[at] = Slot { changed: false, ..slot };
            }
        }
        self.lanes = Arc::new(lanes);
        Ok(())
    }
}

fn merged(parts: &mut [Frame], slot: usize, order: &[u32]) -> Outcome<Value> {
    for part in parts.iter_mut() {
        part.get(slot);
    }
    let values: Vec<(&Value, usize)> = parts
        .iter()
        .filter(|part| !part.lanes.is_empty())
        .map(|part| (&part.slots[slot].value, part.lanes.len()))
        .collect();
    match values.as_slice() {
        [(value, _)] => Ok((*value).clone()),
        values => Value::merge(values, order),
    }
}

/// Returns the lanes of all frames in order, and for each its position in the frames one after another.
fn union(parts: &[Frame]) -> (Vec<u32>, Vec<u32>) {
    ordered(&parts.iter().map(|part| part.lanes.as_slice()).collect::<Vec<_>>())
}

/// Returns lanes that were apart in order, and for each its position in the parts one after another.
fn ordered(parts: &[&[u32]]) -> (Vec<u32>, Vec<u32>) {
    if let [first, second] = parts {
        // The two sides of a condition: both ascend.
        let len = first.len() + second.len();
        let (mut lanes, mut order) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let (mut a, mut b) = (0, 0);
        while lanes.len() < len {
            let from_first = a < first.len() && (b == second.len() || first[a] < second[b]);
            let (lane, at) = if from_first { (first[a], a) } else { (second[b], first.len() + b) };
            lanes.push(lane);
            order.push(at as u32);
            a += usize::from(from_first);
            b += usize::from(!from_first);
        }
        return (lanes, order);
    }
    let lanes: Vec<u32> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    let mut order: Vec<u32> = (0..lanes.len() as u32).collect();
    order.sort_by_key(|&at| lanes[at as usize]);
    (order.iter().map(|&at| lanes[at as usize]).collect(), order)
}

/// Returns the values of lanes that were apart, in the order of the lanes.
pub(super) fn put_together(parts: &[(Positions, Value)]) -> Outcome<Value> {
    let parts: Vec<&(Positions, Value)> = parts.iter().filter(|(lanes, _)| !lanes.is_empty()).collect();
    match parts.as_slice() {
        [] => Ok(Value::UNIT),
        [(_, value)] => Ok(value.clone()),
        [(_, first), rest @ ..] if rest.iter().all(|(_, value)| first.is_one_with(value)) => Ok(first.clone()),
        parts => {
            let (_, order) = ordered(&parts.iter().map(|(lanes, _)| lanes.as_slice()).collect::<Vec<_>>());
            let values: Vec<(&Value, usize)> = parts.iter().map(|(lanes, value)| (value, lanes.len())).collect();
            Value::merge(&values, &order)
        }
    }
}

/// Returns the positions of `some` in `all`; both ascend.
pub(super) fn positions_in(all: &[u32], some: &[u32]) -> Vec<u32> {
    let mut at = 0;
    let position = |lane: &u32| {
        while at < all.len() && all[at] < *lane {
            at += 1;
        }
        at as u32
    };
    some.iter().map(position).collect()
}

pub(super) fn split(each: &[bool]) -> (Positions, Positions) {
    let (mut on, mut off) = (Vec::with_capacity(each.len()), Vec::with_capacity(each.len()));
    for (at, &truth) in each.iter().enumerate() {
        if truth { on.push(at as u32) } else { off.push(at as u32) }
    }
    (Arc::new(on), Arc::new(off))
}
