//! Differentiable parts that the losses share, where Candle's own have other gradients than Keras's.

use candle_core::{D, DType};

use crate::error::Result;
use crate::tensor::Graph;
pub(super) use crate::tensor::graph::clip;

/// What Keras adds or clips by to keep logarithms finite.
pub(super) const EPSILON: f64 = 1e-7;

/// Returns a constant in the given dtype, outside the graph of gradients.
pub(super) fn constant(values: &Graph, dtype: DType) -> Result<Graph> {
    Ok(values.detach().to_dtype(dtype)?)
}

/// Returns |x| with gradient 0 at 0 (Candle's is 1).
pub(super) fn abs(x: &Graph) -> Result<Graph> {
    Ok((x * x.detach().sign()?)?)
}

/// Returns x to a constant power, also where the power is 0.
pub(super) fn power(x: &Graph, exponent: f64) -> Result<Graph> {
    Ok(match exponent {
        0.0 => x.ones_like()?,
        1.0 => x.clone(),
        2.0 => x.sqr()?,
        _ => x.powf(exponent)?,
    })
}

/// Returns log(1 + exp(x)) without overflow; the gradient is the sigmoid of x.
pub(super) fn softplus(x: &Graph) -> Result<Graph> {
    let tail = (abs(x)?.neg()?.exp()? + 1.0)?.log()?;
    Ok((x.maximum(0.0)? + tail)?)
}

/// Returns the sigmoid, without overflow.
pub(super) fn sigmoid(x: &Graph) -> Result<Graph> {
    Ok((((x * 0.5)?.tanh()? + 1.0)? * 0.5)?)
}

/// Returns the logarithm of the softmax along an axis, without overflow.
pub(super) fn log_softmax(x: &Graph, axis: usize) -> Result<Graph> {
    // The maximum cancels, so no gradient passes through it.
    let shifted = x.broadcast_sub(&x.detach().max_keepdim(axis)?)?;
    let total = shifted.exp()?.sum_keepdim(axis)?.log()?;
    Ok(shifted.broadcast_sub(&total)?)
}

/// Returns the logarithm of class probabilities, or of the softmax of logits. Probabilities are divided by
/// their sum and kept 1e-7 from 0 and 1, as in Keras for one-hot labels.
pub(super) fn log_probability(y_pred: &Graph, from_logits: bool, axis: usize) -> Result<Graph> {
    match from_logits {
        true => log_softmax(y_pred, axis),
        false => Ok(clip_probability(&y_pred.broadcast_div(&y_pred.sum_keepdim(axis)?)?)?.log()?),
    }
}

/// The same in the order that Keras has on TensorFlow for class indices: kept from 0 and 1 first, then divided by the
/// sum. A true class without a chance thus still pushes the others down.
pub(super) fn log_share(y_pred: &Graph, from_logits: bool, axis: usize) -> Result<Graph> {
    if from_logits {
        return log_softmax(y_pred, axis);
    }
    let p = clip_probability(y_pred)?;
    Ok(p.log()?.broadcast_sub(&p.sum_keepdim(axis)?.log()?)?)
}

/// Keeps probabilities 1e-7 from 0 and 1.
pub(super) fn clip_probability(p: &Graph) -> Result<Graph> {
    clip(p, EPSILON, 1.0 - EPSILON)
}

/// Returns x, or the least where it is below; a gradient passes where it is the least itself, as in TensorFlow (Candle
/// halves it).
pub(super) fn at_least(x: &Graph, least: f64) -> Result<Graph> {
    clip(x, least, f64::INFINITY)
}

/// Returns the mean over the last axis.
pub(super) fn mean_last(x: &Graph) -> Result<Graph> {
    Ok(x.mean(D::Minus1)?)
}

/// Returns the maximum over the last axis; equal maxima share the gradient (Candle gives it to each).
pub(super) fn max_last(x: &Graph) -> Result<Graph> {
    let fixed = x.detach();
    let hits = fixed.broadcast_eq(&fixed.max_keepdim(D::Minus1)?)?.to_dtype(x.dtype())?;
    let share = hits.broadcast_div(&hits.sum_keepdim(D::Minus1)?)?;
    Ok((x * share)?.sum(D::Minus1)?)
}
