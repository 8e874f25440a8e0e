//! Pictures pulled about like rubber (Simard, Steinkraus and Platt, "Best practices for convolutional neural networks
//! applied to visual document analysis", 2003).

use super::filter::{Beyond, gaussian};
use super::{Operation, Pixels};
use crate::error::Error;
use crate::random::Random;
use crate::tensor::Dtype;

/// Pulled about.
pub const ELASTIC_TRANSFORM: Operation = Operation {
    name: "elastic_transform",
    text: "with each pixel taken from a place nearby: a uniform draw from -1 to 1 down and across, smoothed by a Gaussian of \
           deviation `sigma` pixels and multiplied by `alpha`, the options. All channels go the same way; between pixels a \
           bilinear mixture is taken, beyond the border the picture mirrored.",
    make: |settings| {
        let need = |value: Option<f64>, name: &str| {
            value.ok_or_else(|| Error::data(format!("`elastic_transform` needs the option `{name}`")))
        };
        let alpha = need(settings.number("alpha")?, "alpha")?;
        let sigma = need(settings.amount("sigma")?, "sigma")?;
        Ok(Box::new(move |picture, random| {
            let pixels = Pixels::of(picture)?;
            let (height, width, count) = (pixels.height, pixels.width, pixels.channels);
            let mut moves = || displacement(height, width, alpha, sigma, random);
            let (down, across) = (moves(), moves());
            let inside = |place: isize, length: usize| {
                let place = place.rem_euclid(2 * length as isize) as usize;
                if place < length { place } else { 2 * length - 1 - place }
            };
            let mut data = Vec::with_capacity(pixels.data.len());
            for at in 0..height * width {
                let (row, column) = ((at / width) as f32 + down[at], (at % width) as f32 + across[at]);
                let (top, left) = (row.floor(), column.floor());
                let (below, right) = (row - top, column - left);
                let rows = [inside(top as isize, height), inside(top as isize + 1, height)];
                let columns = [inside(left as isize, width), inside(left as isize + 1, width)];
                for channel in 0..count {
                    let value = |row: usize, column: usize| pixels.data[(row * width + column) * count + channel];
                    let mix = |row| value(row, columns[0]) * (1.0 - right) + value(row, columns[1]) * right;
                    let mixed = mix(rows[0]) * (1.0 - below) + mix(rows[1]) * below;
                    data.push(if pixels.dtype.is_float() { mixed } else { (mixed + 0.5).floor() });
                }
            }
            Pixels { data, ..pixels }.back()
        }))
    },
};

fn displacement(height: usize, width: usize, alpha: f64, sigma: f64, random: &mut Random) -> Vec<f32> {
    let data = (0..height * width).map(|_| random.uniform_between(-1.0, 1.0) as f32).collect();
    let field = Pixels { data, height, width, channels: 1, shape: vec![height, width], dtype: Dtype::F32 };
    gaussian(&field, sigma, Beyond::Zero).into_iter().map(|value| value * alpha as f32).collect()
}
