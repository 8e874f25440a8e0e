//! `stft`: the waves of a short-time Fourier transform.

use crate::error::{Error, Result};
use crate::random::Random;
use crate::registry::Arguments;

use super::Initializer;

/// The formula is that of Keras 3 (`keras/src/initializers/constant_initializers.py`, `STFT`).
#[derive(Debug)]
struct Stft {
    sine: bool,
    /// a - (1 - a) cos(…) of the window; none without a window.
    window: Option<f64>,
    scaling: Option<bool>,
    periodic: bool,
}

pub(super) fn stft(a: &Arguments) -> Result<Box<dyn Initializer>> {
    let text = |name: &str, choices: &[&'static str]| match a.is_null(name) {
        true => Ok(None),
        false => a.choice(name, choices).map(Some),
    };
    Ok(Box::new(Stft {
        sine: a.choice("side", &["real", "imag"])? == "imag",
        window: text("window", &["hann", "hamming"])?.map(|window| if window == "hann" { 0.5 } else { 0.54 }),
        scaling: text("scaling", &["density", "spectrum"])?.map(|scaling| scaling == "density"),
        periodic: a.bool("periodic"),
    }))
}

impl Initializer for Stft {
    fn values(&self, shape: &[usize], _: &mut Random) -> Vec<f32> {
        use std::f64::consts::TAU;
        let [frame, _, frequencies] = *shape else { return Vec::new() };
        let length = (frequencies.max(2) - 1) * 2;
        let around = if self.periodic { frame } else { frame.saturating_sub(1) }.max(1) as f64;
        let window = |time: usize| self.window.map_or(1.0, |a| a - (1.0 - a) * (TAU * time as f64 / around).cos());
        let scale = match (self.window, self.scaling) {
            (Some(_), Some(true)) => (0..frame).map(|time| window(time).powi(2)).sum::<f64>().sqrt(),
            (Some(_), Some(false)) => (0..frame).map(|time| window(time).abs()).sum::<f64>(),
            _ => 1.0,
        };
        let wave = |time: usize, frequency: usize| {
            // Whole turns are taken away first, which keeps the digits.
            let turns = (time * frequency % length) as f64 / length as f64;
            let value = if self.sine { (-TAU * turns).sin() } else { (-TAU * turns).cos() };
            (value * window(time) / scale) as f32
        };
        (0..frame).flat_map(|time| (0..frequencies).map(move |frequency| wave(time, frequency))).collect()
    }

    fn check(&self, shape: &[usize]) -> Result<()> {
        match shape {
            [_, 1, frequencies] if *frequencies >= 2 => Ok(()),
            _ => Err(Error::recipe(format!("`stft` fills kernels of shape [frame, 1, frequencies], found {shape:?}"))
                .hint("use it in a `Conv1D` whose input has one channel, with at least 2 filters")),
        }
    }
}
