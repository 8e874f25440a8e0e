//! The table behind records: named columns of cells, and where each row was read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result, codes, did_you_mean, listed};
use crate::record::cells::{Cells, Misfit};
use crate::record::{BatchLoader, ColumnSchema, Name, Row, Schema, Value};

/// Named columns of equal length; never changed once made.
#[derive(Debug)]
pub(super) struct Table {
    len: usize,
    names: Vec<Name>,
    cells: Vec<Arc<Cells>>,
    positions: HashMap<Name, usize>,
    schema: Schema,
    pub origin: Origin,
    /// Columns of an imposed schema that the file does not have: missed only when they are asked for.
    absent: Arc<[String]>,
    /// What reads the rows of a batch loader.
    batches: Option<BatchLoader>,
}

/// Where the rows of a table were read.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// Row `i` is row `i` of this source.
    Source(Arc<str>),
    /// Several sources, or some rows of one: the number of the source and the row in it.
    Rows { sources: Arc<[Arc<str>]>, rows: Arc<[(u32, u32)]> },
}

impl Table {
    /// Creates a table; each column has `len` cells.
    pub fn new(len: usize, columns: Vec<(Name, Arc<Cells>)>, origin: Origin, absent: Arc<[String]>) -> Self {
        let schema = Schema {
            columns: columns
                .iter()
                .map(|(name, cells)| ColumnSchema {
                    name: name.to_string(),
                    kind: cells.kind(),
                    nullable: cells.has_nulls(),
                })
                .collect(),
        };
        let positions = columns.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        let (names, cells) = columns.into_iter().unzip();
        Table { len, names, cells, positions, schema, origin, absent, batches: None }
    }

    /// Notes the batch loader that the rows stand for.
    pub fn with_batches(self, batches: BatchLoader) -> Self {
        Table { batches: Some(batches), ..self }
    }

    /// Returns the batch loader that the rows stand for.
    pub fn batches(&self) -> Option<&BatchLoader> {
        self.batches.as_ref()
    }

    /// Creates a table from rows of named values, a column for each name that occurs; a value that a
    /// row does not name is missing.
    ///
    /// # Errors
    /// A name that is empty or occurs twice in a row, and values that do not fit the imposed schema:
    /// the row, the column, and what is wrong.
    pub fn from_rows(rows: Vec<Row>, origin: Origin, imposed: Option<&Schema>) -> Result<Self, BadCell> {
        let len = rows.len();
        let mut positions: HashMap<Name, usize> = HashMap::new();
        let mut columns: Vec<(Name, Vec<Value>)> = Vec::new();
        for (row, fields) in rows.into_iter().enumerate() {
            for (guess, (name, value)) in fields.into_iter().enumerate() {
                let at = match columns.get(guess).is_some_and(|(known, _)| *known == name) {
                    true => guess,
                    false if name.is_empty() => {
                        return Err(BadCell { row, column: name, what: "a field has no name".to_owned() });
                    }
                    false => *positions.entry(name.clone()).or_insert_with(|| {
                        columns.push((name.clone(), vec![Value::Null; row]));
                        columns.len() - 1
                    }),
                };
                let cells = &mut columns[at].1;
                if cells.len() > row {
                    return Err(BadCell { row, what: format!("field `{name}` is given twice"), column: name });
                }
                cells.push(value);
            }
            for (_, cells) in &mut columns {
                cells.resize(row + 1, Value::Null);
            }
        }
        let columns = columns.into_iter().map(|(name, values)| {
            let wanted = imposed.and_then(|schema| schema.column(&name)).map(|column| column.kind);
            match Cells::from_values(values, wanted) {
                Ok(cells) => Ok((name, Arc::new(cells))),
                Err(misfit) => Err(BadCell::misfit(name, misfit)),
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let absent = absent(imposed, columns.iter().map(|(name, _)| name));
        Ok(Table::new(len, columns, origin, absent))
    }

    /// Says that the table is a part of its source, whose first row is this one.
    pub fn starting_at(mut self, first: usize) -> Self {
        if let (Origin::Source(source), true) = (&self.origin, first > 0) {
            let rows = (first..first + self.len).map(|row| (0, u32::try_from(row).unwrap_or(u32::MAX)));
            self.origin = Origin::Rows { sources: [source.clone()].into(), rows: rows.collect() };
        }
        self
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the names of the columns in order.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// Returns the columns in order.
    pub fn columns(&self) -> impl Iterator<Item = (&Name, &Arc<Cells>)> {
        self.names.iter().zip(&self.cells)
    }

    /// Returns the schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the names that an imposed schema has and this table does not.
    pub fn absent(&self) -> &Arc<[String]> {
        &self.absent
    }

    /// Returns a column, or `None`.
    pub fn get(&self, name: &str) -> Option<&Arc<Cells>> {
        self.positions.get(name).map(|&at| &self.cells[at])
    }

    /// Returns a column.
    ///
    /// # Errors
    /// An unknown name is refused with the nearest one and the names there are; `what` is "field" or
    /// "column".
    pub fn cells(&self, name: &str, what: &str) -> Result<&Arc<Cells>> {
        self.get(name).ok_or_else(|| {
            if self.absent.iter().any(|absent| absent == name) {
                return Error::data(format!("there is no {what} `{name}` here, though the training records have it"))
                    .coded(codes::UNKNOWN_COLUMN)
                    .hint(format!("add the column `{name}`, or leave it out of what the loader reads"));
            }
            let names = || self.names.iter().map(|name| &**name);
            Error::data(format!("there is no {what} `{name}`"))
                .coded(codes::UNKNOWN_COLUMN)
                .maybe_hint(did_you_mean(name, names()))
                .hint(format!("{what}s: {}", listed(names())))
        })
    }

    /// Returns the number of a row in its source.
    pub fn number(&self, row: usize) -> usize {
        match &self.origin {
            Origin::Source(_) => row,
            Origin::Rows { rows, .. } => rows.get(row).map_or(row, |&(_, number)| number as usize),
        }
    }

    /// Returns the source of a row.
    pub fn source(&self, row: usize) -> &str {
        match &self.origin {
            Origin::Source(source) => source,
            Origin::Rows { sources, rows } => {
                rows.get(row).and_then(|&(source, _)| sources.get(source as usize)).map_or("records", |source| source)
            }
        }
    }

    /// Returns what errors call a row: "record 17 of train.csv".
    pub fn place(&self, row: usize) -> String {
        format!("record {} of {}", self.number(row), self.source(row))
    }
}

/// A cell that makes a table impossible.
#[derive(Debug)]
pub(super) struct BadCell {
    pub row: usize,
    pub column: Name,
    pub what: String,
}

impl BadCell {
    pub fn misfit(column: Name, misfit: Misfit) -> Self {
        let what = format!("column `{column}`: expected {}, found {}", misfit.expected, misfit.found);
        BadCell { row: misfit.row, column, what }
    }
}

/// Returns the names that the imposed schema has and the columns do not.
pub(super) fn absent<'a>(imposed: Option<&Schema>, names: impl Iterator<Item = &'a Name> + Clone) -> Arc<[String]> {
    let columns = imposed.map_or(&[][..], |schema| &schema.columns);
    columns
        .iter()
        .filter(|column| !names.clone().any(|name| **name == *column.name))
        .map(|column| column.name.clone())
        .collect()
}
