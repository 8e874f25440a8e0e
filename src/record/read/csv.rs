//! Reading a CSV file: one pass that parses optimistically, and a second one only for columns that
//! looked like numbers first and turned out to be texts.

use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord};

use super::dialect::Dialect;
use super::formats::Opened;
use super::source::{Cut, Scan};
use super::{File, MISSING, ReadResult};
use crate::error::{Error, Result, codes, counted, list};
use crate::record::cells::{Cells, Data, Intern};
use crate::record::records::check_length;
use crate::record::table::{Origin, Table, absent};
use crate::record::{ColumnType, Name, Schema};

/// Reads a tab-separated file.
pub(super) fn read_tabs(opened: &Opened) -> ReadResult {
    read(&opened.text()?, opened.options.schema.as_ref(), &opened.options.dialect.clone().tabs())
}

pub(super) fn read(file: &File, schema: Option<&Schema>, dialect: &Dialect) -> ReadResult {
    let names = header(file, dialect)?;
    let imposed = |name: &Name| schema.and_then(|schema| schema.column(name)).map(|column| column.kind);
    let mut columns = Vec::with_capacity(names.len());
    for name in &names {
        columns.push(Column::new(imposed(name)).map_err(|kind| {
            Error::data(format!("column `{name}` of {} cannot be read from CSV: its type is {kind}", file.name))
                .hint("the training records were JSON; give these as .json or .jsonl too")
        })?);
    }
    let mut len = 0;
    each_row(file, dialect, |row, record, start| {
        len = row + 1;
        for (at, column) in columns.iter_mut().enumerate() {
            let text = record.get(at).unwrap_or("");
            column
                .push(text, row, dialect)
                .map_err(|expected| misfit((file, dialect), &names[at], expected, text, start, at))?;
        }
        Ok(())
    })?;
    check_length(len)?;
    if columns.iter().any(|column| matches!(column.build, Build::Again)) {
        let mut texts: Vec<_> = columns.iter().map(|_| TextColumn::default()).collect();
        each_row(file, dialect, |_, record, _| {
            for (at, column) in columns.iter().enumerate() {
                if matches!(column.build, Build::Again) {
                    texts[at].push(record.get(at).unwrap_or(""));
                }
            }
            Ok(())
        })?;
        for (column, texts) in columns.iter_mut().zip(texts) {
            if matches!(column.build, Build::Again) {
                column.build = Build::Text(texts);
            }
        }
    }
    let columns: Vec<_> =
        names.iter().cloned().zip(columns.into_iter().map(|column| Arc::new(column.finish(len)))).collect();
    let absent = absent(schema, names.iter());
    Ok(Table::new(len, columns, Origin::Source(file.source.clone()), absent))
}

/// Returns the names of the columns.
fn header(file: &File, dialect: &Dialect) -> Result<Vec<Name>> {
    let mut reader = dialect.reader(&file.text);
    let first = reader.headers().map_err(|error| broken(file, &error))?;
    let first_line = file.text.lines().next().map_or(0, str::len);
    let refuse = |message: String| Error::data(message).at(file.place(0, first_line)).within(file.name.clone());
    if let Some(delimiter) = dialect.suspected(first) {
        return Err(refuse(format!("the first line has one value, with {delimiter:?} in it"))
            .coded(codes::BROKEN_TABLE)
            .hint(format!("`read_records(NAME, #{{ delimiter: {delimiter:?} }})` reads values with it in between")));
    }
    let given = dialect.names_of(first);
    if given.len() != first.len() {
        let (found, names) = (counted(first.len(), "value"), given.len());
        return Err(refuse(format!("the first line has {found}, `names` has {names}"))
            .coded(codes::BROKEN_TABLE)
            .hint("`names` has a name for each column"));
    }
    let whose = if dialect.names.is_some() { "`names` has" } else { "the header names" };
    let mut names: Vec<Name> = Vec::with_capacity(given.len());
    for (at, name) in given.iter().enumerate() {
        if name.is_empty() {
            return Err(refuse(format!("column {} has no name in the header", at + 1))
                .hint("the first line names the columns; give this one a name too"));
        }
        if let Some(before) = names.iter().position(|known| **known == **name) {
            return Err(refuse(format!("{whose} `{name}` twice: columns {} and {}", before + 1, at + 1))
                .coded(codes::COLUMN_TWICE)
                .hint(format!("columns: {}", list(given.iter().map(String::as_str)))));
        }
        names.push(name.as_str().into());
    }
    Ok(names)
}

/// Calls `take` with each row: its number, its fields, and the byte where it starts.
fn each_row(
    file: &File,
    dialect: &Dialect,
    mut take: impl FnMut(usize, &StringRecord, usize) -> Result<()>,
) -> Result<()> {
    let mut reader = dialect.reader(&file.text);
    let mut record = StringRecord::new();
    let mut row = 0;
    let mut last = None;
    while reader.read_record(&mut record).map_err(|error| broken(file, &error))? {
        let start = record.position().map_or(0, |position| position.byte() as usize);
        take(row, &record, start)?;
        row += 1;
        last = Some(start);
    }
    last.map_or(Ok(()), |last| check_closed(file, dialect, last))
}

fn broken(file: &File, error: &csv::Error) -> Error {
    let at = |position: &Option<csv::Position>| {
        let start = position.as_ref().map_or(0, |position| row_start(file, position.byte() as usize));
        let end = file.text[start..].find('\n').map_or(file.text.len(), |length| start + length);
        (start, end)
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let (start, end) = at(pos);
            let place = file.place(start, end);
            let line = place.line_column().0;
            let hint = match len > expected_len {
                true => "a text with a comma in it has to stand in double quotes",
                false => "write nothing between two commas where a value is missing; is a double quote not closed?",
            };
            Error::data(format!(
                "line {line} of {} has {}, the header has {}",
                file.name,
                counted(*len as usize, "value"),
                expected_len
            ))
            .at(place)
            .hint(hint)
        }
        _ => Error::data(format!("{} cannot be read as CSV: {error}", file.name)),
    }
}

/// The reader's position of a row can be at the line break before it.
fn row_start(file: &File, byte: usize) -> usize {
    let rest = file.text.get(byte..).unwrap_or("");
    byte.min(file.text.len()) + (rest.len() - rest.trim_start_matches(['\r', '\n']).len())
}

fn misfit(
    (file, dialect): (&File, &Dialect),
    name: &str,
    expected: &str,
    text: &str,
    start: usize,
    column: usize,
) -> Error {
    let start = row_start(file, start);
    let (from, to) = field_span(&file.text, dialect, start, column);
    let place = file.place(from, to);
    let line = place.line_column().0;
    Error::data(format!("line {line} of {}, column `{name}`: expected {expected}, found {text:?}", file.name))
        .coded(codes::WRONG_CELL)
        .at(place)
        .hint(format!("the training records have {expected} there"))
}

/// Returns the bytes of a field in the row that starts at `start`.
fn field_span(text: &str, dialect: &Dialect, start: usize, column: usize) -> (usize, usize) {
    let fields = Fields { bytes: text.as_bytes(), delimiter: dialect.byte(), at: start, ended: false };
    fields.enumerate().find(|(at, _)| *at == column).map_or((start, start), |(_, (span, _))| span)
}

/// A quote that is never closed swallows the rest of the file as one value, which only the last row can
/// show.
fn check_closed(file: &File, dialect: &Dialect, last: usize) -> Result<()> {
    let fields =
        Fields { bytes: file.text.as_bytes(), delimiter: dialect.byte(), at: row_start(file, last), ended: false };
    match fields.map(|((from, _), open)| (from, open)).find(|(_, open)| *open) {
        Some((from, _)) => {
            let place = file.place(from, from + 1);
            let line = place.line_column().0;
            Err(Error::data(format!("line {line} of {}: the double quote is not closed", file.name))
                .at(place)
                .hint("a double quote within a quoted text is written twice: \"say \"\"hi\"\"\""))
        }
        None => Ok(()),
    }
}

/// The fields of one row as they stand in the file: their bytes, and whether a quote was left open.
struct Fields<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    at: usize,
    ended: bool,
}

impl Iterator for Fields<'_> {
    type Item = ((usize, usize), bool);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let from = self.at;
        // Only a quote that opens a field quotes; within, two of them stand for one.
        let mut quoted = self.bytes.get(from) == Some(&b'"');
        let mut to = from + usize::from(quoted);
        while let Some(byte) = self.bytes.get(to) {
            match byte {
                b'"' if quoted && self.bytes.get(to + 1) == Some(&b'"') => to += 1,
                b'"' if quoted => quoted = false,
                b'\n' | b'\r' if !quoted => break,
                byte if !quoted && *byte == self.delimiter => break,
                _ => {}
            }
            to += 1;
        }
        self.ended = self.bytes.get(to) != Some(&self.delimiter);
        self.at = to + 1;
        Some(((from, to), quoted))
    }
}

/// A column while it is read.
struct Column {
    build: Build,
    nulls: Vec<bool>,
    /// Whether the type is imposed, so that a text is an error and not a reason to widen.
    imposed: bool,
}

enum Build {
    /// Only missing values so far.
    Unknown,
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Text(TextColumn),
    /// Texts, known only after other values were parsed: to be read again.
    Again,
}

#[derive(Default)]
struct TextColumn {
    texts: Vec<Arc<str>>,
    intern: Intern,
}

impl TextColumn {
    fn push(&mut self, text: &str) {
        let text = self.intern.text(text);
        self.texts.push(text);
    }
}

impl Column {
    fn new(imposed: Option<ColumnType>) -> Result<Self, ColumnType> {
        let build = match imposed {
            None => Build::Unknown,
            Some(ColumnType::Int) => Build::Int(Vec::new()),
            Some(ColumnType::Float) => Build::Float(Vec::new()),
            Some(ColumnType::Bool) => Build::Bool(Vec::new()),
            Some(ColumnType::Text) => Build::Text(TextColumn::default()),
            Some(kind) => return Err(kind),
        };
        Ok(Column { build, nulls: Vec::new(), imposed: imposed.is_some() })
    }

    /// Takes the field of the next row; an error says what it should have been.
    fn push(&mut self, text: &str, row: usize, dialect: &Dialect) -> Result<(), &'static str> {
        // Nearly every field of a large file is a number in a column of numbers.
        let plain = match &mut self.build {
            Build::Int(values) => int(text).map(|value| values.push(value)),
            Build::Float(values) => float(text).map(|value| values.push(value)),
            _ => None,
        };
        if plain.is_some() {
            self.nulls.push(false);
            return Ok(());
        }
        let value = text.trim();
        let missing = dialect.missing(value);
        self.nulls.push(missing);
        if missing {
            match &mut self.build {
                Build::Int(values) => values.push(0),
                Build::Float(values) => values.push(f64::NAN),
                Build::Bool(values) => values.push(false),
                Build::Text(texts) => texts.push(""),
                Build::Unknown | Build::Again => {}
            }
            return Ok(());
        }
        if let Build::Unknown = self.build {
            self.build = if int(value).is_some() {
                Build::Int(vec![0; row])
            } else if float(value).is_some() {
                Build::Float(vec![f64::NAN; row])
            } else if bool(value).is_some() {
                Build::Bool(vec![false; row])
            } else {
                let mut texts = TextColumn::default();
                (0..row).for_each(|_| texts.push(""));
                Build::Text(texts)
            };
        }
        match &mut self.build {
            Build::Int(values) => match (int(value), float(value)) {
                (Some(value), _) => values.push(value),
                (None, Some(value)) => {
                    let mut floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
                    floats.push(value);
                    self.build = Build::Float(floats);
                }
                (None, None) => return self.widen("a number"),
            },
            Build::Float(values) => match float(value) {
                Some(value) => values.push(value),
                None => return self.widen("a number"),
            },
            Build::Bool(values) => match bool(value) {
                Some(value) => values.push(value),
                None => return self.widen("true or false"),
            },
            Build::Text(texts) => texts.push(text),
            Build::Unknown | Build::Again => {}
        }
        Ok(())
    }

    fn widen(&mut self, expected: &'static str) -> Result<(), &'static str> {
        if self.imposed {
            return Err(expected);
        }
        self.build = Build::Again;
        Ok(())
    }

    fn finish(self, len: usize) -> Cells {
        let data = match self.build {
            Build::Int(values) => Data::Int(values),
            Build::Float(values) => Data::Float(values),
            Build::Bool(values) => Data::Bool(values),
            Build::Text(column) => Data::Text(column.texts),
            Build::Unknown | Build::Again => Data::Float(vec![f64::NAN; len]),
        };
        Cells::new(data, self.nulls)
    }
}

/// Finds the columns of a file, their types, and where the file can be cut: before each row whose number is a multiple
/// of `rows` and that is at least `bytes` after the cut before. What is wrong with a row is found when it is read.
///
/// The types are those that [`read`] finds, but for numbers that are names: where a whole number has a leading zero or
/// plus, or more digits than 64 bits hold, the column is one of texts, so that it is carried as it is.
pub(super) fn scan(name: &str, input: impl std::io::Read, rows: usize, bytes: u64) -> Result<Scan> {
    let failed = |error: &csv::Error| Error::data(format!("{name} cannot be read as CSV: {error}"));
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(input);
    let names = reader.byte_headers().map_err(|error| failed(&error))?.clone();
    let mut seen = vec![Seen::default(); names.len()];
    let mut cuts: Vec<Cut> = Vec::new();
    let mut record = csv::ByteRecord::new();
    let mut row = 0;
    loop {
        let start = reader.position().clone();
        if !reader.read_byte_record(&mut record).map_err(|error| failed(&error))? {
            break;
        }
        if row % rows == 0 && cuts.last().is_none_or(|cut| start.byte() - cut.byte >= bytes) {
            cuts.push(Cut { byte: start.byte(), lines: start.line() as usize - 1, row });
        }
        seen.iter_mut().zip(&record).for_each(|(seen, field)| seen.note(field));
        row += 1;
    }
    let name = |name: &[u8]| Name::from(String::from_utf8_lossy(name).trim());
    Ok(Scan { columns: names.iter().map(name).zip(seen.iter().map(Seen::kind)).collect(), cuts })
}

/// What occurs in a column: the type is the one that [`Column`] gives it.
#[derive(Clone, Default)]
struct Seen {
    kind: Option<ColumnType>,
}

impl Seen {
    fn note(&mut self, field: &[u8]) {
        if self.kind == Some(ColumnType::Text) {
            return;
        }
        let Ok(text) = std::str::from_utf8(field) else { return };
        let value = text.trim();
        if MISSING.contains(&value) {
            return;
        }
        let found = match int(value) {
            Some(number) if number.to_string() == value => ColumnType::Int,
            Some(_) => ColumnType::Text,
            None if value.bytes().all(|byte| byte.is_ascii_digit()) => ColumnType::Text,
            None if float(value).is_some() => ColumnType::Float,
            None if bool(value).is_some() => ColumnType::Bool,
            None => ColumnType::Text,
        };
        self.kind = Some(match (self.kind, found) {
            (None, found) => found,
            (Some(kind), found) if kind == found => kind,
            (Some(ColumnType::Int | ColumnType::Float), ColumnType::Int | ColumnType::Float) => ColumnType::Float,
            _ => ColumnType::Text,
        });
    }

    fn kind(&self) -> ColumnType {
        self.kind.unwrap_or(ColumnType::Float)
    }
}

fn int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Returns a number; words that Rust would accept (`infinity`, `nan`) are numbers only as `inf`.
fn float(text: &str) -> Option<f64> {
    let value: f64 = fast_float2::parse(text).ok()?;
    let spelled = || {
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        digits || matches!(text.trim_start_matches(['+', '-']), "inf" | "Inf")
    };
    (value.is_finite() || spelled()).then_some(value)
}

fn bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}
