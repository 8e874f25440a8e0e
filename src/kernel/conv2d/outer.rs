//! Sums the products of windows and gradients over the places of one image: the gradient of the weights.
//!
//! A tile of up to 12 numbers of the window × 2 vectors of channels stays in registers while places pass by.

#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::lanes::{Lanes, Loop, Portable};
use crate::kernel::simd::{self, Level};

use super::geometry::Windows;

/// Places that are passed by before the next tile starts: their rows of image and gradient stay in the fastest cache.
const PLACES_TOGETHER: usize = 192;

/// Which products are summed where.
#[derive(Clone, Debug, Default)]
pub(super) struct Outer {
    /// The windows of the image.
    pub(super) windows: Windows,
    /// Channels of the gradient, from place to place.
    pub(super) gradient_step: usize,
    /// Channels that take part.
    pub(super) channels: usize,
    /// From one number of the window to the next, in the weights.
    pub(super) weight_step: usize,
}

impl Outer {
    /// Adds the products of one image to the gradient of the weights.
    ///
    /// # Panics
    /// Something reaches beyond its slice: an error in the caller's sizes.
    pub(super) fn run(&self, x: &[f32], gradient: &[f32], weights: &mut [f32]) {
        if self.windows.rows == 0 || self.windows.places == 0 || self.channels == 0 || self.windows.runs.is_empty() {
            return;
        }
        assert!(self.windows.reach() <= x.len(), "a window beyond the image");
        let last = (self.windows.rows * self.windows.places - 1) * self.gradient_step + self.channels;
        assert!(last <= gradient.len(), "a place beyond the gradient");
        let last = (self.windows.size() - 1) * self.weight_step + self.channels;
        assert!(last <= weights.len(), "a weight beyond the weights");
        // SAFETY: the sizes were just checked, and `level` has found the instructions on this machine.
        unsafe {
            match simd::level() {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => self.image::<Avx512>(x, gradient, weights),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => self.image::<Avx2>(x, gradient, weights),
                _ => self.image::<Portable>(x, gradient, weights),
            }
        }
    }

    /// # Safety
    /// As checked by `run`.
    unsafe fn image<L: Lanes>(&self, x: &[f32], gradient: &[f32], weights: &mut [f32]) {
        let together = (PLACES_TOGETHER / self.windows.places).max(1);
        let mut row = 0;
        while row < self.windows.rows {
            let rows = together.min(self.windows.rows - row);
            for (index, run) in self.windows.runs.iter().enumerate() {
                let mut first = 0;
                while first < self.channels {
                    let left = self.channels - first;
                    let vectors = if left > L::COUNT { 2 } else { 1 };
                    let most = if vectors == 2 { L::PLACES } else { 12 };
                    let tiles = self.windows.length.div_ceil(most);
                    for tile in 0..tiles {
                        let (from, to) = (tile * self.windows.length / tiles, (tile + 1) * self.windows.length / tiles);
                        // SAFETY: inside, as `run` has checked for the last place, number and channel.
                        unsafe {
                            let tile = Tile {
                                x: x.as_ptr().add(row * self.windows.row_step + run + from),
                                gradient: gradient.as_ptr().add(row * self.windows.places * self.gradient_step + first),
                                weights: weights
                                    .as_mut_ptr()
                                    .add((index * self.windows.length + from) * self.weight_step + first),
                                rows,
                                tail: (left - (vectors - 1) * L::COUNT).min(L::COUNT),
                            };
                            match vectors {
                                2 => self.tile_of::<L, 2>(to - from, &tile),
                                _ => self.tile_of::<L, 1>(to - from, &tile),
                            }
                        }
                    }
                    first += vectors * L::COUNT;
                }
            }
            row += rows;
        }
    }

    unsafe fn tile_of<L: Lanes, const VECTORS: usize>(&self, numbers: usize, tile: &Tile) {
        // SAFETY: the caller's.
        unsafe {
            match numbers {
                12 => L::run(Tiled::<12, VECTORS>(self, tile)),
                11 => L::run(Tiled::<11, VECTORS>(self, tile)),
                10 => L::run(Tiled::<10, VECTORS>(self, tile)),
                9 => L::run(Tiled::<9, VECTORS>(self, tile)),
                8 => L::run(Tiled::<8, VECTORS>(self, tile)),
                7 => L::run(Tiled::<7, VECTORS>(self, tile)),
                6 => L::run(Tiled::<6, VECTORS>(self, tile)),
                5 => L::run(Tiled::<5, VECTORS>(self, tile)),
                4 => L::run(Tiled::<4, VECTORS>(self, tile)),
                3 => L::run(Tiled::<3, VECTORS>(self, tile)),
                2 => L::run(Tiled::<2, VECTORS>(self, tile)),
                _ => L::run(Tiled::<1, VECTORS>(self, tile)),
            }
        }
    }
}

struct Tile {
    x: *const f32,
    gradient: *const f32,
    weights: *mut f32,
    rows: usize,
    /// Channels of the last vector.
    tail: usize,
}

/// A tile of so many numbers and vectors.
struct Tiled<'a, const NUMBERS: usize, const VECTORS: usize>(&'a Outer, &'a Tile);

impl<L: Lanes, const NUMBERS: usize, const VECTORS: usize> Loop<L> for Tiled<'_, NUMBERS, VECTORS> {
    #[inline(always)]
    unsafe fn run(self) {
        let Tiled(outer, tile) = self;
        // SAFETY: the caller's.
        unsafe {
            let whole = tile.tail == L::COUNT;
            let mut sums = [[L::zero(); VECTORS]; NUMBERS];
            for (number, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    let from = tile.weights.add(number * outer.weight_step + vector * L::COUNT);
                    *sum = if whole || vector + 1 < VECTORS { L::load(from) } else { L::load_part(from, tile.tail) };
                }
            }
            for row in 0..tile.rows {
                let mut x = tile.x.add(row * outer.windows.row_step);
                let mut gradient = tile.gradient.add(row * outer.windows.places * outer.gradient_step);
                for _ in 0..outer.windows.places {
                    let mut own = [L::zero(); VECTORS];
                    for (vector, own) in own.iter_mut().enumerate() {
                        let from = gradient.add(vector * L::COUNT);
                        *own =
                            if whole || vector + 1 < VECTORS { L::load(from) } else { L::load_part(from, tile.tail) };
                    }
                    for (number, sums) in sums.iter_mut().enumerate() {
                        let x = L::splat(*x.add(number));
                        for (sum, own) in sums.iter_mut().zip(own) {
                            *sum = sum.add_product(x, own);
                        }
                    }
                    // Wrapping: after the last place these point beyond what is read.
                    x = x.wrapping_add(outer.windows.place_step);
                    gradient = gradient.wrapping_add(outer.gradient_step);
                }
            }
            for (number, sums) in sums.iter().enumerate() {
                for (vector, sum) in sums.iter().enumerate() {
                    let to = tile.weights.add(number * outer.weight_step + vector * L::COUNT);
                    if whole || vector + 1 < VECTORS { sum.store(to) } else { sum.store_part(to, tile.tail) }
                }
            }
        }
    }
}
