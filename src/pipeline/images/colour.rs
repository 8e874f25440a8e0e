//! What pixels hold: their colours and numbers.
//!
//! White is 255 in pictures of whole numbers and 1 in those of floats.

use super::{Operation, Pixels, Settings, unknown};
use crate::error::{Error, Result};
use crate::tensor::{Dtype, Tensor};

/// The negative.
pub const INVERT: Operation = Operation {
    name: "invert",
    text: "as a negative: 255 or, for floats, 1 minus each number. Option: `channels`, `\"all\"` (the default), a channel or \
           an array of them.",
    make: |settings| {
        let channels = match settings.take("channels") {
            None => None,
            Some(crate::record::Value::Text(all)) if &*all == "all" => None,
            Some(value) => Settings::new("invert", vec![("channels".into(), value)]).wholes("channels")?,
        };
        Ok(Box::new(move |picture, _| {
            let mut pixels = Pixels::of(picture)?;
            let (white, count) = (pixels.white(), pixels.channels);
            let chosen: Vec<bool> = match &channels {
                None => vec![true; count],
                Some(list) => {
                    if let Some(wrong) = list.iter().find(|at| !(0..count as isize).contains(*at)) {
                        return Err(Error::data(format!("`invert`: there is no channel {wrong}, only {count}")));
                    }
                    (0..count as isize).map(|at| list.contains(&at)).collect()
                }
            };
            for pixel in pixels.data.chunks_exact_mut(count) {
                pixel.iter_mut().zip(&chosen).filter(|(_, chosen)| **chosen).for_each(|(x, _)| *x = white - *x);
            }
            pixels.back()
        }))
    },
};

/// Cut off.
pub const CLIP: Operation = Operation {
    name: "clip",
    text: "with no number below `low` (0) or above `high` (255 or, for floats, 1): options, each a number or one for each \
           channel.",
    make: |settings| {
        let low = settings.numbers("low")?.unwrap_or(vec![0.0]);
        let high = settings.numbers("high")?;
        Ok(Box::new(move |picture, _| {
            let mut pixels = Pixels::of(picture)?;
            let low = pixels.of_channels(&low, "low")?;
            let high = pixels.of_channels(high.as_deref().unwrap_or(&[pixels.white()]), "high")?;
            for pixel in pixels.data.chunks_exact_mut(pixels.channels) {
                pixel.iter_mut().zip(low.iter().zip(&high)).for_each(|(x, (low, high))| *x = x.min(*high).max(*low));
            }
            pixels.back()
        }))
    },
};

/// Two values only.
pub const THRESHOLD: Operation = Operation {
    name: "threshold",
    text: "of two values. Options: `at`, above which a number becomes `high` (255 or, for floats, 1), and else `low` (0).",
    make: |settings| {
        let at = settings.need("at")?;
        let at = Settings::new("threshold", vec![("at".into(), at)]).numbers("at")?.unwrap_or_default();
        let low = settings.number("low")?.unwrap_or(0.0) as f32;
        let high = settings.number("high")?;
        Ok(Box::new(move |picture, _| {
            let mut pixels = Pixels::of(picture)?;
            let at = pixels.of_channels(&at, "at")?;
            let high = high.map_or(pixels.white(), |high| high as f32);
            for pixel in pixels.data.chunks_exact_mut(pixels.channels) {
                pixel.iter_mut().zip(&at).for_each(|(x, at)| *x = if *x > *at { high } else { low });
            }
            pixels.back()
        }))
    },
};

/// Brighter or darker.
pub const MULTIPLY: Operation = Operation {
    name: "multiply",
    text: "multiplied, as f32. Options: `multiplier`, a number or one for each channel; `clip`, true to cut off at 0 and white; \
           `preserve_type`, true to keep the dtype (u8 is cut off and rounded towards 0).",
    make: |settings| arithmetic(settings, "multiplier", 1.0, |x, by| x * by),
};

/// Brighter or darker.
pub const ADD: Operation = Operation {
    name: "add",
    text: "with something added, as f32. Options: `term`, a number or one for each channel; `clip` and `preserve_type` as for \
           `multiply`.",
    make: |settings| arithmetic(settings, "term", 1.0, |x, by| x + by),
};

fn arithmetic(
    settings: &mut Settings,
    name: &'static str,
    otherwise: f32,
    with: fn(f32, f32) -> f32,
) -> Result<super::Change> {
    let by = settings.numbers(name)?.unwrap_or(vec![otherwise]);
    let finish = Finish::take(settings)?;
    Ok(Box::new(move |picture, _| {
        let mut pixels = Pixels::of(picture)?;
        let by = pixels.of_channels(&by, name)?;
        for pixel in pixels.data.chunks_exact_mut(pixels.channels) {
            pixel.iter_mut().zip(&by).for_each(|(x, by)| *x = with(*x, *by));
        }
        finish.end(pixels)
    }))
}

/// What becomes of computed numbers.
pub struct Finish {
    clip: bool,
    preserve: bool,
}

impl Finish {
    /// Takes `clip` and `preserve_type`.
    ///
    /// # Errors
    /// Anything but true and false.
    pub fn take(settings: &mut Settings) -> Result<Finish> {
        Ok(Finish { clip: settings.flag("clip")?, preserve: settings.flag("preserve_type")? })
    }

    /// Returns the picture.
    ///
    /// # Errors
    /// None for pictures of a shape that there was before.
    pub fn end(&self, mut pixels: Pixels) -> Result<Tensor> {
        if self.clip {
            let white = pixels.white();
            pixels.data.iter_mut().for_each(|x| *x = x.clamp(0.0, white));
        }
        match self.preserve {
            true => pixels.back(),
            false => pixels.into_tensor(Dtype::F32),
        }
    }
}

/// Fewer colours.
pub const POSTERIZE: Operation = Operation {
    name: "posterize",
    text: "with fewer shades: of each u8 only the first `bits` (4) are kept, 1 to 8.",
    make: |settings| {
        let bits = settings.amount("bits")?.unwrap_or(4.0);
        if bits.fract() != 0.0 || !(1.0..=8.0).contains(&bits) {
            return Err(Error::data(format!("option `bits` of `posterize`: expected 1 to 8, found {bits}")));
        }
        let mask = !(255u16 >> bits as u32) as u8;
        Ok(Box::new(move |picture, _| {
            if picture.dtype() != Dtype::U8 {
                return Err(Error::data(format!("`posterize` needs u8, found {}", picture.dtype()))
                    .hint("`(picture * 255).to_u8()` makes bytes of numbers from 0 to 1"));
            }
            let mut pixels = Pixels::of(picture)?;
            pixels.data.iter_mut().for_each(|x| *x = f32::from(*x as u8 & mask));
            pixels.back()
        }))
    },
};

/// Colour, contrast, brightness, sharpness.
pub const ENHANCE: Operation = Operation {
    name: "enhance",
    text: "with more or less colour (`h`), contrast (`c`), brightness (`b`) and sharpness (`s`), as Pillow has them. Options: \
           `layout`, which of them in which order (`\"hcbs\"`); `factor`, one for all or one for each: 1 changes nothing, 0 takes \
           all of it away.",
    make: |settings| {
        let layout = settings.text("layout")?.unwrap_or_else(|| "hcbs".to_owned());
        let factors = settings.numbers("factor")?.unwrap_or(vec![1.0]);
        if let Some(other) = layout.chars().find(|letter| !"hcbs".contains(*letter)) {
            return Err(unknown("enhancement", &other.to_string(), &["h", "c", "b", "s"]));
        }
        let factors = match factors.as_slice() {
            [one] => vec![*one; layout.len()],
            _ => factors,
        };
        if factors.len() != layout.len() {
            return Err(Error::data(format!(
                "option `factor` of `enhance`: expected one for each letter of {layout:?}, found {}",
                factors.len()
            )));
        }
        let steps: Vec<(char, f32)> = layout.chars().zip(factors).collect();
        Ok(Box::new(move |picture, _| {
            steps.iter().try_fold(picture.clone(), |picture, &(letter, factor)| enhanced(&picture, letter, factor))
        }))
    },
};

fn enhanced(picture: &Tensor, letter: char, factor: f32) -> Result<Tensor> {
    let mut pixels = Pixels::of(picture)?;
    let count = pixels.channels;
    let grey = || -> Result<Vec<f32>> {
        match count {
            3 => Ok(picture.grayscale()?.to_host()?.as_f32().into_owned()),
            1 => Ok(pixels.data.clone()),
            _ => Err(Error::data(format!("`enhance` needs 1 or 3 channels, found {count}"))),
        }
    };
    // What the picture is without any of it.
    let without: Vec<f32> = match letter {
        'h' => grey()?.into_iter().flat_map(|grey| std::iter::repeat_n(grey, count)).collect(),
        'c' => {
            let grey = grey()?;
            let mean = grey.iter().map(|value| f64::from(*value)).sum::<f64>() / grey.len().max(1) as f64;
            let mean = if pixels.dtype == Dtype::U8 { (mean + 0.5).floor() } else { mean };
            vec![mean as f32; pixels.data.len()]
        }
        'b' => vec![0.0; pixels.data.len()],
        _ => super::filter::smooth(picture)?.to_host()?.as_f32().into_owned(),
    };
    pixels.data.iter_mut().zip(without).for_each(|(x, without)| *x = without + factor * (*x - without));
    if pixels.dtype.is_float() { pixels.into_tensor(Dtype::F32) } else { pixels.back() }
}

/// In grey.
pub const GRAYSCALE: Operation = Operation {
    name: "grayscale",
    text: "in grey, with one channel: 0.299 of red, 0.587 of green and 0.114 of blue. No options.",
    make: |_| Ok(Box::new(|picture, _| picture.grayscale())),
};

/// As numbers for a network.
pub const TO_ARRAY: Operation = Operation {
    name: "to_array",
    text: "as numbers of another dtype. Options: `dtype` (`\"f32\"`); `channels`, `\"last\"` (the default) or `\"first\"` to move the \
           channels to the first axis. What is moved is no picture any more for other operations.",
    make: |settings| {
        let dtype = Dtype::parse(settings.text("dtype")?.as_deref().unwrap_or("f32"))?;
        let first = match settings.text("channels")?.as_deref() {
            None | Some("last") => false,
            Some("first") => true,
            Some(other) => return Err(unknown("place of channels", other, &["first", "last"])),
        };
        Ok(Box::new(move |picture, _| {
            let cast = Tensor::from(picture.to_host()?.cast(dtype));
            match (first, cast.rank()) {
                (true, 3) => Ok(cast.transpose(Some(&[2, 0, 1]))?.to_host()?.to_contiguous().into()),
                _ => Ok(cast),
            }
        }))
    },
};
