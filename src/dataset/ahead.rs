//! Batches made ahead by workers: in any order, taken in order, never more than a few at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::batch::Batch;
use super::shared::Shared;
use crate::error::{Error, Result};

/// Batches that are finished before they are asked for, beyond one for each worker.
const SPARE: usize = 2;

/// The workers of one epoch. They end when this is dropped, after the batches that are under way.
pub(super) struct Ahead {
    desk: Arc<Desk>,
    workers: Vec<JoinHandle<()>>,
}

/// Where finished batches lie until they are taken.
struct Desk {
    state: Mutex<State>,
    /// A batch was taken, or the epoch ended.
    room: Condvar,
    /// A batch was finished.
    ready: Condvar,
}

struct State {
    /// The next batch that a worker begins.
    next: usize,
    /// The next batch that is asked for.
    wanted: usize,
    end: usize,
    /// How far workers may be ahead of what is asked for.
    most: usize,
    done: BTreeMap<usize, Result<Batch>>,
    closed: bool,
}

impl Ahead {
    /// Starts workers on a range of an epoch's batches; `most` says how far they may be ahead.
    pub fn start(shared: &Arc<Shared>, epoch: u64, range: Range<usize>, workers: usize, most: Option<usize>) -> Self {
        let workers = workers.min(range.len());
        let state = State {
            next: range.start,
            wanted: range.start,
            end: range.end,
            most: most.unwrap_or(workers + SPARE).max(1),
            done: BTreeMap::new(),
            closed: false,
        };
        let desk = Arc::new(Desk { state: Mutex::new(state), room: Condvar::new(), ready: Condvar::new() });
        let start = |number: usize| {
            let (shared, desk) = (shared.clone(), desk.clone());
            // A machine that has no thread left goes on with those it has; with none, batches are made when asked for.
            thread::Builder::new().name(format!("data {number}")).spawn(move || work(&shared, epoch, &desk)).ok()
        };
        let workers: Vec<_> = (0..workers).filter_map(start).collect();
        if workers.is_empty() {
            desk.lock().closed = true;
        }
        Ahead { desk, workers }
    }

    /// Returns a batch; `None` when another one is next, or nobody makes any.
    pub fn take(&self, index: usize) -> Option<Result<Batch>> {
        let mut state = self.desk.lock();
        if state.wanted != index || index >= state.end {
            return None;
        }
        loop {
            if let Some(batch) = state.done.remove(&index) {
                state.wanted += 1;
                drop(state);
                self.desk.room.notify_one();
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            state = self.desk.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.desk.lock().closed = true;
        self.desk.room.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(shared: &Shared, epoch: u64, desk: &Desk) {
    loop {
        let mut state = desk.lock();
        while !state.closed && state.next < state.end && state.next >= state.wanted + state.most {
            state = desk.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed || state.next >= state.end {
            return;
        }
        let index = state.next;
        state.next += 1;
        drop(state);
        // Whoever waits for the batch would wait forever if this thread ended without a word.
        let batch = catch_unwind(AssertUnwindSafe(|| shared.batch(epoch, index)));
        let batch =
            batch.unwrap_or_else(|_| Err(Error::run(format!("batch {index} could not be made: a worker failed"))));
        desk.lock().done.insert(index, batch);
        desk.ready.notify_all();
    }
}
