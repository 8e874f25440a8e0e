//! Writing records to a file: at once, or table after table.

mod csv;
mod file;
mod packed;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

pub use file::NewFile;
pub use packed::{npy_bytes, raw_bytes, write_packed};

use crate::error::{Error, Result};
use crate::record::cells::Cells;
use crate::record::read::{compressed, reason};
use crate::record::{ColumnType, Format, Name, Pack, Records, parquet};

impl Records {
    /// Writes the records as `.csv`, `.json` (an array of objects, one a line) or `.jsonl`, with the cargo
    /// feature `parquet` also as `.parquet` (compressed with snappy) or `.arrow`, or as `.safetensors`, which is mapped when it is read
    /// and so is the fastest to train from (see [`Pack`]), replacing the file at once: it is
    /// written beside it and then renamed; with `.gz` or `.zst` after the ending it is compressed. Missing values are an empty field in CSV and null elsewhere. The
    /// file reads back as the same records, but for texts in CSV that look like something else (`NA`,
    /// `007`): impose the schema to keep those, or write JSON.
    ///
    /// # Errors
    /// Another ending, tensors or lists in CSV, columns of mixed types in Parquet and Arrow, and whatever the file
    /// system refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")) {
            let mut pack = Pack::new();
            pack.push_records(self).map_err(|error| error.within(path.display().to_string()))?;
            return pack.write(path);
        }
        let inner = compressed::inner(path);
        let format = Format::of(&inner)?;
        let name = path.display().to_string();
        if format == Format::Csv {
            self.check_flat().map_err(|error| error.within(name.clone()))?;
        }
        if inner != path {
            let mut writer = Writer::new(format, Vec::new());
            writer.write(self).map_err(|error| error.within(name.clone()))?;
            return write_packed(path, writer.finish().map_err(|error| error.within(name))?);
        }
        let mut writer = Writer::new(format, NewFile::create(path)?);
        writer.write(self).map_err(|error| error.within(name.clone()))?;
        writer.finish().map_err(|error| error.within(name))?.keep()
    }

    fn check_flat(&self) -> Result<()> {
        let flat = [ColumnType::Int, ColumnType::Float, ColumnType::Bool, ColumnType::Text];
        match self.table().columns().find(|(_, cells)| !flat.contains(&cells.kind())) {
            Some((name, cells)) => {
                Err(Error::data(format!("column `{name}` holds {}, which CSV cannot hold", cells.kind()))
                    .hint("write .json or .jsonl, or `select` the other columns"))
            }
            None => Ok(()),
        }
    }
}

/// Writes tables with the same columns one after another as one file, in memory that does not grow with their number.
///
/// In CSV a column of tensors or of lists of texts becomes one column for each element: `species_0`, `species_1` …,
/// with more axes `image_0_0`, `image_0_1` …; one of a single element keeps its name.
///
/// ```
/// use barrage::record::{Format, Records, Writer};
/// use barrage::tensor::Array;
///
/// let scores = Records::from_columns(vec![("p".into(), Array::from_f32(vec![0.25, 0.75], &[1, 2])?.into())], "scores")?;
/// let mut writer = Writer::new(Format::Csv, Vec::new());
/// writer.write(&scores)?;
/// writer.write(&scores)?;
/// assert_eq!(writer.finish()?, b"p_0,p_1\n0.25,0.75\n0.25,0.75\n");
/// # Ok::<(), barrage::Error>(())
/// ```
pub struct Writer<W: Write + Send>(Kind<W>);

enum Kind<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Json {
        out: W,
        array: bool,
        begun: bool,
    },
    /// Parquet and Arrow.
    Columns(Box<parquet::Writer<W>>),
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file; nothing is written before the first table.
    pub fn new(format: Format, out: W) -> Self {
        Writer(match format {
            Format::Csv => Kind::Csv(Box::new(csv::Writer::new(out))),
            Format::Json | Format::Jsonl => Kind::Json { out, array: format == Format::Json, begun: false },
            Format::Parquet | Format::Arrow => Kind::Columns(Box::new(parquet::Writer::new(out, format))),
        })
    }

    /// Writes a table.
    ///
    /// # Errors
    /// A table without columns, or with other columns than the first one; in CSV a column whose tensors have different
    /// shapes, or of maps or mixed types; in Parquet and Arrow a column of mixed types; whatever the output refuses.
    pub fn write(&mut self, records: &Records) -> Result<()> {
        match &mut self.0 {
            Kind::Csv(writer) => writer.write(records),
            Kind::Json { out, array, begun } => write_json(out, records, *array, begun),
            Kind::Columns(writer) => writer.write(records),
        }
    }

    /// Ends the file, and returns what it was written to.
    ///
    /// # Errors
    /// In Parquet and Arrow, that no table was written: it has no columns then; whatever the output refuses.
    pub fn finish(self) -> Result<W> {
        match self.0 {
            Kind::Csv(writer) => writer.finish(),
            Kind::Json { mut out, array, begun } => {
                let end = match (array, begun) {
                    (true, true) => "\n]\n",
                    (true, false) => "[]\n",
                    (false, _) => "",
                };
                out.write_all(end.as_bytes()).and_then(|()| out.flush()).map_err(failed)?;
                Ok(out)
            }
            Kind::Columns(writer) => writer.finish(),
        }
    }
}

/// Returns the error of an output that takes no more.
fn failed(error: io::Error) -> Error {
    Error::data(format!("cannot write: {}", reason(&error)))
}

fn write_json(out: &mut impl Write, records: &Records, array: bool, begun: &mut bool) -> Result<()> {
    let mut text = String::new();
    for row in records.rows() {
        if array {
            text.push_str(if *begun { ",\n" } else { "[\n" });
        }
        *begun = true;
        let field = |(name, cells): (&Name, &Arc<Cells>)| Ok((name.to_string(), cells.value(row as usize).to_json()?));
        let object: serde_json::Map<_, _> = records.table().columns().map(field).collect::<Result<_>>()?;
        text.push_str(&serde_json::Value::Object(object).to_string());
        if !array {
            text.push('\n');
        }
        out.write_all(text.as_bytes()).map_err(failed)?;
        text.clear();
    }
    Ok(())
}
