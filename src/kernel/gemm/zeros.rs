//! Products that leave out the zeros of one side.
//!
//! What a ReLU hands on is mostly zeros, and so are its gradient, images with a black ground, one-hot records. A product
//! with 0 changes no sum of finite numbers, so that the result is that of [`tiles`](super::tiles) to the bit: sums are
//! added up in the same order. For each row of the left side its numbers that are not 0 are listed, with the rows of the
//! right side that belong to them; a panel of these rows stays in the first cache, while the sums of a row over eight
//! vectors of columns stay in registers. Zeros of the right side are left out of the transposed product.
//!
//! Whether a side has enough zeros is asked of a sample of it. A right side that has numbers that are not finite is
//! multiplied in full: 0 times these is not 0.

// Without vectors of this kind, products are those of the crate.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

mod lists;
mod rows;
mod side;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

use crate::kernel::lanes::{Lanes, Loop};
use crate::kernel::pool;

use super::own::{DEPTH, Product};
use super::turn::turn;
use lists::{Left, Lists};
use rows::{Pass, VECTORS, out_of_sums};
use side::Side;

/// Products of fewer multiplications than this are not worth the question.
const WORTH: usize = 2_000_000;
/// Numbers of the left side that are listed at once, in the second cache.
const LISTED: usize = 64 * DEPTH;
/// The most rows that are listed at once.
const ROWS: usize = 256;
/// Rows of the right side that a panel holds: with eight vectors of 16 columns, 32 KB.
const PANEL: usize = 64;

/// Sixteen numbers, which start where a line of the cache does.
#[derive(Clone)]
#[repr(align(64))]
struct Line {
    _numbers: [f32; 16],
}

/// What a thread computes with, kept from product to product.
#[derive(Default)]
struct Desk {
    lists: Lists,
    panel: Vec<Line>,
    sums: Vec<Line>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// Returns whether zeros are left out: always, unless the environment variable `BARRAGE_ZEROS` says `kept`, which is for
/// measuring what it gains.
fn wanted() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| std::env::var("BARRAGE_ZEROS").as_deref() != Ok("kept"))
}

impl Product<'_> {
    /// Computes the product without the zeros of one side, if that has enough of them; returns whether it did.
    ///
    /// # Safety
    /// The machine has the instructions, and all views lie inside what is borrowed.
    pub(super) unsafe fn without_zeros<L: Lanes>(&self) -> bool {
        if self.m.saturating_mul(self.n).saturating_mul(self.k) < WORTH || !wanted() {
            return false;
        }
        // SAFETY: the caller's.
        unsafe {
            let left = Side { values: self.a, shape: [self.m, self.k], strides: self.a_strides };
            let right = Side { values: self.b, shape: [self.k, self.n], strides: self.b_strides };
            let (time, turned) = (self.time(left.zeros()), self.transposed());
            let time_turned = if self.row.is_none() { turned.time(right.zeros()) } else { f32::INFINITY };
            if time.min(time_turned) > 0.95 {
                return false;
            }
            let left_out = time <= time_turned;
            let finite = if left_out { right.is_finite::<L>() } else { left.is_finite::<L>() };
            if finite {
                if left_out { self.in_lists::<L>() } else { turned.in_lists::<L>() }
            }
            finite
        }
    }

    /// Returns the time that the product needs without this share of zeros on the left, as a part of what it needs with
    /// them. The figures were measured with AVX-512, for shapes of dense layers; with AVX2 they are not far away.
    fn time(&self, zeros: f32) -> f32 {
        /// A multiplication: all operands are read from the first cache.
        const ONE: f32 = 1.5;
        /// The start of a row of a panel, for each multiplication with zeros.
        const START: f32 = 0.09;
        /// What listing a number, copying one into a panel, and turning one while it is copied, take in multiplications.
        const LIST: f32 = 25.0;
        const COPY: f32 = 10.0;
        const TURN: f32 = 8.0;
        let [m, n, k] = [self.m, self.n, self.k].map(|len| len as f32);
        let turn = |stride: usize| if stride == 1 { 0.0 } else { TURN };
        let copies = self.m.div_ceil(self.listed()) as f32 * (COPY + turn(self.b_strides[1]));
        (1.0 - zeros) * ONE + START + LIST / n + copies / m + turn(self.out_strides[1]) / k
    }

    /// Returns how many rows of the left side are listed at once.
    fn listed(&self) -> usize {
        (LISTED / self.k.min(DEPTH)).min(ROWS)
    }

    /// Computes the product, all of it, without the zeros of the left side.
    unsafe fn in_lists<L: Lanes>(&self) {
        let vectors = self.n.div_ceil(L::COUNT);
        let panels = vectors.div_ceil(VECTORS);
        // Every thread gets something, where there is enough; a number of the result is the same in any chunk.
        let spread = pool::threads().div_ceil(panels).min(self.m.div_ceil(8));
        let chunks = self.m.div_ceil(self.listed()).max(spread);
        pool::split(panels * chunks, self.m * self.k, |units| {
            DESK.with_borrow_mut(|desk| {
                // Panels of one chunk that come one after the other share its lists.
                let mut unit = units.start;
                while unit < units.end {
                    let chunk = unit / panels;
                    let end = units.end.min((chunk + 1) * panels);
                    let rows = chunk * self.m / chunks..(chunk + 1) * self.m / chunks;
                    let of_panel = |panel: usize| (panel % panels) * vectors / panels * L::COUNT;
                    for first in (0..self.k).step_by(DEPTH) {
                        let depth = first..self.k.min(first + DEPTH);
                        // SAFETY: the caller's; units have different rows or columns.
                        unsafe {
                            desk.lists.fill::<L>(&self.left(&rows, &depth), self.b_strides[1] == 1);
                            for panel in unit..end {
                                let last = if panel % panels + 1 == panels { self.n } else { of_panel(panel + 1) };
                                self.panel::<L>(&rows, of_panel(panel)..last, &depth, desk);
                            }
                        }
                    }
                    unit = end;
                }
            });
        });
    }

    /// Some rows of the left side, and some of its columns.
    unsafe fn left(&self, rows: &Range<usize>, depth: &Range<usize>) -> Left {
        let [down, right] = self.a_strides;
        // SAFETY: the caller's.
        let values = unsafe { self.a.add(rows.start * down + depth.start * right) };
        Left { values, strides: self.a_strides, rows: rows.len(), columns: depth.len() }
    }

    /// Listed rows × a panel of columns.
    unsafe fn panel<L: Lanes>(
        &self,
        rows: &Range<usize>,
        columns: Range<usize>,
        depth: &Range<usize>,
        desk: &mut Desk,
    ) {
        let vectors = columns.len().div_ceil(L::COUNT);
        let wide = VECTORS * L::COUNT;
        let lines = |count: usize| (count * wide).div_ceil(16);
        let room = |lines: &mut Vec<Line>, count| lines.resize(lines.len().max(count), Line { _numbers: [0.0; 16] });
        room(&mut desk.panel, lines(PANEL));
        room(&mut desk.sums, lines(rows.len()));
        let [down, right] = self.b_strides;
        let [out_down, out_right] = self.out_strides;
        // SAFETY: all places are inside the views; the panel has room for the rows of a block, the sums for all rows.
        unsafe {
            let b = self.b.add(depth.start * down + columns.start * right);
            let mut pass = Pass {
                rows: rows.len(),
                lists: &desk.lists,
                block: 0,
                panel: desk.panel.as_ptr().cast(),
                sums: desk.sums.as_mut_ptr().cast(),
                out: self.out.wrapping_add(rows.start * out_down + columns.start * out_right),
                out_strides: self.out_strides,
                start: match self.row {
                    Some(row) if depth.start == 0 => row[columns.clone()].as_ptr(),
                    _ => std::ptr::null(),
                },
                add: self.add || depth.start > 0,
                scale: self.scale,
                tail: columns.len() - (vectors - 1) * L::COUNT,
            };
            let panel = desk.panel.as_mut_ptr().cast::<f32>();
            for block in 0..desk.lists.blocks() {
                let needed = desk.lists.needed(block);
                match (right, needed) {
                    (1, _) => L::run(Copied { b, down, needed, to: panel, vectors, tail: pass.tail }),
                    (_, []) => {}
                    (_, [first, ..]) => {
                        let b = b.add(*first as usize * down);
                        turn(b, [down, right], needed.len(), columns.len(), panel, wide);
                    }
                }
                pass.block = block;
                pass.of::<L>(vectors);
            }
            if out_right != 1 {
                out_of_sums(&pass, columns.len(), wide);
            }
        }
    }
}

/// Copies rows that are needed into a panel.
struct Copied<'a> {
    b: *const f32,
    down: usize,
    needed: &'a [u32],
    to: *mut f32,
    vectors: usize,
    tail: usize,
}

impl<L: Lanes> Loop<L> for Copied<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        /// How many rows are asked for ahead.
        const AHEAD: usize = 6;
        // SAFETY: the caller's.
        unsafe {
            for (at, row) in self.needed.iter().enumerate() {
                let (from, to) = (self.b.add(*row as usize * self.down), self.to.add(at * VECTORS * L::COUNT));
                let ahead = self.needed[(at + AHEAD).min(self.needed.len() - 1)];
                let ahead = self.b.add(ahead as usize * self.down);
                for vector in 0..self.vectors - 1 {
                    L::prefetch(ahead.add(vector * L::COUNT));
                    L::load(from.add(vector * L::COUNT)).store(to.add(vector * L::COUNT));
                }
                let last = (self.vectors - 1) * L::COUNT;
                L::prefetch(ahead.add(last));
                L::load_part(from.add(last), self.tail).store(to.add(last));
            }
        }
    }
}
