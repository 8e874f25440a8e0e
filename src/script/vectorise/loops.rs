//! Loops over the elements of tensors, which cost hundreds of times what one operation on the whole tensor costs.

use std::sync::Arc;

use rhai::{ASTNode, Expr, Position, Stmt};

use super::report::ElementLoop;
use crate::script::compiled::Compiled;
use crate::script::host::Host;

/// Finds a loop whose body reads something at the loop's own variable, in a function that is interpreted. Only
/// ranges that are long, or whose length is not in the text, count.
pub(super) fn find(host: &Host, compiled: &Arc<Compiled>, function: &str, arity: usize) -> Option<ElementLoop> {
    let mut one = compiled.ast.clone_functions_only();
    one.retain_functions(|_, _, known, parameters| known == function && parameters == arity);
    let mut found = None;
    one.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::For(parts, _))) = path.last()
            && found.is_none()
            && is_long(&parts.2.expr)
        {
            let variable = &parts.0.name;
            for statement in parts.2.body.statements() {
                statement.walk(&mut Vec::new(), &mut |inner: &[ASTNode]| {
                    if let Some(ASTNode::Expr(Expr::Index(index, ..))) = inner.last()
                        && matches!(&index.rhs, Expr::Variable(name, ..) if name.1 == *variable)
                        && found.is_none()
                    {
                        found = Some(index.rhs.start_position());
                    }
                    true
                });
            }
        }
        true
    });
    let at = found?;
    let place = host.sources().place(&compiled.script.label, at)?;
    Some(ElementLoop { instead: instead(compiled, at), place })
}

/// A loop of fewer steps is not worth a word.
const FEW: i64 = 16;

fn is_long(over: &Expr) -> bool {
    match over {
        Expr::FnCall(call, _) => match call.args.last() {
            Some(Expr::IntegerConstant(end, _)) => *end >= FEW,
            _ => call.args.len() == 2,
        },
        Expr::DynamicConstant(range, _) => {
            range.read_lock::<std::ops::Range<i64>>().is_some_and(|range| range.end - range.start >= FEW)
        }
        _ => false,
    }
}

/// Returns what does the work of the loop at a place: by what the loop around it does.
pub(super) fn instead(compiled: &Compiled, at: Position) -> &'static str {
    let (mut sums, mut chooses) = (false, false);
    compiled.ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::For(parts, _))) = path.last() {
            let mut here = false;
            let (mut adds, mut asks) = (false, false);
            for statement in parts.2.body.statements() {
                statement.walk(&mut Vec::new(), &mut |inner: &[ASTNode]| {
                    match inner.last() {
                        Some(ASTNode::Expr(expression)) => here |= expression.start_position() == at,
                        Some(ASTNode::Stmt(Stmt::If(..))) => asks = true,
                        Some(ASTNode::Stmt(Stmt::Assignment(parts))) => adds |= parts.0.is_op_assignment(),
                        _ => (),
                    }
                    true
                });
            }
            if here {
                (sums, chooses) = (adds, asks);
            }
        }
        true
    });
    match (chooses, sums) {
        (true, _) => "`where(x > 0, x, 0)` chooses for all elements at once",
        (_, true) => "`x.sum()` and `x.mean()` take all elements at once",
        _ => "operators work on whole tensors: `x / 255.0`",
    }
}
