//! Data records: named inputs `x`, outputs `y` and sample weights `w`, one record or a chunk of them.

use std::sync::Arc;

use crate::record::Name;
use crate::tensor::{Array, Tensor};

/// One named value of a data record: numbers or text, until the batch border asks for dense numbers.
#[derive(Clone, Debug)]
pub enum Field {
    /// Numbers, of any shape; a scalar has shape `[]`.
    Tensor(Tensor),
    /// One text.
    Text(Arc<str>),
    /// A list of texts.
    Texts(Arc<[Arc<str>]>),
}

/// Named values in the order they were given; lists are short, so a name is found by looking along.
pub type Fields = Vec<(Name, Field)>;

/// What a loader makes of one record.
#[derive(Clone, Debug, Default)]
pub struct DataRecord {
    /// Inputs of the network by name.
    pub x: Fields,
    /// Outputs of the network by name; `None` in score mode.
    pub y: Option<Fields>,
    /// Sample weights by output name; `None` when the loader gives none.
    pub w: Option<Fields>,
}

/// One name's values of a whole chunk.
#[derive(Clone, Debug)]
pub enum Column {
    /// Numbers of one shape, stacked on axis 0.
    Dense(Tensor),
    /// Numbers whose shape differs from record to record.
    Ragged(Vec<Tensor>),
    /// One text a record.
    Text(Vec<Arc<str>>),
    /// A list of texts a record.
    Texts(Vec<Arc<[Arc<str>]>>),
}

/// Named columns in order.
pub type Columns = Vec<(Name, Column)>;

/// A chunk of data records, column by column.
#[derive(Clone, Debug, Default)]
pub struct DataColumns {
    /// The number of records.
    pub len: usize,
    /// Inputs by name.
    pub x: Columns,
    /// Outputs by name; `None` in score mode.
    pub y: Option<Columns>,
    /// Sample weights by output name.
    pub w: Option<Columns>,
}

/// A chunk of data records as rows or as columns: a scripted station works on rows, a native one on
/// columns, and a chunk is turned over (`batch::stack`, `batch::split`) only where the two meet.
#[derive(Clone, Debug)]
pub enum DataRecords {
    /// Row by row.
    Rows(Vec<DataRecord>),
    /// Column by column.
    Columns(DataColumns),
}

impl From<Tensor> for Field {
    fn from(tensor: Tensor) -> Self {
        Field::Tensor(tensor)
    }
}

impl From<Array> for Field {
    fn from(array: Array) -> Self {
        Field::Tensor(array.into())
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Field::Text(text.into())
    }
}

impl FromIterator<DataRecord> for DataRecords {
    fn from_iter<I: IntoIterator<Item = DataRecord>>(rows: I) -> Self {
        DataRecords::Rows(rows.into_iter().collect())
    }
}
