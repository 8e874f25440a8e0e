//! A column of a table of separated values while it is read: its type is the one all its values have.

use std::sync::Arc;

use super::dialect::Dialect;
use crate::record::ColumnType;
use crate::record::cells::{Cells, Data, Intern};

/// A column while it is read.
pub(super) struct Column {
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
pub(super) struct TextColumn {
    texts: Vec<Arc<str>>,
    intern: Intern,
}

impl TextColumn {
    pub fn push(&mut self, text: &str) {
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
        Ok(Column { build, nulls: Vec::new(), imposed: imposed.is_some() })
    }

    /// Takes the field of the next row; an error says what it should have been.
    pub fn push(&mut self, text: &str, row: usize, dialect: &Dialect) -> Result<(), &'static str> {
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

    /// Returns whether the column turned out to be one of texts after other values were parsed: it is read again.
    pub fn again(&self) -> bool {
        matches!(self.build, Build::Again)
    }

    /// Takes the texts that were read again.
    pub fn take_texts(&mut self, texts: TextColumn) {
        self.build = Build::Text(texts);
    }

    fn widen(&mut self, expected: &'static str) -> Result<(), &'static str> {
        if self.imposed {
            return Err(expected);
        }
        self.build = Build::Again;
        Ok(())
    }

    pub fn finish(self, len: usize) -> Cells {
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

pub(super) fn bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}
