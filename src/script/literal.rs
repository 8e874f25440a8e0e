//! Where a config that a script wrote stands: the map literals behind the value, read from the script's
//! syntax tree, so that errors mark the key in the recipe as they do in a config file.
//!
//! A value only has a place when the literal shows it: what a script computes or changes later is marked
//! where it is used, or not at all.

use rhai::{ASTNode, Engine, Expr, FnCallExpr, NativeCallContext, OptimizationLevel, Position, Stmt};
use serde_json::Value as Json;

use crate::error::Place;
use crate::recipe::{Entry, Node, Written, WrittenValue};
use crate::script::host::Host;

/// Returns the config that was given to the running native function, with the places of what is literal.
pub fn written(host: &Host, context: &NativeCallContext, config: &Json) -> Written {
    let label = context.call_source().unwrap_or_default();
    let known = Literals::read(host, label).and_then(|literals| {
        let calls = literals.calls.iter().filter(|call| call.position == context.call_position());
        calls.flat_map(|call| &call.arguments).find_map(|argument| literals.config(argument, config))
    });
    known.unwrap_or_else(|| Written::from_value(config))
}

/// What a script's text has to say about values.
struct Literals<'a> {
    host: &'a Host,
    label: &'a str,
    variables: Vec<(String, Position, Expr)>,
    calls: Vec<Call>,
}

struct Call {
    position: Position,
    arguments: Vec<Expr>,
}

/// How many variables are followed from a use to a literal.
const DEPTH: usize = 16;

impl<'a> Literals<'a> {
    fn read(host: &'a Host, label: &'a str) -> Option<Self> {
        let script = host.sources().get(label)?;
        let mut engine = Engine::new_raw();
        // Optimised literals are constants without places.
        engine.set_optimization_level(OptimizationLevel::None).set_max_expr_depths(0, 0);
        let ast = engine.compile(&*script.text).ok()?;
        let mut literals = Literals { host, label, variables: Vec::new(), calls: Vec::new() };
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(variable, _, position))) => {
                    literals.variables.push((variable.0.name.to_string(), *position, variable.1.clone()));
                }
                Some(ASTNode::Stmt(Stmt::FnCall(call, position)))
                | Some(ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))) => {
                    literals.calls.push(Call { position: *position, arguments: call.args.to_vec() });
                }
                _ => (),
            }
            true
        });
        Some(literals)
    }

    fn config(&self, argument: &Expr, config: &Json) -> Option<Written> {
        match self.follow(argument) {
            Expr::FnCall(call, _) if call.name == "read_json" => self.file(call, config),
            literal @ Expr::Map(..) => Some(Written { root: self.node(config, literal) }),
            _ => None,
        }
    }

    /// A config that was read from a file and not changed stands there.
    fn file(&self, call: &FnCallExpr, config: &Json) -> Option<Written> {
        let Some(Expr::StringConstant(name, _)) = call.args.first() else { return None };
        let text = std::fs::read_to_string(self.host.roots().readable(name).ok()?).ok()?;
        Written::from_json(name, &text).ok().filter(|written| same(&written.root.to_value(), config))
    }

    /// Returns the expression a variable was last declared with before its use.
    fn follow<'b>(&'b self, expression: &'b Expr) -> &'b Expr {
        let mut expression = expression;
        for _ in 0..DEPTH {
            let Expr::Variable(name, _, position) = expression else { break };
            let declared = self.variables.iter().rev().find(|(known, at, _)| *known == *name.1 && at < position);
            match declared {
                Some((_, _, literal)) => expression = literal,
                None => break,
            }
        }
        expression
    }

    fn node(&self, value: &Json, expression: &Expr) -> Node {
        let literal = self.follow(expression);
        let place = self.place(literal.start_position());
        match (value, literal) {
            (Json::Object(fields), Expr::Map(items, _)) => {
                let entry = |(key, value): (&String, &Json)| match items.0.iter().find(|(name, _)| name.name == *key) {
                    Some((name, literal)) => {
                        Entry { key: key.clone(), place: self.place(name.pos), node: self.node(value, literal) }
                    }
                    None => Entry { key: key.clone(), place: None, node: Node::from_value(value) },
                };
                Node { value: WrittenValue::Map(fields.iter().map(entry).collect()), place }
            }
            (Json::Object(fields), Expr::FnCall(call, position)) if call.name == "component" => {
                let entry = |(key, value): (&String, &Json)| {
                    let argument = call.args.get(usize::from(key == "params"));
                    let node = argument.map_or_else(|| Node::from_value(value), |literal| self.node(value, literal));
                    Entry { key: key.clone(), place: self.place(*position), node }
                };
                Node { value: WrittenValue::Map(fields.iter().map(entry).collect()), place }
            }
            (Json::Array(values), Expr::Array(literals, _)) if values.len() == literals.len() => {
                let items = values.iter().zip(literals.iter()).map(|(value, literal)| self.node(value, literal));
                Node { value: WrittenValue::List(items.collect()), place }
            }
            // A literal that says something else was changed later.
            _ if is_other(value, literal) => Node::from_value(value),
            // A value that is computed is marked where it is used.
            _ => Node { place: self.place(expression.start_position()), ..Node::from_value(value) },
        }
    }

    fn place(&self, position: Position) -> Option<Place> {
        self.host.sources().place(self.label, position)
    }
}

/// Whether a literal is not this value.
fn is_other(value: &Json, literal: &Expr) -> bool {
    match literal {
        Expr::IntegerConstant(number, _) => value.as_i64() != Some(*number),
        Expr::FloatConstant(number, _) => value.as_f64() != Some(**number),
        Expr::BoolConstant(flag, _) => value.as_bool() != Some(*flag),
        Expr::StringConstant(text, _) => value.as_str() != Some(text.as_str()),
        Expr::Map(..) => !value.is_object(),
        Expr::Array(..) => !value.is_array(),
        _ => false,
    }
}

/// Whether two values are equal; a script's map has its keys in another order.
fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Number(left), Json::Number(right)) => left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}
