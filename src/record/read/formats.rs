//! The formats of numbers and of whole files: one file each, and the list of them. Text tables and Parquet are read
//! elsewhere, since they can be read part by part too.

use std::path::Path;
use std::sync::Arc;

use super::{
    Dialect, File, ReadResult, check_no_folder, cifar, compressed, csv, idx, npy, npz, plain, source, table, tar,
    tensors, time_series,
};
use crate::error::{Error, Result, codes, did_you_mean, list};
use crate::record::bytes::Bytes;
use crate::record::cells::Cells;
use crate::record::records::check_length;
use crate::record::table::{Origin, Table, absent};
use crate::record::{Format, Name, Records, Schema};

/// A format of whole files.
struct Whole {
    /// What the option `format` calls it.
    name: &'static str,
    /// The endings of its files, in small letters.
    endings: &'static [&'static str],
    read: fn(&Opened) -> ReadResult,
}

/// All of them; what a file is called decides which one it has.
const FORMATS: &[Whole] = &[
    Whole { name: "npy", endings: &["npy"], read: npy::read },
    Whole { name: "npz", endings: &["npz"], read: npz::read },
    Whole { name: "safetensors", endings: &["safetensors"], read: tensors::read },
    Whole { name: "idx", endings: &["idx"], read: idx::read },
    Whole { name: "cifar10", endings: &[], read: cifar::read_10 },
    Whole { name: "cifar100", endings: &[], read: cifar::read_100 },
    Whole { name: "ts", endings: &["ts"], read: time_series::read },
    Whole { name: "tsv", endings: &["tsv"], read: csv::read_tabs },
    Whole { name: "tar", endings: &["tar"], read: tar::read },
    Whole { name: "lines", endings: &["txt"], read: plain::lines },
    Whole { name: "raw", endings: &[], read: plain::raw },
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
    /// How a table of separated values is written.
    pub dialect: Dialect,
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
        ReadOptions { schema: None, format: None, map: true, raw: None, dialect: Dialect::default() }
    }
}

impl Records {
    /// Reads records as the options say.
    ///
    /// # Errors
    /// As [`Records::read_as`], and an unknown format.
    pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Records> {
        check_no_folder(path)?;
        let packing = compressed::of(path);
        let inner = packing.map_or(path.to_owned(), |_| path.with_extension(""));
        let whole = match &options.format {
            Some(name) if Format::named(name).is_some() => None,
            Some(name) => Some(FORMATS.iter().find(|format| format.name == name).ok_or_else(|| unknown(name))?),
            None => of(&inner),
        };
        let table = match whole {
            Some(format) => (format.read)(&Opened::new(path, format, options)?)?,
            None => text_table(path, &inner, options)?,
        };
        let records = Records::from_table(table);
        // A file whose name does not say how it is read cannot be read again by its name alone.
        let plain = options.format.is_none() && options.raw.is_none() && options.dialect == Dialect::default();
        Ok(if plain { records.of_file(path) } else { records.part_of(path) })
    }

    /// Returns the name of the format that a file's name stands for, if it stands for one of records.
    pub fn format_of(path: &Path) -> Option<&'static str> {
        let inner = compressed::of(path).map_or(path.to_owned(), |_| path.with_extension(""));
        of(&inner).map(|format| format.name).or_else(|| Format::of(&inner).ok().map(Format::name))
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
            [(_, path), ..] => source(path),
            [] => "records".into(),
        };
        Ok(Records::from_table(Table::new(len, columns, Origin::Source(origin), Arc::default())))
    }
}

/// Returns whether a file is of one of these formats, by its name.
pub(super) fn is_whole(path: &Path) -> bool {
    let packing = compressed::of(path);
    packing.is_some() || of(path).is_some()
}

/// Returns the format of a name without the ending of its compression, if it is one of these.
fn of(inner: &Path) -> Option<&'static Whole> {
    let ending = inner.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let stem = inner.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    // The files of MNIST: `train-images-idx3-ubyte`, `train-images.idx3-ubyte`.
    let mnist = stem.contains("idx") && stem.ends_with("-ubyte");
    FORMATS.iter().find(|format| format.endings.contains(&ending.as_str()) || (mnist && format.name == "idx"))
}

/// Reads a text table, unpacked first if it is compressed, or Parquet or Arrow.
fn text_table(path: &Path, inner: &Path, options: &ReadOptions) -> ReadResult {
    let format = match &options.format {
        Some(name) => Format::named(name).ok_or_else(|| unknown(name))?,
        None => Format::of(inner).map_err(|error| explain(error, path, inner))?,
    };
    let schema = options.schema.as_ref();
    if format == Format::Parquet {
        return crate::record::parquet::read(path, source(path), schema);
    }
    let name = path.display().to_string();
    let text = match compressed::of(path) {
        None if format == Format::Arrow => {
            let bytes = super::parallel::bytes(path).map_err(|error| super::unreadable(path, &error))?;
            return crate::record::parquet::read_arrow(bytes, &name, source(path), schema);
        }
        None => super::text_of(path)?,
        Some(packing) => {
            let packed = Bytes::open(path, false)?;
            let bytes = compressed::unpack(&packed, packing).map_err(|error| error.within(name.clone()))?;
            if format == Format::Arrow {
                return crate::record::parquet::read_arrow(bytes.to_vec(), &name, source(path), schema);
            }
            super::utf8(bytes.to_vec(), &name, 0)?
        }
    };
    table(&File { name, source: source(path), text, before: None }, format, schema, &options.dialect)
}

/// Says of a file of unknown format what else it may be.
fn explain(error: Error, path: &Path, inner: &Path) -> Error {
    let ending = inner.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    if matches!(ending.as_str(), "pkl" | "pickle" | "pt" | "pth" | "joblib") || pickled(inner, &ending) {
        return refuse_pickle(&path.display().to_string());
    }
    if ending == "bin" {
        return error
            .hint("name the format of a binary file: `#{ format: \"cifar10\" }`, or `raw` with `shape` and `dtype`");
    }
    let endings: Vec<String> =
        FORMATS.iter().flat_map(|format| format.endings).map(|ending| format!(".{ending}")).collect();
    error.hint(format!("also: {}; each may end in .gz or .zst too", list(endings.iter().map(String::as_str))))
}

fn unknown(name: &str) -> Error {
    let names = || FORMATS.iter().map(|format| format.name).chain(Format::ALL.map(Format::name));
    Error::data(format!("unknown format `{name}`"))
        .coded(codes::UNKNOWN_FORMAT)
        .maybe_hint(did_you_mean(name, names()))
        .hint(format!("formats: {}", list(names())))
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

/// A file to read, opened.
pub(super) struct Opened<'a> {
    /// The path as the person wrote it.
    pub name: String,
    /// The file's name alone, which records are called by.
    source: Arc<str>,
    pub bytes: Bytes,
    pub options: &'a ReadOptions,
}

impl<'a> Opened<'a> {
    fn new(path: &'a Path, format: &Whole, options: &'a ReadOptions) -> Result<Self> {
        let name = path.display().to_string();
        // A text stays in memory only while it is parsed, and must not change meanwhile.
        let map = options.map && !matches!(format.name, "lines" | "ts");
        let bytes = Bytes::open(path, map)?;
        let bytes = match compressed::of(path) {
            Some(packing) => compressed::unpack(&bytes, packing).map_err(|error| error.within(name.clone()))?,
            None => bytes,
        };
        Ok(Opened { name, source: source(path), bytes, options })
    }

    /// Returns the text of the file.
    pub fn text(&self) -> Result<File> {
        let text = super::utf8(self.bytes.to_vec(), &self.name, 0)?;
        match text.trim().is_empty() {
            true => Err(Error::data(format!("the file {} is empty", self.name))
                .coded(codes::NO_RECORDS)
                .hint("expected lines of text")),
            false => Ok(File { name: self.name.clone(), source: self.source.clone(), text, before: None }),
        }
    }

    /// Returns the table of columns of equal length.
    pub fn table(&self, len: usize, columns: Vec<(Name, Cells)>) -> ReadResult {
        check_length(len)?;
        let columns: Vec<_> = columns.into_iter().map(|(name, cells)| (name, Arc::new(cells))).collect();
        let absent = absent(self.options.schema.as_ref(), columns.iter().map(|(name, _)| name));
        Ok(Table::new(len, columns, Origin::Source(self.source.clone()), absent))
    }

    /// Returns an error about a file of numbers.
    pub fn broken(&self, message: impl Into<String>) -> Error {
        Error::data(message).within(self.name.clone())
    }
}
