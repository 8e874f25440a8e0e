//! Where in a config a value is: its path of keys, and the place of the last key.

use std::fmt;

use super::written::Entry;
use crate::error::Place;

/// A path such as `model.outputs[0].loss`; empty at the top.
#[derive(Clone, Debug)]
pub(super) struct KeyPath {
    text: String,
    /// Where the last key stands.
    pub place: Option<Place>,
}

impl KeyPath {
    /// Creates the path of the whole config.
    pub(super) fn top() -> Self {
        KeyPath { text: String::new(), place: None }
    }

    /// Returns the path of a key that is there.
    pub(super) fn to(&self, entry: &Entry) -> Self {
        KeyPath { text: self.name(&entry.key), place: entry.place.clone() }
    }

    /// Returns the path of a key that is filled in.
    pub(super) fn to_default(&self, key: &str) -> Self {
        KeyPath { text: self.name(key), place: None }
    }

    /// Returns the path of an item of a list.
    pub(super) fn item(&self, index: usize) -> Self {
        KeyPath { text: format!("{}[{index}]", self.text), place: None }
    }

    /// Returns the path as text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns what the path leads to, for errors: `` `solver` `` or "the config".
    pub(super) fn whose(&self) -> String {
        match self.text.is_empty() {
            true => "the config".to_owned(),
            false => format!("`{}`", self.text),
        }
    }

    fn name(&self, key: &str) -> String {
        match self.text.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.text),
        }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
