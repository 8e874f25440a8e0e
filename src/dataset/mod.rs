//! Drives the stations: records → loader → transformer → augmentors → batches, in an order that is a
//! function of the seed.

mod batch;
mod cache;
mod order;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

pub use batch::{Arrays, Batch};
pub use cache::{CACHE_BUDGET_BYTES, Cache};

use crate::batch as columns;
use crate::error::{Error, Result};
use crate::random::{Random, Stream};
use crate::record::{
    Augmentor, Column, Columns, DataColumns, DataRecords, Loader, Mode, Name, Record, Records, Transformer,
};
use crate::tensor::Tensor;
use order::{Order, repeated};

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

/// How a dataset orders, repeats and keeps its records.
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
        }
    }
}

/// Records with their stations: epochs of batches.
///
/// A batch is a function of (seed, epoch, number): nothing depends on what was asked for before.
pub struct Dataset {
    records: Records,
    stations: Stations,
    mode: Mode,
    seed: u64,
    order: Order,
    cache: Cache,
    kept: OnceLock<Option<Kept>>,
}

/// Loaded and transformed records.
struct Kept {
    columns: DataColumns,
    /// The rows that `columns` holds, ascending, when they are not all of the table's.
    rows: Option<Vec<usize>>,
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
        let order = Order::new(rows, shuffle, batch_size, train && options.drop_last, options.steps.filter(|_| train))?;
        // Scores are computed once: there is nothing to keep them for.
        let cache = if mode == Mode::Score { Cache::Off } else { options.cache };
        Ok(Dataset { records, stations, mode, seed, order, cache, kept: OnceLock::new() })
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
        self.mode
    }

    /// Returns the table of records.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Returns the stations.
    pub fn stations(&self) -> &Stations {
        &self.stations
    }

    /// Returns the number of records in a pass: repeated ones counted, those with count 0 left out.
    pub fn len(&self) -> usize {
        self.order.records()
    }

    /// Returns whether a pass has no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of batches in an epoch.
    pub fn batches(&self) -> usize {
        self.order.batches()
    }

    /// Starts an epoch, counted from 0.
    pub fn epoch(&self, epoch: u64) -> Epoch<'_> {
        Epoch { dataset: self, epoch, pass: None }
    }

    /// Returns how a record is called in errors: `record 17 of train.csv`.
    pub fn place(&self, row: usize) -> String {
        self.records.record(row).place()
    }

    /// Loads, transforms and, in train mode, augments the rows of one batch, which start at position
    /// `start` of pass `pass`.
    fn assemble(&self, rows: &[usize], pass: u64, start: usize) -> Result<Batch> {
        let place = |position: usize| rows.get(position).map_or_else(String::new, |&row| self.place(row));
        let mut chunk = match self.kept()? {
            Some(Kept { columns, rows: None }) => columns::take(columns, rows)?,
            Some(Kept { columns, rows: Some(used) }) => {
                let at: Vec<usize> = rows.iter().map(|row| used.partition_point(|own| own < row)).collect();
                columns::take(columns, &at)?
            }
            None => self.load(rows)?,
        };
        if let (Mode::Train, Some(augmentor)) = (self.mode, &self.stations.augmentor) {
            let random: Vec<Random> = (start..start + rows.len())
                .map(|position| Random::new(self.seed, Stream::Augment, &[pass, position as u64]))
                .collect();
            let augmented = augmentor.augment(DataRecords::Columns(chunk), &random)?;
            chunk = whole(columns::columns(augmented, &place)?, rows.len(), "augmentor")?;
        }
        Batch::new(chunk, rows.to_vec(), &place)
    }

    /// Brings the rows of one batch into the memory of another one; returns whether that was possible: kept columns of
    /// numbers, nothing that augments, a batch of the same shape.
    fn refill(&self, rows: &[usize], batch: &mut Batch) -> Result<bool> {
        if batch.len != rows.len() || (self.mode == Mode::Train && self.stations.augmentor.is_some()) {
            return Ok(false);
        }
        let Some(Kept { columns, rows: None }) = self.kept()? else { return Ok(false) };
        let (x, y, w) = (Some(&columns.x), columns.y.as_ref(), columns.w.as_ref());
        for (columns, arrays) in [(x, Some(&mut batch.x)), (y, batch.y.as_mut()), (w, batch.w.as_mut())] {
            let done = match (columns, arrays) {
                (None, None) => true,
                (Some(columns), Some(arrays)) => take_into(columns, rows, arrays),
                _ => false,
            };
            if !done {
                return Ok(false);
            }
        }
        batch.rows.clear();
        batch.rows.extend_from_slice(rows);
        Ok(true)
    }

    /// Returns the columns of all records, loaded at the first call; `None` when they are not kept.
    fn kept(&self) -> Result<Option<&Kept>> {
        if self.kept.get().is_none() {
            let kept = self.load_all()?;
            let _ = self.kept.set(kept);
        }
        Ok(self.kept.get().and_then(Option::as_ref))
    }

    fn load_all(&self) -> Result<Option<Kept>> {
        if self.cache == Cache::Off {
            return Ok(None);
        }
        let used = self.order.used();
        let (mut chunks, mut bytes, mut loaded) = (Vec::new(), 0, 0);
        for rows in used.chunks(cache::CHUNK) {
            let chunk = self.load(rows)?;
            bytes += cache::bytes(&chunk);
            chunks.push(chunk);
            loaded += rows.len();
            if !self.cache.fits(bytes, loaded, used.len()) {
                return Ok(None);
            }
        }
        // Chunks that do not join (another dtype, say) are no error here: a batch may still be uniform,
        // and if it is not, its own error names the records.
        let rows = (used.len() < self.records.len()).then_some(used);
        Ok(columns::concat(&chunks).ok().map(|columns| Kept { columns, rows }))
    }

    fn load(&self, rows: &[usize]) -> Result<DataColumns> {
        let records: Vec<Record> = rows.iter().map(|&row| self.records.record(row)).collect();
        let place = |position: usize| rows.get(position).map_or_else(String::new, |&row| self.place(row));
        let loaded = self.stations.loader.load(&records, self.mode)?;
        let transformed = self.stations.transformer.transform(loaded, self.mode)?;
        let mut columns = whole(columns::columns(transformed, &place)?, rows.len(), "loader and transformer")?;
        if self.mode == Mode::Score {
            (columns.y, columns.w) = (None, None);
        }
        Ok(columns)
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dataset({}, {} records, {} batches)", self.mode.name(), self.len(), self.batches())
    }
}

/// One epoch's batches; the permutation of the current pass is kept while it is used.
pub struct Epoch<'a> {
    dataset: &'a Dataset,
    epoch: u64,
    pass: Option<(u64, Vec<usize>)>,
}

impl Epoch<'_> {
    /// Returns a batch by its number, below [`Dataset::batches`].
    ///
    /// # Errors
    /// Whatever a station raises; the error names the record.
    pub fn batch(&mut self, index: usize) -> Result<Batch> {
        let spot = self.dataset.order.spot(self.epoch, index);
        if self.pass.as_ref().is_none_or(|(pass, _)| *pass != spot.pass) {
            self.pass = Some((spot.pass, self.dataset.order.pass(spot.pass)));
        }
        let rows = self.pass.as_ref().and_then(|(_, rows)| rows.get(spot.start..spot.start + spot.len)).unwrap_or(&[]);
        self.dataset.assemble(rows, spot.pass, spot.start)
    }

    /// Brings a batch into the place of another one, in its memory where it has the same shape: reading batch after
    /// batch allocates nothing while records are kept and nothing augments them.
    ///
    /// # Errors
    /// As [`Epoch::batch`].
    pub fn batch_into(&mut self, index: usize, batch: &mut Option<Batch>) -> Result<()> {
        let spot = self.dataset.order.spot(self.epoch, index);
        if let (Some(batch), Some((pass, rows))) = (batch.as_mut(), &self.pass)
            && *pass == spot.pass
            && let Some(rows) = rows.get(spot.start..spot.start + spot.len)
            && self.dataset.refill(rows, batch)?
        {
            return Ok(());
        }
        *batch = None;
        *batch = Some(self.batch(index)?);
        Ok(())
    }
}

/// Writes rows of columns over those of a batch; returns whether names and shapes allow it.
fn take_into(columns: &Columns, rows: &[usize], arrays: &mut Arrays) -> bool {
    columns.len() == arrays.len()
        && columns.iter().zip(arrays).all(|((name, column), (own, array))| match column {
            Column::Dense(Tensor::Host(values)) => name == own && values.take_rows_into(rows, array),
            _ => false,
        })
}

fn purpose(mode: Mode) -> &'static str {
    match mode {
        Mode::Train => "training",
        Mode::Validation => "validation",
        Mode::Score => "score",
    }
}

/// Returns the columns if no station lost or added a record.
fn whole(columns: DataColumns, len: usize, station: &str) -> Result<DataColumns> {
    match columns.len == len {
        true => Ok(columns),
        false => Err(Error::data(format!("{station}: expected {len} data records, found {}", columns.len))
            .hint("a station returns one data record for each record it is given")),
    }
}
