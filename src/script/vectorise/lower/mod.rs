//! From a script's syntax tree to a [`Program`]: the net that refuses. Only what is listed here is followed;
//! everything else ends the attempt, with the line and the reason. Here are scripts, functions and statements.

mod calls;
mod expression;
mod places;
mod syntax;

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{ASTFlags, Expr, ImmutableString, OpAssignment, Position, Stmt, StmtBlock};

use self::syntax::{assigned, bodies, constants};
use super::fields;
use super::halt::{Halt, Outcome};
use super::program::{Block, Function, Node, Operator, Program, Statement};
use super::value::Value;
use crate::script::compiled::Compiled;
use crate::script::host::Host;

/// Lowers a function and all that it calls.
pub(super) fn lower(host: &Host, compiled: &Arc<Compiled>, function: &str, arity: usize) -> Outcome<Program> {
    let mut lowering =
        Lowering { host, scripts: Vec::new(), functions: Vec::new(), known: BTreeMap::new(), calls_first: false };
    let script = lowering.script(compiled.clone())?;
    lowering.function(script, function, arity, true)?;
    let functions = lowering.functions.into_iter().collect::<Option<Vec<_>>>();
    let mut program =
        functions.map(|functions| Program { functions }).ok_or_else(|| Halt::new("a function has no body"))?;
    fields::fuse(&mut program, lowering.calls_first);
    Ok(program)
}

struct Lowering<'a> {
    host: &'a Host,
    scripts: Vec<Context>,
    functions: Vec<Option<Function>>,
    /// Functions by script, name, number of parameters, and whether `this` is bound.
    known: BTreeMap<(usize, String, usize, bool), usize>,
    /// Whether the first function is called by another one, or by itself.
    calls_first: bool,
}

/// A script whose functions are lowered.
struct Context {
    compiled: Arc<Compiled>,
    /// The bodies by name and number of parameters, with their parameters.
    bodies: BTreeMap<(String, usize), (Vec<ImmutableString>, Vec<Stmt>)>,
    constants: BTreeMap<String, Value>,
    /// Scripts by the name they are imported under.
    imports: BTreeMap<String, usize>,
}

/// The function being lowered.
struct Body {
    script: usize,
    names: Vec<(ImmutableString, bool)>,
    slots: usize,
    /// Whether `this` is bound.
    this: bool,
    /// Captured names, which nobody may assign to.
    shared: Vec<ImmutableString>,
    /// Names that are assigned to somewhere after their `let`.
    assigned: Vec<ImmutableString>,
    loops: usize,
    /// Arguments that are evaluated before the chain that is being lowered.
    hoisted: Option<Vec<Statement>>,
}

impl Lowering<'_> {
    fn script(&mut self, compiled: Arc<Compiled>) -> Outcome<usize> {
        let label = &compiled.script.label;
        if let Some(known) = self.scripts.iter().position(|known| known.compiled.script.label == *label) {
            return Ok(known);
        }
        if let Some(typed) = compiled.ast.iter_functions().find(|function| function.this_type.is_some()) {
            return Err(Halt::new(format!("the function `{}` belongs to a type", typed.name)).or_in(label));
        }
        let bodies = bodies(&compiled.ast);
        let constants = constants(self.host, &compiled.ast);
        let number = self.scripts.len();
        self.scripts.push(Context { compiled: compiled.clone(), bodies, constants, imports: BTreeMap::new() });
        for statement in compiled.ast.statements() {
            let Stmt::Import(parts, at) = statement else { continue };
            let (path, name) = &**parts;
            let Expr::StringConstant(path, ..) = path else {
                return Err(Halt::at("an import whose path is computed", *at).or_in(&compiled.script.label));
            };
            let path = path.strip_suffix(".rhai").unwrap_or(path).replace('/', ".");
            let found = self.host.resolve(&path).map_err(|_| Halt::at("an import that is not found", *at))?;
            let imported = self.script(found.0)?;
            self.scripts[number].imports.insert(name.name.to_string(), imported);
        }
        Ok(number)
    }

    /// Returns the number of a function, lowering it at the first call of it.
    fn function(&mut self, script: usize, name: &str, arity: usize, this: bool) -> Outcome<usize> {
        let key = (script, name.to_owned(), arity, this);
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let label = self.scripts[script].compiled.script.label.clone();
        let Some((parameters, statements)) = self.scripts[script].bodies.get(&(name.to_owned(), arity)).cloned() else {
            return Err(Halt::new(format!("the function `{name}` is not one of the script")).or_in(&label));
        };
        let number = self.functions.len();
        self.functions.push(None);
        self.known.insert(key, number);
        let mut body = Body {
            script,
            names: parameters.iter().map(|name| (name.clone(), false)).collect(),
            slots: parameters.len(),
            this,
            shared: Vec::new(),
            assigned: assigned(&statements),
            loops: 0,
            hoisted: None,
        };
        let block = self.statements(&mut body, &statements, false).map_err(|halt| halt.or_in(&label))?;
        let function = Function { script: label, parameters: parameters.len(), slots: body.slots, body: block };
        self.functions[number] = Some(function);
        Ok(number)
    }

    fn block(&mut self, body: &mut Body, block: &StmtBlock) -> Outcome<Block> {
        self.statements(body, block.statements(), true)
    }

    fn statements(&mut self, body: &mut Body, statements: &[Stmt], scoped: bool) -> Outcome<Block> {
        let base = body.names.len();
        let mut lowered = Vec::with_capacity(statements.len());
        for statement in statements {
            if let Some(statement) = self.statement(body, statement)? {
                lowered.push(statement);
            }
        }
        if scoped {
            body.names.truncate(base);
        }
        Ok(Block { statements: lowered, base })
    }

    fn statement(&mut self, body: &mut Body, statement: &Stmt) -> Outcome<Option<Statement>> {
        Ok(Some(match statement {
            Stmt::Noop(_) => Statement::Value(Node::Constant(Value::UNIT)),
            Stmt::Expr(expression) => match self.expression(body, expression)? {
                Node::Block(statement) => *statement,
                node => Statement::Value(node),
            },
            Stmt::FnCall(call, at) => Statement::Value(self.call(body, call, *at)?),
            Stmt::Block(block) => Statement::Block(self.block(body, block)?),
            Stmt::Var(parts, flags, at) => {
                let (name, value, _) = &**parts;
                let value = self.expression(body, value)?;
                let constant = flags.contains(ASTFlags::CONSTANT);
                Statement::Let(name_slot(body, &name.name, constant, *at)?, value)
            }
            Stmt::Assignment(parts) => self.assignment(body, &parts.0, &parts.1.lhs, &parts.1.rhs)?,
            Stmt::If(parts, at) => Statement::If {
                condition: self.expression(body, &parts.expr)?,
                yes: self.block(body, &parts.body)?,
                no: self.block(body, &parts.branch)?,
                at: *at,
            },
            Stmt::While(parts, at) => {
                let condition = match &parts.expr {
                    Expr::Unit(_) | Expr::BoolConstant(true, _) => None,
                    condition => Some(self.expression(body, condition)?),
                };
                Statement::While { condition, body: self.looped(body, &parts.body)?, at: *at }
            }
            Stmt::For(parts, at) => {
                let (name, counter, flow) = &**parts;
                let over = self.expression(body, &flow.expr)?;
                let before = body.names.len();
                let counter = counter.as_ref().map(|name| name_slot(body, &name.name, false, *at)).transpose()?;
                let item = name_slot(body, &name.name, false, *at)?;
                let lowered = self.looped(body, &flow.body)?;
                body.names.truncate(before);
                Statement::For { item, counter, over, body: lowered, at: *at }
            }
            Stmt::BreakLoop(value, flags, at) => match (value, flags.contains(ASTFlags::BREAK)) {
                (Some(_), _) => return Err(Halt::at("a `break` with a value", *at)),
                _ if body.loops == 0 => return Err(Halt::at("a `break` outside of a loop", *at)),
                (None, true) => Statement::Break,
                (None, false) => Statement::Continue,
            },
            Stmt::Return(_, flags, at) if flags.contains(ASTFlags::BREAK) => Statement::Throw(*at),
            Stmt::Return(value, ..) => {
                Statement::Return(value.as_ref().map(|value| self.expression(body, value)).transpose()?)
            }
            Stmt::Share(names) => {
                for (name, _) in &**names {
                    if body.assigned.contains(&name.name) {
                        return Err(Halt::at(
                            format!("`{}` is shared with a function and changed", name.name),
                            name.pos,
                        ));
                    }
                    body.shared.push(name.name.clone());
                }
                return Ok(None);
            }
            Stmt::Switch(_, at) => return Err(Halt::at("uses `switch`", *at)),
            Stmt::TryCatch(_, at) => return Err(Halt::at("uses `try`", *at)),
            Stmt::Do(_, _, at) => return Err(Halt::at("uses `do`", *at)),
            other => return Err(Halt::at("a statement that is not followed", other.position())),
        }))
    }

    fn looped(&mut self, body: &mut Body, block: &StmtBlock) -> Outcome<Block> {
        body.loops += 1;
        let lowered = self.block(body, block);
        body.loops -= 1;
        lowered
    }

    fn assignment(
        &mut self,
        body: &mut Body,
        assigned: &OpAssignment,
        left: &Expr,
        right: &Expr,
    ) -> Outcome<Statement> {
        let at = assigned.position();
        let value = self.expression(body, right)?;
        let operator = match assigned.get_op_assignment_info() {
            None => None,
            Some((.., symbol)) => match Operator::of(symbol) {
                Some(operator) => Some(operator),
                None => return Err(Halt::at(format!("uses `{symbol}=`"), at)),
            },
        };
        let node = self.expression(body, left)?;
        match self.place(body, node, true) {
            Some(place) => Ok(Statement::Assign { place, operator, value, at }),
            None => Err(Halt::at("assigns to something that is no variable or part of one", at)),
        }
    }
}

fn name_slot(body: &mut Body, name: &ImmutableString, constant: bool, at: Position) -> Outcome<usize> {
    if body.shared.contains(name) {
        return Err(Halt::at(format!("`{name}` is shared with a function and declared again"), at));
    }
    body.names.push((name.clone(), constant));
    body.slots = body.slots.max(body.names.len());
    Ok(body.names.len() - 1)
}
