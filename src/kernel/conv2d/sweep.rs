//! Slides windows over one image: each place of the output is the product of a window and the weights.
//!
//! A tile of up to 12 neighbouring places × 2 vectors of channels stays in registers while all numbers of the
//! windows pass by: each is spread over a vector once and multiplied with the weights of the channels. Nothing is
//! gathered first; a window is a list of runs of numbers that lie next to each other in the image.

#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::lanes::{Lanes, Loop, Portable};
use crate::kernel::simd::{self, Level};

use super::geometry::Windows;

/// Which places are computed from what.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    /// The windows of the image.
    pub(super) windows: Windows,
    /// From a row to the next, in the output.
    pub(super) out_row: usize,
    /// From a place to the next, in the output.
    pub(super) out_place: usize,
    /// How many channels are computed for each place.
    pub(super) channels: usize,
}

/// What is done beside the products.
#[derive(Clone, Copy, Default)]
pub(super) struct Extra<'a> {
    /// Added to each place.
    pub(super) bias: Option<&'a [f32]>,
    /// Numbers below 0 become 0.
    pub(super) relu: bool,
    /// The result is added to what stands in the output.
    pub(super) add: bool,
}

impl Sweep {
    /// Returns how many numbers the packed weights take.
    pub(super) fn packed(&self) -> usize {
        self.windows.size() * self.channels.next_multiple_of(lanes())
    }

    /// Lays out weights so that a tile reads them in order: two vectors of channels together, for one number of the
    /// window after the other; lanes beyond the channels are 0. `bases` gives the place of the first channel for
    /// each number of the window, `step` the distance of channels.
    pub(super) fn pack(
        &self,
        weights: &[f32],
        bases: impl Iterator<Item = usize> + Clone,
        step: usize,
        out: &mut [f32],
    ) {
        let (wide, window) = (2 * lanes(), self.windows.size());
        let padded = self.channels.next_multiple_of(lanes());
        for first in (0..padded).step_by(wide) {
            let width = wide.min(padded - first);
            let used = width.min(self.channels - first);
            let panel = &mut out[first * window..][..width * window];
            for (base, row) in bases.clone().zip(panel.chunks_exact_mut(width)) {
                let from = base + first * step;
                match step {
                    1 => row[..used].copy_from_slice(&weights[from..from + used]),
                    _ => row[..used].iter_mut().enumerate().for_each(|(at, out)| *out = weights[from + at * step]),
                }
                row[used..].fill(0.0);
            }
        }
    }

    /// Computes the places of one image.
    ///
    /// # Panics
    /// A window, a place or the weights reach beyond their slices: an error in the caller's sizes.
    pub(super) fn run(&self, x: &[f32], packed: &[f32], extra: Extra<'_>, y: &mut [f32]) {
        if self.windows.rows == 0 || self.windows.places == 0 || self.channels == 0 {
            return;
        }
        assert!(self.windows.reach() <= x.len(), "a window beyond the image");
        let last = (self.windows.rows - 1) * self.out_row + (self.windows.places - 1) * self.out_place + self.channels;
        assert!(last <= y.len(), "a place beyond the output");
        assert!(self.packed() <= packed.len(), "weights that are too few");
        assert!(extra.bias.is_none_or(|bias| bias.len() >= self.channels), "a bias that is too short");
        // SAFETY: the sizes were just checked, and `level` has found the instructions on this machine.
        unsafe {
            match simd::level() {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => self.image::<Avx512>(x, packed, extra, y),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => self.image::<Avx2>(x, packed, extra, y),
                _ => self.image::<Portable>(x, packed, extra, y),
            }
        }
    }

    /// # Safety
    /// As checked by `run`.
    unsafe fn image<L: Lanes>(&self, x: &[f32], packed: &[f32], extra: Extra<'_>, y: &mut [f32]) {
        let padded = self.channels.next_multiple_of(L::COUNT);
        let mut first = 0;
        while first < padded {
            let vectors = if padded - first > L::COUNT { 2 } else { 1 };
            let most = if vectors == 2 { L::PLACES } else { 12 };
            let tiles = self.windows.places.div_ceil(most);
            let left = self.channels - first;
            for row in 0..self.windows.rows {
                for tile in 0..tiles {
                    // Tiles of nearly one size: a short last one would wait for its own sums.
                    let (from, to) = (tile * self.windows.places / tiles, (tile + 1) * self.windows.places / tiles);
                    // SAFETY: inside, as `run` has checked for the last place and channel.
                    unsafe {
                        let tile = Tile {
                            x: x.as_ptr().add(row * self.windows.row_step + from * self.windows.place_step),
                            weights: packed.as_ptr().add(first * self.windows.size()),
                            bias: extra.bias.map_or(std::ptr::null(), |bias| bias.as_ptr().add(first)),
                            y: y.as_mut_ptr().add(row * self.out_row + from * self.out_place + first),
                            tail: (left - (vectors - 1) * L::COUNT).min(L::COUNT),
                            extra,
                        };
                        match vectors {
                            2 => self.tile_of::<L, 2>(to - from, &tile),
                            _ => self.tile_of::<L, 1>(to - from, &tile),
                        }
                    }
                }
            }
            first += vectors * L::COUNT;
        }
    }

    unsafe fn tile_of<L: Lanes, const VECTORS: usize>(&self, places: usize, tile: &Tile<'_>) {
        // SAFETY: the caller's.
        unsafe {
            match places {
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

struct Tile<'a> {
    x: *const f32,
    weights: *const f32,
    /// Null where there is none.
    bias: *const f32,
    y: *mut f32,
    /// Channels of the last vector.
    tail: usize,
    extra: Extra<'a>,
}

/// A tile of so many places and vectors.
struct Tiled<'a, const PLACES: usize, const VECTORS: usize>(&'a Sweep, &'a Tile<'a>);

impl<L: Lanes, const PLACES: usize, const VECTORS: usize> Loop<L> for Tiled<'_, PLACES, VECTORS> {
    #[inline(always)]
    unsafe fn run(self) {
        let Tiled(sweep, tile) = self;
        // SAFETY: the caller's.
        unsafe {
            // Loops over the sums stay small: only when all of them are unrolled are the sums kept in registers.
            let mut start = [L::zero(); VECTORS];
            if !tile.bias.is_null() {
                for (vector, start) in start.iter_mut().enumerate() {
                    let bias = tile.bias.add(vector * L::COUNT);
                    *start = if vector + 1 < VECTORS { L::load(bias) } else { L::load_part(bias, tile.tail) };
                }
            }
            let mut sums = [start; PLACES];
            let mut weights = tile.weights;
            for run in &sweep.windows.runs {
                let x = tile.x.add(*run);
                for at in 0..sweep.windows.length {
                    let x = x.add(at);
                    let mut own = [L::zero(); VECTORS];
                    for (vector, own) in own.iter_mut().enumerate() {
                        *own = L::load(weights.add(vector * L::COUNT));
                    }
                    weights = weights.add(VECTORS * L::COUNT);
                    for place in 0..PLACES {
                        let x = L::splat(*x.add(place * sweep.windows.place_step));
                        for vector in 0..VECTORS {
                            sums[place][vector] = sums[place][vector].add_product(x, own[vector]);
                        }
                    }
                }
            }
            let whole = tile.tail == L::COUNT;
            let at = |place: usize, vector: usize| tile.y.add(place * sweep.out_place + vector * L::COUNT);
            if tile.extra.add {
                for place in 0..PLACES {
                    for vector in 0..VECTORS {
                        let full = whole || vector + 1 < VECTORS;
                        let y = at(place, vector);
                        let before = if full { L::load(y) } else { L::load_part(y, tile.tail) };
                        sums[place][vector] = sums[place][vector].add_product(before, L::splat(1.0));
                    }
                }
            }
            if tile.extra.relu {
                for place in 0..PLACES {
                    for vector in 0..VECTORS {
                        sums[place][vector] = sums[place][vector].at_least(L::zero());
                    }
                }
            }
            if whole {
                for place in 0..PLACES {
                    for vector in 0..VECTORS {
                        sums[place][vector].store(at(place, vector));
                    }
                }
            } else {
                for place in 0..PLACES {
                    for vector in 0..VECTORS - 1 {
                        sums[place][vector].store(at(place, vector));
                    }
                    sums[place][VECTORS - 1].store_part(at(place, VECTORS - 1), tile.tail);
                }
            }
        }
    }
}

/// Returns how many numbers a vector of this machine has.
pub(super) fn lanes() -> usize {
    match simd::level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Avx512::COUNT,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Avx2::COUNT,
        _ => Portable::COUNT,
    }
}
