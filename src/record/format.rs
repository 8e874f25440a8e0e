//! The formats of files with records.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result, codes, list};

/// A format of records, known by the ending of a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values below a header row.
    Csv,
    /// An array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Parquet; read and written with the cargo feature `parquet`.
    Parquet,
    /// Arrow's own file (Feather) or stream; read with the cargo feature `parquet`, which writes files.
    Arrow,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 5] = [Format::Csv, Format::Json, Format::Jsonl, Format::Parquet, Format::Arrow];

    /// Returns the name, which is also the ending of such a file's name: `csv`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    /// Returns the format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns the format that the ending of a path stands for.
    ///
    /// # Errors
    /// Another ending, or none.
    pub fn of(path: &Path) -> Result<Format> {
        let found = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        // What Arrow files are called where they come from data frames.
        let name = if found == "feather" { "arrow" } else { found.as_str() };
        Format::named(name).ok_or_else(|| {
            let problem = match found.is_empty() {
                true => "has no ending".to_owned(),
                false => format!("has the ending `.{found}`"),
            };
            Error::data(format!("the format of {} is unknown: its name {problem}", path.display()))
                .coded(codes::UNKNOWN_FORMAT)
                .hint(format!("endings: {}", list([".csv", ".json", ".jsonl", ".parquet", ".arrow"])))
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
