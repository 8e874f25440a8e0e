//! Operations on graph tensors, composed of Candle's so that values and gradients are right.
//!
//! Every function takes a float tensor (f32 or f64) that is not empty; axes are checked by the caller.
//! Layers and losses use the public ones too: Candle's own versions cut the gradient (`softmax_last_dim`), give 1 at
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
pub(crate) fn sqrt_of_squares(x: &Graph) -> Result<Graph> {
    let zero = x.detach().le(&x.zeros_like()?)?;
    let root = zero.where_cond(&x.ones_like()?, x)?.sqrt()?;
    Ok(zero.where_cond(&x.zeros_like()?, &root)?)
}

/// Returns the Euclidean norm over axes (sorted), computed in f64 so that squares do not overflow; the
/// gradient at 0 is 0.
pub(crate) fn norm(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    let squares = x.to_dtype(candle_core::DType::F64)?.sqr()?;
    Ok(sqrt_of_squares(&sum(&squares, over, keep)?)?.to_dtype(x.dtype())?)
}

/// Returns the sum over axes (sorted).
pub(crate) fn sum(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    match (over, keep) {
        ([], _) => Ok(x.clone()),
        (_, true) => Ok(x.sum_keepdim(over)?),
        (_, false) => Ok(x.sum(over)?),
    }
}

/// Returns the mean over axes (sorted).
pub(crate) fn mean(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    let count: usize = over.iter().map(|&axis| x.dims()[axis]).product();
    Ok(sum(x, over, keep)?.affine(1.0 / count as f64, 0.0)?)
}

/// Returns the variance of the population over axes (sorted).
pub(crate) fn variance(x: &Graph, over: &[usize], keep: bool) -> Result<Graph> {
    let distance = x.broadcast_sub(&mean(x, over, true)?)?;
    mean(&distance.sqr()?, over, keep)
}

/// Returns the largest (or smallest) element over axes (sorted); NaN wins. The first of several equal
/// ones gets the gradient.
pub(crate) fn extreme(x: &Graph, over: &[usize], keep: bool, largest: bool) -> Result<Graph> {
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
pub(crate) fn position(x: &Graph, axis: usize, largest: bool) -> Result<Graph> {
    let winner = constant(x, if largest { f64::INFINITY } else { f64::NEG_INFINITY })?;
    let x = x.ne(x)?.where_cond(&winner, x)?.contiguous()?;
    Ok(if largest { x.argmax_keepdim(axis)? } else { x.argmin_keepdim(axis)? })
}

/// Returns the matrix product of `[…, m, k]` with `[…, k, n]` of the same axes in front, or with one `[k, n]`.
pub(crate) fn matmul(a: &Graph, b: &Graph) -> Result<Graph> {
    let (a_rank, b_rank) = (a.rank(), b.rank());
    let (m, k, n) = (a.dim(a_rank - 2)?, a.dim(a_rank - 1)?, b.dim(b_rank - 1)?);
    let batches: usize = a.dims()[..a_rank - 2].iter().product();
    let mut shape = a.dims().to_vec();
    shape[a_rank - 1] = n;
    // Candle refuses some strides of batch axes of length 1, and copies one matrix for every batch.
    let product = match b_rank {
        2 => a.contiguous()?.reshape((batches * m, k))?.matmul(&b.contiguous()?)?,
        _ => a.contiguous()?.reshape((batches, m, k))?.matmul(&b.contiguous()?.reshape((batches, k, n))?)?,
    };
    Ok(product.reshape(shape)?)
}

/// Returns a power with a number as exponent.
pub(crate) fn pow(x: &Graph, exponent: f64) -> Result<Graph> {
    // Candle's gradient, e × x^(e-1), is 0 × infinity where x is 0; and whole numbers are faster so.
    match exponent {
        0.0 => Ok(x.ones_like()?),
        1.0 => Ok(x.clone()),
        2.0 => Ok(x.sqr()?),
        _ => Ok(x.powf(exponent)?),
    }
}

/// Returns a power of two tensors of one shape. The gradient in the exponent is that of a positive base;
/// where the base is 0, both gradients are 0.
pub(crate) fn pow_tensor(base: &Graph, exponent: &Graph) -> Result<Graph> {
    // Candle computes e^(b log a), which is NaN for every negative base. So the value comes from outside
    // the graph, and is multiplied by e^(c - c) = 1, c = b log |a|, which carries the gradient.
    let values = Tensor::Host(Array::from_graph(base)?).pow(&Tensor::Host(Array::from_graph(exponent)?))?;
    let values = values.to_graph(base.device())?;
    let is_zero = base.detach().eq(&base.zeros_like()?)?;
    let magnitude = is_zero.where_cond(&base.ones_like()?, &abs(base)?)?;
    let carrier = exponent.mul(&magnitude.log()?)?;
    let finite = carrier.detach().affine(0.0, 0.0)?.eq(&carrier.zeros_like()?)?;
    let carrier = finite.where_cond(&carrier, &carrier.zeros_like()?)?;
    Ok(values.mul(&carrier.sub(&carrier.detach())?.exp()?)?)
}

/// Returns a number as a tensor of the same shape, dtype and device, without taking memory for it.
pub(crate) fn constant(like: &Graph, value: f64) -> Result<Graph> {
    let scalar = Graph::new(value, like.device())?.to_dtype(like.dtype())?;
    Ok(scalar.broadcast_as(like.dims())?)
}

/// Returns the remainder of two tensors of one shape, with the sign of the dividend.
pub(crate) fn rem(dividend: &Graph, divisor: &Graph) -> Result<Graph> {
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
