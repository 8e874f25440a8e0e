//! Value and gradient of a loss in one pass over slices: what the plan of the training engine runs.
//!
//! The formulas, and what is clipped where, are those of the composed losses beside it, which stay the reference. What
//! does not fit (shapes, labels, reductions) is left to them, and so are their errors.

mod formulas;

use std::borrow::Cow;

use super::Reduction;
use super::rows::{self, Row};
use crate::tensor::Array;
use formulas::{
    Smooth, absolute, binary, binary_logits, categorical, categorical_logits, sparse, sparse_logits, squared,
};

/// A batch of predictions on the CPU.
pub struct Fused<'a> {
    /// The labels, with the batch axis.
    pub labels: &'a Array,
    /// The predictions, row-major.
    pub predictions: &'a [f32],
    /// The shape of one record's prediction.
    pub shape: &'a [usize],
    /// The sample weights.
    pub weight: Option<&'a Array>,
    /// Where the gradient goes; `None` where only the value is wanted.
    pub gradient: Option<&'a mut [f32]>,
    /// Whether the gradient is added to what stands there.
    pub add: bool,
    /// What the gradient is multiplied by: the share of this loss in the total.
    pub share: f32,
    /// Where the values of all rows go, without weights; `None` where only their sum is wanted.
    pub values: Option<&'a mut [f32]>,
    /// Memory that is used again from batch to batch.
    pub memory: &'a mut FusedMemory,
}

/// What a fused loss computes with: kept from batch to batch, so that nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct FusedMemory {
    labels: Vec<f32>,
    classes: Vec<usize>,
    row: Vec<f32>,
}

/// A loss whose labels are shaped like predictions, with the mean or sum over the last axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aligned {
    /// Mean of squared differences.
    Squared,
    /// Mean of absolute differences.
    Absolute,
    /// Cross-entropy of one-hot labels.
    Categorical { from_logits: bool, smoothing: f32 },
    /// Mean of the cross-entropies of single probabilities.
    Binary { from_logits: bool, smoothing: f32 },
    /// Hinge of labels -1 and 1, or of a batch of 0 and 1.
    Hinge { squared: bool },
    /// Huber's loss.
    Huber { delta: f32 },
    /// What looks at one row at a time.
    Row(Row),
}

impl Fused<'_> {
    /// Computes a loss whose labels are shaped like the predictions; `None` where it must be composed.
    pub(super) fn aligned(&mut self, loss: Aligned, reduction: Reduction) -> Option<f64> {
        if self.labels.shape().get(1..) != Some(self.shape) || self.labels.size() != self.predictions.len() {
            return None;
        }
        let (given, mut memory) = (self.labels, std::mem::take(&mut self.memory.labels));
        let total = self.of_labels(given.read_f32(&mut memory), loss, reduction);
        self.memory.labels = memory;
        total
    }

    fn of_labels(&mut self, labels: &[f32], loss: Aligned, reduction: Reduction) -> Option<f64> {
        let width = *self.shape.last()?;
        let row = |at: usize| &labels[at * width..(at + 1) * width];
        match loss {
            Aligned::Squared => self.rows(reduction, |at, p, g| squared(row(at), p, g)),
            Aligned::Absolute => self.rows(reduction, |at, p, g| absolute(row(at), p, g)),
            Aligned::Row(of) => self.rows(reduction, |at, p, g| of(row(at), p, g)),
            Aligned::Huber { delta } => self.rows(reduction, |at, p, g| rows::huber(delta, row(at), p, g)),
            Aligned::Hinge { squared } => {
                let binary = labels.iter().all(|label| *label == 0.0 || *label == 1.0);
                self.rows(reduction, |at, p, g| rows::hinge(squared, binary, row(at), p, g))
            }
            Aligned::Categorical { from_logits: true, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: smoothing / width as f32 };
                self.rows(reduction, |at, p, g| categorical_logits(row(at), p, g, smooth))
            }
            Aligned::Categorical { from_logits: false, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: smoothing / width as f32 };
                self.rows(reduction, |at, p, g| categorical(row(at), p, g, smooth))
            }
            Aligned::Binary { from_logits: true, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: 0.5 * smoothing };
                self.rows(reduction, |at, p, g| binary_logits(row(at), p, g, smooth))
            }
            Aligned::Binary { from_logits: false, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: 0.5 * smoothing };
                self.rows(reduction, |at, p, g| binary(row(at), p, g, smooth))
            }
        }
    }

    /// Computes the cross-entropy of class indices; `None` where it must be composed.
    pub(super) fn sparse(&mut self, from_logits: bool, reduction: Reduction) -> Option<f64> {
        let (classes, front) = self.shape.split_last()?;
        let inner = self.labels.shape().get(1..)?;
        let fits = inner == front || inner.strip_suffix(&[1]) == Some(front);
        if !fits || *classes == 0 || self.labels.size() * classes != self.predictions.len() {
            return None;
        }
        let mut memory = std::mem::take(&mut self.memory.classes);
        let total = match class_indices(self.labels, *classes, &mut memory) {
            false => None,
            true if from_logits => self.rows(reduction, |at, p, g| sparse_logits(memory[at], p, g)),
            true => self.rows(reduction, |at, p, g| sparse(memory[at], p, g)),
        };
        self.memory.classes = memory;
        total
    }

    /// Adds up the values of all rows of predictions, weighted, and writes their gradients.
    fn rows(&mut self, reduction: Reduction, row: impl Fn(usize, &[f32], Option<&mut [f32]>) -> f32) -> Option<f64> {
        let width = *self.shape.last()?;
        let count = self.predictions.len().checked_div(width).filter(|count| *count > 0)?;
        let scale = match reduction {
            Reduction::SumOverBatchSize => 1.0 / count as f64,
            Reduction::MeanWithSampleWeight if self.weight.is_none() => 1.0 / count as f64,
            Reduction::Sum => 1.0,
            Reduction::MeanWithSampleWeight | Reduction::None => return None,
        };
        let (weights, repeat) = weights(self.weight, self.labels, self.shape, count)?;
        let mut places = self.gradient.as_deref_mut().map(|gradient| gradient.chunks_exact_mut(width));
        let mut own = std::mem::take(&mut self.memory.row);
        let mut total = 0.0;
        for (at, predictions) in self.predictions.chunks_exact(width).enumerate() {
            let weight = weights.as_ref().map_or(1.0, |weights| weights[at / repeat]);
            let factor = self.share * weight * scale as f32;
            let value = match places.as_mut().and_then(Iterator::next) {
                None => row(at, predictions, None),
                Some(place) if self.add => {
                    own.resize(width, 0.0);
                    let value = row(at, predictions, Some(&mut own));
                    place.iter_mut().zip(&own).for_each(|(place, own)| *place += own * factor);
                    value
                }
                Some(place) => {
                    let value = row(at, predictions, Some(place));
                    place.iter_mut().for_each(|place| *place *= factor);
                    value
                }
            };
            total += f64::from(value * weight);
            if let Some(place) = self.values.as_deref_mut().and_then(|values| values.get_mut(at)) {
                *place = value;
            }
        }
        self.memory.row = own;
        Some(total * scale)
    }
}

/// Reads labels as classes; returns whether all are.
fn class_indices(labels: &Array, classes: usize, memory: &mut Vec<usize>) -> bool {
    memory.clear();
    let class = |label: f64| (label >= 0.0 && label < classes as f64 && label.fract() == 0.0).then_some(label as usize);
    let mut push = |label: f64| class(label).map(|class| memory.push(class)).is_some();
    match labels {
        Array::F32(own) => own.iter().all(|label| push(f64::from(*label))),
        Array::F64(own) => own.iter().all(|label| push(*label)),
        Array::I64(own) => own.iter().all(|label| push(*label as f64)),
        Array::U8(own) => own.iter().all(|label| push(f64::from(*label))),
    }
}

/// Returns the weights of the rows, and for how many rows one after the other each of them stands; `None` where they
/// do not fit.
#[allow(clippy::type_complexity)]
fn weights<'a>(
    weight: Option<&'a Array>,
    labels: &Array,
    shape: &[usize],
    rows: usize,
) -> Option<(Option<Cow<'a, [f32]>>, usize)> {
    let Some(weight) = weight else { return Some((None, 1)) };
    let (batch, inner) = weight.shape().split_first()?;
    let positions = &shape[..shape.len().saturating_sub(1)];
    let fits = Some(batch) == labels.shape().first() && (inner.is_empty() || inner == positions);
    match fits && weight.size() > 0 && rows.is_multiple_of(weight.size()) {
        true => Some((Some(weight.as_f32()), rows / weight.size())),
        false => None,
    }
}

#[cfg(test)]
mod tests;
