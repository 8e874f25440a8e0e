//! Depthwise convolution of images with channels last: each channel has windows of its own.
//!
//! y[r, c, k · m + j] = Σ x[r · s + i · d - b, …, k] · w[i, …, k, j] for the m outputs j of each channel k. All loops run along the
//! outputs of a place; where m is above 1, the input's channels are repeated first, so that they stand opposite their
//! outputs.

use super::conv2d::Geometry;
use super::pool::{self, Shared};
use crate::simd;

/// Sums over records are split into so many pieces, however many threads there are.
const PIECES: usize = 16;

/// A depthwise convolution of given sizes, with the memory it needs. The geometry's filters are channels · m, its groups
/// the channels.
#[derive(Debug)]
pub struct Depthwise {
    sizes: Sizes,
    /// For each part of the work a framed image and its gradient.
    frames: Vec<(Vec<f32>, Vec<f32>)>,
    pieces: Vec<f32>,
}

/// What the way forward reads.
#[derive(Clone, Copy)]
pub struct Forward<'a> {
    /// The number of images.
    pub images: usize,
    /// The input.
    pub x: &'a [f32],
    /// The weights, `[height, width, channels, m]`.
    pub weights: &'a [f32],
    /// What is added to each place, a number an output channel.
    pub bias: Option<&'a [f32]>,
}

/// What all threads read: the geometry, and the framed image with repeated channels.
#[derive(Debug)]
struct Sizes {
    geometry: Geometry,
    /// Outputs of each channel.
    multiplier: usize,
    /// Height and width of the part of an image that windows see, with the zeros around it.
    frame: [usize; 2],
    /// Where in the frame each place of a window lies.
    taps: Vec<usize>,
}

impl Depthwise {
    /// Creates one; the sizes fit together.
    pub fn new(geometry: Geometry) -> Self {
        let g = &geometry;
        let seen =
            |axis: usize| (g.output[axis].max(1) - 1) * g.strides[axis] + (g.kernel[axis] - 1) * g.dilation[axis] + 1;
        let frame = [seen(0), seen(1)];
        let tap = |at: usize| {
            let (i, j) = (at / g.kernel[1], at % g.kernel[1]);
            (i * g.dilation[0] * frame[1] + j * g.dilation[1]) * g.filters
        };
        let taps = (0..g.kernel[0] * g.kernel[1]).map(tap).collect();
        let sizes = Sizes { multiplier: g.filters / g.channels.max(1), geometry, frame, taps };
        Depthwise { sizes, frames: Vec::new(), pieces: Vec::new() }
    }

    /// Writes the convolution to `y`.
    pub fn forward(&mut self, step: Forward<'_>, y: &mut [f32]) {
        let (from, to) = (self.sizes.geometry.input_len(), self.sizes.geometry.output_len());
        let y = Shared::new(y);
        self.each(step.images, step.images, |sizes, _, image, (frame, _)| {
            sizes.put(&step.x[image * from..(image + 1) * from], frame);
            // SAFETY: each image is done once.
            let y = unsafe { y.slice(image * to..(image + 1) * to) };
            sizes.forward(frame, step.weights, step.bias, y);
        });
    }

    /// Writes the gradient of the input, if wanted, and adds the gradients of weights and bias up; see
    /// [`weight_gradients`](Self::weight_gradients).
    pub fn backward(&mut self, step: Forward<'_>, gradient: &[f32], of_x: Option<(&mut [f32], bool)>) {
        let g = self.sizes.geometry;
        let (own, other, weights) = (g.input_len(), g.output_len(), self.sizes.taps.len() * g.filters);
        let pieces = PIECES.min(step.images);
        let size = weights + g.filters;
        let mut sums = std::mem::take(&mut self.pieces);
        sums.clear();
        sums.resize(pieces * size, 0.0);
        let shared = Shared::new(&mut sums);
        let add = of_x.as_ref().is_some_and(|(_, add)| *add);
        let of_x = of_x.map(|(values, _)| Shared::new(values));
        self.each(step.images, pieces, |sizes, piece, image, (frame, back)| {
            let gradient = &gradient[image * other..(image + 1) * other];
            sizes.put(&step.x[image * own..(image + 1) * own], frame);
            // SAFETY: each piece is done by one thread, and each image once.
            let (sums, of_x) = unsafe {
                (
                    shared.slice(piece * size..(piece + 1) * size),
                    of_x.as_ref().map(|of_x| of_x.slice(image * own..(image + 1) * own)),
                )
            };
            let (of_weights, of_bias) = sums.split_at_mut(weights);
            sizes.weights(frame, gradient, of_weights);
            super::conv2d::column_sums(gradient, of_bias);
            if let Some(of_x) = of_x {
                back.fill(0.0);
                sizes.scatter(gradient, step.weights, back);
                sizes.take(back, of_x, add);
            }
        });
        self.pieces = sums;
    }

    /// Writes the gradients of weights and bias that the last way back added up, or adds them.
    pub fn weight_gradients(&self, of_weights: Option<(&mut [f32], bool)>, of_bias: Option<(&mut [f32], bool)>) {
        let (weights, bias) = (self.sizes.taps.len() * self.sizes.geometry.filters, self.sizes.geometry.filters);
        for (to, range) in [(of_weights, 0..weights), (of_bias, weights..weights + bias)] {
            let Some((to, add)) = to else { continue };
            if !add {
                to.fill(0.0);
            }
            for piece in self.pieces.chunks_exact((weights + bias).max(1)) {
                to.iter_mut().zip(&piece[range.clone()]).for_each(|(sum, own)| *sum += own);
            }
        }
    }

    /// Does each image once, the images of one piece in order on one thread.
    fn each(
        &mut self,
        images: usize,
        pieces: usize,
        image: impl Fn(&Sizes, usize, usize, &mut (Vec<f32>, Vec<f32>)) + Sync,
    ) {
        let sizes = &self.sizes;
        let parts = pool::threads().min(pieces);
        let len = sizes.frame[0] * sizes.frame[1] * sizes.geometry.filters;
        while self.frames.len() < parts {
            self.frames.push((vec![0.0; len], vec![0.0; len]));
        }
        let frames = Shared::new(&mut self.frames);
        let work = images.saturating_mul(sizes.geometry.output_len()).saturating_mul(sizes.taps.len());
        pool::split(parts, work, |range| {
            for part in range {
                // SAFETY: each part has its own frames.
                let frames = &mut unsafe { frames.slice(part..part + 1) }[0];
                for piece in part * pieces / parts..(part + 1) * pieces / parts {
                    for at in piece * images / pieces..(piece + 1) * images / pieces {
                        image(sizes, piece, at, frames);
                    }
                }
            }
        });
    }
}

impl Sizes {
    /// The rows of an image that the frame holds: the first number in the image, that in the frame, and how many places.
    fn rows(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let g = self.geometry;
        let [height, width] = self.frame;
        let rows = g.input[0].min(height.saturating_sub(g.before[0]));
        let columns = g.input[1].min(width.saturating_sub(g.before[1]));
        (0..rows).map(move |row| {
            let to = ((row + g.before[0]) * width + g.before[1]) * g.filters;
            (row * g.input[1] * g.channels, to, columns)
        })
    }

    /// Copies an image into a frame, whose other numbers are 0.
    fn put(&self, image: &[f32], frame: &mut [f32]) {
        for (from, to, columns) in self.rows() {
            let from = &image[from..from + columns * self.geometry.channels];
            let to = &mut frame[to..to + columns * self.geometry.filters];
            match self.multiplier {
                1 => to.copy_from_slice(from),
                times => to.chunks_exact_mut(times).zip(from).for_each(|(to, from)| to.fill(*from)),
            }
        }
    }

    /// Gives the image what its places in a frame have, repeated channels together.
    fn take(&self, frame: &[f32], image: &mut [f32], add: bool) {
        if !add {
            image.fill(0.0);
        }
        for (to, from, columns) in self.rows() {
            let to = &mut image[to..to + columns * self.geometry.channels];
            let from = &frame[from..from + columns * self.geometry.filters];
            match self.multiplier {
                1 => to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
                times => {
                    to.iter_mut().zip(from.chunks_exact(times)).for_each(|(to, from)| *to += from.iter().sum::<f32>());
                }
            }
        }
    }

    /// The first number of a place's window in the frame.
    #[inline(always)]
    fn window(&self, row: usize, column: usize) -> usize {
        let strides = self.geometry.strides;
        (row * strides[0] * self.frame[1] + column * strides[1]) * self.geometry.filters
    }

    fn forward(&self, frame: &[f32], weights: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let filters = self.geometry.filters;
        for row in 0..self.geometry.output[0] {
            for column in 0..self.geometry.output[1] {
                let to = (row * self.geometry.output[1] + column) * filters;
                let y = &mut y[to..to + filters];
                match bias {
                    Some(bias) => y.copy_from_slice(bias),
                    None => y.fill(0.0),
                }
                sum_window(&frame[self.window(row, column)..], &self.taps, weights, y);
            }
        }
    }

    fn weights(&self, frame: &[f32], gradient: &[f32], sums: &mut [f32]) {
        let filters = self.geometry.filters;
        for row in 0..self.geometry.output[0] {
            for column in 0..self.geometry.output[1] {
                let from = (row * self.geometry.output[1] + column) * filters;
                let gradient = &gradient[from..from + filters];
                add_window(&frame[self.window(row, column)..], &self.taps, gradient, sums);
            }
        }
    }

    fn scatter(&self, gradient: &[f32], weights: &[f32], frame: &mut [f32]) {
        let filters = self.geometry.filters;
        for row in 0..self.geometry.output[0] {
            for column in 0..self.geometry.output[1] {
                let from = (row * self.geometry.output[1] + column) * filters;
                let gradient = &gradient[from..from + filters];
                scatter_window(gradient, weights, &self.taps, &mut frame[self.window(row, column)..]);
            }
        }
    }
}

simd! {
    fn sum_window(x: &[f32], taps: &[usize], weights: &[f32], y: &mut [f32]) {
        let filters = y.len();
        let (blocks, rest) = y.as_chunks_mut::<16>();
        let first = filters - rest.len();
        for (block, y) in blocks.iter_mut().enumerate() {
            let mut sums = *y;
            for (tap, at) in taps.iter().enumerate() {
                let x = &x[at + block * 16..at + block * 16 + 16];
                let weights = &weights[tap * filters + block * 16..tap * filters + block * 16 + 16];
                for lane in 0..16 {
                    sums[lane] += x[lane] * weights[lane];
                }
            }
            *y = sums;
        }
        for (tap, at) in taps.iter().enumerate() {
            let own = x[at + first..].iter().zip(&weights[tap * filters + first..]);
            for (y, (x, weight)) in rest.iter_mut().zip(own) {
                *y += x * weight;
            }
        }
    }

    fn add_window(x: &[f32], taps: &[usize], gradient: &[f32], sums: &mut [f32]) {
        for (sums, at) in sums.chunks_exact_mut(gradient.len().max(1)).zip(taps) {
            for ((sum, x), gradient) in sums.iter_mut().zip(&x[*at..]).zip(gradient) {
                *sum += x * gradient;
            }
        }
    }

    fn scatter_window(gradient: &[f32], weights: &[f32], taps: &[usize], x: &mut [f32]) {
        for (weights, at) in weights.chunks_exact(gradient.len().max(1)).zip(taps) {
            for ((x, weight), gradient) in x[*at..].iter_mut().zip(weights).zip(gradient) {
                *x += weight * gradient;
            }
        }
    }
}
