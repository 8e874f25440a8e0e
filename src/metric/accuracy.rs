//! Shares of right predictions.

use super::mean::{Mean, Measured, mean_metric, share_metric};
use super::values::{argmax, indices_and_scores, misfit, pair};
use super::{Metric, NAME, Plain};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::{Array, Tensor};

const K: Parameter =
    Parameter::optional("k", Type::Int, "5", "How many of the highest scores count as right; at least 1");

/// Share of equal values.
pub(super) const EQUAL: Entry<dyn Metric> = Entry {
    name: "Accuracy",
    aliases: &[],
    doc: "Share of predictions that equal their label, both class indices. Scores need another member of the family; \
          `accuracy` chooses it by the shapes.",
    parameters: &[NAME],
    build: |arguments| mean_metric("accuracy", arguments, equal, Mean::result),
};

/// Binary accuracy.
pub(super) const BINARY: Entry<dyn Metric> = Entry {
    name: "BinaryAccuracy",
    aliases: &["binary_accuracy"],
    doc: "Share of predictions on the right side of a threshold; labels are 0 and 1.",
    parameters: &[NAME, Parameter::optional("threshold", Type::Float, "0.5", "Predictions above it stand for 1")],
    build: binary,
};

/// Categorical accuracy.
pub(super) const CATEGORICAL: Entry<dyn Metric> = Entry {
    name: "CategoricalAccuracy",
    aliases: &["categorical_accuracy"],
    doc: "Share of predictions whose highest score is at the label's class; labels are one-hot.",
    parameters: &[NAME],
    build: |arguments| share_metric("categorical_accuracy", arguments, categorical, categorical_hits),
};

/// Sparse categorical accuracy.
pub(super) const SPARSE: Entry<dyn Metric> = Entry {
    name: "SparseCategoricalAccuracy",
    aliases: &["sparse_categorical_accuracy"],
    doc: "Share of predictions whose highest score is at the label's class; labels are class indices, of shape `[batch]` \
          or `[batch, 1]`.",
    parameters: &[NAME],
    build: |arguments| share_metric("sparse_categorical_accuracy", arguments, sparse, sparse_hits),
};

/// Top-k accuracy for one-hot labels.
pub(super) const TOP_K: Entry<dyn Metric> = Entry {
    name: "TopKCategoricalAccuracy",
    aliases: &["top_k_categorical_accuracy"],
    doc: "Share of predictions with the label's class among the k highest scores; labels are one-hot.",
    parameters: &[K, NAME],
    build: top_k,
};

/// Top-k accuracy for class indices.
pub(super) const SPARSE_TOP_K: Entry<dyn Metric> = Entry {
    name: "SparseTopKCategoricalAccuracy",
    aliases: &["sparse_top_k_categorical_accuracy"],
    doc: "Share of predictions with the label's class among the k highest scores; labels are class indices.",
    parameters: &[K, NAME],
    build: sparse_top_k,
};

fn equal(name: &str, y_true: &Tensor, y_pred: &Tensor) -> Result<Measured> {
    let (labels, predictions) = pair(name, y_true, y_pred)?;
    let hits = labels.data.iter().zip(predictions.data.iter()).map(|(label, prediction)| hit(label == prediction));
    let hits = hits.collect();
    Ok((labels.shape, hits))
}

fn binary(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let threshold = arguments.float("threshold") as f32;
    let values = move |name: &str, y_true: &Tensor, y_pred: &Tensor| -> Result<Measured> {
        let (labels, predictions) = pair(name, y_true, y_pred)?;
        let both = labels.data.iter().zip(predictions.data.iter());
        let hits = both.map(|(label, prediction)| hit(*label == hit(*prediction > threshold))).collect();
        Ok((labels.shape, hits))
    };
    let hits = move |batch: &Plain<'_>| {
        let labels = Labels::of(batch.labels)?;
        let (own, shape) = (labels.of_record(batch)?, batch.shape);
        if own != shape && !is_column(own, shape) && !is_column(shape, own) {
            return None;
        }
        let right = |at: &usize| labels.get(*at) == hit(batch.predictions[*at] > threshold);
        Some(((0..labels.len()).filter(right).count(), labels.len()))
    };
    share_metric("binary_accuracy", arguments, values, hits)
}

/// Counts as [`categorical`] does, without allocating.
fn categorical_hits(batch: &Plain<'_>) -> Option<(usize, usize)> {
    let all = Labels::of(batch.labels).filter(|labels| labels.of_record(batch) == Some(batch.shape))?;
    let Labels::F32(labels, _) = all else { return None };
    let classes = batch.shape.last().copied().filter(|classes| *classes > 0)?;
    let rows = labels.chunks_exact(classes).zip(batch.predictions.chunks_exact(classes));
    let hits = rows.filter(|(label, scores)| argmax(scores) == argmax(label)).count();
    Some((hits, labels.len() / classes))
}

/// Counts as [`sparse`] does, without allocating.
fn sparse_hits(batch: &Plain<'_>) -> Option<(usize, usize)> {
    let (classes, places) = batch.shape.split_last().filter(|(classes, _)| **classes > 0)?;
    let labels = Labels::of(batch.labels)?;
    let own = labels.of_record(batch)?;
    if own != places && !is_column(own, places) {
        return None;
    }
    let rows = batch.predictions.chunks_exact(*classes).enumerate();
    let right = |(at, scores): &(usize, &[f32])| is_class(labels.get(*at), scores, |class| argmax(scores) == class);
    Some((rows.filter(right).count(), labels.len()))
}

/// Labels where they stand, with their shape.
enum Labels<'a> {
    F32(&'a [f32], &'a [usize]),
    I64(&'a [i64], &'a [usize]),
}

impl<'a> Labels<'a> {
    fn of(array: &'a Array) -> Option<Self> {
        match array {
            Array::F32(own) => Some(Labels::F32(own.as_slice()?, own.shape())),
            Array::I64(own) => Some(Labels::I64(own.as_slice()?, own.shape())),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Labels::F32(own, _) => own.len(),
            Labels::I64(own, _) => own.len(),
        }
    }

    fn get(&self, at: usize) -> f32 {
        match self {
            Labels::F32(own, _) => own[at],
            Labels::I64(own, _) => own[at] as f32,
        }
    }

    /// Returns the shape of one record's labels, where there are labels for all records.
    fn of_record(&self, batch: &Plain<'_>) -> Option<&'a [usize]> {
        let (Labels::F32(_, shape) | Labels::I64(_, shape)) = self;
        shape.split_first().filter(|(rows, _)| **rows == batch.rows).map(|(_, shape)| shape)
    }
}

/// Returns whether a shape is another with a last axis of length 1.
fn is_column(shape: &[usize], of: &[usize]) -> bool {
    shape.split_last().is_some_and(|(last, front)| *last == 1 && front == of)
}

fn categorical(name: &str, y_true: &Tensor, y_pred: &Tensor) -> Result<Measured> {
    by_class(name, y_true, y_pred, |class, scores| argmax(scores) == class)
}

fn sparse(name: &str, y_true: &Tensor, y_pred: &Tensor) -> Result<Measured> {
    by_index(name, y_true, y_pred, |class, scores| argmax(scores) == class)
}

fn top_k(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let k = arguments.at_least("k", 1)?;
    let values = move |name: &str, y_true: &Tensor, y_pred: &Tensor| {
        by_class(name, y_true, y_pred, |class, scores| in_top(k, class, scores))
    };
    mean_metric("top_k_categorical_accuracy", arguments, values, Mean::result)
}

fn sparse_top_k(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let k = arguments.at_least("k", 1)?;
    let values = move |name: &str, y_true: &Tensor, y_pred: &Tensor| {
        by_index(name, y_true, y_pred, |class, scores| in_top(k, class, scores))
    };
    mean_metric("sparse_top_k_categorical_accuracy", arguments, values, Mean::result)
}

/// Judges the scores of each prediction by its one-hot label.
fn by_class(name: &str, y_true: &Tensor, y_pred: &Tensor, right: impl Fn(usize, &[f32]) -> bool) -> Result<Measured> {
    let (labels, predictions) = pair(name, y_true, y_pred)?;
    let classes = predictions.columns();
    if predictions.shape.len() < 2 || classes == 0 {
        return Err(misfit(name, &labels.shape, &predictions.shape).hint("it needs a row of class scores a sample"));
    }
    let rows = labels.data.chunks_exact(classes).zip(predictions.data.chunks_exact(classes));
    let hits = rows.map(|(label, scores)| hit(right(argmax(label), scores))).collect();
    let mut shape = predictions.shape;
    shape.pop();
    Ok((shape, hits))
}

/// Judges the scores of each prediction by its class index.
fn by_index(name: &str, y_true: &Tensor, y_pred: &Tensor, right: impl Fn(usize, &[f32]) -> bool) -> Result<Measured> {
    let (labels, predictions) = indices_and_scores(name, y_true, y_pred)?;
    let classes = predictions.columns();
    let rows = labels.data.iter().zip(predictions.data.chunks_exact(classes));
    // A label that is no class of the predictions is never right.
    let hits = rows.map(|(label, scores)| hit(is_class(*label, scores, |class| right(class, scores)))).collect();
    Ok((labels.shape, hits))
}

/// Returns whether a label is a class of the scores, and `right` for it.
fn is_class(label: f32, scores: &[f32], right: impl Fn(usize) -> bool) -> bool {
    let class = label as usize;
    label >= 0.0 && class as f32 == label && class < scores.len() && right(class)
}

/// Returns whether fewer than k scores are higher; equal scores count for the label.
fn in_top(k: usize, class: usize, scores: &[f32]) -> bool {
    scores[class].is_finite() && scores.iter().filter(|score| **score > scores[class]).count() < k
}

fn hit(right: bool) -> f32 {
    f32::from(u8::from(right))
}
