//! How far a followed function is trusted: what was compared with interpretation, and what had to be given up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::halt::Halt;
use crate::random::{Random, Stream};

/// The records at the beginning that are interpreted, too.
pub const FIRST: usize = 32;

/// Of so many records one is interpreted, too.
pub const BLOCK: u64 = 4096;

/// A chunk smaller than this is interpreted: there is nothing to gain.
pub(super) const LEAST: usize = 4;

/// Chunks that were halted, one after another, before a function is given up.
const PATIENCE: usize = 3;

/// What is known of one function.
#[derive(Default)]
pub(super) struct Trust {
    /// Why the function is interpreted although it was lowered.
    given_up: OnceLock<Box<Halt>>,
    /// What ended the latest attempt that failed.
    latest: Mutex<Option<Box<Halt>>>,
    halted: AtomicUsize,
    verified: AtomicUsize,
    seen: AtomicU64,
}

impl Trust {
    /// Whether a chunk of so many records is worth an attempt.
    pub fn allows(&self, len: usize) -> bool {
        len >= LEAST && self.given_up.get().is_none()
    }

    /// Notes an attempt that ended; after several one after another the function is given up.
    pub fn halted(&self, halt: Box<Halt>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(halt.clone());
        if self.halted.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            self.give_up(halt);
        }
    }

    /// Interprets from now on.
    pub fn give_up(&self, why: Box<Halt>) {
        let _ = self.given_up.set(why);
    }

    /// Returns the records of the next chunk that are interpreted, too, and whether a difference in them means only
    /// that the function cannot be followed, as nothing has been taken over before.
    pub fn next(&self, len: usize) -> (Vec<usize>, bool) {
        let verified = self.verified.load(Ordering::Relaxed);
        let start = self.seen.fetch_add(len as u64, Ordering::Relaxed);
        let first = len.min(FIRST.saturating_sub(verified));
        let checked = (0..first).chain(sampled(start, len).filter(|at| *at >= first)).collect();
        (checked, verified < FIRST)
    }

    /// Notes a chunk that was followed, and how many of its records agreed with interpretation.
    pub fn agreed(&self, records: usize) {
        self.verified.fetch_add(records, Ordering::Relaxed);
        self.halted.store(0, Ordering::Relaxed);
    }

    /// Returns the records of all chunks that were followed.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Returns why the function was given up.
    pub fn given_up(&self) -> Option<Box<Halt>> {
        self.given_up.get().cloned()
    }

    /// Returns what ended the latest attempt that failed.
    pub fn latest(&self) -> Option<Box<Halt>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the positions of a chunk whose records are interpreted, too: one of each block of records that the
/// function has seen, at a place that a hash of the block's number gives.
fn sampled(start: u64, len: usize) -> impl Iterator<Item = usize> {
    let end = start + len as u64;
    let place = |block: u64| block * BLOCK + Random::new(block, Stream::Script, &[BLOCK]).below(BLOCK);
    (start / BLOCK..=end / BLOCK)
        .map(place)
        .filter(move |at| (start..end).contains(at))
        .map(move |at| (at - start) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_of_each_block_is_sampled_however_the_chunks_are_cut() {
        let places = |sizes: &[usize]| {
            let mut start = 0;
            let mut all = Vec::new();
            for &size in sizes.iter().cycle().take_while(|_| true) {
                all.extend(sampled(start, size).map(|at| start + at as u64));
                start += size as u64;
                if start >= 4 * BLOCK {
                    break;
                }
            }
            all.retain(|at| *at < 4 * BLOCK);
            all
        };
        let whole = places(&[BLOCK as usize]);
        assert_eq!(whole.len(), 4);
        assert_eq!(places(&[64]), whole);
        assert_eq!(places(&[1000, 7]), whole);
    }
}
