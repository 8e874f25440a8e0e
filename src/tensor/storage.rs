//! Storage that was let go of, kept for arrays to come: the memory of one batch becomes that of the next, on whichever
//! thread that is made. Given back to the allocator it would go back to the system between two steps, and each new batch
//! would have to be given its pages anew.
//!
//! Only storage that nobody shares is kept, and no element of it is ever seen again: it is a vector without elements. What
//! is kept is bounded, and so are the capacities that it may have: those that were asked for of late.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::Array;
use super::array::each;
use super::element::{Element, Typed};

/// What is smaller the allocator has at hand.
const SMALL_BYTES: usize = 16 << 10;

/// The most that is kept for one dtype.
const MOST_BYTES: usize = 32 << 20;

/// The most vectors that are kept for one dtype, and the most capacities that are known to be asked for.
const MOST: usize = 16;

/// The spare storage of one dtype.
pub(crate) struct Shelf<T> {
    spare: VecDeque<Vec<T>>,
    bytes: usize,
    /// Capacities that were asked for and not there, the latest first.
    asked: VecDeque<usize>,
}

impl<T> Shelf<T> {
    pub const fn new() -> Self {
        Shelf { spare: VecDeque::new(), bytes: 0, asked: VecDeque::new() }
    }

    /// Returns an empty vector of exactly this capacity, when there is one.
    fn take(&mut self, capacity: usize) -> Option<Vec<T>> {
        let found = self.spare.iter().rposition(|spare| spare.capacity() == capacity);
        let Some(vector) = found.and_then(|at| self.spare.remove(at)) else {
            if !self.asked.contains(&capacity) {
                self.asked.truncate(MOST - 1);
                self.asked.push_front(capacity);
            }
            return None;
        };
        self.bytes -= bytes::<T>(capacity);
        Some(vector)
    }

    /// Keeps a vector, if its capacity is asked for, in the place of the oldest where there are too many.
    fn give(&mut self, mut vector: Vec<T>) {
        vector.clear();
        let own = bytes::<T>(vector.capacity());
        if own > MOST_BYTES || !self.asked.contains(&vector.capacity()) {
            return;
        }
        self.bytes += own;
        self.spare.push_back(vector);
        while self.bytes > MOST_BYTES || self.spare.len() > MOST {
            let Some(oldest) = self.spare.pop_front() else { return };
            self.bytes -= bytes::<T>(oldest.capacity());
        }
    }
}

fn bytes<T>(count: usize) -> usize {
    count.saturating_mul(size_of::<T>())
}

/// Returns an empty vector with room for exactly so many elements, when one of that size was let go of.
pub(crate) fn take<T: Element>(count: usize) -> Option<Vec<T>> {
    if bytes::<T>(count) < SMALL_BYTES {
        return None;
    }
    T::shelf().lock().unwrap_or_else(PoisonError::into_inner).take(count)
}

/// Lets go of an array: its storage is kept for another one, unless somebody else has a part in it.
pub(crate) fn give(array: Array) {
    fn of<T: Element>(array: Typed<T>) {
        if bytes::<T>(array.len()) < SMALL_BYTES {
            return;
        }
        let Ok(owned) = array.try_into_owned_nocopy() else { return };
        let (vector, _) = owned.into_raw_vec_and_offset();
        T::shelf().lock().unwrap_or_else(PoisonError::into_inner).give(vector);
    }
    each!(array, typed => of(typed));
}

/// The shelf of a dtype, as `Element::shelf` has it.
pub(crate) type Shared<T> = Mutex<Shelf<T>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_kept_and_given_again_without_its_elements() {
        let mut shelf = Shelf::new();
        shelf.give(vec![1.0f32; 8]);
        assert!(shelf.take(8).is_none(), "nobody had asked");
        let vector = vec![2.0f32; 8];
        let place = vector.as_ptr();
        shelf.give(vector);
        assert!(shelf.take(7).is_none(), "another capacity");
        let again = shelf.take(8).unwrap();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (place, 0, 8));
        assert!(shelf.take(8).is_none());
        assert_eq!(shelf.bytes, 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut shelf = Shelf::<u8>::new();
        let large = MOST_BYTES / 2 - 10;
        for capacity in [large, 64, MOST_BYTES + 1] {
            assert!(shelf.take(capacity).is_none());
        }
        shelf.give(Vec::with_capacity(MOST_BYTES + 1));
        assert_eq!(shelf.spare.len(), 0);
        for _ in 0..3 {
            shelf.give(Vec::with_capacity(large));
        }
        assert_eq!((shelf.spare.len(), shelf.bytes), (2, 2 * large));
        for _ in 0..2 * MOST {
            shelf.give(Vec::with_capacity(64));
        }
        assert_eq!((shelf.spare.len(), shelf.bytes), (MOST, 64 * MOST));
        for capacity in 100..200 {
            assert!(shelf.take(capacity).is_none());
        }
        assert_eq!(shelf.asked.len(), MOST);
    }

    #[test]
    fn an_array_that_is_shared_keeps_its_storage() {
        // No other test has arrays of this size.
        const COUNT: usize = 70_001;
        assert!(take::<i64>(COUNT).is_none());
        let array = Array::new(vec![5i64; COUNT], &[COUNT]).unwrap();
        let row = array.row(7);
        give(array);
        assert!(take::<i64>(COUNT).is_none());
        assert_eq!(*row.as_i64(), [5]);
        give(Array::new(vec![5i64; COUNT], &[COUNT]).unwrap());
        assert_eq!(take::<i64>(COUNT).unwrap().len(), 0);
    }
}
