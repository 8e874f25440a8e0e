//! Finds where functions assign to `this`: a read-only map refuses changed fields, but takes new ones.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Expr, Position, Stmt};

/// An assignment to `this`.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where it stands.
    pub position: Position,
    /// What it sets: "`this.count`", "a field of `this.params`".
    pub what: String,
}

/// For each function that assigns to `this` or to a field of it, itself or through a function that it calls
/// on `this`: the first assignment.
pub fn writes(ast: &AST) -> BTreeMap<String, Write> {
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
                Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                    let position = parts.1.lhs.start_position();
                    place = place.take().or_else(|| set(&parts.1.lhs).map(|what| Write { position, what }));
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
            Some((name.clone(), place.clone()))
        });
        match next {
            Some((name, place)) => found.insert(name, place),
            None => return found,
        };
    }
}

/// What an assignment sets, when it is `this`, `this.x`, `this.x[0].y` …
fn set(place: &Expr) -> Option<String> {
    match place {
        Expr::ThisPtr(..) => Some("`this`".to_owned()),
        Expr::Dot(parts, ..) if matches!(parts.lhs, Expr::ThisPtr(..)) => Some(match &parts.rhs {
            Expr::Property(field, ..) => format!("`this.{}`", field.2),
            // `this.x.y` is `this` and `x.y`.
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) => match &inner.lhs {
                Expr::Property(field, ..) => format!("a field of `this.{}`", field.2),
                _ => "a field of `this`".to_owned(),
            },
            _ => "a field of `this`".to_owned(),
        }),
        Expr::Index(parts, ..) if matches!(parts.lhs, Expr::ThisPtr(..)) => Some("a field of `this`".to_owned()),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => set(&parts.lhs),
        _ => None,
    }
}
