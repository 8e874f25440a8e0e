//! Finds the parameter that an error is about.
//!
//! Components know nothing of places: their errors name parameters and components in backticks, and say on
//! the way out where they were (`layer 2 of 5`, ``parameter `kernel_initializer` ``).

use super::written::{Entry, Node};
use crate::error::{Error, Place};

/// Returns the place of what an error names inside the parameters of a component; `None` when it names
/// nothing there.
pub(super) fn parameter(params: &Node, error: &Error) -> Option<Place> {
    let scope = error.context().iter().rev().fold(params, |scope, context| enter(scope, context).unwrap_or(scope));
    let named: Vec<&str> = quoted(error.message()).collect();
    let about_key = ["no parameter", "unknown key", "given twice", "the loader gives"];
    let about_key = about_key.iter().any(|words| error.message().contains(words));
    match find(scope, &named) {
        Some(entry) if about_key => entry.place.clone(),
        Some(entry) => deepest(entry, &named).node.mark(),
        None => {
            let narrowed = (!std::ptr::eq(scope, params)).then(|| scope.get("import").unwrap_or(scope));
            text(scope, &named).or(narrowed).and_then(Node::mark)
        }
    }
}

fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// Follows what an error says about where it was.
fn enter<'a>(scope: &'a Node, context: &str) -> Option<&'a Node> {
    if let Some(rest) = context.strip_prefix("layer ") {
        let number: usize = rest.split(' ').next()?.parse().ok()?;
        return scope.get("layers")?.items().get(number.checked_sub(1)?);
    }
    let name = quoted(context.strip_prefix("parameter ")?).next()?;
    scope.get("params").unwrap_or(scope).get(name)
}

/// Returns the parameter with one of these names: of the component that is named too, if it is one of those
/// inside the parameters, else the one nearest to the top.
fn find<'a>(scope: &'a Node, named: &[&str]) -> Option<&'a Entry> {
    let mut level = vec![scope];
    let mut first = None;
    while !level.is_empty() {
        let mut next = Vec::new();
        for node in level {
            let import = node.get("import").and_then(Node::text);
            // The keys of an import block are no parameters, unless one of them is not known.
            let params = if import.is_some() { node.get("params") } else { None };
            let entries = params.map_or(node.entries(), Node::entries);
            let entry = entries.iter().find(|entry| named.contains(&entry.key.as_str()));
            let entry = entry.or_else(|| node.entries().iter().find(|entry| named.contains(&entry.key.as_str())));
            let own = import.is_some_and(|path| named.iter().any(|name| is_named(path, name)));
            match entry {
                Some(entry) if own => return Some(entry),
                entry => first = first.or(entry),
            }
            next.extend(node.items().iter().chain(node.entries().iter().map(|entry| &entry.node)));
        }
        level = next;
    }
    first
}

/// Returns the innermost entry below this one that is named as well: `x` in ``parameter `inputs` … under `x` ``.
fn deepest<'a>(entry: &'a Entry, named: &[&str]) -> &'a Entry {
    let inner = entry.node.entries().iter().find(|inner| inner.key != entry.key && named.contains(&inner.key.as_str()));
    inner.map_or(entry, |inner| deepest(inner, named))
}

/// Returns the text with one of these names: a component, a placeholder.
fn text<'a>(node: &'a Node, named: &[&str]) -> Option<&'a Node> {
    if node.text().is_some_and(|text| named.iter().any(|name| is_named(text, name))) {
        return Some(node);
    }
    let inner = node.items().iter().chain(node.entries().iter().map(|entry| &entry.node));
    inner.into_iter().find_map(|node| text(node, named))
}

fn is_named(path: &str, name: &str) -> bool {
    path == name || path.strip_prefix("barrage.").is_some_and(|rest| rest.rsplit('.').next() == Some(name))
}
