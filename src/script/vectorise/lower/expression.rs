//! Expressions: literals, variables, and chains of properties, positions and methods.

use rhai::{ASTFlags, ASTNode, Expr, FnPtr, ImmutableString, Position, Stmt};

use super::{Body, Lowering, name_slot};
use crate::script::vectorise::halt::{Halt, Outcome};
use crate::script::vectorise::natives;
use crate::script::vectorise::program::{Block, Node, Statement};
use crate::script::vectorise::value::Value;

impl Lowering<'_> {
    pub(super) fn expressions(&mut self, body: &mut Body, expressions: &[Expr]) -> Outcome<Vec<Node>> {
        expressions.iter().map(|expression| self.expression(body, expression)).collect()
    }

    pub(super) fn expression(&mut self, body: &mut Body, expression: &Expr) -> Outcome<Node> {
        Ok(match expression {
            Expr::DynamicConstant(value, at) => match value.read_lock::<FnPtr>() {
                Some(function) => self.closure(body, &function, &[], *at)?,
                None => Node::Constant(Value::from_dynamic((**value).clone())),
            },
            Expr::BoolConstant(..)
            | Expr::IntegerConstant(..)
            | Expr::FloatConstant(..)
            | Expr::CharConstant(..)
            | Expr::StringConstant(..)
            | Expr::Unit(_) => match expression.get_literal_value(None) {
                Some(value) => Node::Constant(Value::Same(value)),
                None => return Err(Halt::at("a constant that is not followed", expression.position())),
            },
            Expr::InterpolatedString(parts, at) => Node::Join(self.expressions(body, parts)?, *at),
            Expr::Array(items, _) => Node::List(self.expressions(body, items)?),
            Expr::Map(parts, _) => {
                let field = |(name, value): &(rhai::Ident, Expr)| {
                    Ok((name.name.as_str().into(), self.expression(body, value)?))
                };
                Node::Map(parts.0.iter().map(field).collect::<Outcome<_>>()?)
            }
            Expr::Variable(parts, _, at) => self.variable(body, &parts.1, &parts.2, *at)?,
            Expr::ThisPtr(at) => match body.this {
                true => Node::This,
                false => return Err(Halt::at("`this` is not bound", *at)),
            },
            Expr::Stmt(block) => Node::Block(Box::new(Statement::Block(self.block(body, block)?))),
            Expr::FnCall(call, at) => self.call(body, call, *at)?,
            Expr::Dot(parts, flags, _) | Expr::Index(parts, flags, _) => {
                let dot = matches!(expression, Expr::Dot(..));
                if !self.draws(body, &parts.rhs) {
                    let base = self.expression(body, &parts.lhs)?;
                    return self.chain(body, base, dot, *flags, &parts.rhs);
                }
                // Rhai evaluates all arguments of a chain before it begins; where they draw random numbers
                // the order shows.
                let before = body.names.len();
                let outer = body.hoisted.replace(Vec::new());
                let base = self.expression(body, &parts.lhs)?;
                let last = self.chain(body, base, dot, *flags, &parts.rhs)?;
                let mut statements = std::mem::replace(&mut body.hoisted, outer).unwrap_or_default();
                statements.push(Statement::Value(last));
                body.names.truncate(before);
                Node::Block(Box::new(Statement::Block(Block { statements, base: before })))
            }
            Expr::And(parts, at) => Node::And(self.expressions(body, parts)?, *at),
            Expr::Or(parts, at) => Node::Or(self.expressions(body, parts)?, *at),
            Expr::Coalesce(parts, at) => Node::Coalesce(self.expressions(body, parts)?, *at),
            other => return Err(Halt::at("an expression that is not followed", other.position())),
        })
    }

    pub(super) fn variable(
        &mut self,
        body: &Body,
        name: &ImmutableString,
        namespace: &rhai::Namespace,
        at: Position,
    ) -> Outcome<Node> {
        if namespace.is_empty() {
            return match body.names.iter().rposition(|(known, _)| known == name) {
                Some(slot) => Ok(Node::Slot(slot)),
                None => Err(Halt::at(format!("the variable `{name}` is not followed"), at)),
            };
        }
        let context = &self.scripts[body.script];
        let found = match namespace.root() {
            _ if namespace.path.len() > 1 => None,
            "global" => context.constants.get(name.as_str()),
            module => context.imports.get(module).and_then(|&script| self.scripts[script].constants.get(name.as_str())),
        };
        match found {
            Some(value) => Ok(Node::Constant(value.clone())),
            None => Err(Halt::at(format!("the constant `{}::{name}` is not followed", namespace.root()), at)),
        }
    }

    /// Lowers what follows a dot or stands between square brackets.
    pub(super) fn chain(
        &mut self,
        body: &mut Body,
        base: Node,
        dot: bool,
        flags: ASTFlags,
        rest: &Expr,
    ) -> Outcome<Node> {
        if flags.contains(ASTFlags::NEGATED) {
            return Err(Halt::at("uses `?.` or `?[`", rest.position()));
        }
        match rest {
            Expr::Dot(parts, inner, _) | Expr::Index(parts, inner, _) if dot || !flags.contains(ASTFlags::BREAK) => {
                let base = match dot {
                    true => self.member(body, base, &parts.lhs)?,
                    false => self.index(body, base, &parts.lhs)?,
                };
                self.chain(body, base, matches!(rest, Expr::Dot(..)), *inner, &parts.rhs)
            }
            _ if dot => self.member(body, base, rest),
            _ => self.index(body, base, rest),
        }
    }

    pub(super) fn index(&mut self, body: &mut Body, of: Node, index: &Expr) -> Outcome<Node> {
        let at = index.start_position();
        let index = self.argument(body, index)?;
        Ok(Node::Index { of: Box::new(of), index: Box::new(index), at })
    }

    pub(super) fn member(&mut self, body: &mut Body, of: Node, member: &Expr) -> Outcome<Node> {
        match member {
            Expr::Property(property, at) => Ok(Node::Property { of: Box::new(of), name: property.2.clone(), at: *at }),
            Expr::MethodCall(call, at) => {
                let arguments: Vec<Node> =
                    call.args.iter().map(|argument| self.argument(body, argument)).collect::<Outcome<_>>()?;
                let own = (call.name.to_string(), arguments.len());
                if self.scripts[body.script].bodies.contains_key(&own) {
                    return match of {
                        Node::This => self.scripted(body.script, &call.name, arguments, true, *at),
                        _ => Err(Halt::at(format!("`{}` is called as a method of a value", call.name), *at)),
                    };
                }
                self.native(body, &call.name, std::iter::once(of).chain(arguments).collect(), *at)
            }
            other => Err(Halt::at("an expression that is not followed", other.position())),
        }
    }

    /// Lowers an argument within a chain, to be evaluated before it where the order shows.
    pub(super) fn argument(&mut self, body: &mut Body, argument: &Expr) -> Outcome<Node> {
        let Some(hoisted) = body.hoisted.take() else { return self.expression(body, argument) };
        let node = self.expression(body, argument)?;
        let slot = name_slot(body, &ImmutableString::new(), false, argument.start_position())?;
        let mut hoisted = hoisted;
        hoisted.push(Statement::Let(slot, node));
        body.hoisted = Some(hoisted);
        Ok(Node::Slot(slot))
    }

    /// Whether what follows in a chain draws random numbers in its arguments, or may.
    pub(super) fn draws(&self, body: &Body, rest: &Expr) -> bool {
        let own = &self.scripts[body.script].bodies;
        let mut found = false;
        let mut look = |path: &[ASTNode]| {
            let call = match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => call,
                Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
                _ => return true,
            };
            // A call in the chain itself draws when its turn comes.
            let inside = path.iter().rev().skip(1).any(|node| match node {
                ASTNode::Expr(Expr::MethodCall(..) | Expr::FnCall(..) | Expr::Stmt(_)) => true,
                ASTNode::Expr(Expr::Index(parts, ..)) => !matches!(parts.lhs, Expr::Property(..)),
                _ => false,
            });
            let name = call.name.as_str();
            found |=
                inside && (natives::draws(name) || call.is_qualified() || own.keys().any(|(known, _)| known == name));
            true
        };
        rest.walk(&mut Vec::new(), &mut look);
        found
    }
}
