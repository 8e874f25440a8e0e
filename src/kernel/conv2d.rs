//! Convolution of images and steps with channels last, transposed convolution, and the gradients of both.
//!
//! y[r, c, f] = Σ x[r · s + i · d - b, c · s + j · d - b, k] · w[i, j, k, f]. The transposed form and the gradient of x are
//! the same sum read from the other side, which is again a sweep of windows (`sweep`); the gradient of w sums
//! products of x and the gradient of y over all places (`outer`). Windows of 3 × 3 go a shorter way (`winograd`). Images are
//! done one by one, so that what one step leaves in the caches the next one finds there.

mod geometry;
mod outer;
mod sweep;
mod winograd;

pub use geometry::Geometry;

use geometry::{Frame, Phase};
use outer::Outer;
use sweep::{Extra, Sweep};
use winograd::{Scratch, Winograd};

use super::buffer::Buffer;
use super::pool::{self, Shared};

/// Sums over records are split into so many pieces, however many threads there are.
const PIECES: usize = 16;
/// All pieces of the gradient of the weights together take at most so many numbers, two pieces always.
const PIECES_LEN: usize = 1 << 23;

/// What the way back reads, and where the gradient of the input goes.
pub struct Back<'a> {
    /// The number of images.
    pub images: usize,
    /// The input.
    pub x: &'a [f32],
    /// The weights.
    pub weights: &'a [f32],
    /// The output, where it is that of a [relu](Forward::relu): its slope is taken in here.
    pub relu: Option<&'a [f32]>,
    /// The gradient of the output; holds that of the products afterwards.
    pub gradient: &'a mut [f32],
    /// Where the gradient of the input goes, if anybody wants it, and whether it is added there.
    pub of_x: Option<(&'a mut [f32], bool)>,
    /// Whether the gradient of the weights will be asked for.
    pub of_weights: bool,
    /// Whether the gradient of the bias will be asked for.
    pub of_bias: bool,
}

/// What the way forward reads.
#[derive(Clone, Copy)]
pub struct Forward<'a> {
    /// The number of images.
    pub images: usize,
    /// The input.
    pub x: &'a [f32],
    /// The weights.
    pub weights: &'a [f32],
    /// What is added to each place, a number a filter.
    pub bias: Option<&'a [f32]>,
    /// Whether numbers below 0 become 0.
    pub relu: bool,
}

/// A convolution of given sizes, with the memory it needs.
#[derive(Debug)]
pub struct Conv2d {
    plan: Plan,
    /// The memory of each part of the work.
    frames: Vec<Frames>,
    weight_pieces: Buffer,
    bias_pieces: Buffer,
    /// The sum of pieces, where it is not yet the gradient of the weights.
    sums: Buffer,
}

impl Conv2d {
    /// Creates one; the sizes fit together.
    pub fn new(geometry: Geometry) -> Self {
        let plan = Plan::new(geometry.simplified());
        let (weight_pieces, bias_pieces, sums) = Default::default();
        Conv2d { plan, frames: Vec::new(), weight_pieces, bias_pieces, sums }
    }

    /// Writes the convolution to `y`.
    pub fn forward(&mut self, step: Forward<'_>, y: &mut [f32]) {
        self.plan.pack(step.weights);
        let (from, to) = (self.plan.geometry.input_len(), self.plan.geometry.output_len());
        let extra = Extra { bias: step.bias, relu: step.relu, add: false };
        let y = Shared::new(y);
        self.each(step.images, |plan, image, frames| {
            // SAFETY: each image is done once.
            let y = unsafe { y.slice(image * to..(image + 1) * to) };
            plan.forward(&step.x[image * from..(image + 1) * from], extra, frames, y);
        });
    }

    /// Writes the transposed convolution to `y`, which has the size of this convolution's input: what each place
    /// brings to those that it would see.
    pub fn transposed(&mut self, step: Forward<'_>, y: &mut [f32]) {
        self.plan.pack_back(step.weights);
        let (from, to) = (self.plan.geometry.output_len(), self.plan.geometry.input_len());
        let extra = Extra { bias: step.bias, relu: step.relu, add: false };
        let y = Shared::new(y);
        self.each(step.images, |plan, image, frames| {
            // SAFETY: each image is done once.
            let y = unsafe { y.slice(image * to..(image + 1) * to) };
            plan.transposed(&step.x[image * from..(image + 1) * from], extra, frames, y);
        });
    }

    /// Writes the gradient of the input of [`forward`](Self::forward), and keeps those of weights and bias.
    pub fn backward(&mut self, back: Back<'_>) {
        if back.of_x.is_some() {
            self.plan.pack_back(back.weights);
        }
        self.gradients(back, false);
    }

    /// Writes the gradient of the input of [`transposed`](Self::transposed), and keeps those of weights and bias.
    pub fn transposed_backward(&mut self, back: Back<'_>) {
        if back.of_x.is_some() {
            self.plan.pack(back.weights);
        }
        self.gradients(back, true);
    }

    /// Writes the gradient of the weights that the last way back kept, or adds it.
    pub fn weight_gradient(&mut self, to: &mut [f32], add: bool) {
        let Some([fast, _]) = &self.plan.fast else {
            return sum_pieces(&self.weight_pieces, to, add);
        };
        self.sums.fit(fast.sums());
        sum_pieces(&self.weight_pieces, &mut self.sums, false);
        fast.weight_gradient(&self.sums, to, add);
    }

    /// Writes the gradient of the bias that the last way back kept, or adds it.
    pub fn bias_gradient(&self, to: &mut [f32], add: bool) {
        sum_pieces(&self.bias_pieces, to, add);
    }

    /// Image by image: the slope, the sums for the bias, the sums for the weights, the sweep for the input.
    fn gradients(&mut self, back: Back<'_>, transposed: bool) {
        let Back { images, x, relu, gradient, of_x, of_weights, of_bias, .. } = back;
        let geometry = self.plan.geometry;
        let count = self.plan.fast.as_ref().map_or(geometry.weights(), |[fast, _]| fast.sums());
        let (own, other, bias_count) = match transposed {
            false => (geometry.input_len(), geometry.output_len(), geometry.filters),
            true => (geometry.output_len(), geometry.input_len(), geometry.channels),
        };
        let pieces = PIECES.min(PIECES_LEN / count.max(1)).max(2).min(images);
        let weight_count = if of_weights { count } else { 0 };
        let bias_count = if of_bias { bias_count } else { 0 };
        self.weight_pieces.refill(pieces * weight_count);
        self.bias_pieces.refill(pieces * bias_count);
        let mut weight_pieces = std::mem::take(&mut self.weight_pieces);
        let mut bias_pieces = std::mem::take(&mut self.bias_pieces);
        let (weight_sums, bias_sums) = (Shared::new(&mut weight_pieces), Shared::new(&mut bias_pieces));
        let gradient = Shared::new(gradient);
        let add = of_x.as_ref().is_some_and(|(_, add)| *add);
        let of_x = of_x.map(|(values, _)| Shared::new(values));
        let extra = Extra { add, ..Extra::default() };
        self.pieces(images, pieces, |plan, piece, image, frames| {
            let x = &x[image * own..(image + 1) * own];
            // SAFETY: each image is done once, and the images of one piece one after the other.
            let (gradient, of_x, weight_sums, bias_sums) = unsafe {
                (
                    gradient.slice(image * other..(image + 1) * other),
                    of_x.as_ref().map(|of_x| of_x.slice(image * own..(image + 1) * own)),
                    weight_sums.slice(piece * weight_count..(piece + 1) * weight_count),
                    bias_sums.slice(piece * bias_count..(piece + 1) * bias_count),
                )
            };
            if let Some(y) = relu {
                relu_slope(gradient, &y[image * other..(image + 1) * other]);
            }
            if bias_count > 0 {
                column_sums(gradient, bias_sums);
            }
            if weight_count > 0 {
                let (input, output) = if transposed { (&*gradient, x) } else { (x, &*gradient) };
                plan.weights(input, output, frames, weight_sums);
            }
            match of_x {
                Some(of_x) if transposed => plan.forward(gradient, extra, frames, of_x),
                Some(of_x) => plan.transposed(gradient, extra, frames, of_x),
                None => {}
            }
        });
        (self.weight_pieces, self.bias_pieces) = (weight_pieces, bias_pieces);
    }

    /// Does each image once, split over the threads.
    fn each(&mut self, images: usize, image: impl Fn(&Plan, usize, &mut Frames) + Sync) {
        self.pieces(images, images, |plan, _, at, frames| image(plan, at, frames));
    }

    /// Does each image once, the images of one piece in order on one thread.
    fn pieces(&mut self, images: usize, pieces: usize, image: impl Fn(&Plan, usize, usize, &mut Frames) + Sync) {
        let plan = &self.plan;
        let parts = pool::threads().min(pieces);
        while self.frames.len() < parts {
            self.frames.push(Frames {
                input: Buffer::zeros(plan.frame.len()),
                output: Buffer::zeros(plan.back_frame.len()),
                scratch: Scratch::default(),
            });
        }
        let work = images.saturating_mul(plan.geometry.output_len()).saturating_mul(plan.geometry.window());
        let frames = Shared::new(&mut self.frames);
        pool::split(parts, work, |range| {
            for part in range {
                // SAFETY: each part has its own frames.
                let frames = &mut unsafe { frames.slice(part..part + 1) }[0];
                for piece in part * pieces / parts..(part + 1) * pieces / parts {
                    for at in piece * images / pieces..(piece + 1) * images / pieces {
                        image(plan, piece, at, frames);
                    }
                }
            }
        });
    }
}

/// The memory of one part of the work.
#[derive(Debug)]
struct Frames {
    /// A framed input. What surrounds it stays 0, as in the next.
    input: Buffer,
    /// A framed output.
    output: Buffer,
    scratch: Scratch,
}

/// What all threads read: sizes, sweeps, and the weights as the sweeps read them.
#[derive(Debug)]
struct Plan {
    geometry: Geometry,
    frame: Frame,
    sweep: Sweep,
    outer: Outer,
    packed: Buffer,
    back_frame: Frame,
    phases: Vec<Phase>,
    back_packed: Buffer,
    /// The shorter way there and back, where there is one.
    fast: Option<[Winograd; 2]>,
    /// The weights transformed for it, before they are packed.
    spread: Buffer,
}

impl Plan {
    fn new(geometry: Geometry) -> Self {
        let frame = geometry.frame();
        let (sweep, outer) = (geometry.sweep(&frame), geometry.outer(&frame));
        let (back_frame, phases) = geometry.transposed();
        let fast = Winograd::of(&geometry);
        let (frame, back_frame) = match &fast {
            Some([forward, back]) => (forward.frame().clone(), back.frame().clone()),
            None => (frame, back_frame),
        };
        let (packed, back_packed, spread) = Default::default();
        Plan { geometry, frame, sweep, outer, packed, back_frame, phases, back_packed, fast, spread }
    }

    fn pack(&mut self, weights: &[f32]) {
        if let Some([forward, _]) = &mut self.fast {
            return forward.pack(weights, &mut self.spread);
        }
        let Geometry { filters, groups, .. } = self.geometry;
        let (own, size) = (filters / groups, self.sweep.packed());
        self.packed.grow(size * groups);
        for group in 0..groups {
            let bases = (0..self.sweep.windows.size()).map(|number| number * filters + group * own);
            self.sweep.pack(weights, bases, 1, &mut self.packed[group * size..(group + 1) * size]);
        }
    }

    fn pack_back(&mut self, weights: &[f32]) {
        if let Some([_, back]) = &mut self.fast {
            return back.pack_turned(weights, &mut self.spread);
        }
        let Geometry { channels, filters, groups, .. } = self.geometry;
        let (own, from) = (channels / groups, filters / groups);
        let total: usize = self.phases.iter().map(|phase| phase.sweep.packed() * groups).sum();
        self.back_packed.grow(total);
        let mut rest = &mut *self.back_packed;
        for phase in &self.phases {
            for group in 0..groups {
                let (packed, after) = rest.split_at_mut(phase.sweep.packed());
                let taps = phase.taps.iter();
                let bases = taps.flat_map(|tap| (0..from).map(move |at| tap * own * filters + group * from + at));
                phase.sweep.pack(weights, bases, filters, packed);
                rest = after;
            }
        }
    }

    fn forward(&self, x: &[f32], extra: Extra<'_>, frames: &mut Frames, y: &mut [f32]) {
        let Geometry { channels, filters, groups, .. } = self.geometry;
        if let Some([forward, _]) = &self.fast {
            return forward.run(x, extra, &mut frames.input, &mut frames.scratch, y);
        }
        let x = self.frame.put(x, &mut frames.input);
        let size = self.sweep.packed();
        for group in 0..groups {
            let (own, first) = (channels / groups, group * filters / groups);
            let extra = Extra { bias: extra.bias.map(|bias| &bias[first..]), ..extra };
            self.sweep.run(&x[group * own..], &self.packed[group * size..], extra, &mut y[first..]);
        }
    }

    fn transposed(&self, x: &[f32], extra: Extra<'_>, frames: &mut Frames, y: &mut [f32]) {
        let Geometry { channels, filters, groups, .. } = self.geometry;
        if let Some([_, back]) = &self.fast {
            return back.run(x, extra, &mut frames.output, &mut frames.scratch, y);
        }
        let x = self.back_frame.put(x, &mut frames.output);
        let mut packed = &*self.back_packed;
        for phase in &self.phases {
            for group in 0..groups {
                let (own, first) = (filters / groups, group * channels / groups);
                let extra = Extra { bias: extra.bias.map(|bias| &bias[first..]), ..extra };
                phase.sweep.run(&x[group * own..], packed, extra, &mut y[phase.start + first..]);
                packed = &packed[phase.sweep.packed()..];
            }
        }
    }

    fn weights(&self, x: &[f32], y: &[f32], frames: &mut Frames, sums: &mut [f32]) {
        let Geometry { channels, filters, groups, .. } = self.geometry;
        if let Some([forward, _]) = &self.fast {
            return forward.weights(x, y, &mut frames.input, &mut frames.scratch, sums);
        }
        let x = self.frame.put(x, &mut frames.input);
        for group in 0..groups {
            let (own, first) = (channels / groups, group * filters / groups);
            self.outer.run(&x[group * own..], &y[first..], &mut sums[first..]);
        }
    }
}

/// Adds the pieces in order.
fn sum_pieces(pieces: &[f32], to: &mut [f32], also: bool) {
    let count = to.len();
    pool::rows(to, 1, pieces.len(), |first, values| {
        if !also {
            values.fill(0.0);
        }
        for piece in pieces.chunks_exact(count.max(1)) {
            add(values, &piece[first..first + values.len()]);
        }
    });
}

crate::simd! {
    fn add(sums: &mut [f32], values: &[f32]) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }

    /// Adds each row of `values` to `sums`.
    pub(super) fn column_sums(values: &[f32], sums: &mut [f32]) {
        for row in values.chunks_exact(sums.len().max(1)) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }

    fn relu_slope(gradient: &mut [f32], y: &[f32]) {
        for (gradient, y) in gradient.iter_mut().zip(y) {
            *gradient = if *y > 0.0 { *gradient } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests;
