//! Batches made ahead by workers: in any order, taken in order, never more than a few at once. The workers of a dataset
//! stay from one epoch to the next, and with them the memory that each of them has at hand.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::pool::Pool;
use super::shared::Shared;
use crate::error::{Error, Result};

/// Batches that are finished before they are asked for, beyond one for each worker.
const SPARE: usize = 2;

/// The batches of one epoch that are made ahead. When this is dropped no further one is begun.
pub(super) struct Ahead {
    desk: Arc<Desk>,
}

/// Where the batches of an epoch are made, and lie until they are taken.
pub(super) struct Desk {
    shared: Arc<Shared>,
    epoch: u64,
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
    /// Sets the workers of a pool to a range of an epoch's batches; `most` says how far they may be ahead.
    pub fn start(pool: &Pool, shared: &Arc<Shared>, epoch: u64, range: Range<usize>, most: Option<usize>) -> Self {
        let state = State {
            next: range.start,
            wanted: range.start,
            end: range.end,
            most: most.unwrap_or(pool.len() + SPARE).max(1),
            done: BTreeMap::new(),
            closed: pool.is_empty(),
        };
        let (shared, state) = (shared.clone(), Mutex::new(state));
        let desk = Arc::new(Desk { shared, epoch, state, room: Condvar::new(), ready: Condvar::new() });
        pool.set(&desk);
        Ahead { desk }
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
        self.desk.close();
    }
}

impl Desk {
    /// Ends the work here: no further batch is begun, and who waits for one makes it.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.done.clear();
        drop(state);
        self.room.notify_all();
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes batches until there are no more to begin.
pub(super) fn work(desk: &Desk) {
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
        let batch = catch_unwind(AssertUnwindSafe(|| desk.shared.batch(desk.epoch, index)));
        let batch =
            batch.unwrap_or_else(|_| Err(Error::run(format!("batch {index} could not be made: a worker failed"))));
        let mut state = desk.lock();
        if !state.closed {
            state.done.insert(index, batch);
        }
        drop(state);
        desk.ready.notify_all();
    }
}
