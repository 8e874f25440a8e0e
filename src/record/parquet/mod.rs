//! Parquet files, with the feature `parquet`; without it they are refused with a way out.
//!
//! Only what the file format itself says is read, not the Arrow schema that some writers put beside it:
//! fewer types, and the same records from every writer.

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
pub(super) use read::read;
#[cfg(feature = "parquet")]
pub(super) use write::write;

#[cfg(not(feature = "parquet"))]
pub(super) use absent::{read, write};

#[cfg(not(feature = "parquet"))]
mod absent {
    use std::io::Write;
    use std::path::Path;
    use std::sync::Arc;

    use crate::error::{Error, Result};
    use crate::record::table::Table;
    use crate::record::{Records, Schema};

    pub(in crate::record) fn read(path: &Path, _source: Arc<str>, _schema: Option<&Schema>) -> Result<Table> {
        Err(refuse(&format!("cannot read {}", path.display())))
    }

    pub(in crate::record) fn write(_records: &Records, _out: &mut (impl Write + Send)) -> Result<()> {
        Err(refuse("cannot write Parquet"))
    }

    fn refuse(what: &str) -> Error {
        Error::data(format!("{what}: this binary was built without the feature `parquet`"))
            .hint("build it with `cargo build --release --features parquet`, or use .csv, .json or .jsonl")
    }
}

#[cfg(test)]
mod tests;
