//! Products by tiles of up to 12 rows × two vectors of columns, whose sums stay in registers.
//!
//! The left side is read where it stands, a number at a time. The right side is taken in panels of two vectors of
//! columns; where its rows are contiguous, the first tile of rows reads them where they stand and leaves the panel
//! behind for the tiles below, so that copying costs nothing beside the products. Each number of the result is summed
//! over `k` in order, in blocks of fixed length: it does not depend on the rows and columns beside it, nor on threads.
//!
//! With few rows, as in training with small batches, the crate `gemm` spends a third of its time on
//! copies of both sides.

// Without vectors of this kind, products are those of the crate.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::lanes::{Lanes, Loop};
use crate::kernel::pool;
#[cfg(target_arch = "x86_64")]
use crate::kernel::simd::{self, Level};

use super::{Matrix, MatrixMut, Start};

/// How much of `k` a panel holds: half of the second cache at most, on any machine.
const DEPTH: usize = 512;
/// The most columns of a panel: two vectors.
const WIDTH: usize = 32;
/// The most rows of a tile.
const ROWS: usize = 12;
/// Numbers of the left side that one panel is used for: they stay in the second cache.
const TOGETHER: usize = 20 * ROWS * DEPTH;
/// How many rows of the right side are asked for ahead.
const AHEAD: usize = 16;

/// A panel of the right side: `DEPTH` rows of up to `WIDTH` columns.
#[repr(align(64))]
struct Panel([std::mem::MaybeUninit<f32>; DEPTH * WIDTH]);

/// A product, as pointers and distances.
#[derive(Clone, Copy)]
struct Product<'a> {
    /// Rows, columns and length of the sums.
    m: usize,
    n: usize,
    k: usize,
    a: *const f32,
    a_strides: [usize; 2],
    b: *const f32,
    b_strides: [usize; 2],
    out: *mut f32,
    out_strides: [usize; 2],
    add: bool,
    row: Option<&'a [f32]>,
    scale: f32,
}

// SAFETY: threads read `a` and `b`, and write different tiles of `out`.
unsafe impl Sync for Product<'_> {}

/// Computes a product, unless this machine has no instructions for it; returns whether it did. Shapes have been checked.
pub(super) fn multiply(out: &mut MatrixMut<'_>, start: Start<'_>, a: Matrix<'_>, b: Matrix<'_>, scale: f32) -> bool {
    let ([m, k], [_, n]) = (a.shape, b.shape);
    if m == 0 || n == 0 || k == 0 {
        return false;
    }
    let (add, row) = match start {
        Start::Nothing => (false, None),
        Start::Itself => (true, None),
        Start::Row(row) => (false, Some(row)),
    };
    let mut own = Product {
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
    // A right side whose rows are not contiguous is turned while it is copied. With few rows it is cheaper to
    // compute the transposed product, and turn these and the result.
    if b.strides[1] != 1 && row.is_none() && 2 * m * (n + k) < n * k {
        own = own.transposed();
    }
    #[cfg(target_arch = "x86_64")]
    match simd::level() {
        // SAFETY: `level` has found the instructions, and every view lies inside its slice.
        Level::Avx512 => unsafe { own.run::<Avx512>() },
        // SAFETY: as above.
        Level::Avx2 => unsafe { own.run::<Avx2>() },
        Level::Baseline => return false,
    }
    cfg!(target_arch = "x86_64")
}

impl Product<'_> {
    /// The product whose result is the transposed one.
    fn transposed(self) -> Self {
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

    /// # Safety
    /// The machine has the instructions, and all views lie inside what is borrowed.
    unsafe fn run<L: Lanes>(&self) {
        let wide = 2 * L::COUNT;
        let panels = self.n.div_ceil(wide);
        let rows = (TOGETHER / self.k.min(DEPTH)).min(128 * ROWS);
        // Every thread gets something, where there is enough; a number of the result is the same in any chunk.
        let spread = pool::threads().div_ceil(panels).min(self.m.div_ceil(ROWS));
        let chunks = self.m.div_ceil(rows).max(spread);
        let work = self.m.saturating_mul(self.n).saturating_mul(self.k) / 4;
        pool::split(panels * chunks, work, |units| {
            let mut panel = Panel([const { std::mem::MaybeUninit::uninit() }; DEPTH * WIDTH]);
            for unit in units {
                let (chunk, number) = (unit / panels, unit % panels);
                let rows = chunk * self.m / chunks..(chunk + 1) * self.m / chunks;
                let columns = number * wide..((number + 1) * wide).min(self.n);
                for first in (0..self.k).step_by(DEPTH) {
                    let depth = DEPTH.min(self.k - first);
                    // SAFETY: the caller's; units have different rows or columns.
                    unsafe { self.block::<L>(rows.clone(), columns.clone(), first, depth, &mut panel) };
                }
            }
        });
    }

    /// Some rows × one panel of columns × one block of `k`.
    unsafe fn block<L: Lanes>(
        &self,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
        first: usize,
        depth: usize,
        panel: &mut Panel,
    ) {
        let vectors = columns.len().div_ceil(L::COUNT);
        let wide = vectors * L::COUNT;
        let [down, right] = self.b_strides;
        let packed = panel.0.as_mut_ptr().cast::<f32>();
        // SAFETY: the panel has room for `depth` rows of two vectors; all places are inside the views.
        unsafe {
            let b = self.b.add(first * down + columns.start * right);
            let direct = right == 1 && columns.len() == wide;
            if !direct {
                turn(b, [down, right], depth, columns.len(), packed, wide);
            }
            let most = if vectors == 2 { L::PLACES } else { ROWS };
            let tiles = rows.len().div_ceil(most);
            for tile in 0..tiles {
                let from = rows.start + tile * rows.len() / tiles;
                let to = rows.start + (tile + 1) * rows.len() / tiles;
                let reads = direct && tile == 0;
                let own = Tile {
                    a: self.a.add(from * self.a_strides[0] + first * self.a_strides[1]),
                    a_strides: self.a_strides,
                    b: if reads { b } else { packed },
                    b_step: if reads { down } else { wide },
                    copy: if reads && tiles > 1 { packed } else { std::ptr::null_mut() },
                    depth,
                    start: match self.row {
                        Some(row) if first == 0 => row[columns.clone()].as_ptr(),
                        _ => std::ptr::null(),
                    },
                    out: self.out.add(from * self.out_strides[0] + columns.start * self.out_strides[1]),
                    out_strides: self.out_strides,
                    add: self.add || first > 0,
                    scale: self.scale,
                    tail: columns.len() - (vectors - 1) * L::COUNT,
                };
                match vectors {
                    2 => own.of::<L, 2>(to - from),
                    _ => own.of::<L, 1>(to - from),
                }
            }
        }
    }
}

/// Copies a block of the right side, any distances apart, into rows of `wide` numbers; missing columns are 0.
unsafe fn turn(b: *const f32, [down, right]: [usize; 2], depth: usize, columns: usize, to: *mut f32, wide: usize) {
    /// Rows that are written together, so that they stay in the first cache.
    const TOGETHER: usize = 16;
    // SAFETY: the caller's.
    unsafe {
        if columns < wide {
            std::ptr::write_bytes(to, 0, depth * wide);
        }
        if right == 1 {
            for row in 0..depth {
                std::ptr::copy_nonoverlapping(b.add(row * down), to.add(row * wide), columns);
            }
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if down == 1 {
            return turn_by_fours(b, right, depth, columns, to, wide);
        }
        for first in (0..depth).step_by(TOGETHER) {
            let end = depth.min(first + TOGETHER);
            for column in 0..columns {
                let from = b.add(column * right);
                for row in first..end {
                    *to.add(row * wide + column) = *from.add(row * down);
                }
            }
        }
    }
}

/// Copies columns that are contiguous, `right` apart, into rows of `wide` numbers: squares of 4 × 4 in registers.
#[cfg(target_arch = "x86_64")]
unsafe fn turn_by_fours(b: *const f32, right: usize, depth: usize, columns: usize, to: *mut f32, wide: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's; every machine of this kind has these instructions.
    unsafe {
        let (rows, whole) = (depth / 4 * 4, columns / 4 * 4);
        for row in (0..rows).step_by(4) {
            for column in (0..whole).step_by(4) {
                let from = b.add(column * right + row);
                let mut square = [_mm_setzero_ps(); 4];
                for (at, own) in square.iter_mut().enumerate() {
                    *own = _mm_loadu_ps(from.add(at * right));
                }
                let [mut p, mut q, mut r, mut s] = square;
                _MM_TRANSPOSE4_PS(&mut p, &mut q, &mut r, &mut s);
                for (at, own) in [p, q, r, s].into_iter().enumerate() {
                    _mm_storeu_ps(to.add((row + at) * wide + column), own);
                }
            }
        }
        for column in 0..columns {
            for row in if column < whole { rows } else { 0 }..depth {
                *to.add(row * wide + column) = *b.add(column * right + row);
            }
        }
    }
}

struct Tile {
    a: *const f32,
    a_strides: [usize; 2],
    b: *const f32,
    b_step: usize,
    /// Where the vectors of `b` are copied on the way; null where they are not.
    copy: *mut f32,
    depth: usize,
    /// What sums start from; null for zeros.
    start: *const f32,
    out: *mut f32,
    out_strides: [usize; 2],
    add: bool,
    scale: f32,
    /// Columns of the last vector.
    tail: usize,
}

impl Tile {
    unsafe fn of<L: Lanes, const VECTORS: usize>(&self, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            match rows {
                12 => L::run(Tiled::<12, VECTORS>(self)),
                11 => L::run(Tiled::<11, VECTORS>(self)),
                10 => L::run(Tiled::<10, VECTORS>(self)),
                9 => L::run(Tiled::<9, VECTORS>(self)),
                8 => L::run(Tiled::<8, VECTORS>(self)),
                7 => L::run(Tiled::<7, VECTORS>(self)),
                6 => L::run(Tiled::<6, VECTORS>(self)),
                5 => L::run(Tiled::<5, VECTORS>(self)),
                4 => L::run(Tiled::<4, VECTORS>(self)),
                3 => L::run(Tiled::<3, VECTORS>(self)),
                2 => L::run(Tiled::<2, VECTORS>(self)),
                _ => L::run(Tiled::<1, VECTORS>(self)),
            }
        }
    }
}

/// A tile of so many rows and vectors.
struct Tiled<'a, const COUNT: usize, const VECTORS: usize>(&'a Tile);

impl<L: Lanes, const COUNT: usize, const VECTORS: usize> Loop<L> for Tiled<'_, COUNT, VECTORS> {
    #[inline(always)]
    unsafe fn run(self) {
        let tile = self.0;
        // SAFETY: the caller's.
        unsafe {
            // Loops over the sums stay small: only when all of them are unrolled are the sums kept in registers.
            let mut sums = [[L::zero(); VECTORS]; COUNT];
            let ([a_down, a_right], mut a, mut b) = (tile.a_strides, tile.a, tile.b);
            if tile.copy.is_null() {
                for _ in 0..tile.depth {
                    let mut own = [L::zero(); VECTORS];
                    for (vector, own) in own.iter_mut().enumerate() {
                        *own = L::load(b.add(vector * L::COUNT));
                    }
                    L::prefetch(a.wrapping_add(AHEAD * a_right));
                    L::prefetch(a.wrapping_add(AHEAD * a_right + (COUNT - 1) * a_down));
                    for row in 0..COUNT {
                        let a = L::splat(*a.add(row * a_down));
                        for vector in 0..VECTORS {
                            sums[row][vector] = sums[row][vector].add_product(a, own[vector]);
                        }
                    }
                    // Wrapping: after the last of them these point beyond what is read.
                    a = a.wrapping_add(a_right);
                    b = b.wrapping_add(tile.b_step);
                }
            } else {
                let mut copy = tile.copy;
                for _ in 0..tile.depth {
                    let mut own = [L::zero(); VECTORS];
                    for (vector, own) in own.iter_mut().enumerate() {
                        *own = L::load(b.add(vector * L::COUNT));
                        own.store(copy.add(vector * L::COUNT));
                        L::prefetch(b.wrapping_add(AHEAD * tile.b_step + vector * L::COUNT));
                    }
                    for row in 0..COUNT {
                        let a = L::splat(*a.add(row * a_down));
                        for vector in 0..VECTORS {
                            sums[row][vector] = sums[row][vector].add_product(a, own[vector]);
                        }
                    }
                    a = a.wrapping_add(a_right);
                    b = b.wrapping_add(tile.b_step);
                    copy = copy.wrapping_add(VECTORS * L::COUNT);
                }
            }
            if tile.scale != 1.0 {
                for row in 0..COUNT {
                    for vector in 0..VECTORS {
                        sums[row][vector] = L::zero().add_product(sums[row][vector], L::splat(tile.scale));
                    }
                }
            }
            if !tile.start.is_null() {
                for vector in 0..VECTORS {
                    let start = tile.start.add(vector * L::COUNT);
                    let start = if vector + 1 < VECTORS { L::load(start) } else { L::load_part(start, tile.tail) };
                    for row in 0..COUNT {
                        sums[row][vector] = sums[row][vector].plus(start);
                    }
                }
            }
            let [down, right] = tile.out_strides;
            if right != 1 {
                let mut turned = [0.0f32; ROWS * WIDTH];
                for row in 0..COUNT {
                    for vector in 0..VECTORS {
                        sums[row][vector].store(turned.as_mut_ptr().add((row * VECTORS + vector) * L::COUNT));
                    }
                }
                for column in 0..(VECTORS - 1) * L::COUNT + tile.tail {
                    let out = tile.out.add(column * right);
                    for row in 0..COUNT {
                        let (out, sum) = (out.add(row * down), turned[row * VECTORS * L::COUNT + column]);
                        *out = if tile.add { *out + sum } else { sum };
                    }
                }
                return;
            }
            let whole = tile.tail == L::COUNT;
            let at = |row: usize, vector: usize| tile.out.add(row * down + vector * L::COUNT);
            if tile.add {
                for row in 0..COUNT {
                    for vector in 0..VECTORS {
                        let full = whole || vector + 1 < VECTORS;
                        let out = at(row, vector);
                        let before = if full { L::load(out) } else { L::load_part(out, tile.tail) };
                        sums[row][vector] = sums[row][vector].plus(before);
                    }
                }
            }
            if whole {
                for row in 0..COUNT {
                    for vector in 0..VECTORS {
                        sums[row][vector].store(at(row, vector));
                    }
                }
            } else {
                for row in 0..COUNT {
                    for vector in 0..VECTORS - 1 {
                        sums[row][vector].store(at(row, vector));
                    }
                    sums[row][VECTORS - 1].store_part(at(row, VECTORS - 1), tile.tail);
                }
            }
        }
    }
}
