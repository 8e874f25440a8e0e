//! The transforms of tiles and of weights, at the start and at the end of the products.

// Loops over a tile stay loops over indices: unrolled, they keep it in registers.
#![allow(clippy::needless_range_loop)]

#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::lanes::{Lanes, Loop, Portable};
use crate::kernel::simd::{self, Level};

use super::super::sweep::Extra;
use super::{PRODUCTS, Winograd};

#[inline(always)]
unsafe fn load<L: Lanes>(from: *const f32, left: usize) -> L {
    unsafe { if left >= L::COUNT { L::load(from) } else { L::load_part(from, left) } }
}

#[inline(always)]
unsafe fn store<L: Lanes>(to: *mut f32, left: usize, value: L) {
    unsafe { if left >= L::COUNT { value.store(to) } else { value.store_part(to, left) } }
}

/// Bᵀ d
#[inline(always)]
unsafe fn see<L: Lanes>([a, b, c, d]: [L; 4]) -> [L; 4] {
    unsafe { [a.minus(c), b.plus(c), c.minus(b), b.minus(d)] }
}

/// Aᵀ m
#[inline(always)]
unsafe fn make<L: Lanes>([a, b, c, d]: [L; 4]) -> [L; 2] {
    unsafe { [a.plus(b).plus(c), b.minus(c).minus(d)] }
}

/// A g
#[inline(always)]
unsafe fn spread<L: Lanes>([a, b]: [L; 2]) -> [L; 4] {
    unsafe { [a, a.plus(b), a.minus(b), L::zero().minus(b)] }
}

/// G g
#[inline(always)]
unsafe fn widen<L: Lanes>([a, b, c]: [L; 3]) -> [L; 4] {
    unsafe {
        let ends = a.plus(c);
        [a, half(ends.plus(b)), half(ends.minus(b)), c]
    }
}

/// Gᵀ u
#[inline(always)]
unsafe fn narrow<L: Lanes>([a, b, c, d]: [L; 4]) -> [L; 3] {
    unsafe {
        let (sum, difference) = (half(b.plus(c)), half(b.minus(c)));
        [a.plus(sum), difference, sum.plus(d)]
    }
}

#[inline(always)]
unsafe fn half<L: Lanes>(value: L) -> L {
    unsafe { L::zero().add_product(value, L::splat(0.5)) }
}

/// What is done with tiles.
pub(super) enum Step<'a> {
    /// Bᵀ d B
    See { x: &'a [f32], seen: &'a mut [f32] },
    /// Aᵀ m A, with what is done beside.
    Make { made: &'a [f32], extra: Extra<'a>, y: &'a mut [f32] },
    /// A ∂y Aᵀ
    Spread { gradient: &'a [f32], made: &'a mut [f32] },
}

/// A step on some tiles.
pub(super) struct Tiles<'a> {
    pub(super) own: &'a Winograd,
    pub(super) step: Step<'a>,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl<L: Lanes> Loop<L> for Tiles<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Tiles { own, step, first, count } = self;
        let width = if let Step::See { .. } = step { own.channels } else { own.filters };
        let (wide, [rows, columns]) = (own.frame.width(), own.places);
        let (seen_step, made_step) = (own.seen_step(), own.made_step());
        // SAFETY: the caller's.
        unsafe {
            match step {
                Step::See { x, seen } => {
                    for at in 0..count {
                        let (row, column) = ((first + at) / own.across, (first + at) % own.across);
                        let x = x.as_ptr().add((2 * row * wide + 2 * column) * width);
                        let to = seen.as_mut_ptr().add(at * width);
                        for channel in (0..width).step_by(L::COUNT) {
                            let left = width - channel;
                            let mut half = [[L::zero(); 4]; 4];
                            for j in 0..4 {
                                let x = x.add(j * width + channel);
                                let mut d = [L::zero(); 4];
                                for i in 0..4 {
                                    d[i] = load(x.add(i * wide * width), left);
                                }
                                let d = see(d);
                                for i in 0..4 {
                                    half[i][j] = d[i];
                                }
                            }
                            for i in 0..4 {
                                let (to, row) = (to.add(4 * i * seen_step + channel), see(half[i]));
                                for j in 0..4 {
                                    store(to.add(j * seen_step), left, row[j]);
                                }
                            }
                        }
                    }
                }
                Step::Make { made, extra, y } => {
                    for at in 0..count {
                        let (row, column) = ((first + at) / own.across, (first + at) % own.across);
                        let made = made.as_ptr().add(at * width);
                        for channel in (0..width).step_by(L::COUNT) {
                            let left = width - channel;
                            let mut half = [[L::zero(); 4]; 2];
                            for j in 0..4 {
                                let made = made.add(j * made_step + channel);
                                let mut m = [L::zero(); 4];
                                for i in 0..4 {
                                    m[i] = load(made.add(4 * i * made_step), left);
                                }
                                let m = make(m);
                                for i in 0..2 {
                                    half[i][j] = m[i];
                                }
                            }
                            let mut bias = L::zero();
                            if let Some(own) = extra.bias {
                                bias = load(own.as_ptr().add(channel), left);
                            }
                            for i in 0..2 {
                                let tile = make(half[i]);
                                for j in 0..2 {
                                    let (row, column) = (2 * row + i, 2 * column + j);
                                    if row >= rows || column >= columns {
                                        continue;
                                    }
                                    let y = y.as_mut_ptr().add((row * columns + column) * width + channel);
                                    let mut value = tile[j].plus(bias);
                                    if extra.add {
                                        value = value.plus(load(y, left));
                                    }
                                    if extra.relu {
                                        value = value.at_least(L::zero());
                                    }
                                    store(y, left, value);
                                }
                            }
                        }
                    }
                }
                Step::Spread { gradient, made } => {
                    for at in 0..count {
                        let (row, column) = ((first + at) / own.across, (first + at) % own.across);
                        let to = made.as_mut_ptr().add(at * width);
                        for channel in (0..width).step_by(L::COUNT) {
                            let left = width - channel;
                            let mut half = [[L::zero(); 2]; 4];
                            for j in 0..2 {
                                let mut g = [L::zero(); 2];
                                for i in 0..2 {
                                    let (row, column) = (2 * row + i, 2 * column + j);
                                    if row < rows && column < columns {
                                        let from = (row * columns + column) * width + channel;
                                        g[i] = load(gradient.as_ptr().add(from), left);
                                    }
                                }
                                let g = spread(g);
                                for i in 0..4 {
                                    half[i][j] = g[i];
                                }
                            }
                            for i in 0..4 {
                                let (to, row) = (to.add(4 * i * made_step + channel), spread(half[i]));
                                for j in 0..4 {
                                    store(to.add(j * made_step), left, row[j]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What becomes of the numbers of one channel and filter.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// G g Gᵀ: 9 become 16.
    Weights,
    /// Gᵀ u G: 16 become 9.
    Gradient,
    /// The same, added to what stands there.
    AddGradient,
}

/// Transforms `count` numbers at once, which stand next to each other, `count` apart from those of the next place.
pub(super) fn transform(from: &[f32], to: &mut [f32], count: usize, way: Way) {
    let (read, written) = if way == Way::Weights { (9, PRODUCTS) } else { (PRODUCTS, 9) };
    assert!(from.len() >= read * count && to.len() >= written * count, "weights that are too few");
    let work = Weights { from, to, count, way };
    // SAFETY: `level` has found the instructions; the lengths were just checked.
    unsafe {
        match simd::level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::run(work),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::run(work),
            _ => Portable::run(work),
        }
    }
}

struct Weights<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
    count: usize,
    way: Way,
}

impl<L: Lanes> Loop<L> for Weights<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Weights { from, to, count, way } = self;
        // SAFETY: the caller's.
        unsafe {
            for at in (0..count).step_by(L::COUNT) {
                let left = (count - at).min(L::COUNT);
                let from = from.as_ptr().add(at);
                let to = to.as_mut_ptr().add(at);
                if way == Way::Weights {
                    let mut columns = [[L::zero(); 4]; 3];
                    for j in 0..3 {
                        let mut g = [L::zero(); 3];
                        for i in 0..3 {
                            g[i] = load(from.add((3 * i + j) * count), left);
                        }
                        columns[j] = widen(g);
                    }
                    for i in 0..4 {
                        let row = widen([columns[0][i], columns[1][i], columns[2][i]]);
                        for j in 0..4 {
                            store(to.add((4 * i + j) * count), left, row[j]);
                        }
                    }
                    continue;
                }
                let mut columns = [[L::zero(); 3]; 4];
                for j in 0..4 {
                    let mut u = [L::zero(); 4];
                    for i in 0..4 {
                        u[i] = load(from.add((4 * i + j) * count), left);
                    }
                    columns[j] = narrow(u);
                }
                for i in 0..3 {
                    let row = narrow([columns[0][i], columns[1][i], columns[2][i], columns[3][i]]);
                    for j in 0..3 {
                        let to = to.add((3 * i + j) * count);
                        let before = if way == Way::AddGradient { load(to, left) } else { L::zero() };
                        store(to, left, row[j].plus(before));
                    }
                }
            }
        }
    }
}
