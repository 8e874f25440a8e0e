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

use super::Source;
use crate::error::{Error, Result};
use crate::recipe::written::{Entry, Node, Value};

/// Returns the tree of a text.
///
/// # Errors
/// The first error of syntax alone; else every key given twice and every number that is not finite.
pub(super) fn read(source: Source) -> Result<Node> {
    let reader = Reader { code: source.text.clone(), source };
    match reader.read()? {
        Some(node) => Ok(node),
        None => Err(reader.source.empty()),
    }
}

/// Returns the tree of the end of a text, as of `solver.epochs=3`; what stands before it is not read.
///
/// # Errors
/// See [`read`].
pub(super) fn read_end(source: Source, start: usize) -> Result<Option<Node>> {
    // Blanks instead of the beginning keep every place right.
    let code = format!("{}{}", " ".repeat(start), source.text.get(start..).unwrap_or(""));
    Reader { code: code.into(), source }.read()
}

struct Reader {
    source: Source,
    /// The text that is read, as long as that of the source.
    code: Arc<str>,
}
impl Reader {
    fn read(&self) -> Result<Option<Node>> {
        if let Some(span) = open_quote(&self.code) {
            return Err(self
                .syntax("a text is never closed", span, "no closing quote on this line")
                .hint("a text cannot go over several lines; write a line break inside it as `\\n`"));
        }
        // Two values side by side are more likely a slip than a style.
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let parsed = jsonc_parser::parse_to_ast(&self.code, &CollectOptions::default(), &options);
        let value = parsed.map_err(|cause| self.refuse(&cause))?.value;
        let mut faults = Vec::new();
        let root = value.map(|value| self.node(&value, &mut faults));
        match Error::join(faults) {
            Some(error) => Err(error),
            None => Ok(root),
        }
    }

    fn syntax(&self, message: impl Into<String>, span: Range<usize>, label: &str) -> Error {
        self.source.syntax(message, span, label)
    }

    fn node(&self, value: &ast::Value, faults: &mut Vec<Error>) -> Node {
        let range = value.range();
        let place = self.source.place(range.start..range.end);
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::StringLit(literal) => Value::Text(literal.value.clone().into_owned()),
            ast::Value::NumberLit(literal) => match number(literal.value) {
                Some(number) => Value::Number(number),
                None => {
                    faults.push(self.source.not_finite(range.start..range.end));
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
            let node = self.node(&property.value, faults);
            self.source.enter(&mut entries, key, range.start..range.end, node, faults);
        }
        entries
    }

    /// Says in our words what the parser did not understand.
    fn refuse(&self, cause: &ParseError) -> Error {
        let range = cause.range();
        let (start, end) = (range.start, range.end);
        let token = self.code.get(start..end).unwrap_or("").to_owned();
        let opening = start..(start + 1).min(self.code.len());
        let at = |span: Range<usize>, message: &str, label: &str| self.syntax(message, span, label);
        match cause.kind() {
            Kind::ExpectedComma => match self.word_around(start) {
                Some(span) => self.not_a_number(span),
                None => {
                    // The mark stands on the last character of the value that lacks the comma.
                    let last = self.code.get(..start).and_then(|before| before.chars().next_back());
                    let span = start - last.map_or(0, char::len_utf8)..start;
                    at(span, "a comma is missing", "add `,` after this")
                }
            },
            Kind::ExpectedColonAfterObjectKey if start == self.code.len() => {
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
            Kind::NestingDepthExceeded => self.source.too_deep(opening),
            Kind::String(_) => at(start..end, "a text has an escape that does not exist", "unknown escape")
                .hint("write a backslash as `\\\\`; in paths `/` works everywhere"),
            _ => at(start..end, "a number is not finished", "expected a digit"),
        }
    }

    fn unexpected(&self, span: Range<usize>, token: &str) -> Error {
        if let Some(span) = self.word_around(span.start) {
            return self.not_a_number(span);
        }
        let before = self.code.get(..span.start).unwrap_or("").trim_end().chars().next_back();
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
        self.syntax(format!("expected {expected}, found `{token}`"), span, &label).maybe_hint(hint)
    }

    fn not_a_number(&self, span: Range<usize>) -> Error {
        let word = self.code.get(span.clone()).unwrap_or("");
        let plain = word.replace('_', "");
        let plain = plain.trim_start_matches('0');
        let hint = plain.bytes().all(|byte| byte.is_ascii_digit()) && !plain.is_empty();
        let hint = hint.then(|| format!("write `{plain}`"));
        self.syntax(format!("`{word}` is not a number"), span, "not a number").maybe_hint(hint)
    }

    fn second_root(&self, span: Range<usize>, token: &str) -> Error {
        let error = self.syntax("the config ends before this", span, "not part of the config");
        match token {
            ":" | "," => error.hint("a config is one map: put `{` before its first key and `}` after the last value"),
            "}" | "]" => error.hint(format!("there is one `{token}` too many, here or further up")),
            _ => error.hint("a file holds one config, which is one map"),
        }
    }

    /// Returns the word around a position inside it: `1_000` or `007`, which scan as a number and a rest.
    fn word_around(&self, at: usize) -> Option<Range<usize>> {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let (before, after) = (self.code.get(..at)?, self.code.get(at..)?);
        let start = at - before.chars().rev().take_while(|&c| word(c)).map(char::len_utf8).sum::<usize>();
        let end = at + after.chars().take_while(|&c| word(c)).map(char::len_utf8).sum::<usize>();
        let number = self.code.get(start..at)?.starts_with(|c: char| c.is_ascii_digit());
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
