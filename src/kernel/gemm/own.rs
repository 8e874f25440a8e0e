//! Products by vectors of this machine: which of the two ways is taken, and in which orientation.

// Without vectors of this kind, products are those of the crate.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

use crate::kernel::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
#[cfg(target_arch = "x86_64")]
use crate::kernel::simd::{self, Level};

use super::{Matrix, MatrixMut, Start};

/// How many products are summed before what stands in the result is added: half of the second cache holds so many rows
/// of the right side, on any machine.
pub(super) const DEPTH: usize = 512;

/// A product, as pointers and distances.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// Rows.
    pub(super) m: usize,
    /// Columns.
    pub(super) n: usize,
    /// The length of the sums.
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) a_strides: [usize; 2],
    pub(super) b: *const f32,
    pub(super) b_strides: [usize; 2],
    pub(super) out: *mut f32,
    pub(super) out_strides: [usize; 2],
    /// Whether the result is added to what stands there.
    pub(super) add: bool,
    /// What is added to each row.
    pub(super) row: Option<&'a [f32]>,
    pub(super) scale: f32,
}

// SAFETY: threads read `a` and `b`, and write different numbers of `out`.
unsafe impl Sync for Product<'_> {}

/// Computes a product, unless this machine has no instructions for it; returns whether it did. Shapes have been checked.
pub(super) fn multiply(out: &mut MatrixMut<'_>, start: Start<'_>, a: Matrix<'_>, b: Matrix<'_>, scale: f32) -> bool {
    let Some(own) = Product::new(out, start, a, b, scale) else { return false };
    #[cfg(target_arch = "x86_64")]
    match simd::level() {
        // SAFETY: `level` has found the instructions, and every view lies inside its slice.
        Level::Avx512 => unsafe { own.multiply::<Avx512>() },
        // SAFETY: as above.
        Level::Avx2 => unsafe { own.multiply::<Avx2>() },
        Level::Baseline => return false,
    }
    cfg!(target_arch = "x86_64")
}

impl<'a> Product<'a> {
    /// Returns the product of two views; `None` if there is nothing to multiply.
    pub(super) fn new(
        out: &mut MatrixMut<'_>,
        start: Start<'a>,
        a: Matrix<'_>,
        b: Matrix<'_>,
        scale: f32,
    ) -> Option<Self> {
        let ([m, k], [_, n]) = (a.shape, b.shape);
        let (add, row) = match start {
            Start::Nothing => (false, None),
            Start::Itself => (true, None),
            Start::Row(row) => (false, Some(row)),
        };
        let own = Product {
            m,
            n,
            k,
            a: a.values.as_ptr(),
            a_strides: a.strides,
            b: b.values.as_ptr(),
            b_strides: b.strides,
            out: out.values.as_mut_ptr(),
            out_strides: out.strides,
            add,
            row,
            scale,
        };
        (m > 0 && n > 0 && k > 0).then_some(own)
    }

    /// # Safety
    /// The machine has the instructions, and all views lie inside what is borrowed.
    unsafe fn multiply<L: Lanes>(self) {
        // SAFETY: the caller's.
        unsafe {
            if self.without_zeros::<L>() {
                return;
            }
            // A right side whose rows are not contiguous is turned while it is copied. With few rows it is cheaper to
            // compute the transposed product, and turn these and the result.
            let few = 2 * self.m * (self.n + self.k) < self.n * self.k;
            match self.b_strides[1] != 1 && self.row.is_none() && few {
                true => self.transposed().in_tiles::<L>(),
                false => self.in_tiles::<L>(),
            }
        }
    }

    /// The product whose result is the transposed one.
    pub(super) fn transposed(self) -> Self {
        let turn = |[down, right]: [usize; 2]| [right, down];
        Product {
            m: self.n,
            n: self.m,
            a: self.b,
            a_strides: turn(self.b_strides),
            b: self.a,
            b_strides: turn(self.a_strides),
            out_strides: turn(self.out_strides),
            ..self
        }
    }
}
