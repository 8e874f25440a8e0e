//! Convolution with windows of 3 × 3 in fewer products (Winograd, 1980; Lavin and Gray, 2016).
//!
//! A tile of 2 × 2 places sees 4 × 4 places of the image. With d these, g the weights and y the tile,
//!
//! ```text
//! y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A        Bᵀ d: d₀ - d₂, d₁ + d₂, d₂ - d₁, d₁ - d₃
//!                                      Aᵀ m: m₀ + m₁ + m₂, m₁ - m₂ - m₃
//!                                      G g: g₀, (g₀ + g₁ + g₂) / 2, (g₀ - g₁ + g₂) / 2, g₂
//! ```
//!
//! takes 16 products a channel for 4 places rather than 36. Each of the 16 is a product of matrices, tiles × channels
//! by channels × filters. The gradient of g follows by the chain rule: Gᵀ[(Bᵀ d B) ⊙ (A ∂y Aᵀ)]G, summed over tiles; that
//! of the image is the same convolution with the weights turned around. Rounding errors are about twice those of
//! the plain sum.

mod transform;

use crate::kernel::buffer::Buffer;
#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::lanes::{Lanes, Portable};
use crate::kernel::simd::{self, Level};

use super::geometry::{Frame, Geometry, Windows};
use super::outer::Outer;
use super::sweep::{Extra, Sweep};
use transform::{Step, Tiles, Way, transform};

/// Products for each channel and tile.
const PRODUCTS: usize = 16;
/// Below so many channels or filters the products are too short.
const LEAST: usize = 16;
/// What the transformed tiles of a block may take, in bytes: they are read again while they are in the second cache.
const BLOCK_BYTES: usize = 240 << 10;
/// Rows of tiles in the products' registers.
const TOGETHER: usize = 12;
/// A gap between the 16 parts, so that they do not compete for the same lines of the cache.
const GAP: usize = 16;

/// One direction: from an image of `channels` to places of `filters`.
#[derive(Debug)]
pub(super) struct Winograd {
    channels: usize,
    filters: usize,
    places: [usize; 2],
    /// Tiles of a row, and all tiles.
    across: usize,
    tiles: usize,
    /// Tiles of a block.
    block: usize,
    frame: Frame,
    /// The products of a whole block, and of the last one.
    sweeps: [Sweep; 2],
    outers: [Outer; 2],
    packed: Buffer,
}

/// What one thread needs beside the framed image.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The transformed tiles of the image.
    seen: Buffer,
    /// The products, or the transformed tiles of the gradient.
    made: Buffer,
}

impl Winograd {
    /// Returns both directions, forward and back to the image; `None` where windows are others, or it would not pay.
    pub(super) fn of(geometry: &Geometry) -> Option<[Winograd; 2]> {
        let Geometry { input, channels, output, filters, kernel, strides, dilation, before, groups } = *geometry;
        let plain = kernel == [3, 3] && strides == [1, 1] && dilation == [1, 1] && groups == 1;
        if !plain || before.iter().any(|before| *before > 2) || channels < LEAST || filters < LEAST {
            return None;
        }
        let forward = Winograd::new(input, channels, output, filters, before);
        let back = Winograd::new(output, filters, input, channels, before.map(|before| 2 - before));
        let pays = |one: &Winograd| PRODUCTS * one.tiles * 10 < 9 * one.places[0] * one.places[1] * 7;
        (pays(&forward) && pays(&back)).then_some([forward, back])
    }

    fn new(input: [usize; 2], channels: usize, places: [usize; 2], filters: usize, before: [usize; 2]) -> Self {
        let [down, across] = places.map(|places| places.div_ceil(2));
        let tiles = down * across;
        let bytes = PRODUCTS * (channels + filters) * size_of::<f32>();
        let block = (BLOCK_BYTES / bytes / TOGETHER * TOGETHER).max(TOGETHER).min(tiles.max(1));
        let sizes = [block, tiles % block];
        let windows =
            |places| Windows { runs: vec![0], length: channels, rows: 1, places, row_step: 0, place_step: channels };
        let sweep =
            |places: usize| Sweep { windows: windows(places), out_row: 0, out_place: filters, channels: filters };
        let outer = |places: usize| Outer {
            windows: windows(places),
            gradient_step: filters,
            channels: filters,
            weight_step: filters,
        };
        Winograd {
            channels,
            filters,
            places,
            across,
            tiles,
            block,
            frame: Frame::new(input, channels, before, [2 * down + 2, 2 * across + 2]),
            sweeps: sizes.map(sweep),
            outers: sizes.map(outer),
            packed: Buffer::default(),
        }
    }

    /// Returns the frame of the image.
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Returns how many numbers the sums for the gradient of the weights have.
    pub(super) fn sums(&self) -> usize {
        PRODUCTS * self.channels * self.filters
    }

    /// Takes in weights, `[3, 3, channels, filters]`; `scratch` holds them transformed.
    pub(super) fn pack(&mut self, weights: &[f32], scratch: &mut Buffer) {
        let (channels, filters) = (self.channels, self.filters);
        self.take(weights, scratch, |product| product, (0..channels).map(|channel| channel * filters), 1);
    }

    /// Takes in the weights of the other direction, `[3, 3, filters, channels]`, turned around.
    pub(super) fn pack_turned(&mut self, weights: &[f32], scratch: &mut Buffer) {
        // Reversed weights exchange the first and the last of the four products of an axis.
        const TURNED: [usize; 4] = [3, 1, 2, 0];
        let channels = self.channels;
        self.take(weights, scratch, |product| TURNED[product / 4] * 4 + TURNED[product % 4], 0..channels, channels);
    }

    fn take(
        &mut self,
        weights: &[f32],
        scratch: &mut Buffer,
        source: impl Fn(usize) -> usize,
        bases: impl Iterator<Item = usize> + Clone,
        step: usize,
    ) {
        let count = self.channels * self.filters;
        scratch.fit(PRODUCTS * count);
        transform(weights, scratch, count, Way::Weights);
        let size = self.sweeps[0].packed();
        self.packed.fit(PRODUCTS * size);
        for (product, packed) in self.packed.chunks_exact_mut(size.max(1)).enumerate() {
            self.sweeps[0].pack(&scratch[source(product) * count..][..count], bases.clone(), step, packed);
        }
    }

    /// Computes the places of one image.
    pub(super) fn run(&self, x: &[f32], extra: Extra<'_>, frame: &mut [f32], scratch: &mut Scratch, y: &mut [f32]) {
        let x = self.frame.put(x, frame);
        let (seen, made) = self.room(scratch);
        assert!(y.len() >= self.places[0] * self.places[1] * self.filters, "places beyond the output");
        assert!(extra.bias.is_none_or(|bias| bias.len() >= self.filters), "a bias that is too short");
        for first in (0..self.tiles).step_by(self.block) {
            let count = self.block.min(self.tiles - first);
            self.tiles_of(Step::See { x, seen }, first, count);
            let sweep = &self.sweeps[usize::from(count < self.block)];
            let size = sweep.packed();
            for product in 0..PRODUCTS {
                let (from, to) = (product * self.seen_step(), product * self.made_step());
                let packed = &self.packed[product * size..];
                sweep.run(&seen[from..], packed, Extra::default(), &mut made[to..]);
            }
            self.tiles_of(Step::Make { made, extra, y }, first, count);
        }
    }

    /// Adds what one image and the gradient of its places bring to `sums`.
    pub(super) fn weights(
        &self,
        x: &[f32],
        gradient: &[f32],
        frame: &mut [f32],
        scratch: &mut Scratch,
        sums: &mut [f32],
    ) {
        let x = self.frame.put(x, frame);
        let (seen, made) = self.room(scratch);
        assert!(gradient.len() >= self.places[0] * self.places[1] * self.filters, "places beyond the gradient");
        let count_all = self.channels * self.filters;
        for first in (0..self.tiles).step_by(self.block) {
            let count = self.block.min(self.tiles - first);
            self.tiles_of(Step::See { x, seen }, first, count);
            self.tiles_of(Step::Spread { gradient, made }, first, count);
            let outer = &self.outers[usize::from(count < self.block)];
            for product in 0..PRODUCTS {
                let (from, to) = (product * self.seen_step(), product * self.made_step());
                outer.run(&seen[from..], &made[to..], &mut sums[product * count_all..]);
            }
        }
    }

    /// Turns sums into the gradient of the weights, `[3, 3, channels, filters]`, or adds it.
    pub(super) fn weight_gradient(&self, sums: &[f32], to: &mut [f32], add: bool) {
        transform(sums, to, self.channels * self.filters, if add { Way::AddGradient } else { Way::Gradient });
    }

    fn seen_step(&self) -> usize {
        self.block * self.channels + GAP
    }

    fn made_step(&self) -> usize {
        self.block * self.filters + GAP
    }

    fn room<'a>(&self, scratch: &'a mut Scratch) -> (&'a mut [f32], &'a mut [f32]) {
        let (seen, made) = (PRODUCTS * self.seen_step(), PRODUCTS * self.made_step());
        for (values, len) in [(&mut scratch.seen, seen), (&mut scratch.made, made)] {
            values.grow(len);
        }
        (&mut scratch.seen[..seen], &mut scratch.made[..made])
    }

    /// Transforms some tiles.
    fn tiles_of(&self, step: Step<'_>, first: usize, count: usize) {
        let work = Tiles { own: self, step, first, count };
        // SAFETY: `level` has found the instructions. The frame has two rows and columns more than two for each
        // tile; `room` has made place for a block of both kinds of tiles; places and bias were checked by the callers.
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
}

// SAFETY of what follows: the caller's; the machine has the instructions, and pointers are inside.
