//! A tile of a product: up to 12 rows × two vectors of columns, whose sums stay in registers.

// Without vectors of this kind, products are those of the crate.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

use crate::kernel::lanes::{Lanes, Loop};

/// The most columns of a tile: two vectors.
pub(super) const WIDTH: usize = 32;
/// The most rows of a tile.
pub(super) const ROWS: usize = 12;
/// How many rows of the right side are asked for ahead.
const AHEAD: usize = 16;

/// A tile: where its numbers stand.
pub(super) struct Tile {
    pub(super) a: *const f32,
    pub(super) a_strides: [usize; 2],
    pub(super) b: *const f32,
    pub(super) b_step: usize,
    /// Where the vectors of `b` are copied on the way; null where they are not.
    pub(super) copy: *mut f32,
    pub(super) depth: usize,
    /// What sums start from; null for zeros.
    pub(super) start: *const f32,
    pub(super) out: *mut f32,
    pub(super) out_strides: [usize; 2],
    pub(super) add: bool,
    pub(super) scale: f32,
    /// Columns of the last vector.
    pub(super) tail: usize,
    /// What is read soon, a place for each number of the sums.
    pub(super) soon: *const f32,
    pub(super) soon_step: usize,
}

impl Tile {
    /// Computes a tile of so many rows.
    ///
    /// # Safety
    /// The machine has the instructions, and all places are inside what is borrowed.
    pub(super) unsafe fn of<L: Lanes, const VECTORS: usize>(&self, rows: usize) {
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
            let ([down, right], mut soon) = (tile.out_strides, tile.soon);
            // What is written last is asked for first.
            if right == 1 {
                for row in 0..COUNT {
                    L::prefetch(tile.out.add(row * down));
                    L::prefetch(tile.out.add(row * down + (VECTORS - 1) * L::COUNT));
                }
            }
            if tile.copy.is_null() {
                for _ in 0..tile.depth {
                    let mut own = [L::zero(); VECTORS];
                    for (vector, own) in own.iter_mut().enumerate() {
                        *own = L::load(b.add(vector * L::COUNT));
                    }
                    L::prefetch(a.wrapping_add(AHEAD * a_right));
                    L::prefetch(a.wrapping_add(AHEAD * a_right + (COUNT - 1) * a_down));
                    L::prefetch(soon);
                    for row in 0..COUNT {
                        let a = L::splat(*a.add(row * a_down));
                        for vector in 0..VECTORS {
                            sums[row][vector] = sums[row][vector].add_product(a, own[vector]);
                        }
                    }
                    // Wrapping: after the last of them these point beyond what is read.
                    soon = soon.wrapping_add(tile.soon_step);
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
