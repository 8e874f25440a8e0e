//! Calls: of operators, of functions of scripts, of native ones, and closures with what they capture.

use rhai::{Expr, FnCallExpr, FnPtr, Position};

use super::places::{copy, is_of_this, root};
use super::syntax::assigned;
use super::{Body, Lowering};
use crate::script::vectorise::halt::{Halt, Outcome};
use crate::script::vectorise::natives;
use crate::script::vectorise::program::{Node, Operator};
use crate::script::vectorise::value::Value;

impl Lowering<'_> {
    pub(super) fn call(&mut self, body: &mut Body, call: &FnCallExpr, at: Position) -> Outcome<Node> {
        let name = call.name.as_str();
        if call.capture_parent_scope {
            return Err(Halt::at(format!("`{name}!` sees all variables"), at));
        }
        if call.is_qualified() {
            let module = call.namespace.root().to_owned();
            let script = self.scripts[body.script].imports.get(&module).copied();
            let Some(script) = script.filter(|_| call.namespace.path.len() == 1) else {
                return Err(Halt::at(format!("the module `{module}` is not followed"), at));
            };
            let arguments = self.expressions(body, &call.args)?;
            return self.scripted(script, name, arguments, false, at);
        }
        if name == "curry" {
            return self.curry(body, call, at);
        }
        let mut arguments = self.expressions(body, &call.args)?;
        if call.op_token.is_some() {
            if arguments.len() == 2
                && let Some(operator) = Operator::of(name)
            {
                let right = arguments.pop().unwrap_or(Node::Constant(Value::UNIT));
                let left = arguments.pop().unwrap_or(Node::Constant(Value::UNIT));
                return Ok(Node::Operator { operator, sides: Box::new([left, right]), at });
            }
            if arguments.len() == 1 && matches!(name, "-" | "!") {
                return Ok(Node::Call { name: call.name.clone(), arguments, place: None, at });
            }
            // `in` is an operator that calls `contains`.
            if name != "contains" {
                return Err(Halt::at(format!("the operator `{name}` is not followed"), at));
            }
        }
        let own = (name.to_owned(), arguments.len());
        match self.scripts[body.script].bodies.contains_key(&own) {
            true => self.scripted(body.script, name, arguments, false, at),
            false => self.native(body, name, arguments, at),
        }
    }

    pub(super) fn scripted(
        &mut self,
        script: usize,
        name: &str,
        arguments: Vec<Node>,
        this: bool,
        at: Position,
    ) -> Outcome<Node> {
        let function = self.function(script, name, arguments.len(), this)?;
        self.calls_first |= function == 0;
        Ok(Node::Script { function, arguments, at })
    }

    pub(super) fn native(&mut self, body: &Body, name: &str, arguments: Vec<Node>, at: Position) -> Outcome<Node> {
        natives::check(self.host, name).map_err(|halt| halt.or_at(at))?;
        if name == "take" && arguments.len() == 1 {
            return Err(Halt::at("takes a value out of its variable with `take`", at));
        }
        let place = match arguments.first() {
            Some(first) if natives::may_change(name) => {
                if let Some(name) = root(first).and_then(|slot| body.names.get(slot)).map(|(name, _)| name)
                    && body.shared.contains(name)
                {
                    return Err(Halt::at(format!("`{name}` is shared with a function and changed"), at));
                }
                if is_of_this(first) {
                    return Err(Halt::at(format!("`{name}` may change `this`"), at));
                }
                self.place(body, copy(first), true).map(Box::new)
            }
            _ => None,
        };
        Ok(Node::Call { name: name.into(), arguments, place, at })
    }

    pub(super) fn curry(&mut self, body: &mut Body, call: &FnCallExpr, at: Position) -> Outcome<Node> {
        let captured = call.args.iter().skip(1).map(|captured| match captured {
            Expr::Variable(parts, ..) if parts.2.is_empty() => {
                let slot = body.names.iter().rposition(|(known, _)| *known == parts.1);
                slot.ok_or_else(|| Halt::at(format!("the variable `{}` is not followed", parts.1), at))
            }
            _ => Err(Halt::at("uses `curry`", at)),
        });
        let captured = captured.collect::<Outcome<Vec<usize>>>()?;
        match call.args.first() {
            Some(Expr::DynamicConstant(value, _)) => match value.read_lock::<FnPtr>() {
                Some(function) => self.closure(body, &function, &captured, at),
                None => Err(Halt::at("uses `curry`", at)),
            },
            _ => Err(Halt::at("uses `curry`", at)),
        }
    }

    pub(super) fn closure(&mut self, body: &Body, function: &FnPtr, captured: &[usize], at: Position) -> Outcome<Node> {
        let name = function.fn_name();
        if function.is_curried() {
            return Err(Halt::at("uses `curry`", at));
        }
        let arity = self.scripts[body.script].bodies.keys().find(|(known, _)| known == name).map(|(_, arity)| *arity);
        let Some(arity) = arity.filter(|_| function.is_anonymous()) else {
            return Err(Halt::at(format!("`{name}` is used as a value"), at));
        };
        if let Some((parameters, statements)) = self.scripts[body.script].bodies.get(&(name.to_owned(), arity)) {
            let changed = assigned(statements);
            if let Some(name) = parameters.iter().take(captured.len()).find(|name| changed.contains(name)) {
                return Err(Halt::at(format!("`{name}` is shared with a function and changed"), at));
            }
        }
        let number = self.function(body.script, name, arity, false)?;
        self.calls_first |= number == 0;
        Ok(Node::Closure { function: number, captures: captured.to_vec() })
    }
}
