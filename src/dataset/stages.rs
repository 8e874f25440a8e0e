//! One batch as each station leaves it, for a person who wants to see what happens to records.

use super::{Batch, Dataset};
use crate::batch as columns;
use crate::error::Result;
use crate::random::{Random, Stream};
use crate::record::{DataColumns, DataRecords, Mode, Record};

/// A batch, and what became of its records on the way.
#[derive(Clone, Debug)]
pub struct Stages {
    /// After the loader.
    pub loaded: DataColumns,
    /// After the transformer.
    pub transformed: DataColumns,
    /// After the augmentors, when there are any and the records are for training.
    pub augmented: Option<DataColumns>,
    /// The batch, as training takes it.
    pub batch: Batch,
}

impl Dataset {
    /// Returns a batch of an epoch (see [`Epoch::batch`](super::Epoch::batch)) with what each station made of its
    /// records, which pass the stations once more.
    ///
    /// # Errors
    /// As [`Epoch::batch`](super::Epoch::batch).
    pub fn stages(&self, epoch: u64, index: usize) -> Result<Stages> {
        let batch = self.epoch(epoch).batch(index)?;
        let rows = &batch.rows;
        let records: Vec<Record> = rows.iter().map(|&row| self.records().record(row)).collect();
        let place = |position: usize| rows.get(position).map_or_else(String::new, |&row| self.place(row));
        let stations = self.stations();
        let loaded = columns::columns(stations.loader.load(&records, self.mode())?, &place)?;
        let given = DataRecords::Columns(loaded.clone());
        let transformed = columns::columns(stations.transformer.transform(given, self.mode())?, &place)?;
        let augmented = match &stations.augmentor {
            Some(augmentor) if self.mode() == Mode::Train => {
                let spot = self.spot(epoch, index);
                let draws =
                    |at: usize| Random::new(self.seed(), Stream::Augment, &[spot.pass, (spot.start + at) as u64]);
                let random: Vec<Random> = (0..rows.len()).map(draws).collect();
                let augmented = augmentor.augment(DataRecords::Columns(transformed.clone()), &random)?;
                Some(columns::columns(augmented, &place)?)
            }
            _ => None,
        };
        Ok(Stages { loaded, transformed, augmented, batch })
    }
}
