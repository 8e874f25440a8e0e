//! The workers of a dataset: threads that make the batches of one epoch after another. What a thread has freed it uses
//! again, so a run whose threads stay takes no more memory in its last epoch than in its first.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::ahead::{Desk, work};

/// Threads that wait for work, until this is dropped.
pub(super) struct Pool {
    board: Arc<Board>,
    workers: Vec<JoinHandle<()>>,
}

/// Where the workers look for what is to be done.
struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts what was to be done so far, so that no worker begins the same twice.
    number: u64,
    desk: Option<Arc<Desk>>,
    ended: bool,
}

impl Pool {
    /// Starts threads; fewer, where the machine has none left.
    pub fn new(workers: usize) -> Pool {
        let board = Arc::new(Board { state: Mutex::default(), changed: Condvar::new() });
        let start = |number: usize| {
            let board = board.clone();
            thread::Builder::new().name(format!("data {number}")).spawn(move || serve(&board)).ok()
        };
        let workers = (0..workers).filter_map(start).collect();
        Pool { board, workers }
    }

    /// Returns the number of threads.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Sets all workers to a desk; work at the one before ends.
    pub fn set(&self, desk: &Arc<Desk>) {
        let mut state = self.board.lock();
        state.number += 1;
        let before = state.desk.replace(desk.clone());
        drop(state);
        if let Some(before) = before {
            before.close();
        }
        self.board.changed.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.board.lock();
        state.ended = true;
        let desk = state.desk.take();
        drop(state);
        if let Some(desk) = desk {
            desk.close();
        }
        self.board.changed.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(board: &Board) {
    let mut done = 0;
    loop {
        let mut state = board.lock();
        while !state.ended && (state.number == done || state.desk.is_none()) {
            state = board.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended {
            return;
        }
        done = state.number;
        let desk = state.desk.clone();
        drop(state);
        if let Some(desk) = desk {
            work(&desk);
        }
    }
}
