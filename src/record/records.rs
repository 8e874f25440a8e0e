//! Records: an ordered table of rows with typed columns, shared and never copied.

use std::sync::Arc;

use crate::error::Result;
use crate::record::Field;

/// An ordered table of rows; cheap to clone.
#[derive(Clone, Debug)]
pub struct Records {
    table: Arc<Table>,
}

/// The columns behind a table of records.
#[derive(Debug)]
struct Table {}

/// One row of [`Records`]; cheap to clone (a handle of the table and a row number).
#[derive(Clone, Debug)]
pub struct Record {
    table: Arc<Table>,
    row: u32,
}

impl Records {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        0
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a row.
    pub fn record(&self, index: usize) -> Record {
        Record { table: self.table.clone(), row: index as u32 }
    }
}

impl Record {
    /// Returns a field's value as a loader uses it.
    pub fn field(&self, name: &str) -> Result<Field> {
        let _ = (name, self.row, &self.table);
        Err(crate::Error::data("empty"))
    }
}
