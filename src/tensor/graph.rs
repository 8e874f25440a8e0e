//! Operations on graph tensors, composed of Candle's so that values and gradients are right.
//!
//! Every function takes a float tensor (f32 or f64) that is not empty; axes are checked by the caller.
//! Layers and losses use them too: Candle's own versions cut the gradient (`softmax_last_dim`), give 1 at
//! the kink of `relu` and `abs`, or send a gradient to each of several equal maxima.

use super::{Array, Graph, Tensor, axes};
use crate::error::Result;

/// Returns the absolute values; the gradient at 0 is 0.
pub fn abs(x: &Graph) -> Result<Graph> {
    Ok(x.mul(&x.detach().sign()?)?)
}

/// Returns the elements, negative ones replaced by 0; the gradient at 0 is 0, NaN stays.
pub fn relu(x: &Graph) -> Result<Graph> {
    let zeros = x.zeros_like()?;
    Ok(x.detach().le(&zeros)?.where_cond(&zeros, x)?)
}

/// Returns 1 / (1 + e^-x).
pub fn sigmoid(x: &Graph) -> Result<Graph> {
    Ok(candle_nn::ops::sigmoid(x)?)
}

/// Returns the elements held between two numbers; the gradient is 1 from border to border, else 0.
pub fn clip(x: &Graph, low: f64, high: f64) -> Result<Graph> {
    let (low, high) = (constant(x, low)?, constant(x, high)?);
    let seen = x.detach();
    let lifted = seen.lt(&low)?.where_cond(&low, x)?;
    Ok(seen.gt(&high)?.where_cond(&high, &lifted)?)
}

/// Returns the softmax along an axis.
pub fn softmax(x: &Graph, axis: usize) -> Result<Graph> {
    let largest = x.detach().max_keepdim(axis)?;
    let powers = x.broadcast_sub(&largest)?.exp()?;
    let sum = powers.sum_keepdim(axis)?;
    Ok(powers.broadcast_div(&sum)?)
}

/// Returns the logarithm of the softmax along an axis: exact where the softmax itself rounds to 0.
pub fn log_softmax(x: &Graph, axis: usize) -> Result<Graph> {
    let distance = x.broadcast_sub(&x.detach().max_keepdim(axis)?)?;
    let sum = distance.exp()?.sum_keepdim(axis)?.log()?;
    Ok(distance.broadcast_sub(&sum)?)
}

/// Returns the square root of numbers that are 0 or more; the gradient at 0 is 0 instead of infinite.
pub fn sqrt_of_squares(x: &Graph) -> Result<Graph> {
    let zero = x.detach().le(&x.zeros_like()?)?;
    let root = zero.where_cond(&x.ones_like()?, x)?.sqrt()?;
    Ok(zero.where_cond(&x.zeros_like()?, &root)?)
}

/// Returns the sum over axes (sorted).
pub fn sum(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    match (over, keep) {
        ([], _) => Ok(x.clone()),
        (_, true) => Ok(x.sum_keepdim(over)?),
        (_, false) => Ok(x.sum(over)?),
    }
}

/// Returns the mean over axes (sorted).
pub fn mean(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    let count: usize = over.iter().map(|&axis| x.dims()[axis]).product();
    Ok(sum(x, over, keep)?.affine(1.0 / count as f64, 0.0)?)
}

/// Returns the variance of the population over axes (sorted).
pub fn variance(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    let distance = x.broadcast_sub(&mean(x, over, true)?)?;
    mean(&distance.sqr()?, over, keep)
}

/// Returns the largest (or smallest) element over axes (sorted); NaN wins. The first of several equal
/// ones gets the gradient.
pub fn extreme(x: &Graph, over: &[usize], keep: bool, largest: bool) -> Result<Graph> {
    if over.is_empty() {
        return Ok(x.clone());
    }
    let order = axes::moved_last(x.rank(), over);
    let (kept, reduced) = order.split_at(x.rank() - over.len());
    let mut lanes: Vec<usize> = kept.iter().map(|&axis| x.dims()[axis]).collect();
    lanes.push(reduced.iter().map(|&axis| x.dims()[axis]).product());
    let lanes = x.permute(order)?.reshape(lanes)?.contiguous()?;
    let place = position(&lanes.detach(), lanes.rank() - 1, largest)?;
    let values = lanes.gather(&place.contiguous()?, lanes.rank() - 1)?;
    Ok(values.reshape(axes::reduced(x.dims(), over, keep))?)
}

/// Returns the position of the first largest (or smallest) element of each lane, the axis kept at length 1.
pub fn position(x: &Graph, axis: usize, largest: bool) -> Result<Graph> {
    let winner = constant(x, if largest { f64::INFINITY } else { f64::NEG_INFINITY })?;
    let x = x.ne(x)?.where_cond(&winner, x)?.contiguous()?;
    Ok(if largest { x.argmax_keepdim(axis)? } else { x.argmin_keepdim(axis)? })
}

/// Returns a power with a number as exponent.
pub fn pow(x: &Graph, exponent: f64) -> Result<Graph> {
    // Candle's gradient, e × x^(e-1), is 0 × infinity where x is 0; and whole numbers are faster so.
    match exponent {
        0.0 => Ok(x.ones_like()?),
        1.0 => Ok(x.clone()),
        2.0 => Ok(x.sqr()?),
        _ => Ok(x.powf(exponent)?),
    }
}

/// Returns a power of two tensors of one shape. Differentiable in the base everywhere it is 0 or more or
/// the exponent is whole, and in the exponent where the base is positive.
pub fn pow_tensor(base: &Graph, exponent: &Graph) -> Result<Graph> {
    // e^(b log |a|), computed in f64, with the sign put back: Candle has only the case of a positive base.
    let dtype = base.dtype();
    let (base, exponent) = (base.to_dtype(candle_core::DType::F64)?, exponent.to_dtype(candle_core::DType::F64)?);
    let zeros = base.zeros_like()?;
    let is_zero = base.detach().eq(&zeros)?;
    let magnitude = is_zero.where_cond(&base.ones_like()?, &abs(&base)?)?;
    let power = exponent.mul(&magnitude.log()?)?.exp()?;
    let sign = sign_of_power(&base.detach(), &exponent.detach())?;
    let at_zero = zero_to_the(&exponent.detach())?;
    Ok(is_zero.where_cond(&at_zero, &power.mul(&sign)?)?.to_dtype(dtype)?)
}

/// Returns 1, or for a negative base 1, -1 or NaN for an even, an odd or a broken exponent.
fn sign_of_power(base: &Graph, exponent: &Graph) -> Result<Graph> {
    let (zeros, ones) = (base.zeros_like()?, base.ones_like()?);
    let even = exponent.affine(0.5, 0.0)?;
    let is_even = even.floor()?.eq(&even)?;
    let is_whole = exponent.floor()?.eq(exponent)?;
    let odd_or_broken = is_whole.where_cond(&ones.neg()?, &constant(base, f64::NAN)?.contiguous()?)?;
    let negative = is_even.where_cond(&ones, &odd_or_broken)?;
    Ok(base.lt(&zeros)?.where_cond(&negative, &ones)?)
}

/// Returns 0, 1 or infinity for a positive, zero or negative exponent of 0.
fn zero_to_the(exponent: &Graph) -> Result<Graph> {
    let (zeros, ones) = (exponent.zeros_like()?, exponent.ones_like()?);
    let infinite = constant(exponent, f64::INFINITY)?.contiguous()?;
    let not_positive = exponent.lt(&zeros)?.where_cond(&infinite, &ones)?;
    let value = exponent.gt(&zeros)?.where_cond(&zeros, &not_positive)?;
    Ok(exponent.ne(exponent)?.where_cond(exponent, &value)?)
}

/// Returns a number as a tensor of the same shape, dtype and device, without taking memory for it.
pub(crate) fn constant(like: &Graph, value: f64) -> Result<Graph> {
    let scalar = Graph::new(value, like.device())?.to_dtype(like.dtype())?;
    Ok(scalar.broadcast_as(like.dims())?)
}

/// Returns the remainder of two tensors of one shape, with the sign of the dividend.
pub fn rem(dividend: &Graph, divisor: &Graph) -> Result<Graph> {
    // The value is computed outside the graph: a quotient cut off in f32 is off by one near whole numbers.
    // The quotient is constant between its jumps, so the gradients are 1 and minus the quotient.
    let values = Tensor::Host(Array::from_graph(dividend)?).rem(&Tensor::Host(Array::from_graph(divisor)?))?;
    let values = values.to_graph(dividend.device())?;
    let (a, b) = (dividend.detach(), divisor.detach());
    let mut result = values.clone();
    if dividend.track_op() {
        result = result.add(&dividend.sub(&a)?)?;
    }
    if divisor.track_op() {
        let quotient = a.sub(&values)?.div(&b)?.round()?;
        result = result.sub(&divisor.sub(&b)?.mul(&quotient)?)?;
    }
    Ok(result)
}
