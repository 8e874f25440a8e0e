//! `BatchLoader`: reads the records of a batch loader, whatever order they are asked for in.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::{DataRecords, Loader, Mode, Record};
use crate::registry::Entry;

pub(super) const ENTRY: Entry<dyn Loader> = Entry {
    name: "BatchLoader",
    aliases: &[],
    doc: "Reads the records of a batch loader (`batch_loader`, `array_loader`, `make_data_loaders`), as PEDL has them. It is \
          the loader of a run whose data is one, so that it need not be named.",
    parameters: &[],
    build: |_| Ok(Box::new(BatchLoader::default())),
};

/// Reads the records of a batch loader.
#[derive(Clone, Default)]
pub struct BatchLoader {
    /// Loads records of another kind, when there is one.
    others: Option<Arc<dyn Loader>>,
}

impl BatchLoader {
    /// Creates a loader that leaves records of another kind (those of a file that is scored) to another one.
    pub fn or(others: Option<Arc<dyn Loader>>) -> BatchLoader {
        BatchLoader { others }
    }
}

impl Loader for BatchLoader {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        let Some(first) = records.first() else { return Ok(DataRecords::Rows(Vec::new())) };
        let Some(batches) = first.batches() else {
            return match &self.others {
                Some(others) => others.load(records, mode),
                None => Err(Error::data("these records are not those of a batch loader")
                    .hint("give a batch loader here too, or define `load(record)` beside `make_data_loaders`")
                    .within(first.place())),
            };
        };
        if records.iter().any(|record| !record.is_beside(first)) {
            return Err(Error::data("records of several batch loaders cannot be mixed")
                .hint("put them together in the loader: `get_batch` may read from both"));
        }
        let rows: Vec<usize> = records.iter().map(Record::index).collect();
        let mut columns = batches.rows(&rows)?;
        match (mode, &columns.y) {
            (Mode::Score, _) => (columns.y, columns.w) = (None, None),
            (_, None) => {
                return Err(Error::data("the batch has no outputs").hint("return `batch(inputs, outputs)`"));
            }
            _ => {}
        }
        Ok(DataRecords::Columns(columns))
    }
}
