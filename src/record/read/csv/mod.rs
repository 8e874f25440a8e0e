//! Reading a CSV file: it is cut into parts, which are parsed optimistically on all cores; a second pass reads only
//! columns again that looked like numbers first and turned out to be texts. Neither columns nor errors depend on the cuts.

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
use crate::machine;
use crate::record::records::check_length;
use crate::record::table::{Origin, Table, absent};
use crate::record::{ColumnType, Name, Schema};

use column::Column;
use cursor::{Cursor, cuts};
use fields::{check_closed, field_span};

pub use dialect::Dialect;
pub(super) use scan::scan;

/// Reads a tab-separated file.
pub(super) fn read_tabs(opened: &Opened) -> ReadResult {
    read(&opened.text()?, opened.options.schema.as_ref(), &opened.options.dialect.clone().tabs())
}

/// A part of the file has at least this many bytes: less is not worth a thread.
const PART: usize = 1 << 18;

/// Parts for each core, so that one that takes longer does not hold up the rest.
const PARTS: usize = 4;

pub(super) fn read(file: &File, schema: Option<&Schema>, dialect: &Dialect) -> ReadResult {
    let cores = machine::cores();
    let parts = if cores == 1 { 1 } else { (file.text.len() / PART).clamp(1, PARTS * cores) };
    read_in(file, schema, dialect, parts)
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
    let reading = Reading { file, dialect, names: &names, kinds: &kinds, plain: dialect.takes_plain_numbers() };
    let cuts = cuts(&file.text, start, dialect.byte(), parts);
    let spans: Vec<Range<usize>> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
    let mut parts = parallel::map(spans, |span| reading.part(span)).into_iter().collect::<Result<Vec<Part>>>()?;
    if let Some(last) = parts.iter().rev().find_map(|part| part.last) {
        check_closed(file, dialect, last)?;
    }
    let rows: Vec<usize> = parts.iter().map(|part| part.rows).collect();
    let len = rows.iter().sum();
    check_length(len)?;
    let texts: Vec<bool> = (0..names.len())
        .map(|at| Column::are_texts(&parts.iter().map(|part| &part.columns[at]).collect::<Vec<_>>()))
        .collect();
    if texts.contains(&true) {
        parts = parallel::map(parts, |part| reading.again(part, &texts));
    }
    let mut columns: Vec<Vec<Column>> = names.iter().map(|_| Vec::with_capacity(parts.len())).collect();
    for part in parts {
        columns.iter_mut().zip(part.columns).for_each(|(all, column)| all.push(column));
    }
    let cells = parallel::map(columns, |parts| Arc::new(Column::join(parts, &rows)));
    let columns: Vec<_> = names.iter().cloned().zip(cells).collect();
    let absent = absent(schema, names.iter());
    Ok(Table::new(len, columns, Origin::Source(file.source.clone()), absent))
}

/// What every part of a file is read by.
struct Reading<'a> {
    file: &'a File,
    dialect: &'a Dialect,
    names: &'a [Name],
    kinds: &'a [Option<ColumnType>],
    /// Whether a plain number is never one that stands for a missing value.
    plain: bool,
}

/// What was read of some rows.
struct Part {
    span: Range<usize>,
    rows: usize,
    /// The byte where the last row begins.
    last: Option<usize>,
    columns: Vec<Column>,
}

impl Reading<'_> {
    fn cursor(&self, span: &Range<usize>) -> Cursor<'_> {
        Cursor::new(&self.file.text, span.start, span.end, self.dialect.byte())
    }

    fn part(&self, span: Range<usize>) -> Result<Part> {
        let columns = self.kinds.iter().filter_map(|kind| Column::new(*kind).ok()).collect();
        let mut part = Part { rows: 0, last: None, columns, span };
        let mut cursor = self.cursor(&part.span);
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
            if part.rows == SAMPLE {
                let rows = part.span.len() / ((cursor.at() - part.span.start) / SAMPLE).max(1);
                part.columns.iter_mut().for_each(|column| column.reserve(rows + rows / 16));
            }
        }
        Ok(part)
    }

    /// Reads those columns again that are texts and were not known to be.
    fn again(&self, mut part: Part, texts: &[bool]) -> Part {
        let again: Vec<bool> =
            part.columns.iter().zip(texts).map(|(column, texts)| *texts && !column.is_text()).collect();
        if !again.contains(&true) {
            return part;
        }
        let mut columns: Vec<Option<&mut Column>> =
            part.columns.iter_mut().zip(&again).map(|(column, again)| again.then_some(column)).collect();
        columns.iter_mut().flatten().for_each(|column| column.restart_as_text());
        let mut cursor = self.cursor(&part.span);
        for row in 0..part.rows {
            cursor.row();
            for column in &mut columns {
                let (text, _) = cursor.field();
                if let Some(column) = column {
                    column.push_again(&text, row);
                }
            }
        }
        drop(columns);
        part
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

/// After so many rows it is known about how many there will be.
const SAMPLE: usize = 64;

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
