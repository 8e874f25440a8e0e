//! Writing a Parquet file: one column for each column, compressed with Snappy, which every reader knows. An Arrow file
//! has the same columns, not compressed, so that readers can map it.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{LargeListBuilder, LargeStringBuilder};
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int64Type, UInt8Type};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, LargeListArray, LargeStringArray, NullArray, PrimitiveArray,
    RecordBatch,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};
use crate::record::cells::{Cells, Data};
use crate::record::{Format, Records};
use crate::tensor::{Array, Dtype};

/// Rows turned over at a time.
const ROWS: usize = 8192;

/// Writes tables one after another; the types of the columns are those of the first.
pub(in crate::record) struct Writer<W: Write + Send> {
    state: State<W>,
    /// Parquet or Arrow.
    format: Format,
}

enum State<W: Write + Send> {
    Waits(W),
    Writes(Sink<W>, Arc<Schema>),
    Failed,
}

enum Sink<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
}

impl<W: Write + Send> Writer<W> {
    pub fn new(out: W, format: Format) -> Self {
        Writer { state: State::Waits(out), format }
    }

    pub fn write(&mut self, records: &Records) -> Result<()> {
        let fields = fields(records, self.format)?;
        let (mut writer, schema) = match std::mem::replace(&mut self.state, State::Failed) {
            State::Waits(out) => begin(out, fields, self.format)?,
            State::Writes(writer, schema) => (same(&schema, &fields).map(|()| writer)?, schema),
            State::Failed => return Err(Error::data("cannot write: an earlier part has failed")),
        };
        for rows in records.rows().chunks(ROWS) {
            let arrays = records.table().columns().map(|(_, cells)| array(cells, rows)).collect();
            let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(failed)?;
            match &mut writer {
                Sink::Parquet(writer) => writer.write(&batch).map_err(failed)?,
                Sink::Arrow(writer) => writer.write(&batch).map_err(failed)?,
            }
        }
        self.state = State::Writes(writer, schema);
        Ok(())
    }

    pub fn finish(self) -> Result<W> {
        match self.state {
            State::Writes(Sink::Parquet(writer), _) => writer.into_inner().map_err(failed),
            State::Writes(Sink::Arrow(writer), _) => writer.into_inner().map_err(failed),
            _ => Err(no_columns(self.format)),
        }
    }
}

/// Returns the columns; any of them may have missing values in a later table.
fn fields(records: &Records, format: Format) -> Result<Vec<Field>> {
    let columns = records.table().columns();
    let fields: Vec<Field> = columns
        .map(|(name, cells)| Ok(Field::new(&**name, kind(name, cells, format)?, true)))
        .collect::<Result<_>>()?;
    if fields.is_empty() { Err(no_columns(format)) } else { Ok(fields) }
}

fn no_columns(format: Format) -> Error {
    Error::data(format!("records without columns cannot be written as {}", spoken(format)))
}

/// Returns what errors call the format.
fn spoken(format: Format) -> &'static str {
    if format == Format::Arrow { "Arrow" } else { "Parquet" }
}

fn begin<W: Write + Send>(out: W, fields: Vec<Field>, format: Format) -> Result<(Sink<W>, Arc<Schema>)> {
    let schema = Arc::new(Schema::new(fields));
    if format == Format::Arrow {
        return Ok((Sink::Arrow(Box::new(FileWriter::try_new(out, &schema).map_err(failed)?)), schema));
    }
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("barrage ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    // Without Arrow's own schema beside it the file means the same to every reader.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let writer = ArrowWriter::try_new_with_options(out, schema.clone(), options).map_err(failed)?;
    Ok((Sink::Parquet(Box::new(writer)), schema))
}

/// Checks that a later table has the columns of the first one.
fn same(schema: &Schema, fields: &[Field]) -> Result<()> {
    let differs = schema.fields().iter().zip(fields).find(|(known, field)| ***known != **field);
    match differs {
        None if schema.fields().len() == fields.len() => Ok(()),
        Some((known, field)) if known.name() == field.name() => Err(Error::data(format!(
            "column `{}` holds values of another type than in the records before",
            field.name()
        ))
        .hint("write .json or .jsonl")),
        _ => Err(Error::data("the columns are not those of the records before")),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::data(format!("cannot write: {error}"))
}

/// Returns the type of a column in the file.
fn kind(name: &str, cells: &Cells, format: Format) -> Result<DataType> {
    let format = spoken(format);
    Ok(match &cells.data {
        Data::Int(_) => DataType::Int64,
        Data::Float(_) => DataType::Float64,
        Data::Bool(_) => DataType::Boolean,
        Data::Text(_) => DataType::LargeUtf8,
        Data::Texts(_) => list_of(DataType::LargeUtf8),
        Data::Stacked(array) => nested(array.dtype(), array.rank().saturating_sub(1)),
        Data::Mapped(block) => nested(block.dtype(), block.row_shape().len()),
        Data::MappedRagged(block) => nested(block.dtype(), block.rank()),
        Data::Ragged(arrays) => {
            let present = || arrays.iter().enumerate().filter(|(row, _)| !cells.is_null(*row)).map(|(_, array)| array);
            let rank = present().next().map_or(1, Array::rank);
            if let Some(other) = present().find(|array| array.rank() != rank) {
                return Err(Error::data(format!(
                    "column `{name}` holds tensors with {rank} and with {} axes, which {format} cannot hold together",
                    other.rank()
                ))
                .hint("reshape them in `map`, or write .json or .jsonl"));
            }
            nested(arrays.first().map_or(Dtype::F32, Array::dtype), rank)
        }
        Data::Mixed(_) => {
            return Err(Error::data(format!(
                "column `{name}` holds values of different types, which {format} cannot hold"
            ))
            .hint("write .json or .jsonl, or `select` the other columns"));
        }
    })
}

fn list_of(item: DataType) -> DataType {
    DataType::LargeList(item_field(item))
}

fn item_field(item: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", item, false))
}

/// Returns the type of tensors with so many axes: lists of lists of numbers.
fn nested(dtype: Dtype, rank: usize) -> DataType {
    let number = match dtype {
        Dtype::F32 => DataType::Float32,
        Dtype::F64 => DataType::Float64,
        Dtype::I64 => DataType::Int64,
        Dtype::U8 => DataType::UInt8,
    };
    (0..rank).fold(number, |kind, _| list_of(kind))
}

/// Returns some rows of a column.
fn array(cells: &Cells, rows: &[u32]) -> ArrayRef {
    let rows = || rows.iter().map(|&row| row as usize);
    let present = || rows().map(|row| !cells.is_null(row));
    match &cells.data {
        Data::Int(values) => {
            Arc::new(Int64Array::from_iter(rows().map(|row| (!cells.is_null(row)).then(|| values[row]))))
        }
        Data::Float(values) => {
            Arc::new(Float64Array::from_iter(rows().map(|row| (!cells.is_null(row)).then(|| values[row]))))
        }
        Data::Bool(values) => {
            Arc::new(rows().map(|row| (!cells.is_null(row)).then(|| values[row])).collect::<BooleanArray>())
        }
        Data::Text(texts) => {
            Arc::new(rows().map(|row| (!cells.is_null(row)).then(|| &*texts[row])).collect::<LargeStringArray>())
        }
        Data::Texts(lists) => {
            let mut builder =
                LargeListBuilder::new(LargeStringBuilder::new()).with_field(item_field(DataType::LargeUtf8));
            for row in rows() {
                let present = !cells.is_null(row);
                if present {
                    lists[row].iter().for_each(|text| builder.values().append_value(text));
                }
                builder.append(present);
            }
            Arc::new(builder.finish())
        }
        Data::Stacked(array) => tensors(array.dtype(), rows().map(|row| array.row(row)), present().collect()),
        Data::Mapped(block) => {
            tensors(block.dtype(), rows().filter_map(|row| block.row(row).ok()), present().collect())
        }
        Data::MappedRagged(block) => {
            tensors(block.dtype(), rows().filter_map(|row| block.row(row).ok()), present().collect())
        }
        Data::Ragged(arrays) => {
            let dtype = arrays.first().map_or(Dtype::F32, Array::dtype);
            tensors(dtype, rows().map(|row| arrays[row].clone()), present().collect())
        }
        // Refused by `kind`.
        Data::Mixed(_) => Arc::new(NullArray::new(rows().count())),
    }
}

/// Returns tensors with equally many axes as lists of lists of numbers.
fn tensors(dtype: Dtype, arrays: impl Iterator<Item = Array>, present: Vec<bool>) -> ArrayRef {
    let arrays: Vec<Array> = arrays.collect();
    let kept = || arrays.iter().zip(&present).filter(|(_, present)| **present).map(|(array, _)| array);
    let rank = kept().next().map_or_else(|| arrays.first().map_or(1, Array::rank), Array::rank);
    if rank == 0 {
        return numbers(dtype, arrays.iter(), present.contains(&false).then(|| NullBuffer::from(present.clone())));
    }
    let mut values = numbers(dtype, kept(), None);
    let mut kind = nested(dtype, 0);
    // From the last axis to the first: the lengths of the lists along it.
    for axis in (0..rank).rev() {
        let mut lengths = Vec::new();
        for (array, &present) in arrays.iter().zip(&present) {
            let shape = array.shape();
            match present {
                true => {
                    let lists: usize = shape[..axis].iter().product();
                    lengths.extend(std::iter::repeat_n(shape[axis], lists));
                }
                // A missing tensor is a missing list along the first axis, and nothing below it.
                false if axis == 0 => lengths.push(0),
                false => {}
            }
        }
        let nulls = (axis == 0 && present.contains(&false)).then(|| NullBuffer::from(present.clone()));
        let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
        values = Arc::new(LargeListArray::new(item_field(kind.clone()), offsets, values, nulls));
        kind = list_of(kind);
    }
    values
}

/// Returns all numbers of the arrays, one after another.
fn numbers<'a>(dtype: Dtype, arrays: impl Iterator<Item = &'a Array>, nulls: Option<NullBuffer>) -> ArrayRef {
    fn primitive<A: ArrowPrimitiveType>(values: Vec<A::Native>, nulls: Option<NullBuffer>) -> ArrayRef
    where
        ScalarBuffer<A::Native>: From<Vec<A::Native>>,
    {
        Arc::new(PrimitiveArray::<A>::new(values.into(), nulls))
    }
    match dtype {
        Dtype::F32 => primitive::<Float32Type>(arrays.flat_map(|array| array.as_f32().into_owned()).collect(), nulls),
        Dtype::F64 => primitive::<Float64Type>(arrays.flat_map(|array| array.as_f64().into_owned()).collect(), nulls),
        Dtype::I64 => primitive::<Int64Type>(arrays.flat_map(|array| array.as_i64().into_owned()).collect(), nulls),
        Dtype::U8 => primitive::<UInt8Type>(arrays.flat_map(|array| array.as_u8().into_owned()).collect(), nulls),
    }
}
