//! Shares of right predictions.

use super::mean::{Mean, Measured, mean_metric};
use super::values::{argmax, indices_and_scores, misfit, pair};
use super::{Metric, NAME};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

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
    build: |arguments| mean_metric("categorical_accuracy", arguments, categorical, Mean::result),
};

/// Sparse categorical accuracy.
pub(super) const SPARSE: Entry<dyn Metric> = Entry {
    name: "SparseCategoricalAccuracy",
    aliases: &["sparse_categorical_accuracy"],
    doc: "Share of predictions whose highest score is at the label's class; labels are class indices, of shape `[batch]` \
          or `[batch, 1]`.",
    parameters: &[NAME],
    build: |arguments| mean_metric("sparse_categorical_accuracy", arguments, sparse, Mean::result),
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
    mean_metric("binary_accuracy", arguments, values, Mean::result)
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
    let hits = rows
        .map(|(label, scores)| {
            let class = *label as usize;
            hit(*label >= 0.0 && class as f32 == *label && class < classes && right(class, scores))
        })
        .collect();
    Ok((labels.shape, hits))
}

/// Returns whether fewer than k scores are higher; equal scores count for the label.
fn in_top(k: usize, class: usize, scores: &[f32]) -> bool {
    scores[class].is_finite() && scores.iter().filter(|score| **score > scores[class]).count() < k
}

fn hit(right: bool) -> f32 {
    f32::from(u8::from(right))
}
