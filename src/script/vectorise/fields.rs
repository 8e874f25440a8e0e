//! The data record that a function returns, looked at once more: a list of fields of a record becomes one array in the
//! end, and can be gathered as one.

use std::collections::BTreeMap;

use rhai::Identifier;

use super::program::{Block, Node, Program, Statement};
use crate::record::Name;

/// Looks at what the first function returns, which nothing but the host sees unless the function calls itself.
pub(super) fn fuse(program: &mut Program, calls_itself: bool) {
    if let Some(first) = program.functions.first_mut().filter(|_| !calls_itself) {
        block(&mut first.body);
    }
}

fn block(block: &mut Block) {
    let last = block.statements.len().saturating_sub(1);
    for (at, statement) in block.statements.iter_mut().enumerate() {
        match statement {
            Statement::Return(Some(node)) => record(node),
            Statement::Value(node) if at == last => record(node),
            _ => (),
        }
    }
}

/// `[x, y, w]` or `#{ x:, y:, w: }`, whose parts are maps.
fn record(node: &mut Node) {
    let part = |node: &mut Node| {
        if let Node::Map(fields) = node {
            values(fields);
        }
    };
    match node {
        Node::List(parts) => parts.iter_mut().for_each(part),
        Node::Map(parts) => parts.values_mut().for_each(part),
        _ => (),
    }
}

fn values(fields: &mut BTreeMap<Identifier, Node>) {
    for node in fields.values_mut() {
        let Node::List(items) = node else { continue };
        if let Some((slot, names)) = of_one_slot(items) {
            *node = Node::Fields { slot, names, list: std::mem::take(items) };
        }
    }
}

/// Returns the slot that all items are properties of, and their names.
fn of_one_slot(items: &[Node]) -> Option<(usize, Vec<Name>)> {
    let property = |item: &Node| match item {
        // The number of the row is no field.
        Node::Property { of, name, .. } if name.as_str() != "row" => match **of {
            Node::Slot(slot) => Some((slot, Name::from(name.as_str()))),
            _ => None,
        },
        _ => None,
    };
    let all = items.iter().map(property).collect::<Option<Vec<_>>>()?;
    let slot = all.first()?.0;
    all.iter().all(|(own, _)| *own == slot).then(|| (slot, all.into_iter().map(|(_, name)| name).collect()))
}
