//! Places: what may be assigned to, or changed by a method.

use super::{Body, Lowering};
use crate::script::vectorise::program::{Node, Place, Step};
use crate::script::vectorise::value::Value;

impl Lowering<'_> {
    /// Returns the place a node reads, when it may be assigned to.
    pub(super) fn place(&self, body: &Body, node: Node, writes: bool) -> Option<Place> {
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
}

/// The slot a place begins at.
pub(super) fn root(node: &Node) -> Option<usize> {
    match node {
        Node::Slot(slot) => Some(*slot),
        Node::Property { of, .. } | Node::Index { of, .. } => root(of),
        _ => None,
    }
}

pub(super) fn is_of_this(node: &Node) -> bool {
    match node {
        Node::This => true,
        Node::Property { of, .. } | Node::Index { of, .. } => is_of_this(of),
        _ => false,
    }
}

/// Copies a node that may be a place; anything else becomes nothing, which is no place.
pub(super) fn copy(node: &Node) -> Node {
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
