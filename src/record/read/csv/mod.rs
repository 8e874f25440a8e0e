//! Reading a CSV file: one pass that parses optimistically, and a second one only for columns that
//! looked like numbers first and turned out to be texts.

mod column;
mod dialect;
mod fields;
mod scan;

use std::sync::Arc;

use csv::StringRecord;

use super::formats::Opened;
use super::{File, ReadResult};
use crate::error::{Error, Result, codes, counted, list};
use crate::record::records::check_length;
use crate::record::table::{Origin, Table, absent};
use crate::record::{Name, Schema};

use column::{Column, TextColumn};
use fields::{check_closed, field_span};

pub use dialect::Dialect;
pub(super) use scan::scan;

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
    if columns.iter().any(Column::again) {
        let mut texts: Vec<_> = columns.iter().map(|_| TextColumn::default()).collect();
        each_row(file, dialect, |_, record, _| {
            for (at, column) in columns.iter().enumerate() {
                if column.again() {
                    texts[at].push(record.get(at).unwrap_or(""));
                }
            }
            Ok(())
        })?;
        for (column, texts) in columns.iter_mut().zip(texts) {
            if column.again() {
                column.take_texts(texts);
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
