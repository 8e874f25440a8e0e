//! Reading a CSV file: it is cut into parts, which are parsed optimistically on all cores and put together in their order,
//! while they are in the cache; a second pass reads only columns again that looked like numbers first and turned out to be
//! texts. Neither columns nor errors depend on the cuts.

mod column;
mod cursor;
mod dialect;
mod fields;
mod scan;

use std::ops::Range;
use std::sync::Arc;

use super::formats::Opened;
use super::{File, ReadResult, parallel};
use crate::error::{Error, Result, codes, counted, list};
use crate::record::records::check_length;
use crate::record::table::{Origin, Table, absent};
use crate::record::{Name, Schema};

use column::{Column, Rows};
use cursor::{Cursor, cuts};
use fields::{check_closed, field_span};

pub use dialect::Dialect;
pub(super) use scan::scan;

/// Reads a tab-separated file.
pub(super) fn read_tabs(opened: &Opened) -> ReadResult {
    read(&opened.text()?, opened.options.schema.as_ref(), &opened.options.dialect.clone().tabs())
}

/// A part of the file has about this many bytes: with its values it stays in the cache of a core until they are put to those
/// before them, and it is worth a thread.
const PART: usize = 1 << 19;

pub(super) fn read(file: &File, schema: Option<&Schema>, dialect: &Dialect) -> ReadResult {
    read_in(file, schema, dialect, (file.text.len() / PART).max(1))
}

/// Reads a file in about so many parts.
fn read_in(file: &File, schema: Option<&Schema>, dialect: &Dialect, parts: usize) -> ReadResult {
    let (names, start) = header(file, dialect)?;
    let imposed = |name: &Name| schema.and_then(|schema| schema.column(name)).map(|column| column.kind);
    let kinds: Vec<_> = names.iter().map(imposed).collect();
    for (name, kind) in names.iter().zip(&kinds) {
        Column::new(*kind).map_err(|kind| {
            Error::data(format!("column `{name}` of {} cannot be read from CSV: its type is {kind}", file.name))
                .hint("the training records were JSON; give these as .json or .jsonl too")
        })?;
    }
    let reading = Reading { file, dialect, names: &names, plain: dialect.takes_plain_numbers() };
    let cuts = cuts(&file.text, start, dialect.byte(), parts);
    let spans: Vec<Range<usize>> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
    let mut read = reading.all(&spans, |at| Column::new(kinds[at]).ok())?;
    if let Some(last) = read.last {
        check_closed(file, dialect, last)?;
    }
    check_length(read.rows)?;
    let again: Vec<bool> = read.columns.iter().map(Column::is_again).collect();
    if again.contains(&true) {
        let second = reading.all(&spans, |at| Some(Column::second(again[at])))?;
        let columns = read.columns.iter_mut().zip(second.columns).zip(again);
        columns.filter(|(_, again)| *again).for_each(|((column, second), _)| *column = second);
    }
    let len = read.rows;
    let cells = read.columns.into_iter().map(|column| Arc::new(column.finish(len)));
    let columns: Vec<_> = names.iter().cloned().zip(cells).collect();
    let absent = absent(schema, names.iter());
    Ok(Table::new(len, columns, Origin::Source(file.source.clone()), absent))
}

/// What every part of a file is read by.
struct Reading<'a> {
    file: &'a File,
    dialect: &'a Dialect,
    names: &'a [Name],
    /// Whether a plain number is never one that stands for a missing value.
    plain: bool,
}

/// What was read of some rows.
struct Part {
    rows: usize,
    /// The byte where the last row begins.
    last: Option<usize>,
    columns: Vec<Column>,
}

impl Part {
    fn new(columns: Vec<Column>) -> Part {
        Part { rows: 0, last: None, columns }
    }

    /// Takes the rows of a part that follows; about so many will there be in all.
    fn append(&mut self, part: &mut Part, all: usize) {
        let rows = Rows { before: self.rows, part: part.rows, all };
        for (column, part) in self.columns.iter_mut().zip(&mut part.columns) {
            column.append(part, rows);
        }
        self.rows += part.rows;
        self.last = part.last.or(self.last);
    }

    /// Returns the part without its rows, for others.
    fn cleared(mut self) -> Part {
        self.columns.iter_mut().for_each(Column::clear);
        Part::new(self.columns)
    }
}

impl Reading<'_> {
    fn cursor(&self, span: &Range<usize>) -> Cursor<'_> {
        Cursor::new(&self.file.text, span.start, span.end, self.dialect.byte())
    }

    /// Reads all rows into columns that begin as told.
    fn all(&self, spans: &[Range<usize>], column: impl Fn(usize) -> Option<Column> + Sync) -> Result<Part> {
        let empty = || Part::new((0..self.names.len()).filter_map(&column).collect());
        let (mut all, mut outcome) = (empty(), Ok(()));
        let (first, end) = spans.first().zip(spans.last()).map_or((0, 0), |(first, last)| (first.start, last.end));
        let mut spans_left = spans.iter();
        let read = |at: usize, spare: Option<Part>| self.part(&spans[at], spare.unwrap_or_else(empty));
        parallel::relay(spans.len(), read, |part| {
            let mut part = match part {
                Ok(part) => part,
                Err(error) => {
                    outcome = Err(error);
                    return None;
                }
            };
            let done = spans_left.next().map_or(end, |span| span.end) - first;
            // As many for each byte as so far, and a little more.
            let rows = all.rows + part.rows;
            let expected = rows.saturating_mul(end - first) / done.max(1);
            all.append(&mut part, expected + expected / 64);
            Some(part.cleared())
        });
        outcome.map(|()| all)
    }

    /// Reads the rows of a span into columns without any.
    fn part(&self, span: &Range<usize>, mut part: Part) -> Result<Part> {
        let mut cursor = self.cursor(span);
        let count = part.columns.len();
        while let Some(start) = cursor.row() {
            for (at, column) in part.columns.iter_mut().enumerate() {
                let taken = if self.plain { column.take(&mut cursor) } else { None };
                let last = match taken {
                    Some(last) => last,
                    None => {
                        let (text, last) = cursor.field();
                        if let Err(expected) = column.push(&text, part.rows, self.dialect) {
                            // A row of another length says more than a value in the wrong column.
                            return Err(self.unequal(start).unwrap_or_else(|| self.misfit(start, at, expected, &text)));
                        }
                        last
                    }
                };
                if last != (at + 1 == count)
                    && let Some(error) = self.unequal(start)
                {
                    return Err(error);
                }
            }
            part.last = Some(start);
            part.rows += 1;
        }
        Ok(part)
    }

    /// Returns what is wrong with the number of values of a row.
    fn unequal(&self, start: usize) -> Option<Error> {
        let (file, expected) = (self.file, self.names.len());
        let mut cursor = self.cursor(&(start..file.text.len()));
        let mut found = 1;
        while !cursor.field().1 {
            found += 1;
        }
        if found == expected {
            return None;
        }
        let end = file.text[start..].find('\n').map_or(file.text.len(), |length| start + length);
        let place = file.place(start, end);
        let line = place.line_column().0;
        let hint = match found > expected {
            true => "a text with a comma in it has to stand in double quotes",
            false => "write nothing between two commas where a value is missing; is a double quote not closed?",
        };
        let found = counted(found, "value");
        Some(
            Error::data(format!("line {line} of {} has {found}, the header has {expected}", file.name))
                .at(place)
                .hint(hint),
        )
    }

    fn misfit(&self, start: usize, column: usize, expected: &str, text: &str) -> Error {
        let (file, name) = (self.file, &self.names[column]);
        let (from, to) = field_span(&file.text, self.dialect, start, column);
        let place = file.place(from, to);
        let line = place.line_column().0;
        Error::data(format!("line {line} of {}, column `{name}`: expected {expected}, found {text:?}", file.name))
            .coded(codes::WRONG_CELL)
            .at(place)
            .hint(format!("the training records have {expected} there"))
    }
}

/// Returns the names of the columns, and the byte after the header.
fn header(file: &File, dialect: &Dialect) -> Result<(Vec<Name>, usize)> {
    let mut reader = dialect.reader(&file.text);
    let failed = |error: csv::Error| Error::data(format!("{} cannot be read as CSV: {error}", file.name));
    let first = reader.headers().map_err(failed)?.clone();
    let start = if dialect.header { reader.position().byte() as usize } else { 0 };
    let first = &first;
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
    Ok((names, start))
}

#[cfg(test)]
mod tests;
