//! Records and what becomes of them: the values that go from station to station.
//!
//! [`Records`] is the table as read; a [`Record`] is one row of it; a loader makes [`DataRecord`]s of
//! named values; [`DataRecords`] is a chunk of them, as rows or as columns; [`Scores`] come back from
//! the network. The traits of the stations are in [`station`].

mod data_record;
mod mode;
mod name;
mod records;
pub mod station;

pub use data_record::{Column, Columns, DataColumns, DataRecord, DataRecords, Field, Fields};
pub use mode::Mode;
pub use name::Name;
pub use records::{Record, Records};
pub use station::{Augmentor, Loader, Transformer};
