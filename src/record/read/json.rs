//! Reading JSON: an array of objects, or one object a line. Objects are parsed one by one, so that an
//! error can name the line of the record it is in.

use std::fmt;
use std::io::BufRead;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::source::{Cut, Scan};
use super::{File, ReadResult, reason};
use crate::error::{Error, Result};
use crate::record::cells::Seen;
use crate::record::records::check_length;
use crate::record::table::{Origin, Table};
use crate::record::{Name, Schema, Value};

pub(super) fn read_array(file: &File, schema: Option<&Schema>) -> ReadResult {
    let text = file.text.as_str();
    let mut at = skip_space(text, 0);
    if !text[at..].starts_with('[') {
        return Err(Error::data(format!("{}: expected an array of objects: [{{…}}, {{…}}]", file.name))
            .at(file.place(at, at + 1))
            .hint("a file with one object a line has to end in .jsonl"));
    }
    let mut rows = Rows::default();
    at = skip_space(text, at + 1);
    while !text[at..].starts_with(']') {
        at = skip_space(text, rows.parse(file, at, text.len())?);
        match text[at..].chars().next() {
            Some(',') => at = skip_space(text, at + 1),
            Some(']') => {}
            found => {
                let found = found.map_or("the end of the file".to_owned(), |found| format!("{found:?}"));
                return Err(refuse(file, at..at + 1, &format!("expected `,` or `]` after the object, found {found}")));
            }
        }
    }
    let end = skip_space(text, at + 1);
    if end < text.len() {
        return Err(refuse(file, end..end + 1, "expected nothing after the array"));
    }
    rows.table(file, schema)
}

pub(super) fn read_lines(file: &File, schema: Option<&Schema>) -> ReadResult {
    let mut rows = Rows::default();
    let mut start = 0;
    for line in file.text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        let begin = skip_space(&file.text, start);
        if begin < end {
            let after = skip_space(&file.text[..end], rows.parse(file, begin, end)?);
            if after < end {
                return Err(refuse(file, after..end, "expected one object a line, found more after it"));
            }
        }
        start += line.len();
    }
    rows.table(file, schema)
}

/// Finds the columns of a file, their types, and where the file can be cut: before each line whose record's number is a
/// multiple of `rows` and that is at least `bytes` after the cut before. What is wrong with a line is found when it is
/// read.
pub(super) fn scan(name: &str, mut input: impl BufRead, rows: usize, bytes: u64) -> Result<Scan> {
    let mut columns: Vec<(Name, Seen)> = Vec::new();
    let mut cuts: Vec<Cut> = Vec::new();
    let mut line = Vec::new();
    let (mut byte, mut lines, mut row) = (0, 0, 0);
    loop {
        line.clear();
        let length = input
            .read_until(b'\n', &mut line)
            .map_err(|error| Error::data(format!("cannot read {name}: {}", reason(&error))))?;
        if length == 0 {
            let columns = columns.into_iter().map(|(name, seen)| (name, seen.kind())).collect();
            return Ok(Scan { columns, cuts });
        }
        if !line.trim_ascii().is_empty() {
            if row % rows == 0 && cuts.last().is_none_or(|cut| byte - cut.byte >= bytes) {
                cuts.push(Cut { byte, lines, row });
            }
            for (at, (name, value)) in
                serde_json::from_slice(&line).map_or(Vec::new(), |Row(row)| row).iter().enumerate()
            {
                // Most lines have the same names in the same order.
                let known = match columns.get(at).is_some_and(|(known, _)| known == name) {
                    true => Some(at),
                    false => columns.iter().position(|(known, _)| known == name),
                };
                let at = known.unwrap_or(columns.len());
                if known.is_none() {
                    columns.push((name.clone(), Seen::default()));
                }
                columns[at].1.note(value);
            }
            row += 1;
        }
        byte += length as u64;
        lines += 1;
    }
}

/// The rows read so far, and the bytes where each stands.
#[derive(Default)]
struct Rows {
    rows: Vec<Vec<(Name, Value)>>,
    spans: Vec<Range<usize>>,
}

impl Rows {
    /// Parses the object that starts at `start` and ends before `limit`; returns where it ends.
    fn parse(&mut self, file: &File, start: usize, limit: usize) -> Result<usize> {
        let text = &file.text[start..limit];
        if !text.starts_with('{') {
            let length = text.find([',', ']', '\n']).unwrap_or(text.len());
            return Err(refuse(file, start..start + length, "expected an object such as {\"x\": 1.5, \"y\": 0}"));
        }
        let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Row>();
        match objects.next() {
            Some(Ok(row)) => {
                let end = start + objects.byte_offset();
                self.rows.push(row.0);
                self.spans.push(start..end);
                Ok(end)
            }
            Some(Err(error)) => {
                let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
                let mut at = (start + before + error.column().saturating_sub(1)).min(limit);
                while !file.text.is_char_boundary(at) {
                    at -= 1;
                }
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or(&message);
                if error.is_eof() {
                    let message = "the file ends before the object that starts here is closed";
                    return Err(refuse(file, start..start + 1, message));
                }
                Err(refuse(file, at..at + 1, &format!("not valid JSON: {message}")))
            }
            None => Ok(limit),
        }
    }

    fn table(self, file: &File, schema: Option<&Schema>) -> ReadResult {
        check_length(self.rows.len())?;
        Table::from_rows(self.rows, Origin::Source(file.source.clone()), schema).map_err(|bad| {
            let record = self.spans.get(bad.row).cloned().unwrap_or(0..0);
            let key = format!("\"{}\"", bad.column);
            let span = match file.text.get(record.clone()).and_then(|text| text.find(&key)) {
                Some(offset) => record.start + offset..record.start + offset + key.len(),
                None => record,
            };
            refuse(file, span, &bad.what)
        })
    }
}

/// One object, in the order it was written. A repeated key is kept, to be refused with its place.
struct Row(Vec<(Name, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
                    fields.push((name.into(), Value::from_json(&value)));
                }
                Ok(Row(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

fn refuse(file: &File, span: Range<usize>, message: &str) -> Error {
    let end = span.end.min(file.text.len());
    let place = file.place(span.start.min(end), end);
    let line = place.line_column().0;
    Error::data(format!("line {line} of {}: {message}", file.name)).at(place)
}

fn skip_space(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or("");
    text.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len()
}
