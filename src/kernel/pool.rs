//! Threads for kernels: an own pool, without spinning, split so that the number of threads never shows in a
//! result.
//!
//! [`Pool::run`] moves work onto the pool; inside it [`split`] and [`rows`] cut that work over the threads. Outside of
//! a pool both run it where they are, so a small network never pays for handing work over.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};
use crate::machine;

/// Work below this many elementary operations is not worth handing to another thread.
const WORTH_SPLITTING: usize = 40_000;

/// The stack of a thread, as large as that of most main threads: composed layers may run there.
const STACK_BYTES: usize = 8 << 20;

/// A pool of threads.
pub struct Pool {
    threads: usize,
    inner: Option<ThreadPool>,
}

impl Pool {
    /// Creates a pool; 0 stands for as many threads as the environment variable `RAYON_NUM_THREADS` says, or as the machine
    /// has cores, 1 for none beside the caller's.
    ///
    /// # Errors
    /// The system refuses to start a thread.
    pub fn new(threads: usize) -> Result<Pool> {
        let named = || std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok().filter(|threads| *threads > 0);
        let threads = if threads == 0 { named().unwrap_or_else(machine::cores) } else { threads };
        if threads == 1 {
            return Ok(Pool { threads, inner: None });
        }
        let builder = ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK_BYTES)
            .thread_name(|index| format!("kernel-{index}"));
        let inner = builder.build().map_err(|error| Error::run(format!("cannot start {threads} threads: {error}")))?;
        Ok(Pool { threads, inner: Some(inner) })
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `work` on the pool and returns what it returns.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.inner {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({})", self.threads)
    }
}

/// Returns the number of threads that work started here is split over: 1 outside of a pool.
pub fn threads() -> usize {
    match rayon::current_thread_index() {
        Some(_) => rayon::current_num_threads(),
        None => 1,
    }
}

/// Calls `part` with ranges that make up `0..items`, in parallel when `work` (a count of elementary operations) is
/// worth it. What is computed for an item may not depend on the range it comes in.
pub fn split(items: usize, work: usize, part: impl Fn(Range<usize>) + Sync) {
    let threads = threads().min(items);
    if threads < 2 || work < WORTH_SPLITTING {
        return part(0..items);
    }
    halve(0..threads, items, threads, &part);
}

fn halve(parts: Range<usize>, items: usize, threads: usize, part: &(impl Fn(Range<usize>) + Sync)) {
    if parts.len() == 1 {
        return part(parts.start * items / threads..parts.end * items / threads);
    }
    let middle = parts.start.midpoint(parts.end);
    rayon::join(|| halve(parts.start..middle, items, threads, part), || halve(middle..parts.end, items, threads, part));
}

/// Splits `values`, rows of `width` each (the last one may be short), over the threads: `part` gets the number of its
/// first row, and its rows.
pub fn rows<T: Send>(values: &mut [T], width: usize, work: usize, part: impl Fn(usize, &mut [T]) + Sync) {
    let (count, len) = (values.len().div_ceil(width.max(1)), values.len());
    let shared = Shared::new(values);
    split(count, work, |range| {
        // SAFETY: the ranges of a split do not overlap.
        part(range.start, unsafe { shared.slice(range.start * width..(range.end * width).min(len)) });
    });
}

/// Splits several buffers over the threads, each in `items` rows of its own width (the last ones may be short, or missing):
/// `part` gets a range of items, and the rows of these of each buffer.
pub fn shares<T: Send, const N: usize>(
    items: usize,
    work: usize,
    buffers: [(&mut [T], usize); N],
    part: impl Fn(Range<usize>, [&mut [T]; N]) + Sync,
) {
    let shared = buffers.map(|(buffer, width)| (Shared::new(buffer), width));
    split(items, work, |range| {
        // SAFETY: the ranges of a split do not overlap.
        let own = shared.each_ref().map(|(shared, width)| unsafe { shared.rows(&range, *width) });
        part(range, own);
    });
}

/// As [`shares`], but `part` gets one item, and its row of each buffer.
pub fn each<T: Send, const N: usize>(
    items: usize,
    work: usize,
    buffers: [(&mut [T], usize); N],
    part: impl Fn(usize, [&mut [T]; N]) + Sync,
) {
    let shared = buffers.map(|(buffer, width)| (Shared::new(buffer), width));
    split(items, work, |range| {
        for item in range {
            // SAFETY: the ranges of a split do not overlap, and so do not the items of a range.
            let own = shared.each_ref().map(|(shared, width)| unsafe { shared.rows(&(item..item + 1), *width) });
            part(item, own);
        }
    });
}

/// Copies a slice, on several threads when it is large.
pub fn copy(from: &[f32], to: &mut [f32]) {
    let work = to.len();
    rows(to, 1, work, |first, part| part.copy_from_slice(&from[first..first + part.len()]));
}

/// The most slices that [`together`] splits.
const TOGETHER: usize = 8;

/// Splits several slices of one length together, over the threads, in pieces of `width`: `part` gets the position of
/// the pieces' first element, and the piece of each slice.
///
/// # Panics
/// Slices of several lengths, or more than eight: an error in the caller.
pub fn together<T: Send>(
    slices: &mut [&mut [T]],
    width: usize,
    work: usize,
    part: impl Fn(usize, &mut [&mut [T]]) + Sync,
) {
    let (count, len) = (slices.len(), slices.first().map_or(0, |slice| slice.len()));
    assert!(count <= TOGETHER && slices.iter().all(|slice| slice.len() == len), "slices of different lengths");
    let mut shared = [Shared { start: std::ptr::null_mut(), len: 0, slice: PhantomData }; TOGETHER];
    for (shared, slice) in shared.iter_mut().zip(slices) {
        *shared = Shared::new(slice);
    }
    let width = width.max(1);
    split(len.div_ceil(width), work, |pieces| {
        for piece in pieces {
            let range = piece * width..((piece + 1) * width).min(len);
            let mut parts: [&mut [T]; TOGETHER] = Default::default();
            for (part, shared) in parts.iter_mut().zip(&shared[..count]) {
                // SAFETY: pieces do not overlap, and each is in one range of the split only.
                *part = unsafe { shared.slice(range.clone()) };
            }
            part(range.start, &mut parts[..count]);
        }
    });
}

/// A mutable slice that several threads write to, each its own part; kernels elsewhere have [`rows`], [`shares`] and
/// [`each`].
pub(super) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: only `slice` gives access, and its callers promise ranges that do not overlap.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Creates one of a slice, which stays borrowed.
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Shared { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// Returns the rows of a range of items, as far as there are some.
    ///
    /// # Safety
    /// As for [`slice`](Self::slice).
    unsafe fn rows(&self, items: &Range<usize>, width: usize) -> &'a mut [T] {
        let place = |item: usize| item.saturating_mul(width).min(self.len);
        // SAFETY: as the caller promises.
        unsafe { self.slice(place(items.start)..place(items.end)) }
    }

    /// Returns a part of the slice.
    ///
    /// # Safety
    /// No two parts that are in use at the same time may overlap.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a part beyond the slice");
        // SAFETY: inside the slice, as just checked; not overlapping, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once() {
        for threads in 1..5 {
            let pool = Pool::new(threads).unwrap();
            for items in [0, 1, 2, 7, 1000] {
                let mut done = vec![0u32; items * 3];
                pool.run(|| {
                    rows(&mut done, 3, usize::MAX, |first, rows| {
                        rows.iter_mut().enumerate().for_each(|(at, item)| *item += (first * 3 + at) as u32);
                    });
                });
                assert!(
                    done.iter().enumerate().all(|(at, item)| at as u32 == *item),
                    "{threads} threads, {items} items"
                );
            }
        }
    }

    #[test]
    fn slices_are_split_together() {
        for threads in 1..4 {
            for len in [0, 1, 10, 4097] {
                let (mut a, mut b) = (vec![0usize; len], vec![0usize; len]);
                Pool::new(threads).unwrap().run(|| {
                    together(&mut [&mut a, &mut b], 16, usize::MAX, |first, parts| {
                        let [a, b] = parts else { return };
                        a.iter_mut().enumerate().for_each(|(at, a)| *a += first + at);
                        b.iter_mut().for_each(|b| *b += 1);
                    });
                });
                assert!(a.iter().enumerate().all(|(at, a)| at == *a) && b.iter().all(|b| *b == 1));
            }
        }
    }

    #[test]
    fn buffers_of_several_widths_are_split_by_items() {
        for threads in 1..5 {
            for items in [0, 1, 2, 7, 100] {
                // Two rows are missing at the end of the second one.
                let (mut a, mut b) = (vec![0; items * 3], vec![0; (items * 2).saturating_sub(3)]);
                let pool = Pool::new(threads).unwrap();
                let add = |at: usize, a: &mut [usize], b: &mut [usize]| {
                    a.iter_mut().enumerate().for_each(|(place, a)| *a += at * 3 + place);
                    b.iter_mut().enumerate().for_each(|(place, b)| *b += at * 2 + place);
                };
                pool.run(|| {
                    shares(items, usize::MAX, [(&mut a, 3), (&mut b, 2), (&mut [], 0)], |range, [a, b, none]| {
                        assert!(none.is_empty());
                        add(range.start, a, b);
                    });
                    each(items, usize::MAX, [(&mut a, 3), (&mut b, 2)], |item, [a, b]| add(item, a, b));
                });
                let twice = |values: &[usize]| values.iter().enumerate().all(|(at, value)| *value == 2 * at);
                assert!(twice(&a) && twice(&b), "{threads} threads, {items} items");
            }
        }
    }

    #[test]
    fn outside_of_a_pool_there_is_one_thread() {
        assert_eq!(threads(), 1);
        assert_eq!(Pool::new(3).unwrap().run(threads), 3);
    }
}
