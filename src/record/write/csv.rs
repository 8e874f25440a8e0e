//! Records as CSV: one column for each element of a tensor.

use std::collections::HashSet;
use std::io::Write;

use super::failed;
use crate::error::{Error, Result};
use crate::record::cells::{Cells, Data};
use crate::record::{Name, Records, Value};
use crate::tensor::Array;

pub(super) struct Writer<W: Write> {
    out: csv::Writer<W>,
    /// The columns of the first table, and the shape of one cell of each.
    columns: Option<Vec<(Name, Vec<usize>)>>,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W) -> Self {
        Writer { out: csv::Writer::from_writer(out), columns: None }
    }

    pub fn write(&mut self, records: &Records) -> Result<()> {
        let shapes: Vec<(Name, Vec<usize>)> = records
            .table()
            .columns()
            .map(|(name, cells)| Ok((name.clone(), shape(name, cells, &records.rows())?.unwrap_or_default())))
            .collect::<Result<_>>()?;
        match &self.columns {
            None => {
                self.out.write_record(header(&shapes)?).map_err(refused)?;
                self.columns = Some(shapes);
            }
            Some(known) => {
                for ((name, shape), (other, found)) in known.iter().zip(&shapes) {
                    if name != other || known.len() != shapes.len() {
                        return Err(Error::data("the columns are not those of the records before"));
                    }
                    if shape != found && !records.is_empty() {
                        return Err(uneven(name, shape, found));
                    }
                }
            }
        }
        let shapes = self.columns.as_deref().unwrap_or_default();
        for row in records.rows() {
            for ((_, cells), (_, shape)) in records.table().columns().zip(shapes) {
                write_cell(&mut self.out, cells, row as usize, shape.iter().product()).map_err(refused)?;
            }
            self.out.write_record(None::<&[u8]>).map_err(refused)?;
        }
        Ok(())
    }

    pub fn finish(self) -> Result<W> {
        self.out.into_inner().map_err(|error| failed(error.into_error()))
    }
}

fn refused(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => failed(error),
        _ => Error::data("the rows have different lengths"),
    }
}

/// Returns the shape of one cell; `None` for a column without any.
fn shape(name: &str, cells: &Cells, rows: &[u32]) -> Result<Option<Vec<usize>>> {
    let present = || rows.iter().map(|&row| row as usize).filter(|&row| !cells.is_null(row));
    let mut shapes = match &cells.data {
        Data::Int(_) | Data::Float(_) | Data::Bool(_) | Data::Text(_) => return Ok(Some(Vec::new())),
        Data::Stacked(array) => return Ok(Some(array.shape()[1..].to_vec())),
        Data::Mapped(block) => return Ok(Some(block.row_shape())),
        Data::MappedRagged(block) => {
            present().map(|row| Ok(block.row(row)?.shape().to_vec())).collect::<Result<Vec<_>>>()?
        }
        Data::Ragged(arrays) => present().map(|row| arrays[row].shape().to_vec()).collect::<Vec<_>>(),
        Data::Texts(lists) => present().map(|row| vec![lists[row].len()]).collect(),
        Data::Mixed(_) => {
            return Err(Error::data(format!("column `{name}` holds values of different types, which CSV cannot hold"))
                .hint("write .json or .jsonl"));
        }
    }
    .into_iter();
    let first = shapes.next();
    match (&first, shapes.find(|shape| first.as_ref() != Some(shape))) {
        (Some(first), Some(other)) => Err(uneven(name, first, &other)),
        _ => Ok(first),
    }
}

fn uneven(name: &str, one: &[usize], other: &[usize]) -> Error {
    Error::data(format!(
        "column `{name}` has values of shape {one:?} and of shape {other:?}: in CSV every record has the same columns"
    ))
    .hint("write .json, .jsonl or .parquet")
}

/// Returns the names of the columns: one for each element.
fn header(shapes: &[(Name, Vec<usize>)]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (name, shape) in shapes {
        let count: usize = shape.iter().product();
        match count {
            1 => names.push(name.to_string()),
            _ => names.extend((0..count).map(|at| format!("{name}{}", suffix(at, shape)))),
        }
    }
    if names.is_empty() {
        return Err(Error::data("records without columns cannot be written as CSV"));
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(Error::data(format!("two columns of the CSV file would be named `{twice}`")).hint(
            "elements of tensors are named `name_0`, `name_1` …; rename the other column, or write .json or .jsonl",
        )),
        None => Ok(names),
    }
}

/// Returns the place of an element along each axis: `_0_3`.
fn suffix(mut at: usize, shape: &[usize]) -> String {
    let mut places = Vec::new();
    for &length in shape.iter().rev() {
        places.push(at % length);
        at /= length;
    }
    places.iter().rev().map(|place| format!("_{place}")).collect()
}

fn write_cell<W: Write>(out: &mut csv::Writer<W>, cells: &Cells, row: usize, count: usize) -> csv::Result<()> {
    if cells.is_null(row) {
        return (0..count).try_for_each(|_| out.write_field(""));
    }
    match &cells.data {
        Data::Texts(lists) => lists[row].iter().try_for_each(|text| out.write_field(&**text)),
        Data::Stacked(array) => write_array(out, &array.row(row)),
        Data::Ragged(arrays) => write_array(out, &arrays[row]),
        Data::Mapped(block) => write_array(out, &block.row(row).map_err(unread)?),
        Data::MappedRagged(block) => write_array(out, &block.row(row).map_err(unread)?),
        _ => out.write_field(match cells.value(row) {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            // The debug form keeps the point of a whole number, so that it reads back as a float.
            Value::Float(value) => format!("{value:?}"),
            Value::Text(text) => text.to_string(),
            _ => String::new(),
        }),
    }
}

fn unread(error: Error) -> csv::Error {
    std::io::Error::other(error.message().to_owned()).into()
}

fn write_array<W: Write>(out: &mut csv::Writer<W>, array: &Array) -> csv::Result<()> {
    match array {
        Array::F32(values) => values.iter().try_for_each(|value| out.write_field(format!("{value:?}"))),
        Array::F64(values) => values.iter().try_for_each(|value| out.write_field(format!("{value:?}"))),
        Array::I64(values) => values.iter().try_for_each(|value| out.write_field(value.to_string())),
        Array::U8(values) => values.iter().try_for_each(|value| out.write_field(value.to_string())),
    }
}
