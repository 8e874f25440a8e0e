//! Reads TOML into a tree with places.
//!
//! A table's place is what its format gives it: the header of a `[section]`, the braces of an inline table.

use std::ops::Range;

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Source;
use crate::error::{Error, Result};
use crate::recipe::written::{Entry, Node, Value};

/// Returns the tree of a text.
///
/// # Errors
/// The first error of syntax alone; else every value that a config cannot hold.
pub(super) fn read(source: &Source) -> Result<Node> {
    let table = DeTable::parse(&source.text).map_err(|cause| refuse(source, &cause))?;
    if table.get_ref().is_empty() {
        return Err(source.empty());
    }
    let mut faults = Vec::new();
    let entries = entries(source, table.get_ref(), &mut faults);
    let end = source.text.trim_end().len();
    let start = source.text.len() - source.text.trim_start().len();
    match Error::join(faults) {
        Some(error) => Err(error),
        None => Ok(Node { value: Value::Map(entries), place: Some(source.place(start..end.max(start))) }),
    }
}

/// Returns the keys of a table in the order they were written; the parser sorts them.
fn entries(source: &Source, table: &DeTable, faults: &mut Vec<Error>) -> Vec<Entry> {
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<std::borrow::Cow<str>>, &Spanned<DeValue>)| Entry {
        key: key.get_ref().clone().into_owned(),
        place: Some(source.place(key.span())),
        node: node(source, value, faults),
    };
    rows.into_iter().map(entry).collect()
}

fn node(source: &Source, value: &Spanned<DeValue>, faults: &mut Vec<Error>) -> Node {
    let span = value.span();
    let place = source.place(span.clone());
    let mut fault = |error| {
        faults.push(error);
        Value::Null
    };
    let value = match value.get_ref() {
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(digits) => match whole(digits.as_str(), digits.radix()) {
            Some(number) => Value::Number(number),
            None => fault(source.not_finite(span)),
        },
        DeValue::Float(digits) => match digits.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => fault(source.not_finite(span)),
        },
        DeValue::Datetime(date) => fault(source.foreign("a date", span, &format!("write it as a text: `\"{date}\"`"))),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(source, item, faults)).collect()),
        DeValue::Table(table) => Value::Map(entries(source, table, faults)),
    };
    Node { value, place: Some(place) }
}

fn whole(digits: &str, radix: u32) -> Option<Number> {
    match u64::from_str_radix(digits.trim_start_matches('+'), radix) {
        Ok(value) => Some(value.into()),
        Err(_) => i64::from_str_radix(digits, radix).ok().map(Number::from),
    }
}

fn first(span: Range<usize>) -> Range<usize> {
    span.start..span.end.min(span.start + 1)
}

/// Says where the parser stopped, and in its words why: they are short and plain.
fn refuse(source: &Source, cause: &toml::de::Error) -> Error {
    let length = source.text.len();
    let span = cause.span().unwrap_or(0..0);
    let mut span = span.start.min(length)..span.end.min(length);
    let found = source.text.get(span.clone()).unwrap_or("").trim().to_owned();
    let why = cause.message().to_lowercase();
    if why.starts_with("duplicate key") {
        return source.key_twice(&found, span, None).hint("a table has one header, and each key stands in it once");
    }
    if why.contains("recurs") {
        return source.too_deep(first(span));
    }
    let line = source.text.get(..span.start).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
    let rest = source.text.get(span.start..).and_then(|rest| rest.lines().next()).unwrap_or("");
    if !line.contains('=') && !rest.contains('=') {
        // The parser goes on to what stands after the colon.
        let colon = line.find(':').map(|at| span.start - line.len() + at).or(rest.find(':').map(|at| span.start + at));
        if let Some(at) = colon.filter(|_| !line.trim_start().starts_with('[') && !rest.starts_with('{')) {
            return source.syntax("expected `=` after a key, found `:`", at..at + 1, "expected `=`");
        }
    }
    let value = line.contains('=');
    if value && found.is_empty() && why.contains("must be quoted") {
        return source.syntax("a key has no value", span, "expected a value");
    }
    if value && found.is_empty() && why.starts_with("invalid basic string") {
        return source.syntax("a text is never closed", span, "expected `\"`");
    }
    let hint = match found.as_str() {
        "None" | "none" | "null" | "nil" => Some("TOML has no null: leave the key out".to_owned()),
        "True" | "TRUE" | "yes" | "on" => Some("did you mean `true`?".to_owned()),
        "False" | "FALSE" | "no" | "off" => Some("did you mean `false`?".to_owned()),
        _ if line.trim().is_empty() && rest.starts_with('{') => {
            Some("this looks like JSON: name the file `….json`".to_owned())
        }
        _ if why.contains("must be quoted") => Some(format!("a text needs quotes: `\"{found}\"`")),
        _ => None,
    };
    // A mark over the end of the line shows nothing.
    if found.is_empty() {
        span.end = span.start;
    }
    if value && found.starts_with(char::is_alphabetic) && hint.is_some() {
        let message = format!("expected a value, found `{found}`");
        return source.syntax(message, span, "not a value").maybe_hint(hint);
    }
    let (message, label) = match why.split_once(", expected ") {
        Some((message, expected)) => (message.to_owned(), format!("expected {expected}")),
        None => (why, "here".to_owned()),
    };
    source.syntax(message, span, &label).maybe_hint(hint)
}
