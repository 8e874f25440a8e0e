//! Resizing pictures: `[height, width]`, `[height, width, channels]` or a batch of the latter.
//!
//! A separable filter, across first and then down, as Pillow, torchvision and Keras do it. Output pixel `i` has its
//! centre at `(i + 0.5) · in / out` of the input. `nearest` takes the pixel there; `bilinear` weighs its neighbours
//! by a triangle of width 2, which `antialias` widens by the factor of shrinking (the default of Pillow and
//! torchvision; without it, the default of `tf.image.resize`); `box` weighs by a box of width 1, widened the same
//! way. u8 pictures are rounded to u8 after each pass, halves up.

use super::element::Element;
use super::{Array, Tensor, axes};
use crate::error::{self, Error, Result};

/// How a picture is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// A triangle; the flag widens it when shrinking.
    Bilinear(bool),
    /// The mean of the area.
    Box,
}

impl Filter {
    /// Returns the filter of a name: `nearest`, `bilinear` or `box`.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str, antialias: bool) -> Result<Filter> {
        match name {
            "nearest" => Ok(Filter::Nearest),
            "bilinear" => Ok(Filter::Bilinear(antialias)),
            "box" => Ok(Filter::Box),
            _ => {
                let names = ["nearest", "bilinear", "box"];
                Err(Error::data(format!("unknown method `{name}` of resizing"))
                    .maybe_hint(error::did_you_mean(name, names))
                    .hint(format!("methods: {}", error::list(names))))
            }
        }
    }

    /// Returns which inputs each output is made of: the first of them, and their weights.
    fn taps(self, from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
        let scale = from as f64 / to as f64;
        let tap = |i: usize| {
            let centre = (i as f64 + 0.5) * scale;
            match self {
                Filter::Nearest => ((centre as usize).min(from - 1), vec![1.0]),
                Filter::Bilinear(false) => {
                    let place = centre - 0.5;
                    let low = place.floor();
                    let second = (place - low) as f32;
                    let low = low.max(-1.0) as isize;
                    match (low, usize::try_from(low)) {
                        (_, Err(_)) => (0, vec![1.0]),
                        (_, Ok(low)) if low + 1 >= from => (from - 1, vec![1.0]),
                        (_, Ok(low)) => (low, vec![1.0 - second, second]),
                    }
                }
                Filter::Bilinear(true) | Filter::Box => {
                    let stretch = scale.max(1.0);
                    let half = if self == Filter::Box { 0.5 } else { 1.0 } * stretch;
                    let low = (centre - half + 0.5).max(0.0) as usize;
                    let high = ((centre + half + 0.5) as usize).min(from).max(low + 1);
                    let weight = |j: usize| {
                        let t = (j as f64 - centre + 0.5) / stretch;
                        match self {
                            Filter::Box => f64::from(u8::from(t > -0.5 && t <= 0.5)),
                            _ => (1.0 - t.abs()).max(0.0),
                        }
                    };
                    let weights: Vec<f64> = (low..high).map(weight).collect();
                    let sum: f64 = weights.iter().sum();
                    (low, weights.into_iter().map(|weight| (weight / sum) as f32).collect())
                }
            }
        };
        (0..to).map(tap).collect()
    }
}

impl Tensor {
    /// Returns a picture, or a batch of pictures, of another height and width. u8 stays u8, whole numbers become
    /// f32. No gradient flows through it.
    ///
    /// # Errors
    /// Another number of axes than 2 to 4, a length of 0, and a size too large for the memory.
    pub fn resize(&self, height: usize, width: usize, filter: Filter) -> Result<Tensor> {
        let array = self.to_host()?;
        let shape = array.shape();
        if !(2..=4).contains(&shape.len()) {
            return Err(Error::data(format!("`resize` needs a picture of 2 or 3 axes, found shape {shape:?}"))
                .hint("its axes are height, width, channels; before them may be those of a batch"));
        }
        if shape.contains(&0) || height == 0 || width == 0 {
            return Err(Error::data(format!("`resize` of shape {shape:?} to {height} by {width}: nothing is left")));
        }
        let first = usize::from(shape.len() == 4);
        let mut resized = shape.to_vec();
        (resized[first], resized[first + 1]) = (height, width);
        axes::count(&resized)?;
        let pictures: usize = shape[..first].iter().product();
        let channels: usize = shape[first + 2..].iter().product();
        let size = Size { pictures, height: shape[first], width: shape[first + 1], channels };
        let down = filter.taps(size.height, height);
        let across = filter.taps(size.width, width);
        let result = match &array {
            Array::U8(_) => Array::from_u8(pass(&array.as_u8(), size, &across, &down, rounded)?, &resized)?,
            Array::F64(_) => Array::from_f64(pass(&array.as_f64(), size, &across, &down, f64::from)?, &resized)?,
            _ => Array::from_f32(pass(&array.as_f32(), size, &across, &down, |x| x)?, &resized)?,
        };
        Ok(Tensor::Host(result))
    }
}

#[derive(Clone, Copy)]
struct Size {
    pictures: usize,
    height: usize,
    width: usize,
    channels: usize,
}

fn rounded(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

/// Filters across, then down.
fn pass<T: Element + super::element::Cast<f32>>(
    data: &[T],
    size: Size,
    across: &[(usize, Vec<f32>)],
    down: &[(usize, Vec<f32>)],
    back: fn(f32) -> T,
) -> Result<Vec<T>> {
    let Size { pictures, height, width, channels } = size;
    let line = across.len() * channels;
    let mut result = axes::room(pictures * down.len() * line)?;
    let mut narrow: Vec<T> = axes::room(height * line)?;
    let mut sums = vec![0f32; line];
    let mut wide = vec![0f32; width * channels];
    for picture in data.chunks_exact((height * width * channels).max(1)) {
        narrow.clear();
        for row in picture.chunks_exact(width * channels) {
            wide.iter_mut().zip(row).for_each(|(wide, &value)| *wide = Cast32::to(value));
            match channels {
                1 => across_row::<1, T>(&wide, across, back, &mut narrow),
                3 => across_row::<3, T>(&wide, across, back, &mut narrow),
                4 => across_row::<4, T>(&wide, across, back, &mut narrow),
                _ => {
                    for (start, weights) in across {
                        let inputs = &wide[start * channels..(start + weights.len()) * channels];
                        for channel in 0..channels {
                            let terms = inputs[channel..].iter().step_by(channels).zip(weights);
                            narrow.push(back(terms.map(|(&value, weight)| value * weight).sum()));
                        }
                    }
                }
            }
        }
        for (start, weights) in down {
            sums.fill(0.0);
            for (row, &weight) in narrow[start * line..].chunks_exact(line).zip(weights) {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += Cast32::to(value) * weight);
            }
            result.extend(sums.iter().map(|&sum| back(sum)));
        }
    }
    Ok(result)
}

/// Filters one row of pixels of so many channels: each channel's terms are added in their order, as one by one.
fn across_row<const CHANNELS: usize, T>(
    row: &[f32],
    across: &[(usize, Vec<f32>)],
    back: fn(f32) -> T,
    narrow: &mut Vec<T>,
) {
    let (pixels, _) = row.as_chunks::<CHANNELS>();
    for (start, weights) in across {
        // What an empty sum of the standard library is.
        let mut sums = [-0.0f32; CHANNELS];
        for (pixel, weight) in pixels[*start..].iter().zip(weights) {
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value * weight);
        }
        narrow.extend(sums.map(back));
    }
}

/// The conversion to f32 by a name that does not have to be told apart from others.
struct Cast32;

impl Cast32 {
    #[inline]
    fn to<T: super::element::Cast<f32>>(value: T) -> f32 {
        value.cast()
    }
}
