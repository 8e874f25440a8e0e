//! What is read from a syntax tree before it is lowered: names that are changed, bodies, constants.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Expr, ImmutableString, Stmt};

use crate::script::host::Host;
use crate::script::vectorise::natives;
use crate::script::vectorise::value::Value;

/// Returns the names that statements assign to, or change in place.
pub(super) fn assigned(statements: &[Stmt]) -> Vec<ImmutableString> {
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
pub(super) fn changes(rest: &Expr) -> bool {
    match rest {
        Expr::MethodCall(call, _) => natives::may_change(&call.name),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => changes(&parts.lhs) || changes(&parts.rhs),
        _ => false,
    }
}

pub(super) fn variable_of(place: &Expr) -> Option<ImmutableString> {
    match place {
        Expr::Variable(parts, ..) => Some(parts.1.clone()),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => variable_of(&parts.lhs),
        _ => None,
    }
}

/// Returns the statements of each function of a script.
pub(super) fn bodies(ast: &AST) -> BTreeMap<(String, usize), (Vec<ImmutableString>, Vec<Stmt>)> {
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
pub(super) fn constants(host: &Host, ast: &AST) -> BTreeMap<String, Value> {
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
