//! Outputs with a mask: which steps count in losses and weighted metrics.
//!
//! As in Keras (`keras/src/losses/loss.py`, `reduce_weighted_values` and `apply_mask`), a mask is a sample weight of 1 or
//! 0; where a loss is a mean, the steps that count weigh more, so that it is the mean of these.

use std::borrow::Cow;

use super::super::feed::Target;
use crate::error::{Error, Result};
use crate::loss::Reduction;
use crate::tensor::Array;

/// What Keras adds to the number of steps that count, which may be 0.
const EPSILON: f32 = 1e-7;

/// Returns the target of a loss with the mask in its weights.
///
/// # Errors
/// Weights that fit neither records nor steps.
pub(crate) fn target(target: &Target, mask: Option<Array>, reduction: Reduction) -> Result<Cow<'_, Target>> {
    let Some(mask) = mask else { return Ok(Cow::Borrowed(target)) };
    let mut factors = mask.as_f32().into_owned();
    if reduction == Reduction::SumOverBatchSize {
        let share = factors.len() as f32 / (factors.iter().sum::<f32>() + EPSILON);
        factors.iter_mut().for_each(|factor| *factor *= share);
    }
    if let Some(weight) = &target.weight {
        weigh(&mut factors, mask.shape(), &weight.as_f32(), weight.shape())?;
    }
    let weight = Array::from_f32(factors, mask.shape())?;
    Ok(Cow::Owned(Target { value: target.value.clone(), weight: Some(weight) }))
}

/// Returns sample weights that are 0 where the mask is, for metrics that are weighted.
///
/// # Errors
/// Weights that fit neither records nor steps.
pub(crate) fn weight(weight: &Array, mask: &Array) -> Result<Array> {
    let mut factors = mask.as_f32().into_owned();
    weigh(&mut factors, mask.shape(), &weight.as_f32(), weight.shape())?;
    Array::from_f32(factors, mask.shape())
}

/// Multiplies factors of steps, `[batch, steps]`, by weights of records or of steps.
///
/// # Errors
/// Weights that fit neither records nor steps.
pub(crate) fn weigh(factors: &mut [f32], shape: &[usize], values: &[f32], of: &[usize]) -> Result<()> {
    let (rows, steps) = (shape.first().copied().unwrap_or(0), shape.iter().skip(1).product::<usize>());
    match of {
        own if own == shape => factors.iter_mut().zip(values).for_each(|(factor, weight)| *factor *= weight),
        [own] | [own, 1] if *own == rows => {
            let records = factors.chunks_exact_mut(steps.max(1)).zip(values);
            records.for_each(|(record, weight)| record.iter_mut().for_each(|factor| *factor *= weight));
        }
        other => {
            return Err(Error::data(format!("sample weights of shape {other:?} do not fit a mask of shape {shape:?}"))
                .hint(format!("give one weight a sample, shape [{rows}], or one a step, shape {shape:?}")));
        }
    }
    Ok(())
}
