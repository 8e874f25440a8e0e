//! `if` on columns without parting the records: both sides are computed for all of them, and each record takes its own.
//! That is done only where it cannot show: numbers with a fraction raise no error, whatever they are, and nothing else
//! is computed here. Where it is not possible, nothing has happened yet, and the records part.

use super::frame::Frame;
use super::numbers;
use super::program::{Block, Node, Operator, Statement};
use super::records;
use super::value::Value;

/// Runs both sides of a condition and returns the value of the statement; `None` when that is not possible.
pub(super) fn branch(frame: &mut Frame, each: &[bool], yes: &Block, no: &Block) -> Option<Value> {
    let mut assigned = Assigned::default();
    let answer = sides(frame, &mut assigned, each, yes, no)?;
    for (slot, value) in assigned.0 {
        frame.set(slot, value);
    }
    Some(answer)
}

/// What was assigned so far, by slot.
#[derive(Clone, Default)]
struct Assigned(Vec<(usize, Value)>);

impl Assigned {
    fn get(&self, frame: &mut Frame, slot: usize) -> Value {
        let own = self.0.iter().find(|(known, _)| *known == slot);
        own.map_or_else(|| frame.get(slot).clone(), |(_, value)| value.clone())
    }

    fn set(&mut self, slot: usize, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, own)) => *own = value,
            None => self.0.push((slot, value)),
        }
    }
}

fn sides(frame: &mut Frame, assigned: &mut Assigned, each: &[bool], yes: &Block, no: &Block) -> Option<Value> {
    let (mut on, mut off) = (assigned.clone(), assigned.clone());
    let one = block(frame, &mut on, yes)?;
    let two = block(frame, &mut off, no)?;
    let answer = choose(each, &one, &two)?;
    let mut slots: Vec<usize> = on.0.iter().chain(&off.0).map(|(slot, _)| *slot).collect();
    slots.sort_unstable();
    slots.dedup();
    for slot in slots {
        let value = choose(each, &on.get(frame, slot), &off.get(frame, slot))?;
        assigned.set(slot, value);
    }
    Some(answer)
}

fn block(frame: &mut Frame, assigned: &mut Assigned, block: &Block) -> Option<Value> {
    let mut last = Value::UNIT;
    for own in &block.statements {
        last = statement(frame, assigned, own)?;
    }
    // Names of the block end with it.
    assigned.0.retain(|(slot, _)| *slot < block.base);
    Some(last)
}

fn statement(frame: &mut Frame, assigned: &mut Assigned, statement: &Statement) -> Option<Value> {
    match statement {
        Statement::Value(node) => return value(frame, assigned, node),
        Statement::Let(slot, node) => {
            let new = value(frame, assigned, node)?;
            assigned.set(*slot, new);
        }
        Statement::Assign { place, operator, value: node, .. } if place.steps.is_empty() => {
            let new = value(frame, assigned, node)?;
            let new = match operator {
                None => new,
                Some(operator) => operate(*operator, &assigned.get(frame, place.slot), &new)?,
            };
            assigned.set(place.slot, new);
        }
        Statement::If { condition, yes, no, .. } => {
            let Value::Bools(each) = value(frame, assigned, condition)? else { return None };
            return sides(frame, assigned, &each, yes, no);
        }
        Statement::Block(inner) => return block(frame, assigned, inner),
        _ => return None,
    }
    Some(Value::UNIT)
}

/// Returns a value that every record may have, whether it takes this side or not.
fn value(frame: &mut Frame, assigned: &mut Assigned, node: &Node) -> Option<Value> {
    match node {
        Node::Constant(constant) => plain(constant.clone()),
        Node::Slot(slot) => plain(assigned.get(frame, *slot)),
        Node::Property { of, name, .. } => match &**of {
            Node::Slot(slot) => match assigned.get(frame, *slot) {
                Value::Records(rows) => plain(records::field(&rows, name).ok()??),
                _ => None,
            },
            _ => None,
        },
        Node::Operator { operator, sides, .. } => {
            let [left, right] = &**sides;
            let left = value(frame, assigned, left)?;
            let right = value(frame, assigned, right)?;
            operate(*operator, &left, &right)
        }
        Node::Call { name, arguments, place: None, .. } => match arguments.as_slice() {
            [argument] => match value(frame, assigned, argument)? {
                number @ Value::Floats(_) => numbers::call(name, &[number]),
                _ => None,
            },
            _ => None,
        },
        Node::Block(inner) => statement(frame, assigned, inner),
        _ => None,
    }
}

/// Numbers, truths and nothing: values that can be chosen one by one.
fn plain(value: Value) -> Option<Value> {
    let plain = match &value {
        Value::Floats(_) | Value::Ints(_) | Value::Bools(_) => true,
        Value::Same(one) => one.is_float() || one.is_int() || one.is_bool() || one.is_unit(),
        _ => false,
    };
    plain.then_some(value)
}

/// Applies an operator to numbers of which at least one has a fraction: whole numbers may overflow, and are divided by
/// zero with an error.
fn operate(operator: Operator, left: &Value, right: &Value) -> Option<Value> {
    let fraction = |value: &Value| match value {
        Value::Floats(_) => true,
        Value::Same(one) => one.is_float(),
        _ => false,
    };
    (fraction(left) || fraction(right)).then(|| numbers::with_fraction(operator, left, right)).flatten()
}

fn choose(each: &[bool], yes: &Value, no: &Value) -> Option<Value> {
    fn pick<T: Copy>(each: &[bool], yes: &[T], no: &[T]) -> Vec<T> {
        each.iter().zip(yes.iter().zip(no)).map(|(&on, (&yes, &no))| if on { yes } else { no }).collect()
    }
    if yes.is_one_with(no) {
        return Some(yes.clone());
    }
    let len = each.len();
    if let (Some(yes), Some(no)) = (yes.as_floats(len), no.as_floats(len)) {
        return Some(Value::floats(pick(each, &yes, &no)));
    }
    if let (Some(yes), Some(no)) = (yes.as_ints(len), no.as_ints(len)) {
        return Some(Value::ints(pick(each, &yes, &no)));
    }
    if let (Some(yes), Some(no)) = (yes.as_bools(len), no.as_bools(len)) {
        return Some(Value::bools(pick(each, &yes, &no)));
    }
    None
}
