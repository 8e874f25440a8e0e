//! Readers: the text of a config as a tree with places, in each format that a config may have.
//!
//! What is wrong in any format is said here; what one format alone can have wrong, in its reader.

mod json;
mod toml;
mod yaml;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::written::{Entry, Node};
use crate::error::{Error, Place, Result, codes};

/// How a config is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, with comments and the other leniencies of JSON5.
    Json,
    /// TOML 1.1.
    Toml,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// Returns the format that a file's ending tells; JSON for `.json`, `.json5` and any other.
    ///
    /// ```
    /// use barrage::recipe::Format;
    /// assert_eq!(Format::of("configs/iris.yml".as_ref()), Format::Yaml);
    /// ```
    pub fn of(file: &Path) -> Self {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        match ending.as_str() {
            "toml" => Format::Toml,
            "yaml" | "yml" => Format::Yaml,
            _ => Format::Json,
        }
    }
}

/// Returns the tree of a text.
///
/// # Errors
/// Wrong syntax, keys given twice, and values that a config cannot hold.
pub(super) fn read(format: Format, file: &str, text: &str) -> Result<Node> {
    let source = Source::new(file, text.strip_prefix('\u{feff}').unwrap_or(text));
    match format {
        Format::Json => json::read(source),
        Format::Toml => toml::read(&source),
        Format::Yaml => yaml::read(&source),
    }
}

/// Returns the JSON value at the end of a text, or `None` when nothing stands there.
///
/// # Errors
/// See [`read`].
pub(super) fn read_end(file: &str, text: &str, start: usize) -> Result<Option<Node>> {
    json::read_end(Source::new(file, text), start)
}

/// A text and the name that errors show for it.
struct Source {
    file: Arc<str>,
    text: Arc<str>,
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        Source { file: file.into(), text: text.into() }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), text: self.text.clone(), span }
    }

    /// Puts a key into a map, unless it is there already.
    fn enter(&self, entries: &mut Vec<Entry>, key: String, span: Range<usize>, node: Node, faults: &mut Vec<Error>) {
        match entries.iter().find(|entry| entry.key == key) {
            Some(first) => faults.push(self.key_twice(&key, span, first.place.as_ref())),
            None => entries.push(Entry { key, place: Some(self.place(span)), node }),
        }
    }

    fn error(&self, code: &'static str, message: impl Into<String>, span: Range<usize>, label: &str) -> Error {
        Error::recipe(message).coded(code).at(self.place(span)).label(label)
    }

    fn syntax(&self, message: impl Into<String>, span: Range<usize>, label: &str) -> Error {
        self.error(codes::SYNTAX, message, span, label)
    }

    fn empty(&self) -> Error {
        self.error(codes::EMPTY, format!("the config `{}` is empty", self.file), 0..0, "no value")
            .hint("a config is a map with at least the keys `dataset` and `model`")
    }

    fn key_twice(&self, key: &str, span: Range<usize>, first: Option<&Place>) -> Error {
        let error = self.error(codes::KEY_TWICE, format!("the key `{key}` is given twice"), span, "given again here");
        error.maybe_hint(first.map(|first| format!("it was given first at {first}; keep one of them")))
    }

    fn not_finite(&self, span: Range<usize>) -> Error {
        let written = self.text.get(span.clone()).unwrap_or("");
        let label = if written.contains(|c: char| c.is_ascii_digit()) { "too large" } else { "not finite" };
        let message = format!("`{written}` is not a number that a config can hold");
        self.error(codes::NOT_A_NUMBER, message, span, label)
    }

    fn foreign(&self, what: &str, span: Range<usize>, hint: &str) -> Error {
        self.error(codes::FOREIGN_VALUE, format!("a config cannot hold {what}"), span, "not a value of a config")
            .hint(hint)
    }

    fn too_deep(&self, span: Range<usize>) -> Error {
        self.error(codes::TOO_LARGE, "the config is nested too deeply", span, "too deep from here on")
    }
}
