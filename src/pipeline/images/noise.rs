//! What covers pictures at random.

use super::colour::Finish;
use super::origin::Origin;
use super::{Change, Operation, Pixels, Settings, unknown};
use crate::error::{Error, Result};
use crate::random::Random;

/// Grains.
pub const SALT: Operation = Operation {
    name: "salt",
    text: "with grains on it. Options: `p_noise`, the probability of a grain at each pixel (0.015); `color`, a number or one for \
           each channel (255); `size`, `[height, width]` of a grain or one number (1), whose upper left pixel is drawn.",
    make: |settings| {
        let p = settings.amount("p_noise")?.unwrap_or(0.015);
        if p > 1.0 {
            return Err(Error::data(format!(
                "option `p_noise` of `salt`: expected a probability from 0 to 1, found {p}"
            )));
        }
        let color = settings.numbers("color")?.unwrap_or(vec![255.0]);
        let size = settings.size("size")?.unwrap_or((1, 1));
        Ok(Box::new(move |picture, random| {
            let mut pixels = Pixels::of(picture)?;
            let color = pixels.of_channels(&color, "color")?;
            for row in 0..pixels.height {
                for column in 0..pixels.width {
                    if random.uniform() < p {
                        cover(&mut pixels, (row as isize, column as isize), size, &color);
                    }
                }
            }
            pixels.back()
        }))
    },
};

/// A rectangle.
pub const CUTOUT: Operation = Operation {
    name: "cutout",
    text: "with a rectangle covered. Options: `shape`, `[height, width]` or one number; `origin`, where it is, as for `crop` \
           (`\"random\"`); `color`, a number or one for each channel (0).",
    make: |settings| {
        let shape = settings.size("shape")?;
        let shape =
            shape.ok_or_else(|| Error::data("`cutout` needs the option `shape`").hint("`shape: [height, width]`"))?;
        let origin = Origin::take(settings, Origin::Random)?;
        let color = settings.numbers("color")?.unwrap_or(vec![0.0]);
        Ok(Box::new(move |picture, random| {
            let mut pixels = Pixels::of(picture)?;
            let color = pixels.of_channels(&color, "color")?;
            let place = origin.place(shape, (pixels.height, pixels.width), random);
            cover(&mut pixels, place, shape, &color);
            pixels.back()
        }))
    },
};

/// Writes a colour into a rectangle, as far as it is inside.
fn cover(pixels: &mut Pixels, at: (isize, isize), size: (usize, usize), color: &[f32]) {
    let span = |start: isize, count: usize, length: usize| {
        let end = start.saturating_add_unsigned(count).clamp(0, length as isize) as usize;
        (start.clamp(0, length as isize) as usize).min(end)..end
    };
    let columns = span(at.1, size.1, pixels.width);
    for row in span(at.0, size.0, pixels.height) {
        let line = row * pixels.width;
        let part = &mut pixels.data[(line + columns.start) * color.len()..(line + columns.end) * color.len()];
        part.chunks_exact_mut(color.len().max(1)).for_each(|pixel| pixel.copy_from_slice(color));
    }
}

/// Something added to each number.
pub const ADDITIVE_NOISE: Operation = Operation {
    name: "additive_noise",
    text: "with a draw added to each number, as f32. Options: `distribution`, `\"normal\"` (the default) with `loc` (0) and \
           `scale` (1), or `\"uniform\"` from `low` (0) to `high` (1); `clip` and `preserve_type` as for `multiply`.",
    make: |settings| noise(settings, "additive_noise", 0.0, |x, by| x + by),
};

/// A factor for each number.
pub const MULTIPLICATIVE_NOISE: Operation = Operation {
    name: "multiplicative_noise",
    text: "with each number multiplied by a draw, as f32. Options: as for `additive_noise`, with `loc` 1.",
    make: |settings| noise(settings, "multiplicative_noise", 1.0, |x, by| x * by),
};

fn noise(settings: &mut Settings, name: &'static str, middle: f64, with: fn(f32, f32) -> f32) -> Result<Change> {
    let distribution = settings.text("distribution")?;
    let draw: Box<dyn Fn(&mut Random) -> f64 + Send + Sync> = match distribution.as_deref() {
        None | Some("normal") => {
            let loc = settings.number("loc")?.unwrap_or(middle);
            let scale = settings.amount("scale")?.unwrap_or(1.0);
            Box::new(move |random| loc + scale * random.normal())
        }
        Some("uniform") => {
            let low = settings.number("low")?.unwrap_or(0.0);
            let high = settings.number("high")?.unwrap_or(1.0);
            if low > high {
                return Err(Error::data(format!("`{name}`: expected `low` below `high`, found {low} and {high}")));
            }
            Box::new(move |random| random.uniform_between(low, high))
        }
        Some(other) => return Err(unknown("distribution", other, &["normal", "uniform"])),
    };
    let finish = Finish::take(settings)?;
    Ok(Box::new(move |picture, random| {
        let mut pixels = Pixels::of(picture)?;
        pixels.data.iter_mut().for_each(|x| *x = with(*x, draw(random) as f32));
        finish.end(pixels)
    }))
}
