//! Writing records into one safetensors file that is mapped when it is read: column after column is put into a
//! temporary file of its own, so that more records than fit into memory can be packed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::error::{Error, Result};
use crate::record::gather::gather_cells;
use crate::record::read::{COLUMNS, Kept, KeptColumn, missing_name, reason, shapes_name, starts_name};
use crate::record::{Column, ColumnType, Name, NewFile, Records, Value};
use crate::tensor::{Array, Dtype};

/// Rows written at a time.
const CHUNK: usize = 1024;

/// Collects columns, chunk by chunk, and writes them as one file.
///
/// ```
/// use barrage::record::{Column, Pack, Records};
/// use barrage::tensor::Array;
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("images.safetensors");
/// let mut pack = Pack::new();
/// for value in [1.0, 2.0] {
///     let images = Array::from_f32(vec![value; 8], &[2, 2, 2])?;
///     pack.push(vec![("image".into(), Column::Dense(images.into()))])?;
/// }
/// pack.write(&path)?;
/// assert_eq!(Records::read(&path)?.column("image")?.shape(), [4, 2, 2]);
/// # Ok::<(), barrage::Error>(())
/// ```
#[derive(Default)]
pub struct Pack {
    len: usize,
    columns: Vec<Packed>,
}

/// A column while it is packed.
struct Packed {
    name: Name,
    kind: Kept,
    dtype: Dtype,
    /// The shape of all rows, when it is one.
    shape: Vec<usize>,
    numbers: Spool,
    /// Where each row begins, and shapes of rows, of texts and of rows of different shapes.
    starts: Vec<i64>,
    shapes: Vec<i64>,
    missing: Vec<bool>,
}

impl Pack {
    /// Creates an empty one.
    pub fn new() -> Self {
        Pack::default()
    }

    /// Returns the number of records so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no records so far.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a chunk of columns of equal length.
    ///
    /// # Errors
    /// Names, dtypes or kinds that differ from those of the first chunk, lists of texts, and a full disk.
    pub fn push(&mut self, columns: Vec<(Name, Column)>) -> Result<()> {
        let len = columns.first().map_or(0, |(_, column)| rows(column));
        self.push_present(columns.into_iter().map(|(name, column)| (name, column, Vec::new())).collect(), len)
    }

    /// Adds all rows of a table.
    ///
    /// # Errors
    /// As [`Pack::push`], and columns of lists of texts or of mixed types.
    pub fn push_records(&mut self, records: &Records) -> Result<()> {
        let chosen = records.rows();
        for chunk in chosen.chunks(CHUNK) {
            let mut columns = Vec::new();
            for (name, cells) in records.table().columns() {
                let missing: Vec<bool> = chunk.iter().map(|&row| cells.is_null(row as usize)).collect();
                let missing = if missing.contains(&true) { missing } else { Vec::new() };
                let column = match cells.kind() {
                    ColumnType::Tensor(_) if missing.is_empty() => gather_cells(records.table(), cells, name, chunk)?,
                    _ => None,
                };
                let values = chunk.iter().map(|&row| cells.value(row as usize));
                let column = column.map_or_else(|| self::column(name, cells.kind(), values), Ok)?;
                columns.push((name.clone(), column, missing));
            }
            self.push_present(columns, chunk.len())?;
        }
        for (packed, (_, cells)) in self.columns.iter_mut().zip(records.table().columns()) {
            if cells.kind() == ColumnType::Bool {
                packed.kind = Kept::Bool;
            }
        }
        Ok(())
    }

    fn push_present(&mut self, columns: Vec<(Name, Column, Vec<bool>)>, len: usize) -> Result<()> {
        if self.columns.is_empty() {
            self.columns = columns.iter().map(|(name, column, _)| Packed::new(name, column)).collect::<Result<_>>()?;
        }
        let same = self.columns.len() == columns.len()
            && self.columns.iter().zip(&columns).all(|(packed, (name, _, _))| packed.name == *name);
        if !same {
            return Err(Error::data("the columns differ from those of the first records")
                .hint("every record has to have the same names"));
        }
        for (packed, (name, column, missing)) in self.columns.iter_mut().zip(columns) {
            if rows(&column) != len {
                return Err(Error::data(format!("column `{name}` has {} rows, expected {len}", rows(&column))));
            }
            packed.push(column, self.len).map_err(|error| error.within(format!("column `{name}`")))?;
            if packed.missing.is_empty() && !missing.is_empty() {
                packed.missing.resize(self.len, false);
            }
            if !packed.missing.is_empty() || !missing.is_empty() {
                packed.missing.extend(if missing.is_empty() { vec![false; len] } else { missing });
            }
        }
        self.len += len;
        Ok(())
    }

    /// Writes the file, replacing one of this name at once.
    ///
    /// # Errors
    /// No records, and whatever the file system refuses.
    pub fn write(self, path: &Path) -> Result<()> {
        if self.is_empty() {
            return Err(Error::data("there are no records to pack"));
        }
        let mut file = NewFile::create(path)?;
        self.write_to(&mut file).map_err(|error| error.within(path.display().to_string()))?;
        file.keep()
    }

    fn write_to(mut self, out: &mut impl Write) -> Result<()> {
        let failed = |error: io::Error| Error::data(format!("cannot write: {}", reason(&error)));
        let mut kept = Vec::new();
        // Name, type, shape and length in bytes of each piece.
        let mut pieces: Vec<(String, Dtype, Vec<usize>, u64, Part)> = Vec::new();
        for (number, column) in self.columns.iter().enumerate() {
            let name = &column.name;
            let shape = match column.kind {
                Kept::Tensor | Kept::Bool => [&[self.len][..], &column.shape].concat(),
                Kept::Text | Kept::Ragged => vec![column.numbers.len as usize / column.dtype.size()],
            };
            pieces.push((name.to_string(), column.dtype, shape, column.numbers.len, Part::Numbers(number)));
            let mut whole = |name: String, values: &[i64], part: Part| {
                pieces.push((name, Dtype::I64, vec![values.len()], 8 * values.len() as u64, part));
            };
            if matches!(column.kind, Kept::Text | Kept::Ragged) {
                whole(starts_name(name), &column.starts, Part::Starts(number));
            }
            if column.kind == Kept::Ragged {
                whole(shapes_name(name), &column.shapes, Part::Shapes(number));
            }
            let gaps = !column.missing.is_empty();
            if gaps {
                let length = column.missing.len();
                pieces.push((missing_name(name), Dtype::U8, vec![length], length as u64, Part::Missing(number)));
            }
            kept.push(KeptColumn { name: name.to_string(), kind: column.kind, gaps });
        }
        // The widest first, so that every number lies at a multiple of its size.
        pieces.sort_by_key(|(_, dtype, ..)| std::cmp::Reverse(dtype.size()));
        let mut entries = serde_json::Map::new();
        let mut at = 0;
        for (name, dtype, shape, bytes, _) in &pieces {
            let entry = json!({ "dtype": saved(*dtype), "shape": shape, "data_offsets": [at, at + bytes] });
            if entries.insert(name.clone(), entry).is_some() {
                return Err(Error::data(format!("two tensors would be named `{name}`")).hint("rename a column"));
            }
            at += bytes;
        }
        let columns = serde_json::to_string(&kept).unwrap_or_default();
        entries.insert("__metadata__".to_owned(), json!({ "format": "barrage", COLUMNS: columns }));
        let mut header = serde_json::Value::Object(entries).to_string();
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        out.write_all(header.as_bytes()).map_err(failed)?;
        for (.., part) in pieces {
            match part {
                Part::Numbers(number) => self.columns[number].numbers.copy(out).map_err(failed)?,
                Part::Starts(number) => write_whole(out, &self.columns[number].starts).map_err(failed)?,
                Part::Shapes(number) => write_whole(out, &self.columns[number].shapes).map_err(failed)?,
                Part::Missing(number) => {
                    let flags: Vec<u8> = self.columns[number].missing.iter().map(|&flag| flag.into()).collect();
                    out.write_all(&flags).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

/// A piece of the file, with the number of its column.
enum Part {
    Numbers(usize),
    Starts(usize),
    Shapes(usize),
    Missing(usize),
}

impl Packed {
    fn new(name: &Name, column: &Column) -> Result<Packed> {
        let (kind, dtype, shape) = match column {
            Column::Dense(tensor) => (Kept::Tensor, tensor.dtype(), tensor.shape().get(1..).unwrap_or(&[]).to_vec()),
            Column::Ragged(tensors) => {
                (Kept::Ragged, tensors.first().map_or(Dtype::F32, |tensor| tensor.dtype()), Vec::new())
            }
            Column::Text(_) => (Kept::Text, Dtype::U8, Vec::new()),
            Column::Texts(_) => {
                return Err(Error::data(format!("column `{name}` holds lists of texts, which cannot be packed"))
                    .hint("join them into one text, or pack the numbers that a transformer makes of them"));
            }
        };
        let numbers = Spool::new().map_err(|error| Error::data(format!("cannot write: {}", reason(&error))))?;
        let (starts, shapes, missing) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Packed { name: name.clone(), kind, dtype, shape, numbers, starts, shapes, missing })
    }

    fn push(&mut self, column: Column, before: usize) -> Result<()> {
        let failed = |error: io::Error| Error::data(format!("cannot write: {}", reason(&error)));
        if matches!(self.kind, Kept::Text | Kept::Ragged) && self.starts.is_empty() {
            self.starts.push(0);
        }
        match (self.kind, column) {
            (Kept::Tensor | Kept::Bool, Column::Dense(tensor)) if tensor.shape().get(1..) == Some(&self.shape[..]) => {
                self.numbers.push(&self.same(tensor.to_host()?)?).map_err(failed)
            }
            // The shapes of these records differ from those of the first ones.
            (Kept::Tensor, Column::Dense(tensor)) => {
                self.become_ragged(before)?;
                let tensor = tensor.to_host()?;
                (0..tensor.len()).try_for_each(|row| self.push_row(tensor.row(row)))
            }
            (Kept::Ragged, Column::Dense(tensor)) => {
                let tensor = tensor.to_host()?;
                (0..tensor.len()).try_for_each(|row| self.push_row(tensor.row(row)))
            }
            (Kept::Tensor | Kept::Ragged, Column::Ragged(tensors)) => {
                self.become_ragged(before)?;
                tensors.iter().try_for_each(|tensor| self.push_row(tensor.to_host()?))
            }
            (Kept::Text, Column::Text(texts)) => texts.iter().try_for_each(|text| {
                self.numbers.write(text.as_bytes()).map_err(failed)?;
                self.starts.push(self.numbers.len as i64);
                Ok(())
            }),
            _ => Err(Error::data("some records have numbers, others texts")),
        }
    }

    /// From rows of one shape to rows of different shapes: what was written stays.
    fn become_ragged(&mut self, rows: usize) -> Result<()> {
        if self.kind != Kept::Ragged {
            let size: usize = self.shape.iter().product();
            self.starts = (0..=rows).map(|row| (row * size) as i64).collect();
            self.shapes = (0..rows).flat_map(|_| self.shape.iter().map(|&length| length as i64)).collect();
            self.kind = Kept::Ragged;
        }
        Ok(())
    }

    fn push_row(&mut self, row: Array) -> Result<()> {
        let rows = self.starts.len().saturating_sub(1);
        if rows > 0 && self.shapes.len() != rows * row.rank() {
            return Err(Error::data(format!(
                "a record has {} axes, those before {}",
                row.rank(),
                self.shapes.len() / rows
            ))
            .hint("reshape them to the same number of axes"));
        }
        let row = self.same(row)?;
        self.shapes.extend(row.shape().iter().map(|&length| length as i64));
        self.starts.push(self.starts.last().copied().unwrap_or(0) + row.size() as i64);
        self.numbers.push(&row).map_err(|error| Error::data(format!("cannot write: {}", reason(&error))))
    }

    fn same(&self, array: Array) -> Result<Array> {
        match array.dtype() == self.dtype {
            true => Ok(array),
            false => Err(Error::data(format!("some numbers are {}, others {}", self.dtype, array.dtype()))
                .hint("give every record the same dtype: `.to_f32()`, or `.to_i64()` for class numbers")),
        }
    }
}

/// Numbers on their way into the file.
struct Spool {
    out: BufWriter<File>,
    len: u64,
}

impl Spool {
    fn new() -> io::Result<Spool> {
        Ok(Spool { out: BufWriter::new(tempfile::tempfile()?), len: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn push(&mut self, array: &Array) -> io::Result<()> {
        match array {
            Array::U8(_) => self.write(&array.as_u8()),
            Array::I64(_) => array.as_i64().iter().try_for_each(|value| self.write(&value.to_le_bytes())),
            Array::F32(_) => array.as_f32().iter().try_for_each(|value| self.write(&value.to_le_bytes())),
            Array::F64(_) => array.as_f64().iter().try_for_each(|value| self.write(&value.to_le_bytes())),
        }
    }

    fn copy(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.out.flush()?;
        let file = self.out.get_mut();
        file.rewind()?;
        let copied = io::copy(&mut file.take(self.len), out)?;
        match copied == self.len {
            true => Ok(()),
            false => Err(io::Error::other("a temporary file was cut short")),
        }
    }
}

fn write_whole(out: &mut impl Write, values: &[i64]) -> io::Result<()> {
    values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

fn saved(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "F32",
        Dtype::F64 => "F64",
        Dtype::I64 => "I64",
        Dtype::U8 => "U8",
    }
}

fn rows(column: &Column) -> usize {
    match column {
        Column::Dense(tensor) => tensor.len(),
        Column::Ragged(tensors) => tensors.len(),
        Column::Text(texts) => texts.len(),
        Column::Texts(texts) => texts.len(),
    }
}

/// Returns the values of one column of a table; a missing one is whatever stands in its place.
fn column(name: &Name, kind: ColumnType, values: impl ExactSizeIterator<Item = Value>) -> Result<Column> {
    let len = values.len();
    let number = |value: &Value| match value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        _ => f64::NAN,
    };
    let whole = |value: &Value| if let Value::Int(value) = value { *value } else { 0 };
    Ok(match kind {
        ColumnType::Int => Column::Dense(Array::from_i64(values.map(|value| whole(&value)).collect(), &[len])?.into()),
        ColumnType::Float => {
            Column::Dense(Array::from_f64(values.map(|value| number(&value)).collect(), &[len])?.into())
        }
        ColumnType::Bool => {
            let flags = values.map(|value| u8::from(matches!(value, Value::Bool(true)))).collect();
            Column::Dense(Array::from_u8(flags, &[len])?.into())
        }
        ColumnType::Text => {
            Column::Text(values.map(|value| if let Value::Text(text) = value { text } else { Arc::from("") }).collect())
        }
        ColumnType::Tensor(dtype) => {
            let tensor = |value: Value| match value {
                Value::Tensor(tensor) => Ok(Array::cast(&tensor.to_host()?, dtype).into()),
                _ => Ok(Array::from_u8(Vec::new(), &[0])?.cast(dtype).into()),
            };
            Column::Ragged(values.map(tensor).collect::<Result<_>>()?)
        }
        ColumnType::Texts | ColumnType::Mixed => {
            return Err(Error::data(format!("column `{name}` holds {kind}, which cannot be packed"))
                .hint("`select` the other columns, or write .jsonl"));
        }
    })
}
