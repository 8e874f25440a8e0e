//! A column of a table of separated values while it is read: its type is the one all its values have.

use std::sync::Arc;

use super::cursor::Cursor;
use super::dialect::Dialect;
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

    /// Makes room for so many rows of numbers.
    pub fn reserve(&mut self, rows: usize) {
        match &mut self.build {
            Build::Int(values) => values.reserve(rows.saturating_sub(values.len())),
            Build::Float(values) => values.reserve(rows.saturating_sub(values.len())),
            _ => (),
        }
    }

    /// Returns whether the values are texts.
    pub fn is_text(&self) -> bool {
        matches!(self.build, Build::Text(_))
    }

    /// Makes the column one of texts, to be read again; what was missing stays missing.
    pub fn restart_as_text(&mut self) {
        self.build = Build::Text(TextColumn::default());
    }

    /// Takes the text of the next row of a column that is read again.
    pub fn push_again(&mut self, text: &str, row: usize) {
        if let Build::Text(texts) = &mut self.build {
            let missing = self.nulls.as_ref().is_some_and(|nulls| nulls.get(row) == Some(&true));
            texts.push(if missing { "" } else { text });
        }
    }

    /// Returns whether the parts of a column have to be read again as texts: some are texts and others are not.
    pub fn are_texts(parts: &[&Column]) -> bool {
        let any = |is: fn(&Build) -> bool| parts.iter().any(|part| is(&part.build));
        let numbers = any(|build| matches!(build, Build::Int(_) | Build::Float(_)));
        let bools = any(|build| matches!(build, Build::Bool(_)));
        any(|build| matches!(build, Build::Text(_) | Build::Again)) || (numbers && bools)
    }

    /// Puts the parts of a column together; `rows` are the rows of each. Whole numbers beside others become floats.
    pub fn join(parts: Vec<Column>, rows: &[usize]) -> Cells {
        let len = rows.iter().sum();
        let any = |is: fn(&Build) -> bool| parts.iter().any(|part| is(&part.build));
        let mut data = if any(|build| matches!(build, Build::Float(_))) {
            Data::Float(Vec::new())
        } else if any(|build| matches!(build, Build::Int(_))) {
            Data::Int(Vec::new())
        } else if any(|build| matches!(build, Build::Bool(_))) {
            Data::Bool(Vec::new())
        } else if any(|build| matches!(build, Build::Text(_))) {
            Data::Text(Vec::new())
        } else {
            Data::Float(Vec::new())
        };
        let mut nulls = Vec::new();
        if parts.iter().any(|part| part.nulls.is_some()) {
            nulls.reserve_exact(len);
        }
        for (part, &rows) in parts.into_iter().zip(rows) {
            if nulls.capacity() > 0 {
                match &part.nulls {
                    Some(part) => nulls.extend_from_slice(part),
                    None => nulls.resize(nulls.len() + rows, false),
                }
            }
            match (&mut data, part.build) {
                (Data::Float(all), Build::Float(values)) => append(all, values, len),
                (Data::Float(all), Build::Int(values)) => all.extend(floats(&values, part.nulls.as_deref())),
                (Data::Float(all), _) => all.resize(all.len() + rows, f64::NAN),
                (Data::Int(all), Build::Int(values)) => append(all, values, len),
                (Data::Int(all), _) => all.resize(all.len() + rows, 0),
                (Data::Bool(all), Build::Bool(values)) => append(all, values, len),
                (Data::Bool(all), _) => all.resize(all.len() + rows, false),
                (Data::Text(all), Build::Text(column)) => append(all, column.texts, len),
                (Data::Text(all), _) => append(all, TextColumn::empty(rows).texts, len),
                _ => (),
            }
        }
        Cells::new(data, nulls)
    }
}

/// Returns whole numbers as floats, what is missing as not a number.
fn floats<'a>(values: &'a [i64], nulls: Option<&'a [bool]>) -> impl Iterator<Item = f64> + 'a {
    let missing = move |row: usize| nulls.is_some_and(|nulls| nulls.get(row) == Some(&true));
    values.iter().enumerate().map(move |(row, &value)| if missing(row) { f64::NAN } else { value as f64 })
}

/// Adds the values of a part; a column of one part is that part.
fn append<T>(all: &mut Vec<T>, part: Vec<T>, len: usize) {
    match all.is_empty() && part.len() == len {
        true => *all = part,
        false => {
            all.reserve_exact(len - all.len());
            all.extend(part);
        }
    }
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
