//! Reads the checked values of a section; what is left out comes from the table of keys.

use std::borrow::Cow;

use super::path::KeyPath;
use super::schema::{Absent, Section};
use super::written::{Node, Value, Written};

/// A section and its values.
///
/// The values were held against the table before; one that was wrong reads as zero, empty or false here,
/// and the recipe made of it is thrown away with the errors shown.
pub(super) struct Fields<'a> {
    section: &'static Section,
    node: Cow<'a, Node>,
    path: KeyPath,
}

const NULL: Node = Node { value: Value::Null, place: None };

impl<'a> Fields<'a> {
    /// Opens the map at a path.
    pub(super) fn new(section: &'static Section, node: Cow<'a, Node>, path: KeyPath) -> Self {
        Fields { section, node, path }
    }

    /// Returns the value of a key, given or filled in (null when there is none), and its path.
    pub(super) fn get(&self, key: &str) -> (Cow<'_, Node>, KeyPath) {
        if let Some(entry) = self.node.entry(key) {
            return (Cow::Borrowed(&entry.node), self.path.to(entry));
        }
        let default = match self.section.key(key).map(|key| key.absent) {
            Some(Absent::Default(text)) => filled_in(text),
            _ => NULL,
        };
        (Cow::Owned(default), self.path.to_default(key))
    }

    /// Opens the map of a key.
    pub(super) fn map(&self, key: &str) -> Fields<'_> {
        let (node, path) = self.get(key);
        match self.section.key(key).and_then(|key| key.kind.section()) {
            Some(section) => Fields::new(section, node, path),
            None => Fields::new(self.section, Cow::Owned(NULL), path),
        }
    }

    /// Opens the map of a key that `false` switches off or that may be left out.
    pub(super) fn map_if_any(&self, key: &str) -> Option<Fields<'_>> {
        Some(self.map(key)).filter(|fields| matches!(fields.node.value, Value::Map(_)))
    }

    /// Opens each map of a list.
    pub(super) fn maps(&self, key: &str) -> Vec<Fields<'static>> {
        let (node, path) = self.get(key);
        let Some(section) = self.section.key(key).and_then(|key| key.kind.section()) else { return Vec::new() };
        let item = |(index, item): (usize, &Node)| Fields::new(section, Cow::Owned(item.clone()), path.item(index));
        node.items().iter().enumerate().map(item).collect()
    }

    /// Returns whether a key was written.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// Returns the map itself.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Returns the map's path.
    pub(super) fn path(&self) -> &KeyPath {
        &self.path
    }

    /// Returns `true` or `false`; 0 and 1 count where the table allows them.
    pub(super) fn flag(&self, key: &str) -> bool {
        let (node, _) = self.get(key);
        node.flag().unwrap_or_else(|| node.whole().is_some_and(|value| value > 0))
    }

    /// Returns a whole number.
    pub(super) fn whole(&self, key: &str) -> usize {
        self.whole_if_any(key).unwrap_or(0)
    }

    /// Returns a whole number, or `None` when it is left out.
    pub(super) fn whole_if_any(&self, key: &str) -> Option<usize> {
        self.get(key).0.whole().map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    }

    /// Returns a number.
    pub(super) fn number(&self, key: &str) -> f64 {
        self.get(key).0.number().unwrap_or(0.0)
    }

    /// Returns a text.
    pub(super) fn text(&self, key: &str) -> String {
        self.text_if_any(key).unwrap_or_default()
    }

    /// Returns a list of texts.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).0.items().iter().filter_map(|item| item.text().map(str::to_owned)).collect()
    }

    /// Returns a text, or `None` when it is left out.
    pub(super) fn text_if_any(&self, key: &str) -> Option<String> {
        self.get(key).0.text().map(str::to_owned)
    }
}

/// The name of the file that defaults stand in.
pub(super) const DEFAULT: &str = "default";

/// Returns a default of the table; a test reads every one of them.
pub(super) fn default(text: &str) -> Node {
    Written::from_json(DEFAULT, text).map_or(NULL, |written| written.root)
}

/// Returns a default without places: no error is about it.
fn filled_in(text: &str) -> Node {
    Node::from_value(&default(text).to_value())
}
