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

// Loops over a tile stay loops over indices: unrolled, they keep it in registers.
#![allow(clippy::needless_range_loop)]

#[cfg(target_arch = "x86_64")]
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::lanes::{Lanes, Loop, Portable};
use crate::kernel::simd::{self, Level};

use super::geometry::{Frame, Geometry};
use super::outer::Outer;
use super::sweep::{Extra, Sweep};

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
    packed: Vec<f32>,
}

/// What one thread needs beside the framed image.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The transformed tiles of the image.
    seen: Vec<f32>,
    /// The products, or the transformed tiles of the gradient.
    made: Vec<f32>,
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
        let sweep = |places: usize| Sweep {
            runs: vec![0],
            length: channels,
            rows: 1,
            places,
            row_step: 0,
            place_step: channels,
            out_row: 0,
            out_place: filters,
            channels: filters,
        };
        let outer = |places: usize| Outer {
            runs: vec![0],
            length: channels,
            rows: 1,
            places,
            row_step: 0,
            place_step: channels,
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
            packed: Vec::new(),
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
    pub(super) fn pack(&mut self, weights: &[f32], scratch: &mut Vec<f32>) {
        let (channels, filters) = (self.channels, self.filters);
        self.take(weights, scratch, |product| product, (0..channels).map(|channel| channel * filters), 1);
    }

    /// Takes in the weights of the other direction, `[3, 3, filters, channels]`, turned around.
    pub(super) fn pack_turned(&mut self, weights: &[f32], scratch: &mut Vec<f32>) {
        // Reversed weights exchange the first and the last of the four products of an axis.
        const TURNED: [usize; 4] = [3, 1, 2, 0];
        let channels = self.channels;
        self.take(weights, scratch, |product| TURNED[product / 4] * 4 + TURNED[product % 4], 0..channels, channels);
    }

    fn take(
        &mut self,
        weights: &[f32],
        scratch: &mut Vec<f32>,
        source: impl Fn(usize) -> usize,
        bases: impl Iterator<Item = usize> + Clone,
        step: usize,
    ) {
        let count = self.channels * self.filters;
        scratch.resize(PRODUCTS * count, 0.0);
        transform(weights, scratch, count, Way::Weights);
        let size = self.sweeps[0].packed();
        self.packed.resize(PRODUCTS * size, 0.0);
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
            if values.len() < len {
                values.resize(len, 0.0);
            }
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
enum Step<'a> {
    /// Bᵀ d B
    See { x: &'a [f32], seen: &'a mut [f32] },
    /// Aᵀ m A, with what is done beside.
    Make { made: &'a [f32], extra: Extra<'a>, y: &'a mut [f32] },
    /// A ∂y Aᵀ
    Spread { gradient: &'a [f32], made: &'a mut [f32] },
}

struct Tiles<'a> {
    own: &'a Winograd,
    step: Step<'a>,
    first: usize,
    count: usize,
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
enum Way {
    /// G g Gᵀ: 9 become 16.
    Weights,
    /// Gᵀ u G: 16 become 9.
    Gradient,
    /// The same, added to what stands there.
    AddGradient,
}

/// Transforms `count` numbers at once, which stand next to each other, `count` apart from those of the next place.
fn transform(from: &[f32], to: &mut [f32], count: usize, way: Way) {
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
