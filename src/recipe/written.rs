//! A config as written: a tree of values, each knowing where it stands.
//!
//! The tree knows no file format. Each [reader](super::read) makes it, and every node carries its own [`Place`],
//! so that values of several files and of the command line can stand in one tree.

use std::path::{Path, PathBuf};

use serde_json::{Map, Number};

use super::read::{self, Format};
use super::{extends, overrides};
use crate::error::{self, Error, Place, Result, codes};

/// A config as a person wrote it, with nothing filled in and nothing checked but its syntax.
#[derive(Clone, Debug)]
pub struct Written {
    /// The outermost value; a right config has a map here.
    pub root: Node,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands, quotes and brackets included; `None` when a script made it.
    pub place: Option<Place>,
}

/// A value of a config.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number; `3` is whole and `3.0` is not.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order it was written; no key is there twice.
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands, quotes included.
    pub place: Option<Place>,
    /// The value.
    pub node: Node,
}

impl Written {
    /// Loads a config file, and what it extends; the format is told by the ending, and JSON where there is
    /// none.
    ///
    /// # Errors
    /// A file that cannot be read, a script, wrong syntax, and configs that extend each other in a circle are
    /// refused.
    pub fn read(path: &Path) -> Result<Self> {
        extends::read(path)
    }

    /// Creates the tree of a text in a format; `file` is the name that errors show. What the text extends is
    /// not looked up.
    ///
    /// # Errors
    /// Wrong syntax, a key given twice and values that a config cannot hold are refused, with their place.
    pub fn parse(format: Format, file: &str, text: &str) -> Result<Self> {
        read::read(format, file, text).map(|root| Written { root })
    }

    /// Creates the tree of a JSON text; comments, trailing commas and the other leniencies of JSON5 are
    /// welcome.
    ///
    /// # Errors
    /// See [`Written::parse`].
    pub fn from_json(file: &str, text: &str) -> Result<Self> {
        Self::parse(Format::Json, file, text)
    }

    /// Puts this config, which stands in no file, over the one that it extends; `find` returns the file of a
    /// name, or refuses it.
    ///
    /// # Errors
    /// See [`Written::read`], and what `find` refuses.
    pub fn extended(self, find: &dyn Fn(&Path) -> Result<PathBuf>) -> Result<Self> {
        extends::follow(self, find)
    }

    /// Changes the config by overrides as they stand on a command line: `solver.epochs=3`, `+data.classes=10`,
    /// `~services.keep`; each sees what those before it did.
    ///
    /// # Errors
    /// Overrides that cannot be read, and those of keys that are not there, all at once.
    ///
    /// ```
    /// use barrage::recipe::Written;
    /// let written = Written::from_json("config.json", r#"{"solver": {"epochs": 10}}"#)?;
    /// let changed = written.overridden(&["solver.epochs=3"])?;
    /// assert_eq!(changed.root.to_value().to_string(), r#"{"solver":{"epochs":3}}"#);
    /// # Ok::<(), barrage::Error>(())
    /// ```
    pub fn overridden(mut self, overrides: &[impl AsRef<str>]) -> Result<Self> {
        overrides::apply(&mut self.root, overrides)?;
        Ok(self)
    }

    /// Creates the tree of a value without places, such as a script's map; errors then name the key's
    /// path alone.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Written { root: Node::from_value(value) }
    }

    /// Returns the file that the outermost value stands in.
    pub fn file(&self) -> Option<&str> {
        self.root.place.as_ref().map(|place| &*place.file)
    }
}

impl Node {
    /// Creates a node without a place.
    pub fn from_value(value: &serde_json::Value) -> Self {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => Value::List(items.iter().map(Node::from_value).collect()),
            serde_json::Value::Object(map) => Value::Map(
                map.iter()
                    .map(|(key, value)| Entry { key: key.clone(), place: None, node: Node::from_value(value) })
                    .collect(),
            ),
        };
        Node { value, place: None }
    }

    /// Returns the value without its places.
    pub fn to_value(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => serde_json::Value::String(text.clone()),
            Value::List(items) => serde_json::Value::Array(items.iter().map(Node::to_value).collect()),
            Value::Map(_) => serde_json::Value::Object(self.to_map()),
        }
    }

    /// Returns a map without its places; empty when the value is not a map.
    pub fn to_map(&self) -> Map<String, serde_json::Value> {
        self.entries().iter().map(|entry| (entry.key.clone(), entry.node.to_value())).collect()
    }

    /// Returns the keys and values of a map; none when the value is not a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the items of a list; none when the value is not a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the values of a map and the items of a list.
    pub fn children(&self) -> impl Iterator<Item = &Node> {
        self.entries().iter().map(|entry| &entry.node).chain(self.items())
    }

    /// Returns whether a script wrote it, rather than a config file.
    pub fn is_scripted(&self) -> bool {
        // Labels of what is typed at the prompt are in angle brackets.
        self.place.as_ref().is_none_or(|place| place.file.ends_with(".rhai") || place.file.starts_with('<'))
    }

    /// Returns the value at a path of keys: `model.outputs[0].loss`.
    pub fn at(&self, path: &str) -> Option<&Node> {
        let parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty());
        parts.into_iter().try_fold(self, |node, part| match part.parse::<usize>() {
            Ok(index) => node.items().get(index),
            Err(_) => node.get(part),
        })
    }

    /// Returns the entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Returns a text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// Returns a number.
    pub fn number(&self) -> Option<f64> {
        match &self.value {
            Value::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// Returns a whole number that is not negative.
    pub fn whole(&self) -> Option<u64> {
        match &self.value {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// Returns the part of the place that an error marks: the value itself, or where it opens when it
    /// goes over several lines.
    pub fn mark(&self) -> Option<Place> {
        let place = self.place.clone()?;
        let written = place.text.get(place.span.clone()).unwrap_or("");
        Some(if written.contains('\n') { opening(place) } else { place })
    }

    /// Returns the value as errors show it: short, with its type, and a number as it was written.
    pub fn found(&self) -> String {
        match (&self.value, &self.place) {
            (Value::Number(number), Some(place)) => {
                // A script may have computed it.
                let written = place.text.get(place.span.clone()).unwrap_or("");
                match written.contains(|c: char| c.is_ascii_digit()) && !self.is_scripted() {
                    true => written.to_owned(),
                    false => number.to_string(),
                }
            }
            (Value::List(items), _) if items.is_empty() => "an empty list".to_owned(),
            (Value::List(items), _) if items.len() == 1 => "a list of one".to_owned(),
            (Value::List(items), _) => format!("a list of {}", items.len()),
            (Value::Map(_), _) => "a map".to_owned(),
            _ => crate::registry::found(&self.to_value()),
        }
    }
}

/// Returns the part of a place where a value opens: its bracket, or its first line when it has none.
pub(super) fn opening(mut place: Place) -> Place {
    let written = place.text.get(place.span.clone()).unwrap_or("");
    let length = match written.lines().next() {
        // The header of a table in TOML is a line too.
        Some(line) if !written.starts_with('{') && (!written.starts_with('[') || line.ends_with(']')) => line.len(),
        _ => written.chars().next().map_or(0, char::len_utf8),
    };
    place.span.end = place.span.start + length;
    place
}

/// Reads a file's text.
pub(super) fn text(path: &Path, name: &str) -> Result<String> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("rhai")) {
        return Err(Error::recipe(format!("`{name}` is a script, expected a config"))
            .coded(codes::NOT_A_CONFIG)
            .hint(format!("run it with `barrage run {name}`")));
    }
    let bytes = std::fs::read(path).map_err(|cause| {
        let why = match cause.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            _ => cause.to_string().to_lowercase(),
        };
        Error::recipe(format!("cannot read the config `{name}`: {why}"))
            .coded(codes::UNREADABLE)
            .maybe_hint(error::near_file(path))
    })?;
    String::from_utf8(bytes).map_err(|cause| {
        let valid = cause.utf8_error().valid_up_to();
        Error::recipe(format!("the config `{name}` is not text: byte {valid} is not UTF-8"))
            .coded(codes::NOT_TEXT)
            .hint("save the file as UTF-8")
    })
}
