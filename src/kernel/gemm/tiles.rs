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

use crate::kernel::lanes::Lanes;
use crate::kernel::pool;

use super::own::{DEPTH, Product};
use super::tile::{ROWS, Tile, WIDTH};
use super::turn::{LINE, turn};

/// Numbers of the left side that one panel is used for: they stay in the second cache.
const TOGETHER: usize = 20 * ROWS * DEPTH;

/// A panel of the right side: `DEPTH` rows of up to `WIDTH` columns.
#[repr(align(64))]
struct Panel([std::mem::MaybeUninit<f32>; DEPTH * WIDTH]);

impl Product<'_> {
    /// Computes the product, all of it.
    ///
    /// # Safety
    /// The machine has the instructions, and all views lie inside what is borrowed.
    pub(super) unsafe fn in_tiles<L: Lanes>(&self) {
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
                    // What the next block reads where it stands: this panel further down, or the next one from its top.
                    let next = match first + depth < self.k {
                        true => (first + depth, columns.start),
                        false => (0, columns.end % self.n),
                    };
                    let next = self.b.wrapping_add(next.0 * self.b_strides[0] + next.1 * self.b_strides[1]);
                    // Columns that are contiguous are asked for line by line, where there is no gap between them.
                    let asks = self.b_strides[1] == 1 || self.b_strides == [1, self.k] && self.k <= DEPTH;
                    let next = asks.then_some(next);
                    // SAFETY: the caller's; units have different rows or columns.
                    unsafe { self.block::<L>(rows.clone(), columns.clone(), first, depth, next, &mut panel) };
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
        next: Option<*const f32>,
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
                if columns.len() < wide {
                    std::ptr::write_bytes(packed, 0, depth * wide);
                }
                turn(b, [down, right], depth, columns.len(), packed, wide);
            }
            let most = if vectors == 2 { L::PLACES } else { ROWS };
            let tiles = rows.len().div_ceil(most);
            let (fewest, more) = (rows.len() / tiles, rows.len() % tiles);
            // What is said once for all tiles, and the first of them.
            let mut own = Tile {
                a: self.a.add(rows.start * self.a_strides[0] + first * self.a_strides[1]),
                a_strides: self.a_strides,
                b: if direct { b } else { packed },
                b_step: if direct { down } else { wide },
                copy: if direct && tiles > 1 { packed } else { std::ptr::null_mut() },
                depth,
                start: match self.row {
                    Some(row) if first == 0 => row[columns.clone()].as_ptr(),
                    _ => std::ptr::null(),
                },
                out: self.out.add(rows.start * self.out_strides[0] + columns.start * self.out_strides[1]),
                out_strides: self.out_strides,
                add: self.add || first > 0,
                scale: self.scale,
                tail: columns.len() - (vectors - 1) * L::COUNT,
                soon: packed,
                soon_step: 0,
            };
            for tile in 0..tiles {
                if tile > 0 {
                    (own.b, own.b_step, own.copy) = (packed, wide, std::ptr::null_mut());
                    // Tiles after the first ask for what the next block reads, a vector's columns each.
                    (own.soon, own.soon_step) = match next {
                        Some(next) if tile <= vectors => match right {
                            1 => (next.wrapping_add((tile - 1) * L::COUNT), down),
                            _ => (next.wrapping_add((tile - 1) * L::COUNT * right), LINE),
                        },
                        _ => (packed.cast_const(), 0),
                    };
                }
                let count = fewest + usize::from(tile < more);
                match vectors {
                    2 => own.of::<L, 2>(count),
                    _ => own.of::<L, 1>(count),
                }
                // Wrapping: after the last tile these point beyond what is there.
                own.a = own.a.wrapping_add(count * self.a_strides[0]);
                own.out = own.out.wrapping_add(count * self.out_strides[0]);
            }
        }
    }
}
