//! Random factors of dropout inside of layers: 0 at a rate, elsewhere what keeps the mean.

use crate::error::Result;
use crate::random::Random;
use crate::tensor::Graph;

/// Returns what values are multiplied by, with the dtype and device of `like`.
pub(super) fn factors(shape: &[usize], rate: f64, random: &mut Random, like: &Graph) -> Result<Graph> {
    let factors: Vec<f32> = draws(rate, random).take(shape.iter().product()).collect();
    Ok(Graph::from_vec(factors, shape, like.device())?.to_dtype(like.dtype())?)
}

/// Draws factors without end.
pub(super) fn draws(rate: f64, random: &mut Random) -> impl Iterator<Item = f32> {
    // A value stays when 32 random bits reach the threshold; at rate 1 none do.
    let threshold = (rate * f64::from(u32::MAX) + rate) as u64;
    let scale = if rate < 1.0 { (1.0 / (1.0 - rate)) as f32 } else { 0.0 };
    std::iter::repeat_with(move || if u64::from(random.bits()) >= threshold { scale } else { 0.0 })
}
