//! What pixels become by their neighbours: kernels as Pillow has them, ranks, the Gaussian.

use super::{Operation, Pixels, unknown};
use crate::error::{Error, Result};
use crate::record::Value;
use crate::tensor::Tensor;

/// A kernel of 3×3 or 5×5 weights, what their sum is divided by, and what is added then.
#[derive(Clone, Debug)]
struct Kernel {
    weights: Vec<f32>,
    scale: f32,
    offset: f32,
}

const NAMES: [&str; 14] = [
    "blur",
    "contour",
    "detail",
    "edge_enhance",
    "edge_enhance_more",
    "emboss",
    "find_edges",
    "sharpen",
    "smooth",
    "smooth_more",
    "median",
    "min",
    "max",
    "gaussian",
];

/// A filter by its name.
pub const FILTER: Operation = Operation {
    name: "filter",
    text: "filtered. Option: `mode`, of Pillow's kernels `\"blur\"`, `\"contour\"`, `\"detail\"`, `\"edge_enhance\"`, \
           `\"edge_enhance_more\"`, `\"emboss\"`, `\"find_edges\"`, `\"sharpen\"`, `\"smooth\"` or `\"smooth_more\"`, which leave the \
           border as it is; `\"median\"`, `\"min\"` or `\"max\"` of `size` (3) by `size` pixels, the border repeated; `\"gaussian\"` \
           of deviation `sigma` (1), the border mirrored. In place of `mode`: `kernel`, 3 by 3 or 5 by 5 weights, with \
           `scale`, what their sum is divided by (by default the sum of the weights), and `offset`, what is added (0).",
    make: |settings| {
        let size = settings.amount("size")?;
        let sigma = settings.amount("sigma")?.unwrap_or(1.0);
        let own = settings.take("kernel");
        let (scale, offset) = (settings.number("scale")?, settings.number("offset")?.unwrap_or(0.0) as f32);
        let mode = settings.text("mode")?;
        if let Some(value) = own {
            let weights = match &value {
                Value::Tensor(kernel) if [[3, 3], [5, 5]].iter().any(|shape| kernel.shape() == shape) => {
                    kernel.to_host()?.as_f32().into_owned()
                }
                _ => return Err(settings.wrong("kernel", "weights of shape [3, 3] or [5, 5]", &value)),
            };
            let scale = scale.map_or_else(|| weights.iter().sum(), |scale| scale as f32);
            if scale == 0.0 {
                return Err(Error::data("`filter`: the weights add up to 0")
                    .hint("`scale` is what their sum is divided by: `scale: 1`"));
            }
            let kernel = Kernel { weights, scale, offset };
            return Ok(Box::new(move |picture, _| convolved(picture, &kernel)));
        }
        let mode = mode.ok_or_else(|| Error::data("`filter` needs the option `mode` or `kernel`"))?;
        if let Some(kernel) = kernel(&mode) {
            return Ok(Box::new(move |picture, _| convolved(picture, &kernel)));
        }
        match mode.as_str() {
            "gaussian" => Ok(Box::new(move |picture, _| {
                let mut pixels = Pixels::of(picture)?;
                pixels.data = gaussian(&pixels, sigma, Beyond::Mirrored);
                if !pixels.dtype.is_float() {
                    pixels.data.iter_mut().for_each(|x| *x = (*x + 0.5).floor());
                }
                pixels.back()
            })),
            "median" | "min" | "max" => {
                let size = size.unwrap_or(3.0);
                if size.fract() != 0.0 || size % 2.0 != 1.0 || size > 99.0 {
                    return Err(Error::data(format!(
                        "option `size` of `filter`: expected an odd number of pixels up to 99, found {size}"
                    )));
                }
                let size = size as usize;
                let rank = match mode.as_str() {
                    "min" => 0,
                    "median" => size * size / 2,
                    _ => size * size - 1,
                };
                Ok(Box::new(move |picture, _| ranked(picture, size, rank)))
            }
            other => Err(unknown("filter", other, &NAMES)),
        }
    },
};

/// Returns the picture smoothed as Pillow's `SMOOTH` has it.
///
/// # Errors
/// None for a picture.
pub fn smooth(picture: &Tensor) -> Result<Tensor> {
    let kernel = Kernel { weights: vec![1.0, 1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0], scale: 13.0, offset: 0.0 };
    convolved(picture, &kernel)
}

/// Returns one of Pillow's kernels (`ImageFilter`).
fn kernel(name: &str) -> Option<Kernel> {
    let around = |middle: f32, other: f32| [other, other, other, other, middle, other, other, other, other].to_vec();
    let (weights, scale, offset) = match name {
        "blur" => {
            let mut weights = vec![1.0; 25];
            (1..4).for_each(|row| weights[row * 5 + 1..row * 5 + 4].fill(0.0));
            (weights, 16.0, 0.0)
        }
        "contour" => (around(8.0, -1.0), 1.0, 255.0),
        "detail" => (vec![0.0, -1.0, 0.0, -1.0, 10.0, -1.0, 0.0, -1.0, 0.0], 6.0, 0.0),
        "edge_enhance" => (around(10.0, -1.0), 2.0, 0.0),
        "edge_enhance_more" => (around(9.0, -1.0), 1.0, 0.0),
        "emboss" => (vec![-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], 1.0, 128.0),
        "find_edges" => (around(8.0, -1.0), 1.0, 0.0),
        "sharpen" => (around(32.0, -2.0), 16.0, 0.0),
        "smooth" => (around(5.0, 1.0), 13.0, 0.0),
        "smooth_more" => {
            let mut weights = vec![1.0; 25];
            (1..4).for_each(|row| weights[row * 5 + 1..row * 5 + 4].fill(5.0));
            weights[12] = 44.0;
            (weights, 100.0, 0.0)
        }
        _ => return None,
    };
    Some(Kernel { weights, scale, offset })
}

/// Returns the picture after a kernel; pixels whose neighbours are not all there stay as they are. As Pillow has it,
/// the first row of the kernel is for the row below. Pictures of floats have their white at 1, which `offset` follows.
fn convolved(picture: &Tensor, kernel: &Kernel) -> Result<Tensor> {
    let mut pixels = Pixels::of(picture)?;
    let side = if kernel.weights.len() == 9 { 3 } else { 5 };
    let (half, count, line) = (side / 2, pixels.channels, pixels.width * pixels.channels);
    let float = pixels.dtype.is_float();
    let offset = if float { kernel.offset / 255.0 } else { kernel.offset + 0.5 };
    let weights: Vec<f32> = kernel.weights.iter().map(|weight| weight / kernel.scale).collect();
    let source = pixels.data.clone();
    for row in half..pixels.height.saturating_sub(half) {
        for column in half..pixels.width.saturating_sub(half) {
            for channel in 0..count {
                let mut sum = offset;
                for (up, weights) in weights.chunks_exact(side).enumerate() {
                    let start = (row + half - up) * line + (column - half) * count + channel;
                    let part = source[start..].iter().step_by(count).zip(weights);
                    sum += part.map(|(x, weight)| x * weight).sum::<f32>();
                }
                pixels.data[row * line + column * count + channel] =
                    if float { sum } else { sum.clamp(0.0, 255.0).floor() };
            }
        }
    }
    pixels.back()
}

/// Returns the picture with each number replaced by the one of a rank among its neighbours.
fn ranked(picture: &Tensor, size: usize, rank: usize) -> Result<Tensor> {
    let mut pixels = Pixels::of(picture)?;
    let (half, count) = ((size / 2) as isize, pixels.channels);
    let source = pixels.data.clone();
    let mut around = Vec::with_capacity(size * size);
    for row in 0..pixels.height as isize {
        for column in 0..pixels.width as isize {
            for channel in 0..count {
                around.clear();
                for down in -half..=half {
                    let line = (row + down).clamp(0, pixels.height as isize - 1) as usize * pixels.width;
                    let place = |right: isize| (column + right).clamp(0, pixels.width as isize - 1) as usize;
                    around.extend((-half..=half).map(|right| source[(line + place(right)) * count + channel]));
                }
                let (_, found, _) = around.select_nth_unstable_by(rank, f32::total_cmp);
                pixels.data[(row as usize * pixels.width + column as usize) * count + channel] = *found;
            }
        }
    }
    pixels.back()
}

/// What stands beyond the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The picture mirrored, its border repeated: `d c b a | a b c d | d c b a`.
    Mirrored,
    /// Nothing: 0.
    Zero,
}

/// Returns the numbers after a Gaussian of a deviation in pixels, cut off at 4 deviations (`scipy.ndimage`).
pub fn gaussian(pixels: &Pixels, sigma: f64, beyond: Beyond) -> Vec<f32> {
    if sigma <= 0.0 {
        return pixels.data.clone();
    }
    let radius = (4.0 * sigma + 0.5).min(1e4) as isize;
    let weights: Vec<f64> = (-radius..=radius).map(|at| (-0.5 * (at as f64 / sigma).powi(2)).exp()).collect();
    let whole: f64 = weights.iter().sum();
    let weights: Vec<f64> = weights.iter().map(|weight| weight / whole).collect();
    let count = pixels.channels;
    let mut data: Vec<f64> = pixels.data.iter().map(|value| f64::from(*value)).collect();
    // Down, then across: lines of `length` numbers, `step` apart.
    for (lines, length, step) in
        [(pixels.width * count, pixels.height, pixels.width * count), (pixels.height * count, pixels.width, count)]
    {
        let source = data.clone();
        for line in 0..lines {
            let start = if step == count { line / count * pixels.width * count + line % count } else { line };
            for at in 0..length {
                let mut sum = 0.0;
                for (weight, place) in weights.iter().zip(at as isize - radius..) {
                    let inside = match beyond {
                        Beyond::Zero if !(0..length as isize).contains(&place) => continue,
                        Beyond::Zero => place as usize,
                        Beyond::Mirrored => {
                            let place = place.rem_euclid(2 * length as isize) as usize;
                            if place < length { place } else { 2 * length - 1 - place }
                        }
                    };
                    sum += weight * source[start + inside * step];
                }
                data[start + at * step] = sum;
            }
        }
    }
    data.into_iter().map(|value| value as f32).collect()
}
