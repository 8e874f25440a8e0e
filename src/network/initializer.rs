//! Initial values of weights, from the seeded generator.
//!
//! Names, defaults and formulas are those of Keras 3 (`keras/src/initializers/random_initializers.py`). The numbers
//! differ from Keras's: they come from our own generator, so that one seed gives one network anywhere.

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::random::Random;
use crate::registry::{Arguments, Entry, Parameter, Type};

use super::component;

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
        &[],
        |_| Ok(scaling(1.0, Fan::Average, Distribution::Uniform)),
    ),
    entry(
        "glorot_normal",
        &["GlorotNormal"],
        "Draws from a truncated normal distribution of deviation √(2 / (fan_in + fan_out)).",
        &[],
        |_| Ok(scaling(1.0, Fan::Average, Distribution::TruncatedNormal)),
    ),
    entry("he_uniform", &["HeUniform"], "Draws evenly within ±√(6 / fan_in) (He and others, 2015).", &[], |_| {
        Ok(scaling(2.0, Fan::In, Distribution::Uniform))
    }),
    entry(
        "he_normal",
        &["HeNormal"],
        "Draws from a truncated normal distribution of deviation √(2 / fan_in).",
        &[],
        |_| Ok(scaling(2.0, Fan::In, Distribution::TruncatedNormal)),
    ),
    entry("lecun_uniform", &["LecunUniform"], "Draws evenly within ±√(3 / fan_in).", &[], |_| {
        Ok(scaling(1.0, Fan::In, Distribution::Uniform))
    }),
    entry(
        "lecun_normal",
        &["LecunNormal"],
        "Draws from a truncated normal distribution of deviation √(1 / fan_in) (LeCun and others, 1998).",
        &[],
        |_| Ok(scaling(1.0, Fan::In, Distribution::TruncatedNormal)),
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
        &[Parameter::optional("gain", Type::Float, "1.0", "the length of each vector")],
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
        stft,
    ),
];

/// Makes the initializer that a parameter names.
///
/// # Errors
/// Refuses unknown names and parameters.
pub fn from_value(value: &Value) -> Result<Arc<dyn Initializer>> {
    component::make(LIST, "initializer", value).map(Arc::from)
}

/// Returns the number of inputs of one output and of outputs of one input, as Keras computes them: all axes but
/// the last two are the receptive field.
pub fn fans(shape: &[usize]) -> (f64, f64) {
    match shape {
        [] => (1.0, 1.0),
        [length] => (*length as f64, *length as f64),
        [field @ .., input, output] => {
            let field: f64 = field.iter().map(|length| *length as f64).product();
            (field * *input as f64, field * *output as f64)
        }
    }
}

#[derive(Debug)]
struct Constant(f32);

impl Initializer for Constant {
    fn values(&self, shape: &[usize], _: &mut Random) -> Vec<f32> {
        vec![self.0; shape.iter().product()]
    }
}

#[derive(Debug)]
struct Uniform {
    low: f64,
    high: f64,
}

impl Initializer for Uniform {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        draw(shape, || random.uniform_between(self.low, self.high))
    }
}

#[derive(Debug)]
struct Normal {
    mean: f64,
    deviation: f64,
    truncated: bool,
}

impl Initializer for Normal {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        draw(shape, || {
            let standard = if self.truncated { truncated_normal(random) } else { random.normal() };
            self.mean + self.deviation * standard
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Fan {
    In,
    Out,
    Average,
}

#[derive(Clone, Copy, Debug)]
enum Distribution {
    Uniform,
    Normal,
    TruncatedNormal,
}

#[derive(Debug)]
struct VarianceScaling {
    scale: f64,
    fan: Fan,
    distribution: Distribution,
}

impl Initializer for VarianceScaling {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        /// The deviation of a standard normal distribution that is cut off at ±2.
        const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;
        let (input, output) = fans(shape);
        let fan = match self.fan {
            Fan::In => input,
            Fan::Out => output,
            Fan::Average => (input + output) / 2.0,
        };
        let variance = self.scale / fan.max(1.0);
        match self.distribution {
            Distribution::Uniform => {
                let limit = (3.0 * variance).sqrt();
                draw(shape, || random.uniform_between(-limit, limit))
            }
            Distribution::Normal => draw(shape, || variance.sqrt() * random.normal()),
            Distribution::TruncatedNormal => {
                let deviation = variance.sqrt() / TRUNCATED_DEVIATION;
                draw(shape, || deviation * truncated_normal(random))
            }
        }
    }
}

#[derive(Debug)]
struct Orthogonal {
    gain: f64,
}

impl Initializer for Orthogonal {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        let columns = shape.last().copied().unwrap_or(1);
        let rows: usize = shape.iter().rev().skip(1).product();
        let (count, length) = (rows.min(columns), rows.max(columns));
        let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
        for _ in 0..count {
            let vector = orthonormal(&vectors, length, random);
            vectors.push(vector);
        }
        let at = |row: usize, column: usize| {
            if rows >= columns { vectors[column][row] } else { vectors[row][column] }
        };
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| (self.gain * at(row, column)) as f32)
            .collect()
    }
}

/// Gram and Schmidt, twice for accuracy; a draw that depends on the others is drawn again.
fn orthonormal(others: &[Vec<f64>], length: usize, random: &mut Random) -> Vec<f64> {
    loop {
        let mut vector: Vec<f64> = (0..length).map(|_| random.normal()).collect();
        for other in others.iter().chain(others) {
            let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        if norm > 1e-6 || length == 0 {
            vector.iter_mut().for_each(|a| *a /= norm);
            return vector;
        }
    }
}

#[derive(Debug)]
struct Identity {
    gain: f32,
}

impl Initializer for Identity {
    fn values(&self, shape: &[usize], _: &mut Random) -> Vec<f32> {
        let columns = shape.last().copied().unwrap_or(0);
        let value = |at: usize| if columns > 0 && at / columns == at % columns { self.gain } else { 0.0 };
        (0..shape.iter().product()).map(value).collect()
    }

    fn check(&self, shape: &[usize]) -> Result<()> {
        match shape {
            [_, _] => Ok(()),
            _ => Err(Error::recipe(format!("`identity` fills weights of two axes, found shape {shape:?}"))
                .hint("`orthogonal` fills weights of any shape")),
        }
    }
}

/// The formula is that of Keras 3 (`keras/src/initializers/constant_initializers.py`, `STFT`).
#[derive(Debug)]
struct Stft {
    sine: bool,
    /// a - (1 - a) cos(…) of the window; none without a window.
    window: Option<f64>,
    scaling: Option<bool>,
    periodic: bool,
}

fn stft(a: &Arguments) -> Result<Box<dyn Initializer>> {
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

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    parameters: &'static [Parameter],
    build: fn(&Arguments) -> Result<Box<dyn Initializer>>,
) -> Entry<dyn Initializer> {
    Entry { name, aliases, doc, parameters, build }
}

fn scaling(scale: f64, fan: Fan, distribution: Distribution) -> Box<dyn Initializer> {
    Box::new(VarianceScaling { scale, fan, distribution })
}

fn variance_scaling(a: &Arguments) -> Result<Box<dyn Initializer>> {
    let scale = a.float("scale");
    if scale <= 0.0 {
        return Err(a.refuse("scale", "a number above 0"));
    }
    let fan = match a.choice("mode", &["fan_in", "fan_out", "fan_avg"])? {
        "fan_out" => Fan::Out,
        "fan_avg" => Fan::Average,
        _ => Fan::In,
    };
    let choices = &["truncated_normal", "untruncated_normal", "uniform", "normal"];
    let distribution = match a.choice("distribution", choices)? {
        "untruncated_normal" => Distribution::Normal,
        "uniform" => Distribution::Uniform,
        // Keras: `normal` is another name for the truncated one.
        _ => Distribution::TruncatedNormal,
    };
    Ok(scaling(scale, fan, distribution))
}

fn deviation(a: &Arguments) -> Result<f64> {
    a.within("stddev", 0.0, f64::INFINITY)
}

fn truncated_normal(random: &mut Random) -> f64 {
    loop {
        let value = random.normal();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

fn draw(shape: &[usize], mut value: impl FnMut() -> f64) -> Vec<f32> {
    (0..shape.iter().product()).map(|_| value() as f32).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::random::Stream;

    /// (initializer, shape, low, high, deviation): the bounds of each value and the deviation of all.
    #[test]
    fn values_have_the_stated_bounds_and_deviation() {
        let limit = |variance: f64| (3.0 * variance).sqrt();
        let cut = |variance: f64| 2.0 * variance.sqrt() / 0.879_625_661_034_239_8;
        let cases = [
            (json!("zeros"), vec![3, 4], 0.0, 0.0),
            (json!({"import": "constant", "params": {"value": 2.5}}), vec![3], 2.5, 0.0),
            (json!("glorot_uniform"), vec![100, 60], limit(1.0 / 80.0), (1.0f64 / 80.0).sqrt()),
            (json!("GlorotNormal"), vec![100, 60], cut(1.0 / 80.0), (1.0f64 / 80.0).sqrt()),
            (json!("he_uniform"), vec![3, 3, 10, 60], limit(2.0 / 90.0), (2.0f64 / 90.0).sqrt()),
            (json!("he_normal"), vec![100, 60], cut(0.02), 0.02f64.sqrt()),
            (json!("lecun_uniform"), vec![100, 60], limit(0.01), 0.1),
            (json!("lecun_normal"), vec![100, 60], cut(0.01), 0.1),
            (
                json!({"import": "variance_scaling", "params": {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}}),
                vec![100, 60],
                limit(0.05),
                0.05f64.sqrt(),
            ),
            (json!("random_normal"), vec![100, 60], 0.5, 0.05),
            (json!("truncated_normal"), vec![100, 60], 0.1, 0.05 * 0.879_625_661_034_239_8),
            (json!("random_uniform"), vec![100, 60], 0.05, 0.05 / 3f64.sqrt()),
        ];
        for (value, shape, bound, deviation) in cases {
            let initializer = from_value(&value).unwrap();
            let values = initializer.values(&shape, &mut Random::new(5, Stream::Weights, &[0]));
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{value}");
            assert!(values.iter().all(|v| f64::from(v.abs()) <= bound * (1.0 + 1e-6)), "{value}");
            let n = values.len() as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
            let found = (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt();
            assert!((found - deviation).abs() <= 0.03 * deviation, "{value}: deviation {found}, expected {deviation}");
        }
    }

    #[test]
    fn orthogonal_vectors_are_orthonormal() {
        for shape in [vec![5, 3], vec![3, 5], vec![2, 2, 3], vec![4]] {
            let initializer = from_value(&json!({"import": "orthogonal", "params": {"gain": 2.0}})).unwrap();
            let values = initializer.values(&shape, &mut Random::new(5, Stream::Weights, &[0]));
            let columns = *shape.last().unwrap();
            let rows = values.len() / columns;
            let at =
                |i: usize, k: usize| if rows >= columns { values[k * columns + i] } else { values[i * columns + k] };
            for i in 0..rows.min(columns) {
                for j in 0..rows.min(columns) {
                    let dot: f32 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    assert!((dot - if i == j { 4.0 } else { 0.0 }).abs() < 1e-5, "{shape:?} {i} {j}: {dot}");
                }
            }
        }
    }

    #[test]
    fn identity_and_waves_are_what_keras_makes() {
        let values = |value: serde_json::Value, shape: &[usize]| {
            let initializer = from_value(&value).unwrap();
            initializer.check(shape).unwrap();
            initializer.values(shape, &mut Random::new(5, Stream::Weights, &[0]))
        };
        let gain = json!({"import": "identity", "params": {"gain": 2.0}});
        assert_eq!(values(gain, &[2, 3]), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
        // A window of 4 is 0, 0.75, 0.75, 0; its root of the sum of squares 1.0607.
        let found = values(json!("stft"), &[4, 1, 3]);
        let share = 0.75 / (2.0f32 * 0.75 * 0.75).sqrt();
        let expected = [0.0, 0.0, 0.0, share, 0.0, -share, share, -share, share, 0.0, 0.0, 0.0];
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
        let plain = json!({"import": "STFT", "params": {"side": "imag", "window": null}});
        let found = values(plain, &[2, 1, 3]);
        let expected = [0.0, 0.0, 0.0, 0.0, -1.0, 0.0];
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        for (name, shape) in [("identity", vec![2, 3, 4]), ("stft", vec![4, 2, 3])] {
            assert!(from_value(&json!(name)).unwrap().check(&shape).is_err());
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        let error = from_value(&json!("glorot_unifrom")).unwrap_err();
        assert_eq!(error.to_string(), "unknown initializer `glorot_unifrom`");
        assert_eq!(error.hints()[0], "did you mean `glorot_uniform`?");
    }
}
