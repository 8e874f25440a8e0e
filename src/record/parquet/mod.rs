//! Parquet files, and those of Arrow, with the feature `parquet`; without it they are refused with a way out.
//!
//! Only what the file format itself says is read, not the Arrow schema that some writers put beside it:
//! fewer types, and the same records from every writer.

#[cfg(feature = "parquet")]
mod arrow;
#[cfg(feature = "parquet")]
mod columns;
#[cfg(feature = "parquet")]
mod guard;
#[cfg(feature = "parquet")]
mod read;
#[cfg(feature = "parquet")]
mod types;
#[cfg(feature = "parquet")]
mod write;

#[cfg(feature = "parquet")]
pub(super) use arrow::read as read_arrow;
#[cfg(feature = "parquet")]
pub(super) use read::{read, tables};
#[cfg(feature = "parquet")]
pub(super) use write::Writer;

#[cfg(not(feature = "parquet"))]
pub(super) use absent::{Writer, read, read_arrow, tables};

#[cfg(not(feature = "parquet"))]
mod absent {
    use std::io::Write;
    use std::path::Path;
    use std::sync::Arc;

    use crate::error::{Error, Result};
    use crate::record::table::Table;
    use crate::record::{Format, Name, Records, Schema};

    pub(in crate::record) fn read(path: &Path, _source: Arc<str>, _schema: Option<&Schema>) -> Result<Table> {
        Err(refuse(&format!("cannot read {}", path.display())))
    }

    pub(in crate::record) fn read_arrow(
        _bytes: Vec<u8>,
        name: &str,
        _source: Arc<str>,
        _schema: Option<&Schema>,
    ) -> Result<Table> {
        Err(refuse(&format!("cannot read {name}")))
    }

    pub(in crate::record) type Tables = (Vec<Name>, Box<dyn Iterator<Item = Result<Table>>>);

    pub(in crate::record) fn tables(
        _file: std::fs::File,
        name: &str,
        _source: Arc<str>,
        _schema: &Schema,
        _rows: usize,
    ) -> Result<Tables> {
        Err(refuse(&format!("cannot read {name}")))
    }

    pub(in crate::record) struct Writer<W>(Format, std::marker::PhantomData<W>);

    impl<W: Write + Send> Writer<W> {
        pub fn new(_out: W, format: Format) -> Self {
            Writer(format, std::marker::PhantomData)
        }

        pub fn write(&mut self, _records: &Records) -> Result<()> {
            Err(refuse(&format!("cannot write .{}", self.0)))
        }

        pub fn finish(self) -> Result<W> {
            Err(refuse(&format!("cannot write .{}", self.0)))
        }
    }

    fn refuse(what: &str) -> Error {
        Error::data(format!("{what}: this binary was built without the feature `parquet`"))
            .hint("build it with `cargo build --release --features parquet`, or use .csv, .json or .jsonl")
    }
}

#[cfg(test)]
mod tests;
