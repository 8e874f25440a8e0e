//! Work on the parts of a file, on all cores.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::Result;
use crate::machine::{self, pages};

/// Applies a function to each item; the results are in the order of the items.
pub(super) fn map<T: Send, R: Send>(items: Vec<T>, apply: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = machine::cores().min(items.len());
    if threads <= 1 {
        return items.into_iter().map(apply).collect();
    }
    let waiting: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let done: Vec<Mutex<Option<R>>> = waiting.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(place) = waiting.get(at) else { break };
            let item = place.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(item) = item {
                *done[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(apply(item));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread is to be had, this one does the work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    done.into_iter().filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Makes results on all cores and hands them over in their order; what `take` gives back is used for making further ones.
/// Once it gives nothing back, no more are made.
pub(super) fn relay<R: Send>(
    count: usize,
    make: impl Fn(usize, Option<R>) -> Result<R> + Sync,
    take: impl FnMut(Result<R>) -> Option<R> + Send,
) {
    let threads = machine::cores().min(count);
    let next = AtomicUsize::new(0);
    let goal = Mutex::new(Goal { made: BTreeMap::new(), taken: 0, spare: Vec::new(), take });
    let lock = || goal.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            let spare = lock().spare.pop();
            let made = make(at, spare);
            if !lock().hand_over(at, made) {
                next.store(count, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread is to be had, this one does the work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
}

/// Where results go.
struct Goal<R, F> {
    /// Those that wait for one before them.
    made: BTreeMap<usize, Result<R>>,
    taken: usize,
    spare: Vec<R>,
    take: F,
}

impl<R, F: FnMut(Result<R>) -> Option<R>> Goal<R, F> {
    /// Takes a result, and all that waited for it; returns whether more are wanted.
    fn hand_over(&mut self, at: usize, made: Result<R>) -> bool {
        self.made.insert(at, made);
        while let Some(made) = self.made.remove(&self.taken) {
            self.taken += 1;
            match (self.take)(made) {
                Some(spare) => self.spare.push(spare),
                None => {
                    self.taken = usize::MAX;
                    return false;
                }
            }
        }
        self.taken != usize::MAX
    }
}

/// A piece of a file that is worth a thread.
const PIECE: usize = 8 << 20;

/// Reads a file into memory; the pieces of a large one at once, since copying them takes longer than finding them.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let size = file.metadata().map_or(0, |about| if about.is_file() { about.len() } else { 0 });
    let Ok(size) = usize::try_from(size) else { return Err(io::ErrorKind::OutOfMemory.into()) };
    if size > PIECE && machine::cores() > 1 {
        let mut all = vec![0; size];
        pages::ask(&mut all);
        let pieces: Vec<(usize, &mut [u8])> = all.chunks_mut(PIECE).enumerate().collect();
        let read = map(pieces, |(at, piece)| read_at(&file, piece, (at * PIECE) as u64));
        if read.iter().all(Result::is_ok) {
            return Ok(all);
        }
        // It is being written, or does not want to be read that way: once more from the beginning.
        file = File::open(path)?;
    }
    let mut all = Vec::with_capacity(size);
    file.read_to_end(&mut all)?;
    Ok(all)
}

#[cfg(unix)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, piece, at)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        assert_eq!(map((0..100).collect(), |item| item * 2), (0..100).map(|item| item * 2).collect::<Vec<_>>());
        assert!(map(Vec::<i32>::new(), |item| item).is_empty());
    }

    #[test]
    fn a_large_file_is_read_as_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let content: Vec<u8> = (0..2 * PIECE + 77).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        assert!(bytes(&path).unwrap() == content);
        std::fs::write(&path, b"").unwrap();
        assert!(bytes(&path).unwrap().is_empty());
    }

    #[test]
    fn results_are_taken_in_order_and_used_again() {
        let mut taken = Vec::new();
        let make = |at: usize, spare: Option<Vec<usize>>| {
            let mut made = spare.unwrap_or_default();
            assert!(made.is_empty());
            // Even ones take longer, so that others wait for them.
            (0..(at + 1) % 2 * 20_000).for_each(|_| std::hint::spin_loop());
            made.push(at);
            Ok(made)
        };
        relay(100, make, |made| {
            let mut made = made.unwrap();
            taken.append(&mut made);
            Some(made)
        });
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_failure_ends_the_work() {
        let mut outcomes = Vec::new();
        let make = |at: usize, _| if at % 10 == 7 { Err(Error::data(at.to_string())) } else { Ok(at) };
        relay(1000, make, |made| {
            outcomes.push(made.as_ref().map_or_else(ToString::to_string, ToString::to_string));
            made.ok()
        });
        assert_eq!(outcomes, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        relay(0, make, |_| None);
    }
}
