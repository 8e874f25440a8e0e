//! Reads YAML 1.2 into a tree with places: texts without quotes are read by the core schema, so `yes` and
//! `no` are texts; aliases and the merge key `<<` are followed.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag, options};
use serde_json::Number;

use super::Source;
use crate::error::{Error, Result, codes};
use crate::recipe::written::{Entry, Node, Value};

/// How deep a config may be nested; the tree is walked by recursion.
const MOST_DEPTH: usize = 100;

/// How many values the aliases of a file may make of it.
const MOST_VALUES: usize = 100_000;

/// Returns the tree of a text.
///
/// # Errors
/// The first error of syntax alone; else every key given twice and every value that a config cannot hold.
pub(super) fn read(source: &Source) -> Result<Node> {
    let options = options! { flow_nesting_limit: MOST_DEPTH, block_nesting_limit: MOST_DEPTH, emit_comments: false };
    let parser = Parser::new_from_str_with_options(&source.text, options);
    let mut events = Vec::new();
    for event in parser {
        let (event, span) = event.map_err(|cause| refuse(source, &cause))?;
        events.push((event, span.byte_range().unwrap_or(0..0)));
    }
    let mut reader =
        Reader { source, events: events.into_iter(), anchors: HashMap::new(), values: 0, faults: Vec::new() };
    let root = reader.document()?;
    match Error::join(reader.faults) {
        Some(error) => Err(error),
        None => Ok(root),
    }
}

struct Reader<'a> {
    source: &'a Source,
    events: std::vec::IntoIter<(Event<'a>, Range<usize>)>,
    anchors: HashMap<usize, Node>,
    values: usize,
    faults: Vec<Error>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node> {
        let mut root = None;
        while let Some((event, span)) = self.events.next() {
            match event {
                Event::DocumentStart(..) if root.is_some() => {
                    let error = self.source.syntax("the config ends before this", span, "another document");
                    return Err(error.hint("a file holds one config"));
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span)?),
            }
        }
        // A file of comments alone is a document of nothing.
        let nothing = |node: &Node| node.place.as_ref().is_some_and(|place| place.span.is_empty());
        root.filter(|root| !nothing(root)).ok_or_else(|| self.source.empty())
    }

    fn node(&mut self, event: Event<'a>, span: Range<usize>) -> Result<Node> {
        self.values += 1;
        let anchor = match &event {
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) => {
                *anchor
            }
            _ => 0,
        };
        let node = match event {
            Event::Scalar(text, style, _, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), &span);
                // A block scalar takes the line breaks after it along.
                let written = self.source.text.get(span.clone()).unwrap_or("").trim_end().len();
                Node { value, place: Some(self.source.place(span.start..span.start + written)) }
            }
            Event::SequenceStart(style, _, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", &span);
                self.list(style, span)?
            }
            Event::MappingStart(style, _, tag) => {
                self.refuse_tag(tag.as_deref(), "map", &span);
                self.map(style, span)?
            }
            Event::Alias(anchor) => self.alias(anchor, span)?,
            // With these options nothing else stands where a value can.
            _ => Node { value: Value::Null, place: Some(self.source.place(span)) },
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Returns the next value of a collection, and moves the collection's end behind it.
    fn node_within(&mut self, event: Event<'a>, span: Range<usize>, end: &mut usize) -> Result<Node> {
        *end = span.end.max(*end);
        // What an alias names stands elsewhere.
        let alias = matches!(event, Event::Alias(_));
        let node = self.node(event, span)?;
        if let Some(place) = node.place.as_ref().filter(|_| !alias) {
            *end = place.span.end.max(*end);
        }
        Ok(node)
    }

    fn list(&mut self, style: StructureStyle, span: Range<usize>) -> Result<Node> {
        let mut items: Vec<Node> = Vec::new();
        let mut end = span.end;
        while let Some((event, inner)) = self.events.next() {
            if matches!(event, Event::SequenceEnd) {
                end = closing(style, inner, end);
                break;
            }
            let item = self.node_within(event, inner, &mut end)?;
            items.push(item);
        }
        Ok(Node { value: Value::List(items), place: Some(self.source.place(span.start..end)) })
    }

    fn map(&mut self, style: StructureStyle, span: Range<usize>) -> Result<Node> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        let mut end = span.end;
        while let Some((event, at)) = self.events.next() {
            if matches!(event, Event::MappingEnd) {
                end = closing(style, at, end);
                break;
            }
            let key = match &event {
                Event::Scalar(text, ..) => Some(text.clone().into_owned()),
                _ => None,
            };
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let named = self.node(event, at.clone())?;
            let Some((event, inner)) = self.events.next() else { break };
            let node = self.node_within(event, inner, &mut end)?;
            match key {
                Some(_) if merge => merged.push(node),
                Some(key) => {
                    // An anchor or a tag before the key is no part of it.
                    let at = named.place.map_or(at, |place| place.span);
                    self.source.enter(&mut entries, key, at, node, &mut self.faults);
                }
                None => {
                    let what = format!("a key that is {}", named.found());
                    self.faults.push(self.source.foreign(&what, first(at), "a key is a text"));
                }
            }
        }
        for node in merged {
            self.merge(&mut entries, node);
        }
        Ok(Node { value: Value::Map(entries), place: Some(self.source.place(span.start..end)) })
    }

    /// Takes over what `<<` names: keys that the map itself does not have.
    fn merge(&mut self, entries: &mut Vec<Entry>, node: Node) {
        let place = node.place.as_ref().map_or(0..0, |place| place.span.clone());
        let maps = match node.value {
            Value::List(items) => items,
            _ => vec![node],
        };
        for map in maps {
            match map.value {
                Value::Map(others) => {
                    for other in others {
                        if !entries.iter().any(|entry| entry.key == other.key) {
                            entries.push(other);
                        }
                    }
                }
                _ => {
                    let error = self.source.syntax("`<<` expects a map or a list of maps", place.clone(), "not a map");
                    self.faults.push(error.hint("`<<: *name` takes over the map that `&name` marks"));
                }
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<Node> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.source.syntax("an alias stands inside of what it names", span, "this has no end"));
        };
        self.values += count(node);
        if self.values > MOST_VALUES {
            let message = format!("aliases make more than {MOST_VALUES} values of this config");
            return Err(self.source.error(codes::TOO_LARGE, message, span, "too many from here on"));
        }
        Ok(node.clone())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Range<usize>) -> Value {
        match tag.map(|tag| (tag.core_suffix(), tag)) {
            Some((Some("str"), _)) => return Value::Text(text.to_owned()),
            Some((Some("int" | "float" | "bool" | "null"), _)) | None => {}
            Some((_, tag)) => {
                self.tag(tag, span);
                return Value::Null;
            }
        }
        if style != ScalarStyle::Plain {
            return Value::Text(text.to_owned());
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            _ if is_number(text) => match number(text) {
                Some(number) => Value::Number(number),
                None => {
                    self.faults.push(self.source.not_finite(span.clone()));
                    Value::Null
                }
            },
            _ => Value::Text(text.to_owned()),
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, own: &str, span: &Range<usize>) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(own)) {
            self.tag(tag, &first(span.clone()));
        }
    }

    fn tag(&mut self, tag: &Tag, span: &Range<usize>) {
        let what = format!("a value with the tag `{}`", tag.original());
        self.faults.push(self.source.foreign(&what, span.clone(), "leave the tag out"));
    }
}

fn count(node: &Node) -> usize {
    let inner = node.items().iter().chain(node.entries().iter().map(|entry| &entry.node));
    1 + inner.map(count).sum::<usize>()
}

/// Returns where a list or a map ends; one without brackets ends with its last value.
fn closing(style: StructureStyle, at: Range<usize>, last: usize) -> usize {
    match style {
        StructureStyle::Flow => at.end,
        StructureStyle::Block => last,
    }
}

fn first(span: Range<usize>) -> Range<usize> {
    span.start..span.end.min(span.start + 1).max(span.start)
}

/// Returns whether a text without quotes is a number of the core schema.
fn is_number(text: &str) -> bool {
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
    match plain {
        ".inf" | ".Inf" | ".INF" => true,
        ".nan" | ".NaN" | ".NAN" => plain == text,
        _ if plain.starts_with("0x") || plain.starts_with("0o") => {
            let radix = if plain.starts_with("0x") { 16 } else { 8 };
            plain == text && plain.len() > 2 && plain.chars().skip(2).all(|c| c.is_digit(radix))
        }
        _ => {
            let (mantissa, exponent) = plain.split_once(['e', 'E']).map_or((plain, None), |(m, e)| (m, Some(e)));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let exponent = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
            digits(whole)
                && digits(fraction)
                && !(whole.is_empty() && fraction.is_empty())
                && exponent.is_none_or(|text| !text.is_empty() && digits(text))
        }
    }
}

/// Returns a number of the core schema; `None` when it is not finite.
fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(Number::from);
        }
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = plain.parse::<u64>() {
        return Some(whole.into());
    }
    match plain.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => plain.parse().ok().and_then(Number::from_f64),
    }
}

/// Says where the parser stopped, and for the common mistakes in our words why.
fn refuse(source: &Source, cause: &ScanError) -> Error {
    let length = source.text.len();
    let start = cause.marker().byte_offset().unwrap_or(length).min(length);
    let rest = source.text.get(start..).unwrap_or("");
    let end = start + rest.chars().next().filter(|c| *c != '\n' && *c != '\r').map_or(0, char::len_utf8);
    let (message, hint) = match cause.kind() {
        ErrorKind::RecursionLimitExceeded => return source.too_deep(start..end),
        ErrorKind::UnknownAnchor => ("this alias names nothing", Some("`&name` must mark a value further up")),
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            ("a tab cannot indent", Some("indent with spaces"))
        }
        ErrorKind::InvalidIndentation => ("wrong indentation", Some("keys of one map stand below each other")),
        ErrorKind::MappingValueNotAllowed => {
            let hint = "is the line indented as its neighbours are? a text with `: ` in it needs quotes";
            ("a `:` where no key can be", Some(hint))
        }
        ErrorKind::UnclosedQuotedScalar => ("a text is never closed", Some("the closing quote is missing")),
        ErrorKind::UnclosedFlowCollection { .. } => ("a list or a map is never closed", None),
        ErrorKind::UnknownQuotedScalarEscape => {
            ("a text has an escape that does not exist", Some("write a backslash as `\\\\`, or use single quotes"))
        }
        _ => ("", None),
    };
    let message = match message {
        "" => cause.info().to_lowercase().replace('"', "`"),
        message => message.to_owned(),
    };
    source.syntax(message, start..end, "here").maybe_hint(hint.map(str::to_owned))
}
