//! Where a table of separated values can be cut, so that it is read part by part.

use csv::ReaderBuilder;

use super::column::{bool, float, int};
use crate::error::{Error, Result};
use crate::record::read::MISSING;
use crate::record::read::source::{Cut, Scan};
use crate::record::{ColumnType, Name};

/// Finds the columns of a file, their types, and where the file can be cut: before each row whose number is a multiple
/// of `rows` and that is at least `bytes` after the cut before. What is wrong with a row is found when it is read.
///
/// The types are those that [`super::read`] finds, but for numbers that are names: where a whole number has a leading zero or
/// plus, or more digits than 64 bits hold, the column is one of texts, so that it is carried as it is.
pub(in crate::record::read) fn scan(name: &str, input: impl std::io::Read, rows: usize, bytes: u64) -> Result<Scan> {
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
