//! From a script's syntax tree to a [`Program`]: the net that refuses. Only what is listed here is followed;
//! everything else ends the attempt, with the line and the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, FnPtr, ImmutableString, OpAssignment, Position, Stmt, StmtBlock};

use super::fields;
use super::halt::{Halt, Outcome};
use super::natives;
use super::program::{Block, Function, Node, Operator, Place, Program, Statement, Step};
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

    /// Returns the place a node reads, when it may be assigned to.
    fn place(&self, body: &Body, node: Node, writes: bool) -> Option<Place> {
        match node {
            Node::Slot(slot) => {
                let constant = body.names.get(slot).is_none_or(|(_, constant)| *constant);
                (!(constant && writes)).then_some(Place { slot, steps: Vec::new() })
            }
            Node::Property { of, name, .. } => {
                let mut place = self.place(body, *of, writes)?;
                place.steps.push(Step::Field(name.as_str().into()));
                Some(place)
            }
            Node::Index { of, index, .. } => {
                let mut place = self.place(body, *of, writes)?;
                place.steps.push(Step::Index(*index));
                Some(place)
            }
            _ => None,
        }
    }

    fn expressions(&mut self, body: &mut Body, expressions: &[Expr]) -> Outcome<Vec<Node>> {
        expressions.iter().map(|expression| self.expression(body, expression)).collect()
    }

    fn expression(&mut self, body: &mut Body, expression: &Expr) -> Outcome<Node> {
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

    fn variable(
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
    fn chain(&mut self, body: &mut Body, base: Node, dot: bool, flags: ASTFlags, rest: &Expr) -> Outcome<Node> {
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

    fn index(&mut self, body: &mut Body, of: Node, index: &Expr) -> Outcome<Node> {
        let at = index.start_position();
        let index = self.argument(body, index)?;
        Ok(Node::Index { of: Box::new(of), index: Box::new(index), at })
    }

    fn member(&mut self, body: &mut Body, of: Node, member: &Expr) -> Outcome<Node> {
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
    fn argument(&mut self, body: &mut Body, argument: &Expr) -> Outcome<Node> {
        let Some(hoisted) = body.hoisted.take() else { return self.expression(body, argument) };
        let node = self.expression(body, argument)?;
        let slot = name_slot(body, &ImmutableString::new(), false, argument.start_position())?;
        let mut hoisted = hoisted;
        hoisted.push(Statement::Let(slot, node));
        body.hoisted = Some(hoisted);
        Ok(Node::Slot(slot))
    }

    /// Whether what follows in a chain draws random numbers in its arguments, or may.
    fn draws(&self, body: &Body, rest: &Expr) -> bool {
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

    fn call(&mut self, body: &mut Body, call: &FnCallExpr, at: Position) -> Outcome<Node> {
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

    fn scripted(&mut self, script: usize, name: &str, arguments: Vec<Node>, this: bool, at: Position) -> Outcome<Node> {
        let function = self.function(script, name, arguments.len(), this)?;
        self.calls_first |= function == 0;
        Ok(Node::Script { function, arguments, at })
    }

    fn native(&mut self, body: &Body, name: &str, arguments: Vec<Node>, at: Position) -> Outcome<Node> {
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

    fn curry(&mut self, body: &mut Body, call: &FnCallExpr, at: Position) -> Outcome<Node> {
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

    fn closure(&mut self, body: &Body, function: &FnPtr, captured: &[usize], at: Position) -> Outcome<Node> {
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

fn name_slot(body: &mut Body, name: &ImmutableString, constant: bool, at: Position) -> Outcome<usize> {
    if body.shared.contains(name) {
        return Err(Halt::at(format!("`{name}` is shared with a function and declared again"), at));
    }
    body.names.push((name.clone(), constant));
    body.slots = body.slots.max(body.names.len());
    Ok(body.names.len() - 1)
}

/// The slot a place begins at.
fn root(node: &Node) -> Option<usize> {
    match node {
        Node::Slot(slot) => Some(*slot),
        Node::Property { of, .. } | Node::Index { of, .. } => root(of),
        _ => None,
    }
}

fn is_of_this(node: &Node) -> bool {
    match node {
        Node::This => true,
        Node::Property { of, .. } | Node::Index { of, .. } => is_of_this(of),
        _ => false,
    }
}

/// Copies a node that may be a place; anything else becomes nothing, which is no place.
fn copy(node: &Node) -> Node {
    match node {
        Node::Slot(slot) => Node::Slot(*slot),
        Node::Property { of, name, at } => Node::Property { of: Box::new(copy(of)), name: name.clone(), at: *at },
        // What is between the brackets is evaluated once, so it has to be something that costs nothing twice.
        Node::Index { of, index, at } => match &**index {
            Node::Slot(slot) => Node::Index { of: Box::new(copy(of)), index: Box::new(Node::Slot(*slot)), at: *at },
            Node::Constant(value) => {
                Node::Index { of: Box::new(copy(of)), index: Box::new(Node::Constant(value.clone())), at: *at }
            }
            _ => Node::Constant(Value::UNIT),
        },
        _ => Node::Constant(Value::UNIT),
    }
}

/// Returns the names that statements assign to, or change in place.
fn assigned(statements: &[Stmt]) -> Vec<ImmutableString> {
    let mut names = Vec::new();
    let mut note = |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Assignment(parts))) => names.extend(variable_of(&parts.1.lhs)),
            Some(ASTNode::Expr(Expr::Dot(parts, ..))) if changes(&parts.rhs) => names.extend(variable_of(&parts.lhs)),
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
                if natives::may_change(&call.name) =>
            {
                names.extend(call.args.first().and_then(variable_of));
            }
            _ => (),
        }
        true
    };
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut note);
    }
    names
}

/// Whether a chain calls something that may change what it is called on.
fn changes(rest: &Expr) -> bool {
    match rest {
        Expr::MethodCall(call, _) => natives::may_change(&call.name),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => changes(&parts.lhs) || changes(&parts.rhs),
        _ => false,
    }
}

fn variable_of(place: &Expr) -> Option<ImmutableString> {
    match place {
        Expr::Variable(parts, ..) => Some(parts.1.clone()),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => variable_of(&parts.lhs),
        _ => None,
    }
}

/// Returns the statements of each function of a script.
fn bodies(ast: &AST) -> BTreeMap<(String, usize), (Vec<ImmutableString>, Vec<Stmt>)> {
    let mut bodies = BTreeMap::new();
    for function in ast.iter_functions() {
        let (name, arity) = (function.name, function.params.len());
        let mut one = ast.clone_functions_only();
        one.retain_functions(|_, _, known, parameters| known == name && parameters == arity);
        let mut statements = Vec::new();
        one.walk(&mut |path: &[ASTNode]| {
            if let [ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        let parameters = function.params.iter().map(|name| ImmutableString::from(*name)).collect();
        bodies.insert((name.to_owned(), arity), (parameters, statements));
    }
    bodies
}

/// Returns the constants of a script. Those that are no literals are computed once more.
fn constants(host: &Host, ast: &AST) -> BTreeMap<String, Value> {
    let declared = ast.statements().iter().filter(|statement| matches!(statement, Stmt::Var(..))).count();
    let literal: BTreeMap<String, Value> = ast
        .iter_literal_variables(true, false)
        .map(|(name, _, value)| (name.to_owned(), Value::from_dynamic(value)))
        .collect();
    if literal.len() == declared {
        return literal;
    }
    let mut scope = rhai::Scope::new();
    match host.engine().run_ast_with_scope(&mut scope, ast) {
        Ok(()) => scope.iter().map(|(name, _, value)| (name.to_owned(), Value::from_dynamic(value))).collect(),
        Err(_) => literal,
    }
}
