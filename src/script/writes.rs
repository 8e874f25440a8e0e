//! Finds where functions assign to `this`: a read-only map refuses changed fields, but takes new ones.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Expr, Position, Stmt};

/// For each function that assigns to `this` or to a field of it, itself or through a function that it calls
/// on `this`: the place of the assignment.
pub fn writes(ast: &AST) -> BTreeMap<String, Position> {
    let mut names: Vec<String> = ast.iter_functions().map(|function| function.name.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    let mut found = BTreeMap::new();
    let mut calls: Vec<(String, Vec<String>)> = Vec::new();
    for name in names {
        let mut one = ast.clone();
        one.retain_functions(|_, _, known, _| known == name);
        let mut called = Vec::new();
        let mut place = None;
        one.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Assignment(parts))) if is_this(&parts.1.lhs) => {
                    place.get_or_insert(parts.1.lhs.start_position());
                }
                Some(ASTNode::Expr(Expr::Dot(parts, ..))) if matches!(parts.lhs, Expr::ThisPtr(..)) => {
                    if let Expr::MethodCall(call, _) = &parts.rhs {
                        called.push(call.name.to_string());
                    }
                }
                _ => (),
            }
            true
        });
        if let Some(place) = place {
            found.insert(name.clone(), place);
        }
        calls.push((name, called));
    }
    // Calls are followed until nothing new is found.
    loop {
        let next = calls.iter().find_map(|(name, called)| {
            let place = called.iter().find_map(|called| found.get(called)).filter(|_| !found.contains_key(name))?;
            Some((name.clone(), *place))
        });
        match next {
            Some((name, place)) => found.insert(name, place),
            None => return found,
        };
    }
}

/// `this`, `this.x`, `this.x[0].y` …
fn is_this(place: &Expr) -> bool {
    match place {
        Expr::ThisPtr(..) => true,
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => is_this(&parts.lhs),
        _ => false,
    }
}
