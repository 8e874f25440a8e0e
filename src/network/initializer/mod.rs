//! Initial values of weights, from the seeded generator.
//!
//! Names, defaults and formulas are those of Keras 3 (`keras/src/initializers/random_initializers.py`). The numbers
//! differ from Keras's: they come from our own generator, so that one seed gives one network anywhere.

mod drawn;
mod fixed;
mod orthogonal;
mod stft;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

use crate::error::Result;
use crate::random::{Random, Stream};
use crate::registry::{Arguments, Entry, Parameter, Type};

use super::component;

pub use drawn::fans;
use drawn::{Distribution, Fan, Normal, Uniform, deviation, scaling, variance_scaling};
use fixed::{Constant, Identity};
use orthogonal::Orthogonal;

/// Makes the initial values of a weight.
pub trait Initializer: Send + Sync + std::fmt::Debug {
    /// Returns the values in row-major order.
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32>;

    /// Checks that it can fill a weight of this shape.
    ///
    /// # Errors
    /// It cannot.
    fn check(&self, _shape: &[usize]) -> Result<()> {
        Ok(())
    }
}

/// The built-in initializers.
pub static LIST: &[Entry<dyn Initializer>] = &[
    entry("zeros", &["Zeros", "zero"], "Fills with 0.", &[], |_| Ok(Box::new(Constant(0.0)))),
    entry("ones", &["Ones", "one"], "Fills with 1.", &[], |_| Ok(Box::new(Constant(1.0)))),
    entry(
        "constant",
        &["Constant"],
        "Fills with a number.",
        &[Parameter::optional("value", Type::Float, "0.0", "the number")],
        |a| Ok(Box::new(Constant(a.float("value") as f32))),
    ),
    entry(
        "glorot_uniform",
        &["GlorotUniform"],
        "Draws evenly within ±√(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).",
        &[INPUT_AXES, OUTPUT_AXES, SEED],
        |a| Ok(scaling(a, 1.0, Fan::Average, Distribution::Uniform)),
    ),
    entry(
        "glorot_normal",
        &["GlorotNormal"],
        "Draws from a truncated normal distribution of deviation √(2 / (fan_in + fan_out)).",
        &[INPUT_AXES, OUTPUT_AXES, SEED],
        |a| Ok(scaling(a, 1.0, Fan::Average, Distribution::TruncatedNormal)),
    ),
    entry(
        "he_uniform",
        &["HeUniform"],
        "Draws evenly within ±√(6 / fan_in) (He and others, 2015).",
        &[INPUT_AXES, OUTPUT_AXES, SEED],
        |a| Ok(scaling(a, 2.0, Fan::In, Distribution::Uniform)),
    ),
    entry(
        "he_normal",
        &["HeNormal"],
        "Draws from a truncated normal distribution of deviation √(2 / fan_in).",
        &[INPUT_AXES, OUTPUT_AXES, SEED],
        |a| Ok(scaling(a, 2.0, Fan::In, Distribution::TruncatedNormal)),
    ),
    entry(
        "lecun_uniform",
        &["LecunUniform"],
        "Draws evenly within ±√(3 / fan_in).",
        &[INPUT_AXES, OUTPUT_AXES, SEED],
        |a| Ok(scaling(a, 1.0, Fan::In, Distribution::Uniform)),
    ),
    entry(
        "lecun_normal",
        &["LecunNormal"],
        "Draws from a truncated normal distribution of deviation √(1 / fan_in) (LeCun and others, 1998).",
        &[INPUT_AXES, OUTPUT_AXES, SEED],
        |a| Ok(scaling(a, 1.0, Fan::In, Distribution::TruncatedNormal)),
    ),
    entry(
        "variance_scaling",
        &["VarianceScaling"],
        "Draws with a variance of `scale` / fan.",
        &[
            Parameter::optional("scale", Type::Float, "1.0", "above 0"),
            Parameter::optional("mode", Type::Text, "\"fan_in\"", "`fan_in`, `fan_out` or `fan_avg`"),
            Parameter::optional(
                "distribution",
                Type::Text,
                "\"truncated_normal\"",
                "`truncated_normal`, `untruncated_normal` or `uniform`",
            ),
            INPUT_AXES,
            OUTPUT_AXES,
            SEED,
        ],
        variance_scaling,
    ),
    entry(
        "random_normal",
        &["RandomNormal", "normal"],
        "Draws from a normal distribution.",
        &[
            Parameter::optional("mean", Type::Float, "0.0", "the mean"),
            Parameter::optional("stddev", Type::Float, "0.05", "the deviation, at least 0"),
            SEED,
        ],
        |a| Ok(Box::new(Normal { mean: a.float("mean"), deviation: deviation(a)?, truncated: false })),
    ),
    entry(
        "truncated_normal",
        &["TruncatedNormal"],
        "Draws from a normal distribution, again where a value is more than 2 deviations from the mean.",
        &[
            Parameter::optional("mean", Type::Float, "0.0", "the mean"),
            Parameter::optional("stddev", Type::Float, "0.05", "the deviation before truncation, at least 0"),
            SEED,
        ],
        |a| Ok(Box::new(Normal { mean: a.float("mean"), deviation: deviation(a)?, truncated: true })),
    ),
    entry(
        "random_uniform",
        &["RandomUniform", "uniform"],
        "Draws evenly between two numbers.",
        &[
            Parameter::optional("minval", Type::Float, "-0.05", "the lower end, included"),
            Parameter::optional("maxval", Type::Float, "0.05", "the upper end, excluded"),
            SEED,
        ],
        |a| match a.float("minval") <= a.float("maxval") {
            true => Ok(Box::new(Uniform { low: a.float("minval"), high: a.float("maxval") })),
            false => Err(a.refuse("maxval", format!("a number of at least `minval`, {}", a.float("minval")))),
        },
    ),
    entry(
        "orthogonal",
        &["Orthogonal", "OrthogonalInitializer"],
        "Draws a matrix whose rows or columns, whichever are fewer, are orthonormal, times `gain` (Saxe and \
         others, 2014). All axes but the last are rows.",
        &[Parameter::optional("gain", Type::Float, "1.0", "the length of each vector"), SEED],
        |a| Ok(Box::new(Orthogonal { gain: a.float("gain") })),
    ),
    entry(
        "identity",
        &["Identity", "IdentityInitializer"],
        "Fills a matrix with 1 on its diagonal and 0 elsewhere, times `gain`; for weights of two axes only.",
        &[Parameter::optional("gain", Type::Float, "1.0", "what stands on the diagonal")],
        |a| Ok(Box::new(Identity { gain: a.float("gain") as f32 })),
    ),
    entry(
        "stft",
        &["STFT", "STFTInitializer"],
        "Fills the kernel of a `Conv1D` of one channel with the waves of a short-time Fourier transform: cosines, or \
         sines with `side: \"imag\"`, of frequencies from 0 to half the sampling rate, below a window.",
        &[
            Parameter::optional("side", Type::Text, "\"real\"", "`real` or `imag`"),
            Parameter::optional("window", Type::Any, "\"hann\"", "`hann`, `hamming`, or null for none"),
            Parameter::optional(
                "scaling",
                Type::Any,
                "\"density\"",
                "what the window is divided by: `density`, the root of its sum of squares; `spectrum`, its sum; null, 1",
            ),
            Parameter::optional(
                "periodic",
                Type::Bool,
                "false",
                "whether the window is periodic rather than symmetric",
            ),
        ],
        stft::stft,
    ),
];

/// Makes the initializer that a parameter names.
///
/// # Errors
/// Refuses unknown names and parameters.
pub fn from_value(value: &Value) -> Result<Arc<dyn Initializer>> {
    let inner: Arc<dyn Initializer> = component::make(LIST, "initializer", value).map(Arc::from)?;
    let seed = value.get("params").and_then(|params| params.get(SEED.name)).and_then(Value::as_i64);
    Ok(match seed {
        Some(seed) => Arc::new(Seeded { inner, seed: seed as u64 }),
        None => inner,
    })
}

/// Draws from a seed of its own: the same values for every weight of one shape, whatever the run's seed, as in Keras.
#[derive(Debug)]
struct Seeded {
    inner: Arc<dyn Initializer>,
    seed: u64,
}

impl Initializer for Seeded {
    fn values(&self, shape: &[usize], _: &mut Random) -> Vec<f32> {
        self.inner.values(shape, &mut Random::new(self.seed, Stream::Weights, &[]))
    }

    fn check(&self, shape: &[usize]) -> Result<()> {
        self.inner.check(shape)
    }
}

const INPUT_AXES: Parameter = Parameter::optional(
    "input_axes",
    Type::Ints,
    "null",
    "the axes whose lengths multiply to fan_in, together with `output_axes`; null: all but the last",
);

const OUTPUT_AXES: Parameter = Parameter::optional(
    "output_axes",
    Type::Ints,
    "null",
    "the axes whose lengths multiply to fan_out, together with `input_axes`; null: all but the last but one",
);

const SEED: Parameter = Parameter::optional(
    "seed",
    Type::Int,
    "null",
    "a seed of its own: weights of one shape start alike; null draws for each weight from the recipe's seed",
);

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    parameters: &'static [Parameter],
    build: fn(&Arguments) -> Result<Box<dyn Initializer>>,
) -> Entry<dyn Initializer> {
    Entry { name, aliases, doc, parameters, build }
}
