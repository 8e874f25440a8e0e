//! Values drawn one by one: evenly, normally, and by the number of inputs and outputs that a weight connects.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::random::Random;
use crate::registry::Arguments;

use super::Initializer;

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
pub(super) struct Uniform {
    pub low: f64,
    pub high: f64,
}

impl Initializer for Uniform {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        draw(shape, || random.uniform_between(self.low, self.high))
    }
}

#[derive(Debug)]
pub(super) struct Normal {
    pub mean: f64,
    pub deviation: f64,
    pub truncated: bool,
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
pub(super) enum Fan {
    In,
    Out,
    Average,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Distribution {
    Uniform,
    Normal,
    TruncatedNormal,
}

#[derive(Debug)]
struct VarianceScaling {
    scale: f64,
    fan: Fan,
    distribution: Distribution,
    /// The axes of inputs and those of outputs, where these are not the last two.
    axes: Option<[Vec<i64>; 2]>,
}

impl Initializer for VarianceScaling {
    fn check(&self, shape: &[usize]) -> Result<()> {
        match self.axes.iter().flatten().flatten().find(|axis| place(shape, **axis).is_none()) {
            Some(axis) => Err(Error::recipe(format!("there is no axis {axis} in a weight of shape {shape:?}"))
                .hint("change `input_axes` and `output_axes`")),
            None => Ok(()),
        }
    }

    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        /// The deviation of a standard normal distribution that is cut off at ±2.
        const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;
        let (input, output) = match &self.axes {
            Some([inputs, outputs]) => (lengths(shape, inputs), lengths(shape, outputs)),
            None => fans(shape),
        };
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

pub(super) fn scaling(a: &Arguments, scale: f64, fan: Fan, distribution: Distribution) -> Box<dyn Initializer> {
    // As in Keras, one of the two alone says nothing.
    let axes = match (axes(a, "input_axes"), axes(a, "output_axes")) {
        (Some(inputs), Some(outputs)) => Some([inputs, outputs]),
        _ => None,
    };
    Box::new(VarianceScaling { scale, fan, distribution, axes })
}

pub(super) fn variance_scaling(a: &Arguments) -> Result<Box<dyn Initializer>> {
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
    Ok(scaling(a, scale, fan, distribution))
}

fn axes(a: &Arguments, name: &str) -> Option<Vec<i64>> {
    match a.value(name) {
        Value::Null => None,
        Value::Array(axes) => Some(axes.iter().filter_map(Value::as_i64).collect()),
        one => one.as_i64().map(|axis| vec![axis]),
    }
}

/// Returns the place of an axis in a shape, counted from the end where it is negative.
fn place(shape: &[usize], axis: i64) -> Option<usize> {
    let counted = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
    usize::try_from(counted).ok().filter(|place| *place < shape.len())
}

/// Returns the product of the lengths of axes.
fn lengths(shape: &[usize], axes: &[i64]) -> f64 {
    axes.iter().filter_map(|axis| place(shape, *axis)).map(|place| shape[place] as f64).product()
}

pub(super) fn deviation(a: &Arguments) -> Result<f64> {
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
