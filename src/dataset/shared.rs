//! What every worker of a dataset sees: the records, the stations, and what is kept of what they made. Nothing
//! here changes once it is made, so no lock is held while a station runs.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use super::batch::{Arrays, Batch};
use super::cache::{self, Cache};
use super::order::Order;
use super::{Pad, Stations, WORTH_HANDING_OVER, replace};
use crate::batch as columns;
use crate::clock::Stopwatch;
use crate::error::{Error, Kind, Result};
use crate::random::{Random, Stream};
use crate::record::{Column, Columns, DataColumns, DataRecords, Mode, Name, Record, Records};
use crate::tensor::Tensor;

/// A dataset without its workers.
pub(super) struct Shared {
    pub records: Records,
    pub stations: Stations,
    pub mode: Mode,
    pub seed: u64,
    pub order: Order,
    cache: Cache,
    /// How values of different lengths are brought to one.
    pub pad: Vec<(Name, Pad)>,
    /// Whether another record takes the place of one that fails.
    pub replaces: bool,
    stop: Arc<AtomicBool>,
    kept: OnceLock<Option<Kept>>,
    /// The order of the latest passes.
    passes: Mutex<Vec<(u64, Arc<Vec<usize>>)>>,
}

/// Loaded and transformed records.
struct Kept {
    columns: DataColumns,
    /// The rows that `columns` holds, ascending, when they are not all of the table's.
    rows: Option<Vec<usize>>,
}

impl Shared {
    pub fn new(
        records: Records,
        stations: Stations,
        mode: Mode,
        seed: u64,
        order: Order,
        cache: Cache,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let passes = Mutex::new(Vec::new());
        let pad = Vec::new();
        let kept = OnceLock::new();
        Shared { records, stations, mode, seed, order, cache, pad, replaces: false, stop, kept, passes }
    }

    /// Returns how a record is called in errors.
    pub fn place(&self, row: usize) -> String {
        self.records.record(row).place()
    }

    /// Makes a batch of an epoch.
    pub fn batch(&self, epoch: u64, index: usize) -> Result<Batch> {
        self.check_stop()?;
        let spot = self.order.spot(epoch, index);
        let pass = self.pass(spot.pass);
        let rows = pass.get(spot.start..spot.start + spot.len).unwrap_or(&[]);
        self.assemble(rows, spot.pass, spot.start)
    }

    /// Brings a batch of an epoch into the memory of another one; returns whether that was possible: kept columns of numbers,
    /// nothing that augments, a batch of the same shape.
    pub fn refill(&self, epoch: u64, index: usize, batch: &mut Batch) -> Result<bool> {
        let Some(Some(Kept { columns, rows: None })) = self.kept.get() else { return Ok(false) };
        let spot = self.order.spot(epoch, index);
        if batch.len != spot.len
            || !self.pad.is_empty()
            || (self.mode == Mode::Train && self.stations.augmentor.is_some())
        {
            return Ok(false);
        }
        self.check_stop()?;
        let pass = self.pass(spot.pass);
        let rows = pass.get(spot.start..spot.start + spot.len).unwrap_or(&[]);
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

    /// Returns the rows of a pass in order.
    pub fn pass(&self, pass: u64) -> Arc<Vec<usize>> {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rows)) = passes.iter().find(|(known, _)| *known == pass) {
            return rows.clone();
        }
        // A batch at the border of two passes needs both. The memory of one before them is that of the new one.
        let over = (passes.len() > 1).then(|| passes.pop()).flatten();
        let over = over.and_then(|(_, rows)| Arc::try_unwrap(rows).ok()).unwrap_or_default();
        let rows = Arc::new(self.order.pass(pass, over));
        passes.insert(0, (pass, rows.clone()));
        rows
    }

    /// Makes the batch of rows that start at position `start` of pass `pass`.
    fn assemble(&self, rows: &[usize], pass: u64, start: usize) -> Result<Batch> {
        match self.made(rows, pass, start) {
            Ok(chunk) => self.stacked(chunk, rows),
            Err(error) if self.replaces && error.kind() != Kind::Interrupted => {
                replace::batch(self, rows, (pass, start), error)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns loaded rows as a batch.
    pub fn stacked(&self, chunk: DataColumns, rows: &[usize]) -> Result<Batch> {
        let place = |position: usize| rows.get(position).map_or_else(String::new, |&row| self.place(row));
        Batch::new(chunk, rows.to_vec(), &self.pad, &place)
    }

    /// Loads, transforms and, in train mode, augments rows that start at position `start` of pass `pass`.
    pub fn made(&self, rows: &[usize], pass: u64, start: usize) -> Result<DataColumns> {
        let place = |position: usize| rows.get(position).map_or_else(String::new, |&row| self.place(row));
        let mut chunk = self.plain(rows)?;
        if let (Mode::Train, Some(augmentor)) = (self.mode, &self.stations.augmentor) {
            let random: Vec<Random> = (start..start + rows.len())
                .map(|position| Random::new(self.seed, Stream::Augment, &[pass, position as u64]))
                .collect();
            let augmented = augmentor.augment(DataRecords::Columns(chunk), &random)?;
            chunk = whole(columns::columns(augmented, &place)?, rows.len(), "augmentor")?;
        }
        Ok(chunk)
    }

    /// Returns rows as they are before anything augments them.
    pub fn plain(&self, rows: &[usize]) -> Result<DataColumns> {
        self.fill(0)?;
        match self.kept.get().and_then(Option::as_ref) {
            Some(Kept { columns, rows: None }) => columns::take(columns, rows),
            Some(Kept { columns, rows: Some(used) }) => {
                let at: Vec<usize> = rows.iter().map(|row| used.partition_point(|own| own < row)).collect();
                columns::take(columns, &at)
            }
            None => self.load(rows),
        }
    }

    /// Loads all records, at the first call, when they are to be kept; on `workers` threads where that pays. Where one of
    /// them fails that another one may replace, nothing is kept.
    pub fn fill(&self, workers: usize) -> Result<()> {
        if self.kept.get().is_none() {
            let kept = match self.load_all(workers) {
                Err(error) if self.replaces && error.kind() != Kind::Interrupted => None,
                kept => kept?,
            };
            let _ = self.kept.set(kept);
        }
        Ok(())
    }

    fn load_all(&self, workers: usize) -> Result<Option<Kept>> {
        if self.cache == Cache::Off {
            return Ok(None);
        }
        let used = self.order.used();
        // What the first records take decides how many are loaded at a time.
        let (first, rest) = used.split_at(used.len().min(cache::FIRST));
        let loading = Stopwatch::start();
        let mut chunks = vec![self.load(first)?];
        let time = loading.elapsed();
        let mut bytes = cache::bytes(&chunks[0]);
        if !self.cache.fits(bytes, first.len(), used.len()) {
            return Ok(None);
        }
        let pieces: Vec<&[usize]> = rest.chunks(cache::chunk(bytes, first.len())).collect();
        let expected = time.as_secs_f64() * rest.len() as f64 / first.len().max(1) as f64;
        let threads = workers.min(pieces.len());
        if threads > 1 && expected > 10.0 * WORTH_HANDING_OVER.as_secs_f64() {
            match self.load_in_parallel(&pieces, threads, bytes, used.len())? {
                Some(loaded) => chunks.extend(loaded),
                None => return Ok(None),
            }
        } else {
            let mut loaded = first.len();
            for rows in pieces {
                self.check_stop()?;
                let chunk = self.load(rows)?;
                bytes += cache::bytes(&chunk);
                chunks.push(chunk);
                loaded += rows.len();
                if !self.cache.fits(bytes, loaded, used.len()) {
                    return Ok(None);
                }
            }
        }
        // Chunks that do not join (another dtype, say) are no error here: a batch may still be uniform,
        // and if it is not, its own error names the records.
        let rows = (used.len() < self.records.len()).then_some(used);
        Ok(columns::concat(&chunks).ok().map(|columns| Kept { columns, rows }))
    }

    /// Loads pieces on several threads; the results are in order, and so is the first error. `None` when they
    /// turn out not to fit.
    fn load_in_parallel(
        &self,
        pieces: &[&[usize]],
        threads: usize,
        bytes: u64,
        len: usize,
    ) -> Result<Option<Vec<DataColumns>>> {
        let results: Vec<Mutex<Option<Result<DataColumns>>>> = pieces.iter().map(|_| Mutex::new(None)).collect();
        let (next, bytes, enough) = (AtomicUsize::new(0), AtomicU64::new(bytes), AtomicBool::new(false));
        let work = || {
            while !enough.load(Ordering::Relaxed) {
                // Pieces are taken in order, so all before a piece that failed are taken, too, and will be done.
                let piece = next.fetch_add(1, Ordering::Relaxed);
                let Some(rows) = pieces.get(piece) else { break };
                let loaded = self.check_stop().and_then(|()| self.load(rows));
                let size = loaded.as_ref().map_or(0, cache::bytes);
                let total = bytes.fetch_add(size, Ordering::Relaxed) + size;
                if loaded.is_err() || !self.cache.fits(total, len, len) {
                    enough.store(true, Ordering::Relaxed);
                }
                *results[piece].lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut chunks = Vec::with_capacity(pieces.len());
        for result in results {
            match result.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(loaded) => chunks.push(loaded?),
                None => return Ok(None),
            }
        }
        let fits = self.cache.fits(bytes.into_inner(), len, len);
        Ok(fits.then_some(chunks))
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

    fn check_stop(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::new(Kind::Interrupted, "loading was interrupted")),
            false => Ok(()),
        }
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

/// Returns the columns if no station lost or added a record.
fn whole(columns: DataColumns, len: usize, station: &str) -> Result<DataColumns> {
    match columns.len == len {
        true => Ok(columns),
        false => Err(Error::data(format!("{station}: expected {len} data records, found {}", columns.len))
            .hint("a station returns one data record for each record it is given")),
    }
}
