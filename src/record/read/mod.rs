//! Reading records from files: by the ending of the name, the schema inferred or imposed.

mod csv;
mod formats;
mod json;
mod parallel;
mod source;

mod cifar;
pub(super) mod compressed;
mod idx;
pub(super) mod npy;
mod npz;
mod plain;
mod tar;
mod tensors;
mod time_series;

use std::path::Path;
use std::sync::Arc;

pub use csv::Dialect;
pub use formats::{Declared, ReadOptions};
pub use source::{Parts, Source};
pub(super) use tensors::{COLUMNS, Kept, KeptColumn, missing_name, shapes_name, starts_name};

use crate::error::{Error, Place, Result, codes, did_you_mean};
use crate::record::table::Table;
use crate::record::{Format, Records, Schema};

/// What a missing value is written as in a text table (spaces around it do not count).
const MISSING: [&str; 5] = ["", "NA", "NaN", "nan", "null"];

impl Records {
    /// Reads records from a file, by its ending; `.gz` and `.zst` after it are unpacked first.
    ///
    /// | ending | what it is |
    /// |---|---|
    /// | `.csv` | a text table with a header row, in UTF-8 |
    /// | `.json`, `.jsonl` | an array of objects, or one object a line |
    /// | `.parquet`, `.arrow`, `.feather` | typed columns, with the cargo feature `parquet` |
    /// | `.npy`, `.npz` | arrays of NumPy with the records on axis 0: the column `value`, or one of each name |
    /// | `.safetensors` | tensors with the records on axis 0; what [`Records::write`] and `barrage pack` write |
    /// | `.idx`, `-ubyte` | an array as MNIST has it: the column `value` |
    /// | `.ts` | labelled series of the UCR archive: the columns `series` and `label` |
    /// | `.tar` | a shard of samples: files of one name before the first dot are one record |
    /// | `.txt` | lines: the column `text` |
    ///
    /// The type of a CSV column is the narrowest that holds all its values: whole numbers, numbers,
    /// `true`/`false`, texts. Missing: nothing, `NA`, `NaN`, `nan`, `null`; a column of nothing else is of
    /// numbers. A whole number beyond 64 bits makes its column one of floats. In JSON, a missing key and
    /// null are missing, and nested lists of numbers with equal lengths are tensors.
    ///
    /// The columns of a Parquet file have the types it says: whole numbers of any size (unsigned ones beyond
    /// 64 bits with sign make their column one of floats), floats (not a number is missing), true and false,
    /// texts, lists and structures as in JSON; a list of floats is f32, one of unsigned bytes u8. Compressed
    /// with snappy or zstd, or not at all.
    ///
    /// # Errors
    /// No such file, another ending, not UTF-8, an empty file, an empty or repeated column name, a row
    /// whose length is not the header's, broken JSON, in Parquet a column of dates, times, decimals or bytes,
    /// a file that is cut off: kind `Data`, with the file and the line, the byte or the column.
    pub fn read(path: &Path) -> Result<Records> {
        Records::read_with(path, &ReadOptions::default())
    }

    /// Reads records and imposes a schema, that of the training records: its columns get its types, even
    /// where the values would allow a narrower one. Only a column of whole numbers still becomes one of
    /// numbers when a value has a fraction. Columns that the schema does not have are kept, with the type
    /// their values have; columns that the file does not have are missed only when they are asked for.
    ///
    /// # Errors
    /// As [`Records::read`], and a value that does not fit its type, such as a text where a number must be:
    /// with the file, the line, the column and the value.
    pub fn read_as(path: &Path, schema: &Schema) -> Result<Records> {
        Records::read_with(path, &ReadOptions { schema: Some(schema.clone()), ..ReadOptions::default() })
    }
}

fn check_no_folder(path: &Path) -> Result<()> {
    match path.is_dir() {
        true => Err(Error::data(format!("{} is a folder, expected a file with records", path.display()))
            .coded(codes::UNREADABLE_DATA)
            .hint("`files(\"FOLDER/**/*.png\")` lists the files of a folder as records")),
        false => Ok(()),
    }
}

fn table(file: &File, format: Format, schema: Option<&Schema>, dialect: &Dialect) -> Result<Table> {
    if file.text.trim().is_empty() {
        return Err(empty(&file.name, format));
    }
    match format {
        Format::Csv => csv::read(file, schema, dialect),
        Format::Json => json::read_array(file, schema),
        _ => json::read_lines(file, schema),
    }
    .map_err(|error| error.coded(codes::BROKEN_TABLE))
}

fn empty(name: &str, format: Format) -> Error {
    Error::data(format!("the file {name} is empty")).coded(codes::NO_RECORDS).hint(match format {
        Format::Csv => "the first line has to name the columns",
        _ => "expected objects such as {\"x\": 1.5, \"y\": 0}",
    })
}

/// A file that was read whole, or some of its rows.
struct File {
    /// The path as the person wrote it.
    name: String,
    /// The file's name alone, which records are called by.
    source: Arc<str>,
    text: String,
    /// Of some rows: how many lines of the file are missing, and the byte of the text where they were.
    before: Option<(usize, usize)>,
}

impl File {
    /// Returns the place of a span (bytes) in the file.
    fn place(&self, start: usize, end: usize) -> Place {
        let file = self.name.as_str().into();
        let span = start..end.max(start);
        let Some((lines, at)) = self.before else { return Place { file, text: self.text.as_str().into(), span } };
        // Empty lines stand for those that are missing, so that lines are counted as in the file.
        let (head, rows) = self.text.split_at(at);
        let text = [head, &"\n".repeat(lines), rows].concat();
        let shift = |byte: usize| if byte < at { byte } else { byte + lines };
        Place { file, text: text.into(), span: shift(span.start)..shift(span.end) }
    }
}

type ReadResult = Result<Table>;

fn source(path: &Path) -> Arc<str> {
    path.file_name().map_or_else(|| "records".into(), |name| name.to_string_lossy().into())
}

fn text_of(path: &Path) -> Result<String> {
    let bytes = parallel::bytes(path).map_err(|error| unreadable(path, &error))?;
    utf8(bytes, &path.display().to_string(), 0)
}

/// Returns bytes as text; `before` are the line breaks of the file that stand before them.
fn utf8(bytes: Vec<u8>, name: &str, before: usize) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = before + error.as_bytes()[..valid].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::data(format!("{name} is not UTF-8: line {line} has bytes that are no text"))
            .coded(codes::BROKEN_TABLE)
            .hint("save it as UTF-8, or convert it: iconv -f latin1 -t utf-8 OLD > NEW")
    })?;
    // Spreadsheets write a byte order mark; it would become part of the first name.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) if before == 0 => rest.to_owned(),
        _ => text,
    })
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let name = path.display();
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::data(format!("cannot read {name}: {}", reason(error))).coded(codes::UNREADABLE_DATA);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Error::data(format!("cannot read {name}: there is no folder {}", folder.display()))
            .coded(codes::UNREADABLE_DATA);
    };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Error::data(format!("cannot read {name}: there is no such file"))
        .coded(codes::UNREADABLE_DATA)
        .maybe_hint(did_you_mean(&wanted, names.iter().map(String::as_str)))
}

/// Returns the system's reason without its number: "permission denied".
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests;
