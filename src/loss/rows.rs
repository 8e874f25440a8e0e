//! Losses of one row of labels and predictions on slices: the value, and the slope in each prediction.
//!
//! Formulas, and what is clipped where, are those of the composed losses, which name them; as there, a bound itself lets
//! the gradient pass. Rare as losses and common as
//! metrics, they are plain loops: what counts is that they allocate nothing.

use super::formula::EPSILON;
use crate::kernel::math;

/// A loss of one row: labels, predictions, where the gradient goes.
pub(super) type Row = fn(&[f32], &[f32], Option<&mut [f32]>) -> f32;

const LEAST: f32 = EPSILON as f32;

/// Mean of absolute errors in percent of the labels.
pub(super) fn absolute_percentage(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    mean(y, p, gradient, |y, p| {
        let size = y.abs().max(LEAST);
        let relative = (p - y) / size;
        (100.0 * relative.abs(), 100.0 * sign(relative) / size)
    })
}

/// Mean of squared differences of logarithms.
pub(super) fn squared_logarithmic(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    let log = |value: f32| (at_least(value, LEAST) + 1.0).ln();
    mean(y, p, gradient, |y, p| {
        let error = log(p) - log(y);
        (error * error, if p >= LEAST { 2.0 * error / (p + 1.0) } else { 0.0 })
    })
}

/// Mean of log(cosh(error)).
pub(super) fn log_cosh(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    mean(y, p, gradient, |y, p| {
        let error = p - y;
        (error + math::softplus(-2.0 * error) - std::f32::consts::LN_2, math::tanh(error))
    })
}

/// Huber's loss, linear beyond `delta`.
pub(super) fn huber(delta: f32, y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    mean(y, p, gradient, |y, p| {
        let error = p - y;
        let clipped = if error.abs() > delta { delta } else { error.abs() };
        (error.abs() * clipped - 0.5 * clipped * clipped, sign(error) * clipped)
    })
}

/// Poisson's loss.
pub(super) fn poisson(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    mean(y, p, gradient, |y, p| (p - y * (p + LEAST).ln(), 1.0 - y / (p + LEAST)))
}

/// Kullback-Leibler divergence: a sum.
pub(super) fn divergence(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    let clip = |value: f32| math::clamp(value, LEAST, 1.0);
    sum(y, p, gradient, 1.0, |y, p| {
        // As TensorFlow's clipping has it, a bound itself lets the gradient pass.
        let slope = if (LEAST..=1.0).contains(&p) { -clip(y) / p } else { 0.0 };
        (clip(y) * (clip(y) / clip(p)).ln(), slope)
    })
}

/// Hinge, squared or not; `binary` labels are 0 and 1 rather than -1 and 1.
pub(super) fn hinge(squared: bool, binary: bool, y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    mean(y, p, gradient, |y, p| {
        let y = if binary { 2.0 * y - 1.0 } else { y };
        let reach = 1.0 - y * p;
        let margin = at_least(reach, 0.0);
        let slope = if reach >= 0.0 { -y } else { 0.0 };
        if squared { (margin * margin, 2.0 * margin * slope) } else { (margin, slope) }
    })
}

/// Categorical hinge; equal largest wrong scores share the gradient.
pub(super) fn categorical_hinge(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    let wrong = |(y, p): (&f32, &f32)| (1.0 - y) * p;
    let largest = y.iter().zip(p).map(wrong).fold(f32::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a });
    let right: f32 = y.iter().zip(p).map(|(y, p)| y * p).sum();
    let reach = largest - right + 1.0;
    if let Some(gradient) = gradient {
        let equals = y.iter().zip(p).map(wrong).filter(|wrong| *wrong == largest).count() as f32;
        for ((g, y), p) in gradient.iter_mut().zip(y).zip(p) {
            let share = if wrong((y, p)) == largest { (1.0 - y) / equals } else { 0.0 };
            *g = if reach >= 0.0 { share - y } else { 0.0 };
        }
    }
    at_least(reach, 0.0)
}

/// Minus the cosine of the angle between the two rows.
pub(super) fn cosine(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    let square = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>();
    let (own, length) = (square(y).max(LEAST * LEAST).sqrt(), square(p).max(LEAST * LEAST).sqrt());
    let cosine = y.iter().zip(p).map(|(y, p)| (y / own) * (p / length)).sum::<f32>();
    if let Some(gradient) = gradient {
        // A length that was kept from 0 does not change with the prediction.
        let turning = if square(p) > LEAST * LEAST { cosine } else { 0.0 };
        for ((g, y), p) in gradient.iter_mut().zip(y).zip(p) {
            *g = (turning * p / length - y / own) / length;
        }
    }
    -cosine
}

fn mean(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>, of: impl Fn(f32, f32) -> (f32, f32)) -> f32 {
    sum(y, p, gradient, 1.0 / p.len() as f32, of)
}

/// Adds up values × share and writes slopes × share.
fn sum(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>, share: f32, of: impl Fn(f32, f32) -> (f32, f32)) -> f32 {
    if let Some(gradient) = gradient {
        for ((g, y), p) in gradient.iter_mut().zip(y).zip(p) {
            *g = of(*y, *p).1 * share;
        }
    }
    y.iter().zip(p).map(|(y, p)| of(*y, *p).0).sum::<f32>() * share
}

/// Returns the value, or the least where it is below; not a number stays that.
fn at_least(value: f32, least: f32) -> f32 {
    if value < least { least } else { value }
}

/// Returns -1, 0 or 1; 0 of 0, as for the composed losses. Not a number stays that.
fn sign(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value.signum() }
}
