//! Batches that are made ahead of the one that is asked for, on threads of their own, and given in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::pipeline::chain::{Next, Source};

/// The stack of a thread, as large as that of most main threads: scripts run there.
const STACK_BYTES: usize = 8 << 20;

/// Batches made ahead. Dropping it ends its threads after what they are doing.
pub struct Ahead<B>(Arc<Shared<B>>);

struct Shared<B> {
    state: Mutex<State<B>>,
    changed: Condvar,
    most: usize,
}

struct State<B> {
    source: Source<B>,
    /// The number of the next batch of the source.
    next: usize,
    /// The number of the batch that is asked for.
    wanted: usize,
    /// Batches that are made.
    made: BTreeMap<usize, Result<Next<B>>>,
    /// The number of batches, once the source has ended.
    end: Option<usize>,
    stopped: bool,
}

impl<B: Send + 'static> Ahead<B> {
    /// Starts `count` threads, which make that many batches ahead.
    ///
    /// # Errors
    /// The system refuses to start a thread.
    pub fn start(
        source: Source<B>,
        count: usize,
        work: impl Fn(B) -> Result<Next<B>> + Send + Sync + 'static,
    ) -> Result<Ahead<B>> {
        let state = State { source, next: 0, wanted: 0, made: BTreeMap::new(), end: None, stopped: false };
        let ahead = Ahead(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), most: count }));
        let work = Arc::new(work);
        for number in 0..count {
            let (shared, work) = (ahead.0.clone(), work.clone());
            std::thread::Builder::new()
                .name(format!("batches-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || shared.make(&*work))
                .map_err(|error| Error::run(format!("cannot start a thread: {error}")))?;
        }
        Ok(ahead)
    }
}

impl<B> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<B>>) -> MutexGuard<'a, State<B>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, work: &(dyn Fn(B) -> Result<Next<B>> + Send + Sync)) {
        let mut state = self.lock();
        loop {
            if state.stopped || state.end.is_some() {
                return;
            }
            if state.next >= state.wanted + self.most {
                state = self.wait(state);
                continue;
            }
            let number = state.next;
            state.next += 1;
            let batch = state.source.next();
            let Some(batch) = batch else {
                state.end = Some(number);
                self.changed.notify_all();
                return;
            };
            drop(state);
            let made = batch.and_then(|batch| {
                // The consumer waits for this batch: whatever happens, it gets an answer.
                catch_unwind(AssertUnwindSafe(|| work(batch))).unwrap_or_else(|_| {
                    Err(Error::run("a step of the pipeline broke down: this is a defect of the program"))
                })
            });
            state = self.lock();
            state.made.insert(number, made);
            self.changed.notify_all();
        }
    }
}

impl<B> Iterator for Ahead<B> {
    type Item = Result<Next<B>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut state = self.0.lock();
        loop {
            let wanted = state.wanted;
            if let Some(made) = state.made.remove(&wanted) {
                state.wanted += 1;
                self.0.changed.notify_all();
                return Some(made);
            }
            if state.stopped || state.end.is_some_and(|end| wanted >= end) {
                return None;
            }
            state = self.0.wait(state);
        }
    }
}

impl<B> Drop for Ahead<B> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }
}
