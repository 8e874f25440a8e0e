//! The traits of the stations a record passes: batch first, so that native stations gather columns
//! and only the script adaptors loop over records.

use std::path::Path;

use crate::error::{Error, Result};
use crate::random::Random;
use crate::record::{DataRecords, Fields, Mode};
use crate::record::{Record, Records};
use crate::registry::Params;

/// Makes data records from records. It has no state that changes and draws no random numbers.
pub trait Loader: Send + Sync {
    /// Loads a chunk of records, in order.
    ///
    /// # Errors
    /// A missing or mistyped field, or whatever a script raises; the error names the record.
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords>;
}

/// Fitted once on the training records, applied to every chunk, undone on scores.
pub trait Transformer: Send + Sync {
    /// Learns from the training records, before they are shuffled or repeated.
    fn fit(&mut self, records: &Records, loader: &dyn Loader) -> Result<()>;

    /// Transforms a chunk; must cope with absent outputs in score mode.
    fn transform(&self, chunk: DataRecords, mode: Mode) -> Result<DataRecords>;

    /// Undoes the transformation on the scores of one record (output name → value); by default there is nothing to undo.
    fn postprocess(&self, score: Fields) -> Result<Fields> {
        Ok(score)
    }

    /// Returns whether `postprocess` changes anything; when false, as by default, the host does not split scores for it.
    fn has_postprocess(&self) -> bool {
        false
    }

    /// Returns what some of the training records tell, as bytes that another machine can take up; `None` for a
    /// transformer that is fitted on all records at once.
    ///
    /// # Errors
    /// Whatever loading and looking at the records raises.
    fn fit_part(&self, _records: &Records) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Puts together what [`Transformer::fit_part`] returned for parts of the records, in their order.
    ///
    /// # Errors
    /// A transformer that is fitted on all records at once, and bytes of something else.
    fn merge_parts(&self, _parts: &[Vec<u8>]) -> Result<Vec<u8>> {
        Err(Error::recipe("this transformer is fitted on all records at once"))
    }

    /// Fits to all parts, in the order of their records, instead of [`Transformer::fit`].
    ///
    /// # Errors
    /// As [`Transformer::merge_parts`].
    fn fit_parts(&mut self, _parts: &[Vec<u8>]) -> Result<()> {
        Err(Error::recipe("this transformer is fitted on all records at once"))
    }

    /// Returns what the network builder gets besides its own parameters; by default nothing.
    fn network_params(&self) -> Params {
        Params::new()
    }

    /// Writes what was fitted below `folder` (which exists and is empty).
    fn save(&self, folder: &Path) -> Result<()>;

    /// Reads what was fitted.
    fn load(&mut self, folder: &Path) -> Result<()>;

    /// Checks that what was fitted can be written, before anything is trained; by default it can.
    fn check_storable(&self) -> Result<()> {
        Ok(())
    }
}

/// Changes training records, freshly at every pass.
pub trait Augmentor: Send + Sync {
    /// Augments a chunk; `random` has one stream a record, so workers and chunk sizes do not matter.
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords>;
}
