//! Runs a [`Program`] once for all lanes. Where a condition differs from lane to lane, each side runs on the
//! lanes that take it, and what they changed is put together again: no lane runs code that it would not have
//! run alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{Dynamic, Position};

use super::frame::{Frame, positions_in, put_together, split};
use super::halt::{Halt, Outcome};
use super::native::Natives;
use super::program::{Block, Function, Node, Operator, Place, Program, Statement, Step};
use super::value::{Closure, Positions, Value};
use super::{numbers, properties, select};
use crate::script::Host;

/// One run of a program.
pub(super) struct Run<'a> {
    pub program: &'a Program,
    pub natives: Natives<'a>,
    /// The component's state.
    pub this: &'a Value,
    pub stop: &'a AtomicBool,
    /// Nested calls of scripted functions.
    pub depth: usize,
    pub deepest: usize,
    /// The function that runs.
    pub current: usize,
    /// How often an element of a tensor was read at each place.
    pub reads: BTreeMap<(usize, Position), usize>,
}

/// Lanes that left a block before its end.
#[derive(Default)]
struct Exits {
    returned: Vec<(Positions, Value)>,
    broke: Vec<Frame>,
    continued: Vec<Frame>,
}

/// The truth of a condition.
enum Truth {
    Same(bool),
    Each(Arc<Vec<bool>>),
}

impl<'a> Run<'a> {
    /// Creates a run of a program for a component whose state is `this`.
    pub fn new(program: &'a Program, host: &'a Host, this: &'a Value) -> Self {
        Run {
            program,
            natives: Natives::new(host),
            this,
            stop: host.stop_flag(),
            depth: 0,
            deepest: host.limits().call_levels,
            current: 0,
            reads: BTreeMap::new(),
        }
    }
}

impl Run<'_> {
    /// Calls a function for `len` lanes.
    pub fn call(&mut self, function: usize, arguments: Vec<Value>, len: usize) -> Outcome<Value> {
        if self.depth >= self.deepest {
            return Err(Halt::new("functions call each other too deeply"));
        }
        let program = self.program;
        let caller = std::mem::replace(&mut self.current, function);
        let Some(function) = program.functions.get(function) else { return Err(Halt::new("a function is missing")) };
        self.depth += 1;
        let result = self.run(function, arguments, len).map_err(|halt| halt.or_in(&function.script));
        self.depth -= 1;
        self.current = caller;
        result
    }

    /// Returns a place where elements of a tensor were read one after another.
    pub fn element_loop(&self) -> Option<(usize, Position)> {
        /// Fewer reads are not worth a word.
        const FEW: usize = 16;
        self.reads.iter().find(|(_, reads)| **reads >= FEW).map(|(place, _)| *place)
    }

    fn run(&mut self, function: &Function, arguments: Vec<Value>, len: usize) -> Outcome<Value> {
        if arguments.len() != function.parameters {
            return Err(Halt::new("a function is called with another number of arguments"));
        }
        let mut frame = Frame::new(arguments, function.slots, len);
        let mut exits = Exits::default();
        let last = self.block(&mut frame, &function.body, &mut exits)?;
        if !exits.broke.is_empty() || !exits.continued.is_empty() {
            return Err(Halt::new("a loop is left from outside"));
        }
        let mut parts = exits.returned;
        if !frame.lanes.is_empty() || len == 0 {
            parts.push((frame.lanes.clone(), last));
        }
        put_together(&parts)
    }

    fn block(&mut self, frame: &mut Frame, block: &Block, exits: &mut Exits) -> Outcome<Value> {
        let mut last = Value::UNIT;
        for statement in &block.statements {
            if frame.lanes.is_empty() {
                break;
            }
            last = self.statement(frame, statement, exits)?;
        }
        Ok(last)
    }

    fn statement(&mut self, frame: &mut Frame, statement: &Statement, exits: &mut Exits) -> Outcome<Value> {
        match statement {
            Statement::Value(node) => return self.evaluate(frame, node, exits),
            Statement::Let(slot, node) => {
                let value = self.evaluate(frame, node, exits)?;
                frame.set(*slot, value);
            }
            Statement::Assign { place, operator, value, at } => {
                let value = self.evaluate(frame, value, exits)?;
                if !frame.lanes.is_empty() {
                    self.assign(frame, place, *operator, value).map_err(|halt| halt.or_at(*at))?;
                }
            }
            Statement::If { condition, yes, no, at } => {
                return self.branch(frame, condition, yes, no, exits).map_err(|halt| halt.or_at(*at));
            }
            Statement::While { condition, body, at } => {
                self.repeat(frame, condition.as_ref(), body, exits).map_err(|halt| halt.or_at(*at))?;
            }
            Statement::For { item, counter, over, body, at } => {
                let over = self.value(frame, over)?;
                self.each(frame, *item, *counter, over, body, exits).map_err(|halt| halt.or_at(*at))?;
            }
            Statement::Block(block) => return self.block(frame, block, exits),
            Statement::Break => exits.broke.push(frame.leave()),
            Statement::Continue => exits.continued.push(frame.leave()),
            Statement::Return(node) => {
                let value = match node {
                    Some(node) => self.evaluate(frame, node, exits)?,
                    None => Value::UNIT,
                };
                if !frame.lanes.is_empty() {
                    exits.returned.push((frame.leave().lanes, value));
                }
            }
            Statement::Throw(at) => return Err(Halt::at("a record raises an error", *at)),
        }
        Ok(Value::UNIT)
    }

    /// Evaluates what stands alone in a statement: lanes may leave in it.
    fn evaluate(&mut self, frame: &mut Frame, node: &Node, exits: &mut Exits) -> Outcome<Value> {
        match node {
            Node::Block(statement) => self.statement(frame, statement, exits),
            node => self.value(frame, node),
        }
    }

    fn branch(
        &mut self,
        frame: &mut Frame,
        condition: &Node,
        yes: &Block,
        no: &Block,
        exits: &mut Exits,
    ) -> Outcome<Value> {
        let truth = self.value(frame, condition)?;
        let each = match truth_of(&truth)? {
            Truth::Same(true) => return self.block(frame, yes, exits),
            Truth::Same(false) => return self.block(frame, no, exits),
            Truth::Each(each) => each,
        };
        if let Some(value) = select::branch(frame, &each, yes, no) {
            return Ok(value);
        }
        let (then, other) = split(&each);
        let mut first = frame.side(&then);
        let mut second = frame.side(&other);
        let one = self.block(&mut first, yes, exits)?;
        let two = self.block(&mut second, no, exits)?;
        let values = put_together(&[(first.lanes.clone(), one), (second.lanes.clone(), two)])?;
        frame.rejoin(vec![first, second], yes.base)?;
        Ok(values)
    }

    fn repeat(&mut self, frame: &mut Frame, condition: Option<&Node>, body: &Block, exits: &mut Exits) -> Outcome<()> {
        let before = frame.begin();
        let mut done: Vec<Frame> = Vec::new();
        loop {
            self.check_stop()?;
            if let Some(condition) = condition {
                let truth = self.value(frame, condition)?;
                match truth_of(&truth)? {
                    Truth::Same(true) => (),
                    Truth::Same(false) => {
                        done.push(frame.leave());
                        break;
                    }
                    Truth::Each(each) => {
                        let (on, off) = split(&each);
                        done.push(frame.restricted(&off));
                        *frame = frame.restricted(&on);
                    }
                }
            }
            self.iteration(frame, body, exits, &mut done, &before)?;
            if frame.lanes.is_empty() {
                break;
            }
        }
        frame.gather(done, &before, body.base)?;
        frame.end(&before);
        Ok(())
    }

    fn each(
        &mut self,
        frame: &mut Frame,
        item: usize,
        counter: Option<usize>,
        over: Value,
        body: &Block,
        exits: &mut Exits,
    ) -> Outcome<()> {
        let items = properties::items(&over, frame.lanes.len())?;
        let all = frame.lanes.clone();
        let before = frame.begin();
        let mut done: Vec<Frame> = Vec::new();
        for step in 0..items.longest() {
            self.check_stop()?;
            // Lanes may have left since the loop began.
            let here = match Arc::ptr_eq(&all, &frame.lanes) {
                true => None,
                false => Some(positions_in(&all, &frame.lanes)),
            };
            if let Some((on, off)) = items.split(step, here.as_deref(), frame.lanes.len()) {
                done.push(frame.restricted(&Arc::new(off)));
                *frame = frame.restricted(&Arc::new(on));
            }
            if frame.lanes.is_empty() {
                break;
            }
            let here = match Arc::ptr_eq(&all, &frame.lanes) {
                true => None,
                false => Some(positions_in(&all, &frame.lanes)),
            };
            let value = items.at(step, here.as_deref())?;
            frame.set(item, value);
            if let Some(counter) = counter {
                frame.set(counter, Value::int(step as i64));
            }
            self.iteration(frame, body, exits, &mut done, &before)?;
            if frame.lanes.is_empty() {
                break;
            }
        }
        if !done.is_empty() {
            done.push(frame.leave());
            frame.gather(done, &before, counter.unwrap_or(item))?;
        }
        frame.end(&before);
        Ok(())
    }

    /// Runs the body of a loop once; lanes that continue are back at its end, those that break are done.
    fn iteration(
        &mut self,
        frame: &mut Frame,
        body: &Block,
        exits: &mut Exits,
        done: &mut Vec<Frame>,
        before: &Frame,
    ) -> Outcome<()> {
        let mut inner = Exits::default();
        self.block(frame, body, &mut inner)?;
        exits.returned.append(&mut inner.returned);
        done.append(&mut inner.broke);
        if !inner.continued.is_empty() {
            inner.continued.push(frame.leave());
            frame.gather(inner.continued, before, body.base)?;
        }
        Ok(())
    }

    fn check_stop(&self) -> Outcome<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Halt::new("stopped")),
            false => Ok(()),
        }
    }

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
                    Value::Records(rows) => super::records::side_by_side(rows, names),
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

    fn values(&mut self, frame: &mut Frame, nodes: &[Node]) -> Outcome<Vec<Value>> {
        nodes.iter().map(|node| self.value(frame, node)).collect()
    }

    /// `&&` and `||`: a later part is evaluated on the lanes that it decides.
    fn logic(&mut self, frame: &mut Frame, parts: &[Node], all: bool) -> Outcome<Value> {
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

    fn native(&mut self, frame: &mut Frame, name: &str, nodes: &[Node], place: Option<&Place>) -> Outcome<Value> {
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
                if let Some(found) = super::tensors::cropped(&padded, &slice)? {
                    return Ok(found);
                }
                let whole = super::call::call(self, "pad", &mut padded, len).map_err(|halt| halt.or_at(*at))?;
                slice.insert(0, whole);
                return super::call::call(self, "slice", &mut slice, len);
            }
        }
        let Some(place) = place else {
            // `this.x.f(…)` and `x.f(…)` read their receiver; nothing is changed.
            let mut arguments = self.values(frame, nodes)?;
            return super::call::call(self, name, &mut arguments, len);
        };
        let Some((first, rest)) = nodes.split_first() else { return Err(Halt::new("a call without arguments")) };
        let rest = self.values(frame, rest)?;
        let steps = self.steps(frame, place)?;
        if is_read_only(frame.get(place.slot), &steps) {
            // A part of a record or a tensor is a copy: a change to it is a change to nothing.
            let mut arguments = vec![self.value(frame, first)?];
            arguments.extend(rest);
            return super::call::call(self, name, &mut arguments, len);
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
            answer = super::call::call(self, name, &mut arguments, len)?;
            *receiver = arguments.swap_remove(0);
            Ok(())
        });
        *frame.get_mut(place.slot) = whole;
        frame.touch(place.slot);
        result.map(|()| answer)
    }

    fn assign(&mut self, frame: &mut Frame, place: &Place, operator: Option<Operator>, value: Value) -> Outcome<()> {
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

fn truth_of(value: &Value) -> Outcome<Truth> {
    match value {
        Value::Same(value) => match value.as_bool() {
            Ok(truth) => Ok(Truth::Same(truth)),
            Err(_) => Err(Halt::new("a condition that is neither true nor false")),
        },
        Value::Bools(each) if each.iter().all(|truth| *truth) => Ok(Truth::Same(true)),
        Value::Bools(each) if !each.contains(&true) => Ok(Truth::Same(false)),
        Value::Bools(each) => Ok(Truth::Each(each.clone())),
        _ => Err(Halt::new("a condition that is neither true nor false")),
    }
}

/// Returns whether a value is a generator of random numbers that all lanes would share.
pub(super) fn is_shared_rng(value: &Dynamic) -> bool {
    value.is::<crate::script::api::random::Rng>()
}
