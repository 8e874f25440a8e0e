//! Drives the stations: records → loader → transformer → augmentors → batches, in an order that is a
//! function of the seed.

mod ahead;
mod batch;
mod cache;
mod order;
mod pool;
mod replace;
mod sample;
mod shared;
mod stages;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub use batch::{Arrays, Batch};
pub use cache::{CACHE_BUDGET_BYTES, Cache};
pub use stages::Stages;

use crate::clock::{Stopwatch, Total};
use crate::error::{Error, Result};
use crate::record::{Augmentor, Loader, Mode, Name, Records, Transformer};
use ahead::Ahead;
use order::{Order, repeated};
use pool::Pool;
use shared::Shared;

/// The stations that records pass; the transformer has been fitted or loaded.
#[derive(Clone)]
pub struct Stations {
    /// Makes data records.
    pub loader: Arc<dyn Loader>,
    /// Transforms them.
    pub transformer: Arc<dyn Transformer>,
    /// Changes training records; a chain of augmentors is one augmentor.
    pub augmentor: Option<Arc<dyn Augmentor>>,
}

/// How a dataset orders, repeats and keeps its records, and who makes its batches.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether training records are shuffled anew at every pass. Other modes always keep the order.
    /// (Barrage for Python also shuffles validation records, which changes nothing but rounding.)
    pub shuffle: bool,
    /// Whether a last batch that is not full is left out; only in train mode.
    pub drop_last: bool,
    /// The field that says how often a training record is used in each pass.
    pub sample_count: Option<Name>,
    /// Whether loaded and transformed records are kept.
    pub cache: Cache,
    /// Batches in an epoch of training; `None` for one pass over the records.
    pub steps: Option<usize>,
    /// Batches that are validated on, from the first record on; `None` for all.
    pub validation_steps: Option<usize>,
    /// The field whose values training draws equally often, with repetition.
    pub balance: Option<Name>,
    /// The field in proportion to which training draws records, with repetition.
    pub sample_probability: Option<Name>,
    /// The field by whose length training chooses records of a batch alike.
    pub bucket: Option<Name>,
    /// What is added to values of different lengths, by name.
    pub pad: Vec<(Name, Pad)>,
    /// Threads that make batches ahead of those who use them; 0 makes each when it is asked for. Whatever the
    /// number, the batches are the same.
    pub workers: usize,
    /// Batches that workers may be ahead of those who use them; `None` for two more than there are workers. What is
    /// ahead takes memory; more of it helps where some batches take much longer than others.
    pub prefetch: Option<usize>,
    /// How many training records of an epoch may fail on their way; the next one ends the epoch. Another record takes the
    /// place of one that fails, always the same one: that which stands at its place in one of the next batches. `None`
    /// for an error at the first one. Where the augmentor fails on a batch but on none of its records alone, all of them
    /// have failed, and those of one of the next batches take their places. Records that cannot be loaded, or brought to one
    /// shape, only among others of their batch are always an error.
    pub failures: Option<usize>,
    /// Loading ends with an error once this is true.
    pub stop: Arc<AtomicBool>,
}

/// How values of different lengths are brought to one, at their end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pad {
    /// What is added.
    pub value: f64,
    /// The length of the first axis; without it, that of the longest value of the batch.
    pub length: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            shuffle: true,
            drop_last: false,
            sample_count: None,
            cache: Cache::Auto,
            steps: None,
            validation_steps: None,
            balance: None,
            sample_probability: None,
            bucket: None,
            pad: Vec::new(),
            workers: 0,
            prefetch: None,
            failures: None,
            stop: Arc::default(),
        }
    }
}

/// Records with their stations: epochs of batches.
///
/// A batch is a function of (seed, epoch, number): nothing depends on what was asked for before, nor on who
/// made it.
pub struct Dataset {
    shared: Arc<Shared>,
    workers: usize,
    prefetch: Option<usize>,
    waited: Total,
    failures: Option<usize>,
    replaced: Mutex<BTreeMap<usize, Error>>,
    /// The workers, once they are needed.
    pool: OnceLock<Pool>,
}

impl Dataset {
    /// Creates a dataset of `batch_size` records a batch.
    ///
    /// # Errors
    /// No records in train or validation mode, a bad sample count (naming its record), and sizes that
    /// leave no batch.
    pub fn new(
        records: Records,
        stations: Stations,
        mode: Mode,
        batch_size: usize,
        seed: u64,
        options: Options,
    ) -> Result<Self> {
        if records.is_empty() && mode != Mode::Score {
            let error = Error::data(format!("there are no {} records", purpose(mode))).within(records.source());
            return Err(match mode {
                Mode::Validation => error.hint("leave the validation data out to train without it"),
                _ => error,
            });
        }
        let train = mode == Mode::Train;
        let mut rows = repeated(&records, options.sample_count.as_deref().filter(|_| train))?;
        if let (Mode::Validation, Some(steps)) = (mode, options.validation_steps) {
            rows.truncate(steps.saturating_mul(batch_size));
        }
        let shuffle = (train && options.shuffle).then_some(seed);
        let mut order =
            Order::new(rows, shuffle, batch_size, train && options.drop_last, options.steps.filter(|_| train))?;
        if train {
            order.draw(sample::weights(&records, &options)?, seed)?;
            order.bucket(sample::lengths(&records, options.bucket.as_deref())?);
        }
        // Scores are computed once: there is nothing to keep them for.
        let cache = if mode == Mode::Score { Cache::Off } else { options.cache };
        let mut shared = Shared::new(records, stations, mode, seed, order, cache, options.stop);
        shared.pad = options.pad;
        let failures = options.failures.filter(|_| train);
        shared.replaces = failures.is_some();
        let (workers, prefetch) = (options.workers, options.prefetch);
        let (waited, replaced) = (Total::default(), Mutex::default());
        Ok(Dataset { shared: Arc::new(shared), workers, prefetch, waited, failures, replaced, pool: OnceLock::new() })
    }

    /// Returns how many batches one pass over training records has.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    pub fn batches_per_pass(records: &Records, batch_size: usize, options: &Options) -> Result<usize> {
        let rows = repeated(records, options.sample_count.as_deref())?;
        Ok(Order::new(rows, None, batch_size, options.drop_last, None)?.batches())
    }

    /// Returns what the records are loaded for.
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Returns the table of records.
    pub fn records(&self) -> &Records {
        &self.shared.records
    }

    /// Returns the stations.
    pub fn stations(&self) -> &Stations {
        &self.shared.stations
    }

    /// Returns the number of records in a pass: repeated ones counted, those with count 0 left out.
    pub fn len(&self) -> usize {
        self.shared.order.records()
    }

    /// Returns whether a pass has no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of batches in an epoch.
    pub fn batches(&self) -> usize {
        self.shared.order.batches()
    }

    /// Starts an epoch, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Epoch<'_> {
        Epoch { dataset: self, epoch, last: None, ahead: None, failed: BTreeSet::new() }
    }

    /// Returns how long those who asked for batches have waited for them.
    pub fn waited(&self) -> Duration {
        self.waited.get()
    }

    /// Returns the rows that others had to take the place of so far, each with the reason it failed for first.
    pub fn replaced(&self) -> BTreeMap<usize, Error> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns where a batch stands in the stream of passes.
    fn spot(&self, epoch: u64, index: usize) -> order::Spot {
        self.shared.order.spot(epoch, index)
    }

    fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Returns how a record is called in errors: `record 17 of train.csv`.
    pub fn place(&self, row: usize) -> String {
        self.shared.place(row)
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dataset({}, {} records, {} batches)", self.mode().name(), self.len(), self.batches())
    }
}

/// One epoch's batches, some of them made ahead.
pub struct Epoch<'a> {
    dataset: &'a Dataset,
    epoch: u64,
    /// The batch that was asked for last.
    last: Option<usize>,
    ahead: Option<Ahead>,
    /// The rows that failed in this epoch.
    failed: BTreeSet<usize>,
}

/// A batch that takes less time is made where it is used: handing it over would cost more.
const WORTH_HANDING_OVER: Duration = Duration::from_micros(150);

impl Epoch<'_> {
    /// Returns a batch by its number, below [`Dataset::batches`].
    ///
    /// # Errors
    /// Whatever a station raises; the error names the record.
    pub fn batch(&mut self, index: usize) -> Result<Batch> {
        let waiting = Stopwatch::start();
        let batch = self.next(index);
        self.dataset.waited.add(&waiting);
        let batch = batch?;
        if !batch.replaced.is_empty() {
            self.note(&batch)?;
        }
        Ok(batch)
    }

    /// Counts the records that failed. That is done where batches are taken, in their order: how far workers are ahead
    /// must not show.
    fn note(&mut self, batch: &Batch) -> Result<()> {
        let mut replaced = self.dataset.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.dataset.failures.unwrap_or(0);
        for (row, error) in &batch.replaced {
            self.failed.insert(*row);
            replaced.entry(*row).or_insert_with(|| error.clone());
            if self.failed.len() > limit {
                return Err(error.clone().hint(format!(
                    "{} records of this epoch failed on their way to a batch, and the limit of `dataset.on_error` is {limit}; \
                     this is the last",
                    self.failed.len()
                )));
            }
        }
        Ok(())
    }

    /// Brings a batch into the place of another one, in its memory where it has the same shape: reading batch after
    /// batch allocates nothing while records are kept and nothing augments them.
    ///
    /// # Errors
    /// As [`Epoch::batch`].
    pub fn batch_into(&mut self, index: usize, batch: &mut Option<Batch>) -> Result<()> {
        if self.ahead.is_none()
            && let Some(batch) = batch.as_mut()
        {
            let waiting = Stopwatch::start();
            if self.dataset.shared.refill(self.epoch, index, batch)? {
                self.dataset.waited.add(&waiting);
                return Ok(());
            }
        }
        *batch = None;
        *batch = Some(self.batch(index)?);
        Ok(())
    }

    fn next(&mut self, index: usize) -> Result<Batch> {
        let Dataset { shared, workers, prefetch, .. } = self.dataset;
        if let Some(ahead) = &self.ahead {
            if let Some(batch) = ahead.take(index) {
                return batch;
            }
            self.ahead = None;
        }
        shared.fill(*workers)?;
        let making = Stopwatch::start();
        let batch = shared.batch(self.epoch, index)?;
        // Someone who asks for one batch does not want the others.
        let goes_on = self.last.replace(index).is_some_and(|last| last + 1 == index);
        let rest = index + 1..self.dataset.batches();
        if goes_on && *workers > 0 && rest.len() > 1 && making.elapsed() > WORTH_HANDING_OVER {
            let pool = self.dataset.pool.get_or_init(|| Pool::new(*workers));
            self.ahead = Some(Ahead::start(pool, shared, self.epoch, rest, *prefetch));
        }
        Ok(batch)
    }
}

fn purpose(mode: Mode) -> &'static str {
    match mode {
        Mode::Train => "training",
        Mode::Validation => "validation",
        Mode::Score => "score",
    }
}
