//! Formulas of activations that take more than one operation, with the derivatives that Candle gets wrong.

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

use candle_core::Result as CandleResult;

use crate::error::{Error, Result};
use crate::tensor::Graph;

use super::super::gradient::define;

/// The general relu of Keras. Not a number stays that, so that a broken run is noticed.
pub(super) fn relu(x: &Graph, negative_slope: f64, max_value: f64, threshold: f64) -> Result<Graph> {
    let below = move |x: &Graph| match threshold == 0.0 {
        true => x.le(&x.zeros_like()?),
        false => x.le(threshold),
    };
    define(
        x,
        move |x| {
            let low = match negative_slope == 0.0 {
                true => x.zeros_like()?,
                false => x.affine(negative_slope, -threshold * negative_slope)?,
            };
            let y = below(x)?.where_cond(&low, x)?;
            if max_value.is_finite() { y.minimum(max_value) } else { Ok(y) }
        },
        move |x, _, g| {
            let low = if negative_slope == 0.0 { g.zeros_like()? } else { g.affine(negative_slope, 0.0)? };
            let slope = below(x)?.where_cond(&low, g)?;
            if max_value.is_finite() { x.ge(max_value)?.where_cond(&g.zeros_like()?, &slope) } else { Ok(slope) }
        },
    )
}

pub(super) fn clip(x: &Graph, low: f64, high: f64) -> Result<Graph> {
    define(
        x,
        |x| x.clamp(low, high),
        move |x, _, g| {
            let outside = x.le(low)?.add(&x.ge(high)?)?;
            outside.where_cond(&g.zeros_like()?, g)
        },
    )
}

/// 1 / (1 + exp(-x)): the exponential may become infinite, its reciprocal is 0 then.
pub(super) fn logistic(x: &Graph) -> CandleResult<Graph> {
    x.neg()?.exp()?.affine(1.0, 1.0)?.recip()
}

/// log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), whose exponential never overflows.
pub(super) fn plus(x: &Graph) -> CandleResult<Graph> {
    x.relu()?.add(&x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?)
}

pub(super) fn gelu(x: &Graph) -> Result<Graph> {
    define(x, Graph::gelu_erf, |x, _, g| {
        let distribution = x.affine(1.0 / SQRT_2, 0.0)?.erf()?.affine(0.5, 0.5)?;
        // Far out the density is 0; without the clamp it would be infinity times 0.
        let x = x.clamp(-50.0, 50.0)?;
        let density = x.sqr()?.affine(-0.5, 0.0)?.exp()?.affine(1.0 / (2.0 * PI).sqrt(), 0.0)?;
        g.mul(&distribution.add(&x.mul(&density)?)?)
    })
}

/// 0.5 x (1 + tanh(u)), u = √(2/π) (x + 0.044715 x³).
pub(super) fn gelu_by_tanh(x: &Graph) -> Result<Graph> {
    const SCALE: f64 = FRAC_2_SQRT_PI / SQRT_2;
    // Beyond ±10 the tangent is ±1 to the last bit, and the cube cannot overflow.
    fn inner(x: &Graph) -> CandleResult<(Graph, Graph)> {
        let x = x.clamp(-10.0, 10.0)?;
        let square = x.sqr()?;
        let u = x.mul(&square.affine(SCALE * 0.044_715, SCALE)?)?;
        let slope = x.mul(&square.affine(3.0 * SCALE * 0.044_715, SCALE)?)?;
        Ok((u.tanh()?, slope))
    }
    define(
        x,
        |x| x.mul(&inner(x)?.0.affine(0.5, 0.5)?),
        |x, _, g| {
            let (t, slope) = inner(x)?;
            let curve = t.sqr()?.affine(-0.5, 0.5)?.mul(&slope)?;
            g.mul(&t.affine(0.5, 0.5)?.add(&curve)?)
        },
    )
}

pub(super) fn softmax(x: &Graph, axis: usize) -> Result<Graph> {
    define(
        x,
        |x| {
            let powers = x.broadcast_sub(&x.max_keepdim(axis)?)?.exp()?;
            powers.broadcast_div(&powers.sum_keepdim(axis)?)
        },
        move |_, y, g| {
            let weighted = g.mul(y)?;
            weighted.sub(&y.broadcast_mul(&weighted.sum_keepdim(axis)?)?)
        },
    )
}

/// Numbers below a limit become 0; the others lose it. The limit is where what is left adds up to 1.
pub(super) fn sparsemax_along(x: &Graph, axis: usize) -> Result<Graph> {
    let last = x.rank() - 1;
    match axis == last {
        true => sparsemax(x),
        false => Ok(sparsemax(&x.transpose(axis, last)?.contiguous()?)?.transpose(axis, last)?.contiguous()?),
    }
}

fn sparsemax(x: &Graph) -> Result<Graph> {
    fn value(x: &Graph) -> CandleResult<Graph> {
        let last = x.rank() - 1;
        let length = x.dim(last)?;
        // Beside the largest number nothing is too large to be told apart.
        let x = &x.broadcast_sub(&x.max_keepdim(last)?)?;
        let (sorted, _) = x.contiguous()?.sort_last_dim(false)?;
        let sums = sorted.cumsum(last)?;
        let places = Graph::arange(1u32, length as u32 + 1, x.device())?.to_dtype(x.dtype())?;
        let chosen = sorted.broadcast_mul(&places)?.affine(1.0, 1.0)?.gt(&sums)?.to_dtype(x.dtype())?;
        let count = chosen.sum_keepdim(last)?;
        let limit = sorted.mul(&chosen)?.sum_keepdim(last)?.affine(1.0, -1.0)?.div(&count)?;
        x.broadcast_sub(&limit)?.relu()
    }
    define(x, value, |x, y, g| {
        let last = x.rank() - 1;
        let chosen = y.gt(0.0)?.to_dtype(x.dtype())?;
        let own = g.mul(&chosen)?;
        let mean = own.sum_keepdim(last)?.div(&chosen.sum_keepdim(last)?)?;
        own.sub(&chosen.broadcast_mul(&mean)?)
    })
}

pub(super) fn log_softmax(x: &Graph, axis: usize) -> Result<Graph> {
    define(
        x,
        |x| {
            let shifted = x.broadcast_sub(&x.max_keepdim(axis)?)?;
            shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(axis)?.log()?)
        },
        move |_, y, g| g.sub(&y.exp()?.broadcast_mul(&g.sum_keepdim(axis)?)?),
    )
}

/// The axis as an index; negative ones count from the end.
pub(super) fn axis(x: &Graph, axis: f64) -> Result<usize> {
    let rank = x.rank();
    let index = if axis < 0.0 { axis + rank as f64 } else { axis };
    match index >= 1.0 && index < rank as f64 {
        true => Ok(index as usize),
        false => Err(Error::recipe(format!("`axis`: expected 1 to {} or -1 to -{}, found {axis}", rank - 1, rank - 1))
            .hint("axis 0 is the batch: records are never mixed")),
    }
}
