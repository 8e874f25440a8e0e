//! A record: one row of a table.

use std::sync::Arc;

use crate::error::{Error, Result, codes};
use crate::record::cells::Cells;
use crate::record::table::Table;
use crate::record::{BatchLoader, ColumnType, Field, Name, Value};

/// One row of [`Records`](crate::record::Records); cheap to clone (a handle of the table and a row number).
#[derive(Clone, Debug)]
pub struct Record {
    table: Arc<Table>,
    row: usize,
}

impl Record {
    pub(super) fn new(table: Arc<Table>, row: usize) -> Self {
        Record { table, row }
    }

    /// Returns a field's value.
    ///
    /// # Errors
    /// An unknown name (with the nearest one), and a missing value (with the record's place).
    pub fn get(&self, name: &str) -> Result<Value> {
        Ok(self.present(name)?.value(self.row))
    }

    /// Returns a field's value, or `None` when the field is missing, null or unknown.
    ///
    /// # Errors
    /// None so far; a reader that reads on demand will have some.
    pub fn get_or(&self, name: &str) -> Result<Option<Value>> {
        Ok(self.table.get(name).filter(|cells| !self.is_null(cells)).map(|cells| cells.value(self.row)))
    }

    /// Returns a field as a loader uses it: whole numbers as i64, numbers as f32, `true` and `false` as
    /// u8 (each of shape `[]`), tensors and texts as they are.
    ///
    /// # Errors
    /// As [`Record::get`], and a map or an uneven list.
    pub fn field(&self, name: &str) -> Result<Field> {
        self.present(name)?
            .field(self.row)
            .map_err(|error| error.within(format!("field `{name}`")).within(self.place()))
    }

    /// Returns a number; `true` and `false` are 1 and 0.
    ///
    /// # Errors
    /// As [`Record::get`], and a value of another type.
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.get(name)? {
            Value::Int(value) => Ok(value as f64),
            Value::Float(value) => Ok(value),
            Value::Bool(value) => Ok(f64::from(u8::from(value))),
            other => Err(self.mistyped(name, "a number", &other)),
        }
    }

    /// Returns a text.
    ///
    /// # Errors
    /// As [`Record::get`], and a value of another type.
    pub fn text(&self, name: &str) -> Result<Arc<str>> {
        match self.get(name)? {
            Value::Text(text) => Ok(text),
            other => Err(self.mistyped(name, "a text", &other)),
        }
    }

    /// Returns the names of the fields in order, missing values included.
    pub fn keys(&self) -> &[Name] {
        self.table.names()
    }

    /// Returns the type of a field; `None` when there is none of this name.
    pub fn kind(&self, name: &str) -> Option<ColumnType> {
        self.table.get(name).map(|cells| cells.kind())
    }

    /// Returns the row's number in its source (file or list), counted from 0, whatever was split or
    /// filtered since.
    pub fn index(&self) -> usize {
        self.table.number(self.row)
    }

    /// Returns where the record was read: the name of a file, or "records".
    pub fn source(&self) -> &str {
        self.table.source(self.row)
    }

    /// Returns what errors call the record: "record 17 of train.csv"; the first is record 0.
    pub fn place(&self) -> String {
        self.table.place(self.row)
    }

    /// Returns the batch loader whose record this is.
    pub fn batches(&self) -> Option<&BatchLoader> {
        self.table.batches()
    }

    /// Returns whether both are rows of one table.
    pub fn is_beside(&self, other: &Record) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
    }

    pub(super) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(super) fn row(&self) -> usize {
        self.row
    }

    fn present(&self, name: &str) -> Result<&Cells> {
        let cells = self.table.cells(name, "field").map_err(|error| error.within(self.place()))?;
        match self.is_null(cells) {
            true => Err(missing(&self.table, name, self.row)),
            false => Ok(cells),
        }
    }

    fn mistyped(&self, name: &str, expected: &str, found: &Value) -> Error {
        Error::data(format!("field `{name}`: expected {expected}, found {}", found.describe()))
            .coded(codes::WRONG_CELL)
            .within(self.place())
    }

    /// A row beyond the table's end is missing.
    fn is_null(&self, cells: &Cells) -> bool {
        self.row >= self.table.len() || cells.is_null(self.row)
    }
}

/// Returns the error of a missing value.
pub(super) fn missing(table: &Table, name: &str, row: usize) -> Error {
    Error::data(format!("field `{name}` is missing (null)"))
        .coded(codes::MISSING_VALUE)
        .hint(format!("leave such records out with `filter`, or give a default: `get(\"{name}\", 0.0)`"))
        .within(table.place(row))
}

/// Adds the record's place to an error that does not name it yet.
pub(super) fn placed(error: Error, record: &Record) -> Error {
    let place = record.place();
    match error.context().contains(&place) {
        true => error,
        false => error.within(place),
    }
}
