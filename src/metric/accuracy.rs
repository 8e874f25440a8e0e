//! Shares of right predictions.

use super::mean::{Mean, Measured, mean_metric};
use super::seen::{argmax, misfit};
use super::{Metric, NAME, Seen};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

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
    parameters: &[
        K,
        NAME,
        Parameter::optional(
            "from_sorted_ids",
            Type::Bool,
            "false",
            "Whether predictions are class indices, the most likely one first, rather than scores",
        ),
    ],
    build: sparse_top_k,
};

fn equal(name: &str, batch: &Seen<'_>, hits: &mut Measured) -> Result<()> {
    let (labels, predictions) = batch.pair(name)?;
    hits.set(
        labels.shape,
        labels.data.iter().zip(predictions.data).map(|(label, prediction)| hit(label == prediction)),
    );
    Ok(())
}

fn binary(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let threshold = arguments.float("threshold") as f32;
    let measure = move |name: &str, batch: &Seen<'_>, hits: &mut Measured| {
        let (labels, predictions) = batch.pair(name)?;
        let both = labels.data.iter().zip(predictions.data);
        hits.set(labels.shape, both.map(|(label, prediction)| hit(*label == hit(*prediction > threshold))));
        Ok(())
    };
    mean_metric("binary_accuracy", arguments, measure, Mean::result)
}

fn categorical(name: &str, batch: &Seen<'_>, hits: &mut Measured) -> Result<()> {
    by_class(name, batch, hits, |class, scores| argmax(scores) == class)
}

fn sparse(name: &str, batch: &Seen<'_>, hits: &mut Measured) -> Result<()> {
    by_index(name, batch, hits, |class, scores| argmax(scores) == class)
}

fn top_k(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let k = arguments.at_least("k", 1)?;
    let measure = move |name: &str, batch: &Seen<'_>, hits: &mut Measured| {
        by_class(name, batch, hits, |class, scores| in_top(k, class, scores))
    };
    mean_metric("top_k_categorical_accuracy", arguments, measure, Mean::result)
}

fn sparse_top_k(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let k = arguments.at_least("k", 1)?;
    let ranked = arguments.bool("from_sorted_ids");
    let measure = move |name: &str, batch: &Seen<'_>, hits: &mut Measured| match ranked {
        true => by_ranking(name, batch, hits, k),
        false => by_index(name, batch, hits, |class, scores| in_top(k, class, scores)),
    };
    mean_metric("sparse_top_k_categorical_accuracy", arguments, measure, Mean::result)
}

/// Judges the scores of each prediction by its one-hot label.
fn by_class(name: &str, batch: &Seen<'_>, hits: &mut Measured, right: impl Fn(usize, &[f32]) -> bool) -> Result<()> {
    let (labels, predictions) = batch.pair(name)?;
    let classes = predictions.columns();
    let Some((_, front @ [_, ..])) = predictions.shape.split_last().filter(|_| classes > 0) else {
        return Err(misfit(name, labels.shape, predictions.shape).hint("it needs a row of class scores a sample"));
    };
    let rows = labels.data.chunks_exact(classes).zip(predictions.data.chunks_exact(classes));
    hits.set(front, rows.map(|(label, scores)| hit(right(argmax(label), scores))));
    Ok(())
}

/// Judges the scores of each prediction by its class index.
fn by_index(name: &str, batch: &Seen<'_>, hits: &mut Measured, right: impl Fn(usize, &[f32]) -> bool) -> Result<()> {
    let (labels, predictions) = batch.indices_and_scores(name)?;
    let rows = labels.data.iter().zip(predictions.data.chunks_exact(predictions.columns()));
    // A label that is no class of the predictions is never right.
    hits.set(labels.shape, rows.map(|(label, scores)| hit(is_class(*label, scores, |class| right(class, scores)))));
    Ok(())
}

/// Looks for each class index among the first k of a ranking of classes.
fn by_ranking(name: &str, batch: &Seen<'_>, hits: &mut Measured, k: usize) -> Result<()> {
    let (labels, rankings) = batch.indices_and_scores(name)?;
    let rows = labels.data.iter().zip(rankings.data.chunks_exact(rankings.columns()));
    hits.set(labels.shape, rows.map(|(label, ranking)| hit(ranking.iter().take(k).any(|class| class == label))));
    Ok(())
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
