//! Reading records part by part, so that a large file needs little memory; and from a stream.

use std::fs::File as Disk;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Dialect, File, check_no_folder, csv, empty, formats, json, reason, source, table, unreadable, utf8};
use crate::error::{Error, Result, codes};
use crate::record::table::Table;
use crate::record::{ColumnSchema, ColumnType, Format, Name, Records, Schema, parquet};

/// A part of a text file has at least this many bytes, and so many rows at most are taken from other files at once.
const BYTES: u64 = 1 << 20;
const ROWS: usize = 4096;

/// Where a text file can be cut: before a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub byte: u64,
    /// Line breaks before that byte.
    pub lines: usize,
    /// The number of the row.
    pub row: usize,
}

/// What reading a text file once has found.
pub(super) struct Scan {
    pub columns: Vec<(Name, ColumnType)>,
    /// The first cut is before the first row; none without rows.
    pub cuts: Vec<Cut>,
}

/// Records that wait to be read: a file, or a stream.
#[derive(Debug)]
pub struct Source {
    disk: Disk,
    /// What errors call it.
    name: String,
    path: Option<PathBuf>,
    format: Format,
    /// Records of a format that is read as a whole.
    whole: Option<Records>,
}

impl Source {
    /// Opens a file; its format is `format`, or what the ending of its name stands for.
    ///
    /// # Errors
    /// No such file, a folder, another ending.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Source> {
        check_no_folder(path)?;
        let whole = match format.is_none() && formats::is_whole(path) {
            true => Some(Records::read(path)?),
            false => None,
        };
        let format = match whole {
            // What it is called where it is told; nothing else depends on it.
            Some(_) => Format::Json,
            None => format.map_or_else(|| Format::of(path), Ok)?,
        };
        let disk = Disk::open(path).map_err(|error| unreadable(path, &error))?;
        let name = path.display().to_string();
        let regular = disk.metadata().is_ok_and(|metadata| metadata.is_file());
        let path = Some(path.to_owned());
        match regular {
            true => Ok(Source { disk, name, path, format, whole }),
            // A pipe cannot be read twice.
            false => Ok(Source { path, ..Source::stream(disk, &name, Some(format))? }),
        }
    }

    /// Reads a stream to its end, into a temporary file that vanishes with the program. `name` is what errors call it.
    /// Without a format it is told from the first bytes: `PAR1` is Parquet, `ARROW1` Arrow, `[` a JSON array, `{` JSON lines, anything
    /// else CSV.
    ///
    /// # Errors
    /// Whatever the stream or the disk refuses.
    pub fn stream(mut stream: impl Read, name: &str, format: Option<Format>) -> Result<Source> {
        let failed = |error: io::Error| {
            Error::data(format!("cannot read {name}: {}", reason(&error))).coded(codes::UNREADABLE_DATA)
        };
        let mut disk = tempfile::tempfile().map_err(failed)?;
        io::copy(&mut stream, &mut disk).map_err(failed)?;
        let mut begin = [0; 256];
        disk.seek(SeekFrom::Start(0)).map_err(failed)?;
        let length = disk.read(&mut begin).map_err(failed)?;
        let format = format.unwrap_or_else(|| detect(&begin[..length]));
        Ok(Source { disk, name: name.to_owned(), path: None, format, whole: None })
    }

    /// Returns the format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Imposes a schema and divides the records into parts; the number of records of each but the last is a multiple
    /// of `multiple`. CSV, JSON lines and Parquet are read part by part, a JSON array and Arrow whole. `verbatim` are columns
    /// that CSV gives as texts, as they are written, if the schema does not have them.
    ///
    /// Types are as [`Records::read_as`] finds them, the same in every part, but for CSV columns that the schema does
    /// not have: where a whole number has a leading zero or plus, or does not fit 64 bits, the column is one of texts.
    ///
    /// # Errors
    /// An unreadable or empty file; a broken header or array. Other mistakes are found in the part they are in.
    pub fn parts(self, schema: &Schema, multiple: usize, verbatim: &[String]) -> Result<Parts> {
        let multiple = multiple.max(1);
        let rows = ROWS.div_ceil(multiple) * multiple;
        if let Some(records) = self.whole {
            let columns = records.columns().to_vec();
            return Ok(Parts { columns, path: self.path, rest: Rest::Whole { records, at: 0, rows } });
        }
        let scan = match self.format {
            Format::Parquet => {
                let source = self.source();
                let (columns, tables) = parquet::tables(self.disk, &self.name, source, schema, rows)?;
                return Ok(Parts { columns, path: self.path, rest: Rest::Tables(tables) });
            }
            Format::Arrow => {
                let table = parquet::read_arrow(self.bytes(0, None)?, &self.name, self.source(), Some(schema))?;
                let records = Records::from_table(table);
                let columns = records.columns().to_vec();
                return Ok(Parts { columns, path: self.path, rest: Rest::Whole { records, at: 0, rows } });
            }
            Format::Json => {
                let text = self.text(0, None)?;
                let table = table(&self.file(text, None), Format::Json, Some(schema), &Dialect::default())?;
                let records = Records::from_table(table);
                let columns = records.columns().to_vec();
                return Ok(Parts { columns, path: self.path, rest: Rest::Whole { records, at: 0, rows } });
            }
            Format::Csv => csv::scan(&self.name, self.rewound()?, multiple, BYTES)?,
            Format::Jsonl => json::scan(&self.name, BufReader::new(self.rewound()?), multiple, BYTES)?,
        };
        if scan.columns.is_empty() && scan.cuts.is_empty() {
            return Err(empty(&self.name, self.format));
        }
        let mut schema = schema.clone();
        let csv = self.format == Format::Csv;
        for (name, kind) in &scan.columns {
            if schema.column(name).is_none() {
                let kind = if csv && verbatim.iter().any(|own| **own == **name) { ColumnType::Text } else { *kind };
                schema.columns.push(ColumnSchema { name: name.to_string(), kind, nullable: true });
            }
        }
        let columns = scan.columns.into_iter().map(|(name, _)| name).collect();
        let path = self.path.clone();
        Ok(Parts { columns, path, rest: Rest::Cuts { source: self, schema, cuts: scan.cuts, at: 0 } })
    }

    fn source(&self) -> Arc<str> {
        self.path.as_deref().map_or_else(|| self.name.as_str().into(), source)
    }

    fn file(&self, text: String, before: Option<(usize, usize)>) -> File {
        File { name: self.name.clone(), source: self.source(), text, before }
    }

    fn rewound(&self) -> Result<&Disk> {
        (&self.disk).seek(SeekFrom::Start(0)).map_err(|error| self.failed(&error))?;
        Ok(&self.disk)
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::data(format!("cannot read {}: {}", self.name, reason(error))).coded(codes::UNREADABLE_DATA)
    }

    fn bytes(&self, from: u64, to: Option<u64>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = (&self.disk).seek(SeekFrom::Start(from)).and_then(|_| match to {
            Some(to) => (&self.disk).take(to.saturating_sub(from)).read_to_end(&mut bytes),
            None => (&self.disk).read_to_end(&mut bytes),
        });
        read.map_err(|error| self.failed(&error))?;
        Ok(bytes)
    }

    fn text(&self, from: u64, to: Option<u64>) -> Result<String> {
        utf8(self.bytes(from, to)?, &self.name, 0)
    }

    /// Reads the part from a cut to the next one.
    fn part(&self, cuts: &[Cut], at: usize, schema: &Schema) -> Result<Records> {
        let to = cuts.get(at + 1).map(|cut| cut.byte);
        let first = match cuts.get(at) {
            // The first part has the header of CSV in it, and whatever else stands before the first row.
            Some(cut) if at > 0 => *cut,
            _ => {
                let text = self.text(0, to)?;
                return Ok(Records::from_table(table(
                    &self.file(text, None),
                    self.format,
                    Some(schema),
                    &Dialect::default(),
                )?));
            }
        };
        let rows = utf8(self.bytes(first.byte, to)?, &self.name, first.lines)?;
        let header = match self.format {
            Format::Csv => self.text(0, cuts.first().map(|cut| cut.byte))?,
            _ => String::new(),
        };
        let missing = first.lines - header.matches('\n').count();
        let file = self.file(format!("{header}{rows}"), Some((missing, header.len())));
        Ok(Records::from_table(table(&file, self.format, Some(schema), &Dialect::default())?.starting_at(first.row)))
    }
}

/// Records, part by part: an iterator. There is always a first part, if only to know the columns.
pub struct Parts {
    columns: Vec<Name>,
    path: Option<PathBuf>,
    rest: Rest,
}

enum Rest {
    Cuts { source: Source, schema: Schema, cuts: Vec<Cut>, at: usize },
    Tables(Box<dyn Iterator<Item = Result<Table>>>),
    Whole { records: Records, at: usize, rows: usize },
    Nothing,
}

impl Parts {
    /// Returns the names of the columns.
    pub fn columns(&self) -> &[Name] {
        &self.columns
    }
}

impl Iterator for Parts {
    type Item = Result<Records>;

    fn next(&mut self) -> Option<Result<Records>> {
        let part = match &mut self.rest {
            Rest::Nothing => None,
            Rest::Tables(tables) => tables.next().map(|table| table.map(Records::from_table)),
            Rest::Cuts { source, schema, cuts, at } => {
                let part = (*at < cuts.len().max(1)).then(|| source.part(cuts, *at, schema));
                *at += 1;
                part
            }
            Rest::Whole { records, at, rows } => {
                let end = (*at + *rows).min(records.len());
                let part = (*at < end || *at == 0).then(|| records.take(&(*at..end).collect::<Vec<_>>()));
                // An empty table is one part.
                *at = end.max(1);
                part
            }
        };
        // After an error nothing more is known.
        if matches!(part, None | Some(Err(_))) {
            self.rest = Rest::Nothing;
        }
        Some(part?.map(|records| match &self.path {
            Some(path) => records.part_of(path),
            None => records,
        }))
    }
}

/// Tells the format of a stream from its first bytes.
fn detect(begin: &[u8]) -> Format {
    let text = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    match text.trim_ascii_start().first() {
        _ if begin.starts_with(b"PAR1") => Format::Parquet,
        // A file, and the length that a stream begins with.
        _ if begin.starts_with(b"ARROW1") || begin.starts_with(&[0xff; 4]) => Format::Arrow,
        Some(b'[') => Format::Json,
        Some(b'{') => Format::Jsonl,
        _ => Format::Csv,
    }
}
