//! The sums of rows over a panel.

use crate::kernel::lanes::{Lanes, Loop};

use super::super::turn::turn;
use super::lists::Lists;

/// The most vectors of columns: their sums are the chains of additions that keep a processor busy.
pub(super) const VECTORS: usize = 8;

/// One block of the lists × one panel.
pub(super) struct Pass<'a> {
    pub(super) rows: usize,
    pub(super) lists: &'a Lists,
    pub(super) block: usize,
    pub(super) panel: *const f32,
    /// The sums so far, in rows of eight vectors.
    pub(super) sums: *mut f32,
    pub(super) out: *mut f32,
    pub(super) out_strides: [usize; 2],
    /// What sums are added to; null for zeros.
    pub(super) start: *const f32,
    pub(super) add: bool,
    pub(super) scale: f32,
    /// Columns of the last vector.
    pub(super) tail: usize,
}

impl Pass<'_> {
    /// Computes it for so many vectors.
    ///
    /// # Safety
    /// The machine has the instructions, and all places are inside what is borrowed.
    pub(super) unsafe fn of<L: Lanes>(&self, vectors: usize) {
        // SAFETY: the caller's.
        unsafe {
            match vectors {
                8 => L::run(Wide::<8>(self)),
                7 => L::run(Wide::<7>(self)),
                6 => L::run(Wide::<6>(self)),
                5 => L::run(Wide::<5>(self)),
                4 => L::run(Wide::<4>(self)),
                3 => L::run(Wide::<3>(self)),
                2 => L::run(Wide::<2>(self)),
                _ => L::run(Wide::<1>(self)),
            }
        }
    }
}

/// A pass over so many vectors.
struct Wide<'a, const COUNT: usize>(&'a Pass<'a>);

impl<L: Lanes, const COUNT: usize> Loop<L> for Wide<'_, COUNT> {
    #[inline(always)]
    unsafe fn run(self) {
        let pass = self.0;
        let last = pass.block + 1 == pass.lists.blocks();
        // SAFETY: the caller's.
        unsafe {
            for row in 0..pass.rows {
                let so_far = pass.sums.add(row * VECTORS * L::COUNT);
                let mut sums = [L::zero(); COUNT];
                if pass.block > 0 {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        *sum = L::load(so_far.add(vector * L::COUNT));
                    }
                }
                let (values, places) = pass.lists.of(row, pass.block);
                for (value, place) in values.iter().zip(places) {
                    let (value, from) = (L::splat(*value), pass.panel.add(*place as usize));
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.add_product(value, L::load(from.add(vector * L::COUNT)));
                    }
                }
                if last && pass.scale != 1.0 {
                    for sum in &mut sums {
                        *sum = L::zero().add_product(*sum, L::splat(pass.scale));
                    }
                }
                if last && !pass.start.is_null() {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        let start = pass.start.add(vector * L::COUNT);
                        let whole = vector + 1 < COUNT;
                        *sum = sum.plus(if whole { L::load(start) } else { L::load_part(start, pass.tail) });
                    }
                }
                if !last || pass.out_strides[1] != 1 {
                    for (vector, sum) in sums.iter().enumerate() {
                        sum.store(so_far.add(vector * L::COUNT));
                    }
                    continue;
                }
                let out = pass.out.add(row * pass.out_strides[0]);
                for (vector, sum) in sums.iter().enumerate() {
                    let out = out.add(vector * L::COUNT);
                    match (vector + 1 < COUNT, pass.add) {
                        (true, true) => sum.plus(L::load(out)).store(out),
                        (true, false) => sum.store(out),
                        (false, true) => sum.plus(L::load_part(out, pass.tail)).store_part(out, pass.tail),
                        (false, false) => sum.store_part(out, pass.tail),
                    }
                }
            }
        }
    }
}

/// Writes the sums of all rows where the columns of the result are not contiguous.
///
/// # Safety
/// As for [`Pass::of`]; there are `columns`, in rows of `wide` sums.
pub(super) unsafe fn out_of_sums(pass: &Pass<'_>, columns: usize, wide: usize) {
    let [down, right] = pass.out_strides;
    // SAFETY: the caller's.
    unsafe {
        if down == 1 && !pass.add {
            return turn(pass.sums, [1, wide], columns, pass.rows, pass.out, right);
        }
        for row in 0..pass.rows {
            for column in 0..columns {
                let out = pass.out.add(row * down + column * right);
                let sum = *pass.sums.add(row * wide + column);
                *out = if pass.add { *out + sum } else { sum };
            }
        }
    }
}
