//! Pooling of images with channels last, and of steps as images of height 1.
//!
//! A place of the output is the largest value, or the mean, of a window of the input; places of the window outside of
//! the input do not count. Channels do not mix, so all loops run along them.

use super::pool::{self, Shared};
use crate::simd;

/// Where windows lie: place (r, c) sees the `size` places from (r · stride - before, c · …) on, where these exist.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Height and width of a window.
    pub size: [usize; 2],
    /// How far it moves.
    pub strides: [usize; 2],
    /// Rows above and columns left of the input that windows reach over.
    pub before: [usize; 2],
    /// Channels of both.
    pub channels: usize,
}

impl Windows {
    fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.channels
    }

    /// Whether no place of the input is in two windows.
    fn disjoint(&self) -> bool {
        (0..2).all(|axis| self.size[axis] <= self.strides[axis])
    }

    fn work(&self, images: usize) -> usize {
        images.saturating_mul(self.output_len()).saturating_mul(self.size[0] * self.size[1])
    }

    /// The part of a window that lies within the input, along one axis: the first place, and those of the window.
    fn inside(&self, axis: usize, place: usize) -> (usize, std::ops::Range<usize>) {
        let start = place * self.strides[axis];
        let first = self.before[axis].saturating_sub(start).min(self.size[axis]);
        let last = (self.input[axis] + self.before[axis]).saturating_sub(start).min(self.size[axis]);
        ((start + first).saturating_sub(self.before[axis]), first..last.max(first))
    }
}

/// Writes the largest values, and where in its window each stands: the first of equal ones. Windows have at most 256
/// places.
pub fn maximum(w: &Windows, images: usize, x: &[f32], y: &mut [f32], places: &mut [u8]) {
    let (from, to) = (w.input_len(), w.output_len());
    let (y, places) = (Shared::new(y), Shared::new(places));
    pool::split(images, w.work(images), |range| {
        for image in range {
            let own = image * to..(image + 1) * to;
            // SAFETY: each image is done once.
            let (y, places) = unsafe { (y.slice(own.clone()), places.slice(own)) };
            maximum_image(w, &x[image * from..(image + 1) * from], y, places);
        }
    });
}

/// Gives each gradient to the place its value came from.
pub fn maximum_backward(w: &Windows, images: usize, gradient: &[f32], places: &[u8], to: &mut [f32], add: bool) {
    let (len, from) = (w.input_len(), w.output_len());
    pool::rows(to, len, w.work(images), |first, to| {
        for (at, to) in to.chunks_exact_mut(len).enumerate() {
            let own = (first + at) * from..(first + at + 1) * from;
            maximum_backward_image(w, &gradient[own.clone()], &places[own], to, add);
        }
    });
}

/// Writes the means.
pub fn mean(w: &Windows, images: usize, x: &[f32], y: &mut [f32]) {
    let (from, len) = (w.input_len(), w.output_len());
    pool::rows(y, len, w.work(images), |first, y| {
        for (at, y) in y.chunks_exact_mut(len).enumerate() {
            mean_image(w, &x[(first + at) * from..(first + at + 1) * from], y);
        }
    });
}

/// Gives each gradient in equal parts to the places of its window.
pub fn mean_backward(w: &Windows, images: usize, gradient: &[f32], to: &mut [f32], add: bool) {
    let (len, from) = (w.input_len(), w.output_len());
    pool::rows(to, len, w.work(images), |first, to| {
        for (at, to) in to.chunks_exact_mut(len).enumerate() {
            mean_backward_image(w, &gradient[(first + at) * from..(first + at + 1) * from], to, add);
        }
    });
}

/// How many channels are done at once.
const LANES: usize = 16;

simd! {
    fn maximum_image(w: &Windows, x: &[f32], y: &mut [f32], places: &mut [u8]) {
        for row in 0..w.output[0] {
            let rows = w.inside(0, row);
            for column in 0..w.output[1] {
                let columns = w.inside(1, column);
                let to = (row * w.output[1] + column) * w.channels;
                let (y, places) = (&mut y[to..to + w.channels], &mut places[to..to + w.channels]);
                let (blocks, rest) = y.as_chunks_mut::<LANES>();
                let (place_blocks, place_rest) = places.as_chunks_mut::<LANES>();
                for (at, (y, places)) in blocks.iter_mut().zip(place_blocks).enumerate() {
                    maximum_lanes(w, x, &rows, &columns, at * LANES, y, places);
                }
                let first = w.channels - rest.len();
                for (at, (y, places)) in rest.iter_mut().zip(place_rest).enumerate() {
                    maximum_lanes::<1>(w, x, &rows, &columns, first + at, std::array::from_mut(y), std::array::from_mut(places));
                }
            }
        }
    }

    fn maximum_backward_image(w: &Windows, gradient: &[f32], places: &[u8], to: &mut [f32], add: bool) {
        let channels = w.channels;
        // Windows apart from each other write each place once, so the zeros between them come on the way.
        let write = !add && w.disjoint() && w.size == w.strides && w.before == [0, 0];
        let whole = (0..2).all(|axis| w.output[axis] * w.strides[axis] == w.input[axis]);
        let replaced = write && whole;
        if !add && !replaced {
            to.fill(0.0);
        }
        for row in 0..w.output[0] {
            let (top, rows) = w.inside(0, row);
            for column in 0..w.output[1] {
                let (left, columns) = w.inside(1, column);
                let from = (row * w.output[1] + column) * channels;
                let (gradient, places) = (&gradient[from..from + channels], &places[from..from + channels]);
                for i in rows.clone() {
                    for j in columns.clone() {
                        let at = ((top + i - rows.start) * w.input[1] + left + j - columns.start) * channels;
                        let place = (i * w.size[1] + j) as u8;
                        let to = &mut to[at..at + channels];
                        if write {
                            for ((to, gradient), own) in to.iter_mut().zip(gradient).zip(places) {
                                *to = if *own == place { *gradient } else { 0.0 };
                            }
                        } else {
                            for ((to, gradient), own) in to.iter_mut().zip(gradient).zip(places) {
                                *to += if *own == place { *gradient } else { 0.0 };
                            }
                        }
                    }
                }
            }
        }
    }

    fn mean_image(w: &Windows, x: &[f32], y: &mut [f32]) {
        for row in 0..w.output[0] {
            let (top, rows) = w.inside(0, row);
            for column in 0..w.output[1] {
                let (left, columns) = w.inside(1, column);
                let to = (row * w.output[1] + column) * w.channels;
                let y = &mut y[to..to + w.channels];
                y.fill(0.0);
                for i in 0..rows.len() {
                    for j in 0..columns.len() {
                        let from = ((top + i) * w.input[1] + left + j) * w.channels;
                        for (y, x) in y.iter_mut().zip(&x[from..from + w.channels]) {
                            *y += x;
                        }
                    }
                }
                let share = 1.0 / (rows.len() * columns.len()).max(1) as f32;
                for y in y.iter_mut() {
                    *y *= share;
                }
            }
        }
    }

    fn mean_backward_image(w: &Windows, gradient: &[f32], to: &mut [f32], add: bool) {
        let channels = w.channels;
        if !add {
            to.fill(0.0);
        }
        for row in 0..w.output[0] {
            let (top, rows) = w.inside(0, row);
            for column in 0..w.output[1] {
                let (left, columns) = w.inside(1, column);
                let from = (row * w.output[1] + column) * channels;
                let gradient = &gradient[from..from + channels];
                let share = 1.0 / (rows.len() * columns.len()).max(1) as f32;
                for i in 0..rows.len() {
                    for j in 0..columns.len() {
                        let at = ((top + i) * w.input[1] + left + j) * channels;
                        for (to, gradient) in to[at..at + channels].iter_mut().zip(gradient) {
                            *to += gradient * share;
                        }
                    }
                }
            }
        }
    }
}

/// The window of some channels.
#[inline(always)]
fn maximum_lanes<const COUNT: usize>(
    w: &Windows,
    x: &[f32],
    (top, rows): &(usize, std::ops::Range<usize>),
    (left, columns): &(usize, std::ops::Range<usize>),
    first: usize,
    y: &mut [f32; COUNT],
    places: &mut [u8; COUNT],
) {
    let mut largest = [f32::NEG_INFINITY; COUNT];
    let mut found = [(rows.start * w.size[1] + columns.start) as u32; COUNT];
    for i in 0..rows.len() {
        for j in 0..columns.len() {
            let from = ((top + i) * w.input[1] + left + j) * w.channels + first;
            let Some(x) = x[from..].first_chunk::<COUNT>() else { return };
            let place = ((rows.start + i) * w.size[1] + columns.start + j) as u32;
            for lane in 0..COUNT {
                // What is not a number stays, so that a broken run is noticed.
                let larger = x[lane] > largest[lane] || x[lane].is_nan();
                largest[lane] = if larger { x[lane] } else { largest[lane] };
                found[lane] = if larger { place } else { found[lane] };
            }
        }
    }
    *y = largest;
    for lane in 0..COUNT {
        places[lane] = found[lane] as u8;
    }
}

/// Writes the largest value of each channel over all `places`, and the first place where it stands.
pub fn global_maximum(images: usize, places: usize, x: &[f32], y: &mut [f32], found: &mut [u32]) {
    let channels = y.len() / images.max(1);
    let (y, found) = (Shared::new(y), Shared::new(found));
    pool::split(images, x.len(), |range| {
        for image in range {
            // SAFETY: each image is done once.
            let (y, found) = unsafe {
                let own = image * channels..(image + 1) * channels;
                (y.slice(own.clone()), found.slice(own))
            };
            global_maximum_image(&x[image * places * channels..(image + 1) * places * channels], y, found);
        }
    });
}

/// Gives each gradient to the place its value came from.
pub fn global_maximum_backward(images: usize, gradient: &[f32], found: &[u32], to: &mut [f32], add: bool) {
    let channels = gradient.len() / images.max(1);
    let len = to.len() / images.max(1);
    pool::rows(to, len, images * len, |first, to| {
        if !add {
            to.fill(0.0);
        }
        for (at, to) in to.chunks_exact_mut(len.max(1)).enumerate() {
            let from = (first + at) * channels;
            for channel in 0..channels {
                to[found[from + channel] as usize * channels + channel] += gradient[from + channel];
            }
        }
    });
}

/// Writes the mean of each channel over all `places`.
pub fn global_mean(images: usize, places: usize, x: &[f32], y: &mut [f32]) {
    let channels = y.len() / images.max(1);
    let len = places * channels;
    pool::rows(y, channels, x.len(), |first, y| {
        for (at, y) in y.chunks_exact_mut(channels.max(1)).enumerate() {
            global_mean_image(&x[(first + at) * len..(first + at + 1) * len], y);
        }
    });
}

/// Gives each gradient in equal parts to all places.
pub fn global_mean_backward(images: usize, gradient: &[f32], to: &mut [f32], add: bool) {
    let channels = gradient.len() / images.max(1);
    let len = to.len() / images.max(1);
    pool::rows(to, len, images * len, |first, to| {
        for (at, to) in to.chunks_exact_mut(len.max(1)).enumerate() {
            let from = (first + at) * channels;
            global_mean_backward_image(&gradient[from..from + channels], to, add);
        }
    });
}

simd! {
    fn global_maximum_image(x: &[f32], y: &mut [f32], found: &mut [u32]) {
        y.fill(f32::NEG_INFINITY);
        found.fill(0);
        for (place, x) in x.chunks_exact(y.len().max(1)).enumerate() {
            for ((y, found), x) in y.iter_mut().zip(found.iter_mut()).zip(x) {
                let larger = *x > *y;
                *y = if larger { *x } else { *y };
                *found = if larger { place as u32 } else { *found };
            }
        }
    }

    fn global_mean_image(x: &[f32], y: &mut [f32]) {
        y.fill(0.0);
        for x in x.chunks_exact(y.len().max(1)) {
            for (y, x) in y.iter_mut().zip(x) {
                *y += x;
            }
        }
        let share = 1.0 / (x.len() / y.len().max(1)).max(1) as f32;
        for y in y.iter_mut() {
            *y *= share;
        }
    }

    fn global_mean_backward_image(gradient: &[f32], to: &mut [f32], add: bool) {
        let share = 1.0 / (to.len() / gradient.len().max(1)).max(1) as f32;
        for to in to.chunks_exact_mut(gradient.len().max(1)) {
            if add {
                for (to, gradient) in to.iter_mut().zip(gradient) {
                    *to += gradient * share;
                }
            } else {
                for (to, gradient) in to.iter_mut().zip(gradient) {
                    *to = gradient * share;
                }
            }
        }
    }
}
