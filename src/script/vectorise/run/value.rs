//! Expressions, evaluated for all lanes of a frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Exits, Run, Truth, truth_of};
use crate::script::vectorise::frame::{Frame, put_together, split};
use crate::script::vectorise::halt::{Halt, Outcome};
use crate::script::vectorise::program::Node;
use crate::script::vectorise::value::{Closure, Positions, Value};
use crate::script::vectorise::{numbers, properties, records};

impl Run<'_> {
    /// Evaluates a part of an expression: no lane may leave in it.
    pub fn value(&mut self, frame: &mut Frame, node: &Node) -> Outcome<Value> {
        let len = frame.lanes.len();
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Slot(slot) => Ok(frame.get(*slot).clone()),
            Node::This => Ok(self.this.clone()),
            Node::List(items) => Ok(Value::list(self.values(frame, items)?)),
            Node::Fields { slot, names, list } => {
                let found = match frame.get(*slot) {
                    Value::Records(rows) => records::side_by_side(rows, names),
                    _ => None,
                };
                match found {
                    Some(array) => Ok(array),
                    None => Ok(Value::list(self.values(frame, list)?)),
                }
            }
            Node::Map(fields) => {
                let mut map = BTreeMap::new();
                for (name, node) in fields {
                    map.insert(name.clone(), self.value(frame, node)?);
                }
                Ok(Value::Map(Arc::new(map)))
            }
            Node::Property { of, name, at } => {
                // A part of a map is read without a copy of the whole.
                let found = match &**of {
                    Node::Slot(slot) => properties::property(self, frame.get(*slot), name, len),
                    Node::This => {
                        let this = self.this;
                        properties::property(self, this, name, len)
                    }
                    of => {
                        let value = self.value(frame, of)?;
                        properties::property(self, &value, name, len)
                    }
                };
                found.map_err(|halt| halt.or_at(*at))
            }
            Node::Index { of, index, at } => {
                let index = self.value(frame, index)?;
                let of = self.value(frame, of)?;
                if matches!(of, Value::Tensors(_)) || of.same_tensor().is_some() {
                    *self.reads.entry((self.current, *at)).or_default() += 1;
                }
                properties::index(self, &of, &index, len).map_err(|halt| halt.or_at(*at))
            }
            Node::Call { name, arguments, place, at } => {
                self.native(frame, name, arguments, place.as_deref()).map_err(|halt| halt.or_at(*at))
            }
            Node::Script { function, arguments, at } => {
                let arguments = self.values(frame, arguments)?;
                self.call(*function, arguments, len).map_err(|halt| halt.or_at(*at))
            }
            Node::Operator { operator, sides, at } => {
                let [left, right] = &**sides;
                let left = self.value(frame, left)?;
                let right = self.value(frame, right)?;
                numbers::operate(self, *operator, left, right, len).map_err(|halt| halt.or_at(*at))
            }
            Node::And(parts, at) => self.logic(frame, parts, true).map_err(|halt| halt.or_at(*at)),
            Node::Or(parts, at) => self.logic(frame, parts, false).map_err(|halt| halt.or_at(*at)),
            Node::Coalesce(parts, at) => {
                for part in parts {
                    match self.value(frame, part)? {
                        Value::Same(value) if value.is_unit() => continue,
                        Value::Each(_) => return Err(Halt::at("a value that may be missing", *at)),
                        value => return Ok(value),
                    }
                }
                Ok(Value::UNIT)
            }
            Node::Join(parts, at) => {
                let parts = self.values(frame, parts)?;
                properties::join(self, &parts, len).map_err(|halt| halt.or_at(*at))
            }
            Node::Block(statement) => {
                let lanes = frame.lanes.clone();
                let mut exits = Exits::default();
                let value = self.statement(frame, statement, &mut exits)?;
                match Arc::ptr_eq(&lanes, &frame.lanes) || *lanes == *frame.lanes {
                    true => Ok(value),
                    false => Err(Halt::new("a function is left from within an expression")),
                }
            }
            Node::Closure { function, captures } => {
                let captured = captures.iter().map(|&slot| frame.get(slot).clone()).collect();
                Ok(Value::Closure(Arc::new(Closure { function: *function, captured })))
            }
        }
    }

    pub(super) fn values(&mut self, frame: &mut Frame, nodes: &[Node]) -> Outcome<Vec<Value>> {
        nodes.iter().map(|node| self.value(frame, node)).collect()
    }

    /// `&&` and `||`: a later part is evaluated on the lanes that it decides.
    pub(super) fn logic(&mut self, frame: &mut Frame, parts: &[Node], all: bool) -> Outcome<Value> {
        let Some((first, rest)) = parts.split_first() else { return Ok(Value::bool(all)) };
        let value = self.value(frame, first)?;
        match truth_of(&value)? {
            Truth::Same(truth) if truth != all || rest.is_empty() => Ok(Value::bool(truth)),
            Truth::Same(_) => self.logic(frame, rest, all),
            Truth::Each(_) if rest.is_empty() => Ok(value),
            Truth::Each(each) => {
                let (on, off) = split(&each);
                let (open, decided) = if all { (on, off) } else { (off, on) };
                let mut inner = frame.side(&open);
                let later = self.logic(&mut inner, rest, all)?;
                let lanes = |at: &Positions| -> Positions { Arc::new(at.to_vec()) };
                put_together(&[(lanes(&open), later), (lanes(&decided), Value::bool(!all))])
            }
        }
    }
}
