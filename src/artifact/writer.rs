//! Writes in the background, in order, so that training never waits for the disk.
//!
//! What is handed over within a moment is written as one burst: logs are appended, files and checkpoints
//! are written under temporary names, what counts is forced to the disk, then everything is renamed in
//! order. Forcing is what costs, so of several checkpoints in one burst only the newest is forced; all
//! carry checksums, and [`super::Folder::latest_checkpoint`] passes over one that a power cut tore.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::checkpoint::{self, Best, Checkpoint, Staged};
use super::file;
use super::layout::Position;
use super::weights::Named;
use crate::error::{Error, Result};
use crate::tensor::Array;

/// How long the first write of a burst waits for others.
const GATHER: Duration = Duration::from_millis(50);
/// What may wait in memory before the training loop has to.
const MOST_BYTES: usize = 256 << 20;
const MOST_JOBS: usize = 1024;

/// Hands writes to a background thread, which does them in order.
///
/// An error is reported at the next call, with its path; nothing is written after it. A dropped writer
/// finishes what it was given, but only [`Writer::flush`] can tell whether that worked.
#[derive(Debug, Default)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes the thread.
    work: Condvar,
    /// Wakes those who wait for room or for the end.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Bytes of the jobs that wait or are being written.
    bytes: usize,
    busy: bool,
    /// Callers that wait: no more gathering.
    waiting: usize,
    closed: bool,
    error: Option<Error>,
    /// What was written since it was last asked for.
    saved: Vec<Saved>,
}

/// Weights that stand on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// What they are for.
    pub purpose: Purpose,
    /// Their folder.
    pub path: PathBuf,
    /// The last epoch that shaped them, from 0.
    pub epoch: usize,
    /// Updates done.
    pub step: u64,
}

/// What saved weights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Scoring: the best so far.
    Best,
    /// Going on after a stop.
    Resume,
}

#[derive(Debug)]
enum Job {
    Append { path: PathBuf, bytes: Vec<u8> },
    Replace { path: PathBuf, bytes: Vec<u8> },
    Best { folder: PathBuf, arrays: Named, best: Best },
    Checkpoint { parent: PathBuf, checkpoint: Box<Checkpoint>, keep: Option<usize> },
}

impl Writer {
    /// Creates a writer; its thread starts with the first write.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes at the end of a file, which is created when missing.
    ///
    /// # Errors
    /// An earlier write failed; as for all methods here.
    pub fn append(&self, path: &Path, bytes: Vec<u8>) -> Result<()> {
        self.push(Job::Append { path: path.to_owned(), bytes })
    }

    /// Replaces a file whole.
    pub fn replace(&self, path: &Path, bytes: Vec<u8>) -> Result<()> {
        self.push(Job::Replace { path: path.to_owned(), bytes })
    }

    /// Replaces the best weights in `folder`, as [`checkpoint::write_best`] does.
    pub fn best(&self, folder: &Path, arrays: Named, best: Best) -> Result<()> {
        self.push(Job::Best { folder: folder.to_owned(), arrays, best })
    }

    /// Writes a checkpoint below `parent`, then removes all but the newest `keep`.
    pub fn checkpoint(&self, parent: &Path, checkpoint: Checkpoint, keep: Option<usize>) -> Result<()> {
        self.push(Job::Checkpoint { parent: parent.to_owned(), checkpoint: Box::new(checkpoint), keep })
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// Returns the first error of any write.
    pub fn flush(&self) -> Result<()> {
        let mut queue = self.shared.lock();
        queue = self.shared.wait_while(queue, |queue| queue.error.is_none() && (queue.busy || !queue.jobs.is_empty()));
        queue.error.clone().map_or(Ok(()), Err)
    }

    /// Returns the best weights and checkpoints that reached the disk since the last call, in order; those that later
    /// ones replaced before they were written are not among them.
    pub fn take_saved(&self) -> Vec<Saved> {
        std::mem::take(&mut self.shared.lock().saved)
    }

    fn push(&self, job: Job) -> Result<()> {
        self.start()?;
        let size = job.size();
        let mut queue = self.shared.lock();
        queue = self.shared.wait_while(queue, |queue| {
            let full =
                queue.jobs.len() >= MOST_JOBS || (queue.bytes > 0 && queue.bytes.saturating_add(size) > MOST_BYTES);
            queue.error.is_none() && full
        });
        if let Some(error) = &queue.error {
            return Err(error.clone());
        }
        queue.bytes += size;
        queue.jobs.push_back(job);
        // Later ones wait for the rest of their burst.
        if queue.jobs.len() == 1 {
            self.shared.work.notify_one();
        }
        Ok(())
    }

    fn start(&self) -> Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = self.shared.clone();
            let spawned = std::thread::Builder::new().name("writer".to_owned()).spawn(move || shared.work());
            *thread = Some(spawned.map_err(|error| Error::run(format!("no thread could be started: {error}")))?);
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as long as `condition` holds, and tells the thread that someone does.
    fn wait_while<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        condition: impl Fn(&Queue) -> bool,
    ) -> MutexGuard<'a, Queue> {
        while condition(&queue) {
            queue.waiting += 1;
            self.work.notify_one();
            queue = self.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.waiting -= 1;
        }
        queue
    }

    /// The thread: bursts until the writer is closed and nothing is left.
    fn work(&self) {
        let mut queue = self.lock();
        loop {
            let idle = |queue: &mut Queue| queue.jobs.is_empty() && !queue.closed;
            queue = self.work.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
            if queue.jobs.is_empty() {
                return;
            }
            let gather = |queue: &mut Queue| queue.waiting == 0 && !queue.closed;
            queue = self.work.wait_timeout_while(queue, GATHER, gather).unwrap_or_else(PoisonError::into_inner).0;
            let jobs = std::mem::take(&mut queue.jobs);
            let size: usize = jobs.iter().map(Job::size).sum();
            queue.busy = true;
            drop(queue);
            let result = catch_unwind(AssertUnwindSafe(|| burst(jobs)))
                .unwrap_or_else(|_| Err(Error::run("the thread that writes files broke down")));
            queue = self.lock();
            queue.busy = false;
            queue.bytes = queue.bytes.saturating_sub(size);
            match result {
                Ok(saved) => queue.saved.extend(saved),
                Err(error) => {
                    queue.error.get_or_insert(error);
                    queue.jobs.clear();
                    queue.bytes = 0;
                }
            }
            self.done.notify_all();
        }
    }
}

impl Job {
    fn size(&self) -> usize {
        let arrays = |arrays: &Named| arrays.iter().map(|(_, array)| array_bytes(array)).sum::<usize>();
        match self {
            Job::Append { bytes, .. } | Job::Replace { bytes, .. } => bytes.len(),
            Job::Best { arrays: weights, .. } => arrays(weights),
            Job::Checkpoint { checkpoint, .. } => {
                let parts = [&checkpoint.weights, &checkpoint.optimizer, &checkpoint.services, &checkpoint.metrics];
                parts.into_iter().map(arrays).sum()
            }
        }
    }
}

fn array_bytes(array: &Array) -> usize {
    match array {
        Array::F32(array) => array.len() * size_of::<f32>(),
        Array::F64(array) => array.len() * size_of::<f64>(),
        Array::I64(array) => array.len() * size_of::<i64>(),
        Array::U8(array) => array.len(),
    }
}

/// Writes a burst of jobs; see the module's text for the order. Returns the weights that it saved.
fn burst(jobs: VecDeque<Job>) -> Result<Vec<Saved>> {
    let mut logs: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let mut bests: Vec<(PathBuf, Named, Best)> = Vec::new();
    let mut checkpoints: Vec<(PathBuf, Box<Checkpoint>, Option<usize>)> = Vec::new();
    for job in jobs {
        match job {
            Job::Append { path, bytes } => match logs.iter_mut().find(|(known, _)| *known == path) {
                Some((_, log)) => log.extend(bytes),
                None => logs.push((path, bytes)),
            },
            Job::Replace { path, bytes } => {
                files.retain(|(known, _)| *known != path);
                files.push((path, bytes));
            }
            Job::Best { folder, arrays, best } => {
                bests.retain(|(known, ..)| *known != folder);
                bests.push((folder, arrays, best));
            }
            Job::Checkpoint { parent, checkpoint, keep } => checkpoints.push((parent, checkpoint, keep)),
        }
    }
    // What would be pruned at the end of the burst need not be written at all.
    let keep = checkpoints.last().and_then(|(_, _, keep)| *keep);
    let positions: Vec<Position> = checkpoints.iter().map(|(_, checkpoint, _)| checkpoint.state.position()).collect();
    let mut stays = checkpoint::needed(&positions, keep).into_iter();
    checkpoints.retain(|_| stays.next().unwrap_or(true));

    for (path, bytes) in &logs {
        let appended = file::append(path, bytes).and_then(|log| log.sync_data());
        appended.map_err(|error| file::failed("write", path, &error))?;
    }
    for (path, bytes) in &files {
        file::write_atomic(path, bytes)?;
    }
    // The best weights come first: a run resumed from a checkpoint of this burst must find weights at
    // least as good as it remembers; ahead of it they may be, since it will make the same ones again.
    let mut saved = Vec::new();
    for (folder, arrays, best) in &bests {
        checkpoint::write_best(folder, arrays, best)?;
        saved.push(Saved { purpose: Purpose::Best, path: folder.clone(), epoch: best.epoch, step: best.step });
    }
    saved.extend(checkpoints.iter().map(|(parent, checkpoint, _)| {
        let position = checkpoint.state.position();
        Saved {
            purpose: Purpose::Resume,
            path: parent.join(position.name()),
            // The epoch that goes on has shaped them already.
            epoch: position.epochs.saturating_sub(usize::from(position.batches == 0)),
            step: checkpoint.state.step,
        }
    }));
    publish(checkpoints)?;
    Ok(saved)
}

fn publish(checkpoints: Vec<(PathBuf, Box<Checkpoint>, Option<usize>)>) -> Result<()> {
    let Some((parent, _, keep)) = checkpoints.last() else { return Ok(()) };
    let (parent, keep) = (parent.clone(), *keep);
    let staged =
        checkpoints.iter().map(|(parent, checkpoint, _)| checkpoint.stage(parent)).collect::<Result<Vec<Staged>>>()?;
    if let Some(newest) = staged.last() {
        newest.sync()?;
    }
    staged.into_iter().try_for_each(Staged::publish)?;
    file::sync_folder(&parent).map_err(|error| file::failed("write", &parent, &error))?;
    checkpoint::prune(&parent, keep)
}

#[cfg(test)]
mod tests;
