//! Doing something for each item: one after another, on the cores, or on threads that may wait for files. Results
//! come in the order of the items, whoever is done first.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::error::{self, Error, Result};
use crate::kernel::pool::Pool;

/// Where the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One item after another, where the caller is.
    For,
    /// On the cores: for work that computes.
    Threads,
    /// On many threads: for work that waits, as for files.
    Async,
}

/// How many threads wait at the same time, at most.
const WAITING: usize = 32;

/// Pieces for each core: more than one, so that a slow piece does not hold up all others.
const PIECES: usize = 2;

impl Target {
    /// Returns the target of a name: `for`, `threads` (or `mpc`, which are threads here) or `async`.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str) -> Result<Target> {
        match name {
            "for" => Ok(Target::For),
            "threads" | "mpc" => Ok(Target::Threads),
            "async" => Ok(Target::Async),
            _ => Err(Error::script(format!("unknown target `{name}`"))
                .maybe_hint(error::did_you_mean(name, ["for", "threads", "async"]))
                .hint("targets: `for`, `threads`, `async`")),
        }
    }
}

fn pool(kind: &'static OnceLock<Option<Pool>>, threads: usize) -> Option<&'static Pool> {
    // A system that refuses threads gets the work done where the caller is.
    kind.get_or_init(|| Pool::new(threads).ok()).as_ref()
}

static CORES: OnceLock<Option<Pool>> = OnceLock::new();
static WAITERS: OnceLock<Option<Pool>> = OnceLock::new();

/// Does the work of each item. `start` makes what a worker needs for a series of items; `workers` is the most that
/// work at the same time.
pub fn run<S, T: Send>(
    count: usize,
    target: Target,
    workers: Option<usize>,
    start: &(dyn Fn() -> S + Sync),
    job: &(dyn Fn(&mut S, usize) -> T + Sync),
) -> Vec<T> {
    let alone = || {
        let mut state = start();
        (0..count).map(|item| job(&mut state, item)).collect()
    };
    let pool = match target {
        Target::For => None,
        _ if count < 2 || workers == Some(1) => None,
        Target::Threads => pool(&CORES, 0).filter(|pool| pool.threads() > 1),
        Target::Async => pool(&WAITERS, WAITING),
    };
    let Some(pool) = pool else { return alone() };
    let most = workers.unwrap_or(usize::MAX).min(count);
    match target {
        Target::Async => {
            let next = AtomicUsize::new(0);
            let worker = |_| {
                let mut state = start();
                let mut done = Vec::new();
                loop {
                    let item = next.fetch_add(1, Ordering::Relaxed);
                    if item >= count {
                        return done;
                    }
                    done.push((item, job(&mut state, item)));
                }
            };
            let mut all: Vec<(usize, T)> =
                pool.run(|| (0..most.min(WAITING)).into_par_iter().with_max_len(1).flat_map_iter(worker).collect());
            all.sort_by_key(|(item, _)| *item);
            all.into_iter().map(|(_, result)| result).collect()
        }
        _ => {
            let pieces = if workers.is_some() { most } else { most.min(pool.threads() * PIECES) };
            let piece = |piece: usize| {
                let mut state = start();
                (piece * count / pieces..(piece + 1) * count / pieces)
                    .map(|item| job(&mut state, item))
                    .collect::<Vec<T>>()
            };
            let all: Vec<Vec<T>> = pool.run(|| (0..pieces).into_par_iter().with_max_len(1).map(piece).collect());
            all.into_iter().flatten().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for target in [Target::For, Target::Threads, Target::Async] {
            for workers in [None, Some(1), Some(3)] {
                for count in [0, 1, 7, 100] {
                    let results = run(count, target, workers, &|| 0, &|seen: &mut usize, item| {
                        *seen += 1;
                        item * 2
                    });
                    assert_eq!(results, (0..count).map(|item| item * 2).collect::<Vec<_>>(), "{target:?} {workers:?}");
                }
            }
        }
    }

    #[test]
    fn waiting_work_waits_at_the_same_time() {
        let barrier = std::sync::Barrier::new(8);
        // None would pass the barrier if they came one after another.
        let results = run(8, Target::Async, None, &|| (), &|(), item| {
            barrier.wait();
            item
        });
        assert_eq!(results.len(), 8);
    }
}
