//! Reading records from files: by the ending of the name, the schema inferred or imposed. Each format has a
//! file, and [`FORMATS`] is the list of them.

mod compressed;
mod csv;
mod json;

mod cifar;
mod idx;
pub(super) mod npy;
mod npz;
mod plain;
mod tar;
mod tensors;
mod time_series;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Place, Result, did_you_mean, list};
use crate::record::bytes::Bytes;
use crate::record::cells::Cells;
use crate::record::records::check_length;
use crate::record::table::{Origin, Table, absent};
use crate::record::{Name, Records, Schema, parquet};

pub(super) use tensors::{COLUMNS, Kept, KeptColumn, missing_name, shapes_name, starts_name};

/// The endings that [`Records::write`] knows.
pub(super) const WRITTEN: [&str; 5] = ["csv", "json", "jsonl", "parquet", "safetensors"];

/// What a missing value is written as in a text table (spaces around it do not count).
const MISSING: [&str; 5] = ["", "NA", "NaN", "nan", "null"];

/// A format of files.
struct Format {
    /// What `format` calls it.
    name: &'static str,
    /// The endings of its files, in small letters.
    endings: &'static [&'static str],
    read: fn(&Source) -> ReadResult,
}

/// All formats; what a file is called decides which one it has.
const FORMATS: &[Format] = &[
    Format { name: "csv", endings: &["csv"], read: csv::read },
    Format { name: "tsv", endings: &["tsv", "tab"], read: csv::read },
    Format { name: "json", endings: &["json"], read: json::read_array },
    Format { name: "jsonl", endings: &["jsonl", "ndjson"], read: json::read_lines },
    Format { name: "parquet", endings: &["parquet"], read: read_parquet },
    Format { name: "npy", endings: &["npy"], read: npy::read },
    Format { name: "npz", endings: &["npz"], read: npz::read },
    Format { name: "safetensors", endings: &["safetensors"], read: tensors::read },
    Format { name: "idx", endings: &["idx"], read: idx::read },
    Format { name: "cifar10", endings: &[], read: cifar::read_10 },
    Format { name: "cifar100", endings: &[], read: cifar::read_100 },
    Format { name: "ts", endings: &["ts"], read: time_series::read },
    Format { name: "tar", endings: &["tar"], read: tar::read },
    Format { name: "lines", endings: &["txt"], read: plain::lines },
    Format { name: "raw", endings: &[], read: plain::raw },
];

/// How a file is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The schema to impose; see [`Records::read_as`].
    pub schema: Option<Schema>,
    /// The name of the format, where the ending does not say it (`cifar10`, `raw`).
    pub format: Option<String>,
    /// Whether a large file of numbers is mapped instead of read (`--no-mmap` turns it off). A mapped file must not
    /// be cut short by another program while it is used: the operating system would end the process.
    pub map: bool,
    /// What the numbers of a raw file are.
    pub raw: Option<Declared>,
}

/// What the numbers of a raw file are: nothing in it says so.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The shape of a record.
    pub shape: Vec<usize>,
    /// How a number is stored: `u8`, `i16`, `f32` …, little-endian.
    pub dtype: String,
    /// The bytes before the first record.
    pub skip: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { schema: None, format: None, map: true, raw: None }
    }
}

impl Records {
    /// Reads records from a file, by its ending; `.gz` and `.zst` after it are unpacked first.
    ///
    /// | ending | what it is |
    /// |---|---|
    /// | `.csv`, `.tsv` | a text table with a header row, in UTF-8 |
    /// | `.json`, `.jsonl` | an array of objects, or one object a line |
    /// | `.parquet` | typed columns, with the cargo feature `parquet` |
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

    /// Reads records as the options say.
    ///
    /// # Errors
    /// As [`Records::read_as`], and an unknown format.
    pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Records> {
        if path.is_dir() {
            return Err(Error::data(format!("{} is a folder, expected a file with records", path.display()))
                .hint("`files(\"FOLDER/**/*.png\")` lists the files of a folder as records"));
        }
        let source = Source::new(path, options)?;
        let table = (source.format.read)(&source)?;
        Ok(Records::from_table(table).of_file(path))
    }

    /// Reads several files as columns of one table: each must have one column, and as many rows as the others, as
    /// arrays of NumPy and the images and labels of MNIST have.
    ///
    /// # Errors
    /// As [`Records::read`], files of several columns, and numbers of rows that differ.
    pub fn read_columns(files: &[(Name, &Path)], options: &ReadOptions) -> Result<Records> {
        let mut columns: Vec<(Name, Arc<Cells>)> = Vec::new();
        let mut first: Option<(usize, String)> = None;
        for (name, path) in files {
            let records = Records::read_with(path, options)?;
            let shown = path.display();
            let [(_, cells)] = records.table().columns().collect::<Vec<_>>()[..] else {
                return Err(Error::data(format!("{shown} has {} columns, expected one", records.columns().len()))
                    .hint("`read_records` reads a file with several columns"));
            };
            match &first {
                Some((len, other)) if *len != records.len() => {
                    return Err(Error::data(format!("{other} has {len} rows, {shown} has {}", records.len()))
                        .hint("both files have to be of the same records"));
                }
                Some(_) => {}
                None => first = Some((records.len(), shown.to_string())),
            }
            columns.push((name.clone(), cells.clone()));
        }
        let Some((len, _)) = first else { return Err(Error::data("records need at least one column")) };
        let origin = match files {
            [(_, path), ..] => source_name(path),
            [] => "records".into(),
        };
        Ok(Records::from_table(Table::new(len, columns, Origin::Source(origin), Arc::default())))
    }
}

/// A file to read, opened.
struct Source<'a> {
    path: &'a Path,
    /// The path as the person wrote it.
    name: String,
    /// The file's name alone, which records are called by.
    source: Arc<str>,
    bytes: Bytes,
    format: &'static Format,
    options: &'a ReadOptions,
}

impl<'a> Source<'a> {
    fn new(path: &'a Path, options: &'a ReadOptions) -> Result<Self> {
        let packing = compressed::of(path);
        let inner = packing.map_or(path.to_owned(), |_| path.with_extension(""));
        let format = match &options.format {
            Some(name) => FORMATS.iter().find(|format| format.name == name).ok_or_else(|| {
                let names = || FORMATS.iter().map(|format| format.name);
                Error::data(format!("unknown format `{name}`"))
                    .maybe_hint(did_you_mean(name, names()))
                    .hint(format!("formats: {}", list(names())))
            })?,
            None => format_of(&inner, path)?,
        };
        let name = path.display().to_string();
        // Parquet opens its file itself.
        let bytes = match format.name {
            "parquet" => Bytes::from(Vec::new()),
            // A text stays in memory only while it is parsed, and must not change meanwhile.
            "csv" | "tsv" | "json" | "jsonl" | "lines" | "ts" => Bytes::open(path, false)?,
            _ => Bytes::open(path, options.map)?,
        };
        let bytes = match packing {
            Some(packing) => compressed::unpack(&bytes, packing).map_err(|error| error.within(name.clone()))?,
            None => bytes,
        };
        Ok(Source { path, name, source: source_name(path), bytes, format, options })
    }

    fn schema(&self) -> Option<&Schema> {
        self.options.schema.as_ref()
    }

    /// Returns the text of the file.
    fn text(&self) -> Result<File<'_>> {
        let text = std::str::from_utf8(&self.bytes).map_err(|error| {
            let line = self.bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
            Error::data(format!("{} is not UTF-8: line {line} has bytes that are no text", self.name))
                .hint("save it as UTF-8, or convert it: iconv -f latin1 -t utf-8 OLD > NEW")
        })?;
        // Spreadsheets write a byte order mark; it would become part of the first name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(Error::data(format!("the file {} is empty", self.name)).hint(match self.format.name {
                "csv" | "tsv" => "the first line has to name the columns",
                "json" | "jsonl" => "expected objects such as {\"x\": 1.5, \"y\": 0}",
                _ => "expected lines of text",
            }));
        }
        let delimiter = if self.format.name == "tsv" { b'\t' } else { b',' };
        Ok(File { name: &self.name, delimiter, source: &self.source, text })
    }

    /// Returns the table of columns of equal length.
    fn table(&self, len: usize, columns: Vec<(Name, Cells)>) -> ReadResult {
        check_length(len)?;
        let columns: Vec<_> = columns.into_iter().map(|(name, cells)| (name, Arc::new(cells))).collect();
        let absent = absent(self.schema(), columns.iter().map(|(name, _)| name));
        Ok(Table::new(len, columns, Origin::Source(self.source.clone()), absent))
    }

    /// Returns an error about a file of numbers.
    fn broken(&self, message: impl Into<String>) -> Error {
        Error::data(message).within(self.name.clone())
    }
}

/// A file of text.
struct File<'a> {
    /// The path as the person wrote it.
    name: &'a str,
    /// What stands between the fields of a row.
    delimiter: u8,
    /// The file's name alone, which records are called by.
    source: &'a Arc<str>,
    text: &'a str,
}

impl File<'_> {
    /// Returns the place of a span (bytes) in the file.
    fn place(&self, start: usize, end: usize) -> Place {
        Place { file: self.name.into(), text: self.text.into(), span: start..end.max(start) }
    }
}

type ReadResult = Result<Table>;

fn read_parquet(source: &Source) -> ReadResult {
    parquet::read(source.path, source.source.clone(), source.schema())
}

/// Returns the format of a name without the ending of its compression.
fn format_of(inner: &Path, path: &Path) -> Result<&'static Format> {
    let found = inner.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    if let Some(format) = FORMATS.iter().find(|format| format.endings.contains(&found.as_str())) {
        return Ok(format);
    }
    let stem = inner.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    // The files of MNIST: `train-images-idx3-ubyte`, `train-images.idx3-ubyte`.
    if stem.contains("idx") && stem.ends_with("-ubyte") {
        return Ok(by_name("idx"));
    }
    let shown = path.display();
    if matches!(found.as_str(), "pkl" | "pickle" | "pt" | "pth" | "joblib") || pickled(inner, &found) {
        return Err(refuse_pickle(&shown.to_string()));
    }
    let problem = match found.is_empty() {
        true => "has no ending".to_owned(),
        false => format!("has the ending `.{found}`"),
    };
    let endings: Vec<String> =
        FORMATS.iter().flat_map(|format| format.endings).map(|ending| format!(".{ending}")).collect();
    Err(Error::data(format!("the format of {shown} is unknown: its name {problem}"))
        .hint(format!("endings: {}, and each with .gz or .zst", list(endings.iter().map(String::as_str))))
        .maybe_hint((found == "bin").then(|| {
            "name the format of a binary file: `#{ format: \"cifar10\" }`, or `raw` with `shape` and `dtype`".to_owned()
        })))
}

fn by_name(name: &str) -> &'static Format {
    FORMATS.iter().find(|format| format.name == name).unwrap_or(&FORMATS[0])
}

/// Whether a file without an ending is a pickle, as those of CIFAR-10's version for Python are.
fn pickled(path: &Path, ending: &str) -> bool {
    let mut first = [0; 2];
    let mut read = || std::io::Read::read(&mut std::fs::File::open(path).ok()?, &mut first).ok();
    ending.is_empty() && read() == Some(2) && first[0] == 0x80 && (1..=5).contains(&first[1])
}

/// Returns the error of a pickle: reading one runs the code in it.
pub(super) fn refuse_pickle(name: &str) -> Error {
    Error::data(format!("{name} is a pickle file, which is not read: a pickle can run any code"))
        .hint("convert it once in Python: d = pickle.load(open(OLD, \"rb\"), encoding=\"bytes\"); numpy.savez(NEW, images=d[b\"data\"], labels=d[b\"labels\"])")
        .hint("CIFAR has a binary version too: read its files with `#{ format: \"cifar10\" }`")
}

/// Returns the ending of a path that [`Records::write`] knows.
pub(super) fn ending(path: &Path) -> Result<&'static str> {
    let found = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    WRITTEN.into_iter().find(|known| *known == found).ok_or_else(|| {
        let problem = match found.is_empty() {
            true => "has no ending".to_owned(),
            false => format!("has the ending `.{found}`"),
        };
        Error::data(format!("the format of {} is unknown: its name {problem}", path.display()))
            .hint(format!("endings: {}", list(WRITTEN.map(|ending| format!(".{ending}")).iter().map(String::as_str))))
    })
}

fn source_name(path: &Path) -> Arc<str> {
    path.file_name().map_or_else(|| "records".into(), |name| name.to_string_lossy().into())
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let name = path.display();
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::data(format!("cannot read {name}: {}", reason(error)));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Error::data(format!("cannot read {name}: there is no folder {}", folder.display()));
    };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Error::data(format!("cannot read {name}: there is no such file"))
        .maybe_hint(did_you_mean(&wanted, names.iter().map(String::as_str)))
}

/// Returns the system's reason without its number: "permission denied".
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests;
