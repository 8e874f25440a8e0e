//! A column of a table of separated values while it is read: its type is the one all its values have.

use std::sync::Arc;

use super::cursor::Cursor;
use super::dialect::Dialect;
use crate::machine::pages;
use crate::record::ColumnType;
use crate::record::cells::{Cells, Data, Intern};

/// A column while it is read.
pub(super) struct Column {
    build: Build,
    /// A flag a row from the first missing value on; before it, nothing.
    nulls: Option<Vec<bool>>,
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
    /// Creates a column of so many empty texts.
    fn empty(rows: usize) -> TextColumn {
        let mut texts = TextColumn::default();
        (0..rows).for_each(|_| texts.push(""));
        texts
    }

    fn push(&mut self, text: &str) {
        let text = self.intern.text(text);
        self.texts.push(text);
    }
}

impl Column {
    pub fn new(imposed: Option<ColumnType>) -> Result<Self, ColumnType> {
        let build = match imposed {
            None => Build::Unknown,
            Some(ColumnType::Int) => Build::Int(Vec::new()),
            Some(ColumnType::Float) => Build::Float(Vec::new()),
            Some(ColumnType::Bool) => Build::Bool(Vec::new()),
            Some(ColumnType::Text) => Build::Text(TextColumn::default()),
            Some(kind) => return Err(kind),
        };
        Ok(Column { build, nulls: None, imposed: imposed.is_some() })
    }

    /// Takes the field of the next row if it is a plain number as the column wants it, and whether it is the last of its
    /// row.
    pub fn take(&mut self, cursor: &mut Cursor) -> Option<bool> {
        let last = match &mut self.build {
            Build::Int(values) => cursor.int().map(|(value, last)| {
                values.push(value);
                last
            }),
            Build::Float(values) => cursor.float().map(|(value, last)| {
                values.push(value);
                last
            }),
            _ => None,
        }?;
        if let Some(nulls) = &mut self.nulls {
            nulls.push(false);
        }
        Some(last)
    }

    /// Takes the field of the next row; an error says what it should have been.
    pub fn push(&mut self, text: &str, row: usize, dialect: &Dialect) -> Result<(), &'static str> {
        if let Build::Again = self.build {
            return Ok(());
        }
        let value = text.trim();
        let missing = dialect.missing(value);
        if missing || self.nulls.is_some() {
            self.nulls.get_or_insert_with(|| vec![false; row]).push(missing);
        }
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
            } else if number(value).is_some() {
                Build::Float(vec![f64::NAN; row])
            } else if bool(value).is_some() {
                Build::Bool(vec![false; row])
            } else {
                Build::Text(TextColumn::empty(row))
            };
        }
        match &mut self.build {
            Build::Int(values) => match (int(value), number(value)) {
                (Some(value), _) => values.push(value),
                (None, Some(value)) => {
                    let mut floats: Vec<f64> = floats(values, self.nulls.as_deref()).collect();
                    floats.push(value);
                    self.build = Build::Float(floats);
                }
                (None, None) => return self.widen("a number"),
            },
            Build::Float(values) => match number(value) {
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

    /// Forgets the rows, to begin with others of the same file; the type stays, since a column never goes back to a narrower one.
    pub fn clear(&mut self) {
        self.nulls = None;
        match &mut self.build {
            Build::Int(values) => values.clear(),
            Build::Float(values) => values.clear(),
            Build::Bool(values) => values.clear(),
            Build::Text(column) => column.texts.clear(),
            Build::Unknown | Build::Again => {}
        }
    }

    /// Returns whether the values are texts that were taken for something else first.
    pub fn is_again(&self) -> bool {
        matches!(self.build, Build::Again)
    }

    /// Returns a column without rows that reads texts again, or passes over a column that is known.
    pub fn second(again: bool) -> Column {
        let build = if again { Build::Text(TextColumn::default()) } else { Build::Again };
        Column { build, nulls: None, imposed: false }
    }

    /// Takes the rows of a part that follows; about so many will there be in `all`.
    pub fn append(&mut self, part: &mut Column, rows: Rows) {
        let nulls = part.nulls.take();
        self.widen_to(&part.build, rows);
        match (&mut self.build, &mut part.build) {
            (Build::Int(all), Build::Int(values)) => extend(all, values, rows),
            (Build::Int(all), Build::Unknown) => all.resize(rows.end(), 0),
            (Build::Float(all), Build::Float(values)) => extend(all, values, rows),
            (Build::Float(all), Build::Int(values)) => {
                make_room(all, values.len(), rows);
                all.extend(floats(values, nulls.as_deref()));
            }
            (Build::Float(all), Build::Unknown) => all.resize(rows.end(), f64::NAN),
            (Build::Bool(all), Build::Bool(values)) => extend(all, values, rows),
            (Build::Bool(all), Build::Unknown) => all.resize(rows.end(), false),
            (Build::Text(all), Build::Text(column)) => extend(&mut all.texts, &mut column.texts, rows),
            (Build::Text(all), Build::Unknown) => (0..rows.part).for_each(|_| all.push("")),
            _ => (),
        }
        if nulls.is_some() || self.nulls.is_some() {
            let all = self.nulls.get_or_insert_with(|| vec![false; rows.before]);
            match nulls {
                Some(mut nulls) => extend(all, &mut nulls, rows),
                None => all.resize(rows.end(), false),
            }
        }
    }

    /// Takes a wider type where a part has one: numbers beside whole numbers, texts where types do not go together.
    fn widen_to(&mut self, part: &Build, rows: Rows) {
        let wider = match (&self.build, part) {
            (Build::Unknown, Build::Int(_)) => Build::Int(vec![0; rows.before]),
            (Build::Unknown, Build::Float(_)) => Build::Float(vec![f64::NAN; rows.before]),
            (Build::Unknown, Build::Bool(_)) => Build::Bool(vec![false; rows.before]),
            (Build::Unknown, Build::Text(_)) => Build::Text(TextColumn::empty(rows.before)),
            (Build::Int(values), Build::Float(_)) => Build::Float(floats(values, self.nulls.as_deref()).collect()),
            (Build::Unknown, Build::Unknown) | (_, Build::Unknown) => return,
            (Build::Int(_), Build::Int(_)) | (Build::Float(_), Build::Float(_) | Build::Int(_)) => return,
            (Build::Bool(_), Build::Bool(_)) | (Build::Text(_), Build::Text(_)) => return,
            _ => Build::Again,
        };
        self.build = wider;
    }

    /// Returns the column of all rows; one without any value is one of numbers.
    pub fn finish(self, rows: usize) -> Cells {
        let data = match self.build {
            Build::Int(values) => Data::Int(values),
            Build::Float(values) => Data::Float(values),
            Build::Bool(values) => Data::Bool(values),
            Build::Text(column) => Data::Text(column.texts),
            Build::Unknown | Build::Again => Data::Float(vec![f64::NAN; rows]),
        };
        Cells::new(data, self.nulls.unwrap_or_default())
    }
}

/// Where the rows of a part belong.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The rows before the part.
    pub before: usize,
    /// Those of the part.
    pub part: usize,
    /// How many there will be in all, about.
    pub all: usize,
}

impl Rows {
    fn end(&self) -> usize {
        self.before + self.part
    }
}

/// Moves values to the end of others.
fn extend<T>(all: &mut Vec<T>, part: &mut Vec<T>, rows: Rows) {
    make_room(all, part.len(), rows);
    all.append(part);
}

/// Makes room for the values of a part, and with it for all that are expected.
fn make_room<T>(all: &mut Vec<T>, part: usize, rows: Rows) {
    if all.capacity() - all.len() < part {
        let expected = rows.all.saturating_sub(all.len());
        pages::reserve(all, expected.max(part).max(all.len() / 8));
    }
}

/// Returns whole numbers as floats, what is missing as not a number.
fn floats<'a>(values: &'a [i64], nulls: Option<&'a [bool]>) -> impl Iterator<Item = f64> + 'a {
    let missing = move |row: usize| nulls.is_some_and(|nulls| nulls.get(row) == Some(&true));
    values.iter().enumerate().map(move |(row, &value)| if missing(row) { f64::NAN } else { value as f64 })
}

pub(super) fn int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Returns a number; words that Rust would accept (`infinity`, `nan`) are numbers only as `inf`.
pub(super) fn float(text: &str) -> Option<f64> {
    let value: f64 = fast_float2::parse(text).ok()?;
    let spelled = || {
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        digits || matches!(text.trim_start_matches(['+', '-']), "inf" | "Inf")
    };
    (value.is_finite() || spelled()).then_some(value)
}

/// Returns a number of a column of floats: a whole one, minus zero among them, as it is in a column of whole numbers,
/// so that it does not matter which of the column's values were known before.
fn number(text: &str) -> Option<f64> {
    let value = float(text)?;
    let zero = value == 0.0 && int(text).is_some();
    Some(if zero { 0.0 } else { value })
}

pub(super) fn bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}
