//! What is asked of a side before its zeros are left out.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::kernel::lanes::{Lanes, Loop};
use crate::kernel::pool;

/// A side of a product.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub(super) values: *const f32,
    pub(super) shape: [usize; 2],
    pub(super) strides: [usize; 2],
}

// SAFETY: threads only read it.
unsafe impl Sync for Side {}

impl Side {
    /// The side as lines of numbers that stand one after the other: how many, how long, and how far apart; `None` where
    /// there are none.
    fn lines(&self) -> Option<(usize, usize, usize)> {
        let ([rows, columns], [down, right]) = (self.shape, self.strides);
        match (down, right) {
            (_, 1) => Some((rows, columns, down)),
            (1, _) => Some((columns, rows, right)),
            _ => None,
        }
    }

    /// Returns the share of zeros in a sample.
    ///
    /// # Safety
    /// The view lies inside its slice.
    pub(super) unsafe fn zeros(&self) -> f32 {
        const SPOTS: usize = 32;
        const SPOT: usize = 16;
        let Some((count, len, apart)) = self.lines() else { return 0.0 };
        let mut zeros = 0;
        let of_spot = SPOT.min(len);
        for spot in 0..SPOTS {
            // Lines over the whole side; places along them as far from each other as from a pattern of the data.
            let line = (2 * spot + 1) * count / (2 * SPOTS);
            let place = (spot * 611 % SPOTS) * (len - of_spot) / (SPOTS - 1);
            for at in 0..of_spot {
                // SAFETY: the caller's.
                zeros += usize::from(unsafe { *self.values.add(line * apart + place + at) } == 0.0);
            }
        }
        zeros as f32 / (SPOTS * of_spot) as f32
    }

    /// Returns whether all numbers are finite.
    ///
    /// # Safety
    /// The machine has the instructions, and the view lies inside its slice.
    pub(super) unsafe fn is_finite<L: Lanes>(&self) -> bool {
        let Some((count, len, apart)) = self.lines() else { return false };
        let finite = AtomicBool::new(true);
        pool::split(count, count * len / 4, |lines| {
            for line in lines {
                // SAFETY: the caller's.
                unsafe { L::run(Finite { from: self.values.add(line * apart), len, finite: &finite }) }
            }
        });
        finite.into_inner()
    }
}

/// Looks for numbers that are not finite.
struct Finite<'a> {
    from: *const f32,
    len: usize,
    finite: &'a AtomicBool,
}

impl<L: Lanes> Loop<L> for Finite<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        const TOGETHER: usize = 8;
        // SAFETY: the caller's.
        unsafe {
            let mut sums = [L::zero(); TOGETHER];
            let (zero, whole) = (L::zero(), self.len / (TOGETHER * L::COUNT) * TOGETHER * L::COUNT);
            for at in (0..whole).step_by(TOGETHER * L::COUNT) {
                for (place, sum) in sums.iter_mut().enumerate() {
                    // 0 for what is finite, not a number for all else.
                    *sum = sum.add_product(L::load(self.from.add(at + place * L::COUNT)), zero);
                }
            }
            for at in (whole..self.len).step_by(L::COUNT) {
                sums[0] = sums[0].add_product(L::load_part(self.from.add(at), self.len - at), zero);
            }
            let sum = sums.into_iter().fold(zero, |sum, next| sum.plus(next));
            if sum.not_zero() != 0 {
                self.finite.store(false, Ordering::Relaxed);
            }
        }
    }
}
