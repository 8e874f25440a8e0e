//! Stacking data records into columns, and turning columns back.
//!
//! A chunk goes from station to station as rows or as columns ([`DataRecords`]). Scripted stations work
//! on rows, native ones on columns; [`stack`] and [`split`] turn a chunk over where the two meet. The
//! trainer takes columns: [`dense`] is the border where text and ragged columns are refused.
//!
//! Batches of pipelines hold their components as [`Items`]: one for each id, to be read and written by position.

mod column;
mod items;
mod split;
mod stack;

pub(crate) use column::release;
pub use column::{concat, dense, take};
pub use items::Items;
pub use split::split;
pub use stack::stack;

use crate::error::Result;
use crate::record::{DataColumns, DataRecord, DataRecords};

/// Returns the number of records in a chunk.
pub fn len(chunk: &DataRecords) -> usize {
    match chunk {
        DataRecords::Rows(rows) => rows.len(),
        DataRecords::Columns(columns) => columns.len,
    }
}

/// Returns the chunk row by row; columns are split, which copies no numbers.
pub fn rows(chunk: DataRecords) -> Vec<DataRecord> {
    match chunk {
        DataRecords::Rows(rows) => rows,
        DataRecords::Columns(columns) => split(&columns),
    }
}

/// Returns the chunk column by column; rows are stacked.
///
/// # Errors
/// As [`stack`].
pub fn columns(chunk: DataRecords, names: &dyn Fn(usize) -> String) -> Result<DataColumns> {
    match chunk {
        DataRecords::Rows(rows) => stack(&rows, names),
        DataRecords::Columns(columns) => Ok(columns),
    }
}

#[cfg(test)]
mod tests;
