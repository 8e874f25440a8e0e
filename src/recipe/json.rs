//! Reads JSON with comments, trailing commas and the other leniencies of JSON5 into a tree with places.
//!
//! The grammar is jsonc-parser's; what is wrong is said in our words, with what was probably meant.

use std::ops::Range;
use std::sync::Arc;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind as Kind};
use jsonc_parser::{CollectOptions, ParseOptions};
use serde_json::Number;

use super::written::{Entry, Node, Value};
use crate::error::{Error, Place, Result};

/// Returns the tree of a text.
///
/// # Errors
/// The first error of syntax alone; else every key given twice and every number that is not finite.
pub(super) fn read(file: Arc<str>, text: Arc<str>) -> Result<Node> {
    let source = Source { file, text };
    if let Some(span) = open_quote(&source.text) {
        return Err(Error::recipe("a text is never closed")
            .at(source.place(span))
            .label("no closing quote on this line")
            .hint("a text cannot go over several lines; write a line break inside it as `\\n`"));
    }
    // Two values side by side are more likely a slip than a style.
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    let parsed = jsonc_parser::parse_to_ast(&source.text, &CollectOptions::default(), &options);
    let value = parsed.map_err(|cause| source.refuse(&cause))?.value;
    let Some(value) = value else {
        return Err(Error::recipe(format!("the config `{}` is empty", source.file))
            .at(source.place(0..0))
            .label("no value")
            .hint("a config is a map with at least the keys `dataset` and `model`"));
    };
    let mut faults = Vec::new();
    let root = source.node(&value, &mut faults);
    match Error::join(faults) {
        Some(error) => Err(error),
        None => Ok(root),
    }
}

struct Source {
    file: Arc<str>,
    text: Arc<str>,
}

impl Source {
    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.file.clone(), text: self.text.clone(), span }
    }

    fn node(&self, value: &ast::Value, faults: &mut Vec<Error>) -> Node {
        let range = value.range();
        let place = self.place(range.start..range.end);
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::StringLit(literal) => Value::Text(literal.value.clone().into_owned()),
            ast::Value::NumberLit(literal) => match number(literal.value) {
                Some(number) => Value::Number(number),
                None => {
                    let error = Error::recipe(format!("`{}` is not a number that a config can hold", literal.value));
                    let label =
                        if literal.value.contains(|c: char| c.is_ascii_digit()) { "too large" } else { "not finite" };
                    faults.push(error.at(place.clone()).label(label));
                    Value::Null
                }
            },
            ast::Value::Array(array) => {
                Value::List(array.elements.iter().map(|item| self.node(item, faults)).collect())
            }
            ast::Value::Object(object) => Value::Map(self.entries(object, faults)),
        };
        Node { value, place: Some(place) }
    }

    fn entries(&self, object: &ast::Object, faults: &mut Vec<Error>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(object.properties.len());
        for property in &object.properties {
            let range = match &property.name {
                ast::ObjectPropName::String(literal) => literal.range,
                ast::ObjectPropName::Word(literal) => literal.range,
            };
            let key = property.name.as_str().to_owned();
            let place = self.place(range.start..range.end);
            let node = self.node(&property.value, faults);
            match entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.place.as_ref()) {
                Some(first) => faults.push(
                    Error::recipe(format!("the key `{key}` is given twice"))
                        .at(place)
                        .label("given again here")
                        .hint(format!("it was given first at {first}; keep one of them")),
                ),
                None => entries.push(Entry { key, place: Some(place), node }),
            }
        }
        entries
    }

    /// Says in our words what the parser did not understand.
    fn refuse(&self, cause: &ParseError) -> Error {
        let range = cause.range();
        let (start, end) = (range.start, range.end);
        let token = self.text.get(start..end).unwrap_or("").to_owned();
        let opening = start..(start + 1).min(self.text.len());
        let at =
            |span: Range<usize>, message: &str, label: &str| Error::recipe(message).at(self.place(span)).label(label);
        match cause.kind() {
            Kind::ExpectedComma => match self.word_around(start) {
                Some(span) => self.not_a_number(span),
                None => {
                    // The mark stands on the last character of the value that lacks the comma.
                    let last = self.text.get(..start).and_then(|before| before.chars().next_back());
                    let span = start - last.map_or(0, char::len_utf8)..start;
                    at(span, "a comma is missing", "add `,` after this")
                }
            },
            Kind::ExpectedColonAfterObjectKey if start == self.text.len() => {
                at(start..end, "expected `:` after a key, found the end of the config", "expected `:`")
            }
            Kind::ExpectedColonAfterObjectKey => {
                at(start..end, &format!("expected `:` after a key, found `{token}`"), "expected `:`")
            }
            Kind::ExpectedObjectValue => at(start..end, "a key has no value", "expected a value"),
            Kind::UnexpectedWord
            | Kind::UnexpectedToken
            | Kind::UnexpectedTokenInObject
            | Kind::UnexpectedComma
            | Kind::UnexpectedColon
            | Kind::UnexpectedCloseBrace
            | Kind::UnexpectedCloseBracket => self.unexpected(start..end, &token),
            Kind::UnterminatedObject => at(opening, "a map is never closed", "this `{` has no `}`"),
            Kind::UnterminatedArray => at(opening, "a list is never closed", "this `[` has no `]`"),
            Kind::UnterminatedCommentBlock => {
                at(start..(start + 2).min(end), "a comment is never closed", "this `/*` has no `*/`")
            }
            Kind::MultipleRootJsonValues => self.second_root(start..end, &token),
            Kind::NestingDepthExceeded => at(opening, "the config is nested too deeply", "more than 512 deep"),
            Kind::String(_) => at(start..end, "a text has an escape that does not exist", "unknown escape")
                .hint("write a backslash as `\\\\`; in paths `/` works everywhere"),
            _ => at(start..end, "a number is not finished", "expected a digit"),
        }
    }

    fn unexpected(&self, span: Range<usize>, token: &str) -> Error {
        if let Some(span) = self.word_around(span.start) {
            return self.not_a_number(span);
        }
        let before = self.text.get(..span.start).unwrap_or("").trim_end().chars().next_back();
        let expected = match (before, token) {
            (_, "=") => "`:`",
            (Some(':' | '['), _) | (None, _) => "a value",
            (Some('{'), _) => "a key",
            (Some(','), _) => "a key or a value",
            (_, "}") => "`,` or `]`",
            (_, "]" | "{" | "[") => "`,` or `}`",
            _ => "`,`, `]` or `}`",
        };
        let hint = match token {
            "#" => Some("a comment starts with `//`".to_owned()),
            "None" | "nil" | "undefined" | "NULL" | "Null" => Some("leave the key out, or write `null`".to_owned()),
            "True" | "TRUE" | "yes" | "on" => Some("did you mean `true`?".to_owned()),
            "False" | "FALSE" | "no" | "off" => Some("did you mean `false`?".to_owned()),
            "(" => Some("a list is written with `[` and `]`".to_owned()),
            "," if before == Some(',') => Some("there is a comma too many".to_owned()),
            word if expected == "a value" && word.chars().all(char::is_alphanumeric) => {
                Some(format!("a text needs quotes: `\"{word}\"`"))
            }
            _ => None,
        };
        let label = match expected {
            "a value" => "not a value".to_owned(),
            expected => format!("expected {expected}"),
        };
        let error = Error::recipe(format!("expected {expected}, found `{token}`")).at(self.place(span));
        error.label(label).maybe_hint(hint)
    }

    fn not_a_number(&self, span: Range<usize>) -> Error {
        let word = self.text.get(span.clone()).unwrap_or("");
        let plain = word.replace('_', "");
        let plain = plain.trim_start_matches('0');
        let hint = plain.bytes().all(|byte| byte.is_ascii_digit()) && !plain.is_empty();
        let hint = hint.then(|| format!("write `{plain}`"));
        Error::recipe(format!("`{word}` is not a number")).at(self.place(span)).label("not a number").maybe_hint(hint)
    }

    fn second_root(&self, span: Range<usize>, token: &str) -> Error {
        let error = Error::recipe("the config ends before this").at(self.place(span)).label("not part of the config");
        match token {
            ":" | "," => error.hint("a config is one map: put `{` before its first key and `}` after the last value"),
            "}" | "]" => error.hint(format!("there is one `{token}` too many, here or further up")),
            _ => error.hint("a file holds one config, which is one map"),
        }
    }

    /// Returns the word around a position inside it: `1_000` or `007`, which scan as a number and a rest.
    fn word_around(&self, at: usize) -> Option<Range<usize>> {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let (before, after) = (self.text.get(..at)?, self.text.get(at..)?);
        let start = at - before.chars().rev().take_while(|&c| word(c)).map(char::len_utf8).sum::<usize>();
        let end = at + after.chars().take_while(|&c| word(c)).map(char::len_utf8).sum::<usize>();
        let number = self.text.get(start..at)?.starts_with(|c: char| c.is_ascii_digit());
        (number && at < end).then_some(start..end)
    }
}

/// Returns a number as written; `None` when it is not finite.
fn number(literal: &str) -> Option<Number> {
    let (negative, digits) = match literal.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, literal.strip_prefix('+').unwrap_or(literal)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let whole = match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse::<u64>().ok(),
    };
    match whole {
        Some(whole) if !negative => return Some(whole.into()),
        Some(whole) => {
            if let Some(value) = i64::try_from(whole).ok().and_then(i64::checked_neg) {
                return Some(value.into());
            }
        }
        None => {}
    }
    let value: f64 = match hexadecimal {
        Some(_) => return None,
        None => digits.parse().ok()?,
    };
    Number::from_f64(if negative { -value } else { value })
}

/// Returns the first text that its line does not close; the parser would run on to the next quote and
/// complain there.
fn open_quote(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = text.get(at..).unwrap_or("");
        if rest.starts_with("//") {
            at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if bytes[at] == b'"' || bytes[at] == b'\'' {
            let (start, quote) = (at, bytes[at]);
            at += 1;
            loop {
                match bytes.get(at) {
                    None | Some(b'\n') => {
                        let line = text.get(start..at).unwrap_or("");
                        return Some(start..start + line.trim_end().len());
                    }
                    Some(b'\\') => {
                        at += if text.get(at + 1..).is_some_and(|rest| rest.starts_with("\r\n")) { 3 } else { 2 }
                    }
                    Some(&byte) => {
                        at += 1;
                        if byte == quote {
                            break;
                        }
                    }
                }
            }
        } else {
            at += 1;
        }
    }
    None
}
