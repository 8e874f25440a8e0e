//! Records and what becomes of them: the values that go from station to station.
//!
//! [`Records`] is the table as read; a [`Record`] is one row of it; a loader makes [`DataRecord`]s of
//! named values; [`DataRecords`] is a chunk of them, as rows or as columns; scores come back from the
//! network as [`Fields`]. The traits of the stations are in [`station`].

mod mode;
mod name;
mod value;

#[expect(clippy::module_inception, reason = "the file is named after its type, as every file is")]
mod record;
mod records;
mod schema;

mod batch_loader;
mod concat;
mod describe;
mod files;
mod format;
mod pack;
mod parquet;
mod read;
mod split;
mod stream;
mod write;

mod block;
mod bytes;
mod cells;
mod gather;
mod table;

mod data_record;
pub mod published;
pub mod station;

pub use batch_loader::{BatchLoader, BatchSource, common_length};
pub use data_record::{Column, Columns, DataColumns, DataRecord, DataRecords, Field, Fields};
pub use describe::ColumnSummary;
pub use files::{Files, read_array, read_bytes, read_text, read_unpacked};
pub use format::Format;
pub use gather::{Cells64, Rows, gather, gather_cells64, gather_list, stray_text};
pub use mode::Mode;
pub use name::Name;
pub use pack::Pack;
pub use read::{Declared, Dialect, Parts, ReadOptions, Source};
pub use record::Record;
pub use records::Records;
pub use schema::{ColumnSchema, ColumnType, Schema};
pub use station::{Augmentor, Loader, Transformer};
pub use value::{Row, Value};
pub use write::{NewFile, Writer, npy_bytes, raw_bytes, write_packed};

#[cfg(test)]
mod tests;
