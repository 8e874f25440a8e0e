//! Runs a [`Program`] once for all lanes. Where a condition differs from lane to lane, each side runs on the
//! lanes that take it, and what they changed is put together again: no lane runs code that it would not have
//! run alone.

mod change;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{Dynamic, Position};

use super::frame::{Frame, positions_in, put_together, split};
use super::halt::{Halt, Outcome};
use super::native::Natives;
use super::program::{Block, Function, Node, Program, Statement};
use super::value::{Positions, Value};
use super::{properties, select};
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
