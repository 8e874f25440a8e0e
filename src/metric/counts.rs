//! Precision, recall, and the counts they are made of.

use serde_json::Value;

use super::built_in::{Running, built_in};
use super::confusion::{Confusion, Look};
use super::{Metric, MetricState, NAME, Seen};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

const THRESHOLDS: Parameter = Parameter::optional(
    "thresholds",
    Type::Any,
    "null",
    "A number from 0 to 1 or a list of them: predictions above it are positive; null: 0.5, or any score with `top_k`",
);
const TOP_K: Parameter =
    Parameter::optional("top_k", Type::Int, "null", "Only the k highest scores of a row can be positive; null: all");
const CLASS_ID: Parameter =
    Parameter::optional("class_id", Type::Int, "null", "The one column of predictions that counts; null: all");

/// Precision.
pub(super) const PRECISION: Entry<dyn Metric> = Entry {
    name: "Precision",
    aliases: &["precision"],
    doc: "Share of positive predictions that are right: TP / (TP + FP); labels are 0 and 1, or one-hot.",
    parameters: &[THRESHOLDS, TOP_K, CLASS_ID, NAME],
    build: |arguments| build("precision", arguments, Confusion::precision),
};

/// Recall.
pub(super) const RECALL: Entry<dyn Metric> = Entry {
    name: "Recall",
    aliases: &["recall"],
    doc: "Share of positive labels that are found: TP / (TP + FN); labels are 0 and 1, or one-hot.",
    parameters: &[THRESHOLDS, TOP_K, CLASS_ID, NAME],
    build: |arguments| build("recall", arguments, Confusion::recall),
};

/// True positives.
pub(super) const TRUE_POSITIVES: Entry<dyn Metric> = Entry {
    name: "TruePositives",
    aliases: &["true_positives"],
    doc: "The (weighted) number of positive labels predicted positive.",
    parameters: &[THRESHOLDS, NAME],
    build: |arguments| build("true_positives", arguments, |c, at| c.true_positives[at]),
};

/// True negatives.
pub(super) const TRUE_NEGATIVES: Entry<dyn Metric> = Entry {
    name: "TrueNegatives",
    aliases: &["true_negatives"],
    doc: "The (weighted) number of negative labels predicted negative.",
    parameters: &[THRESHOLDS, NAME],
    build: |arguments| build("true_negatives", arguments, |c, at| c.true_negatives[at]),
};

/// False positives.
pub(super) const FALSE_POSITIVES: Entry<dyn Metric> = Entry {
    name: "FalsePositives",
    aliases: &["false_positives"],
    doc: "The (weighted) number of negative labels predicted positive.",
    parameters: &[THRESHOLDS, NAME],
    build: |arguments| build("false_positives", arguments, |c, at| c.false_positives[at]),
};

/// False negatives.
pub(super) const FALSE_NEGATIVES: Entry<dyn Metric> = Entry {
    name: "FalseNegatives",
    aliases: &["false_negatives"],
    doc: "The (weighted) number of positive labels predicted negative.",
    parameters: &[THRESHOLDS, NAME],
    build: |arguments| build("false_negatives", arguments, |c, at| c.false_negatives[at]),
};

/// A result at each threshold.
struct AtThresholds {
    confusion: Confusion,
    rate: fn(&Confusion, usize) -> f64,
}

fn build(default_name: &str, arguments: &Arguments, rate: fn(&Confusion, usize) -> f64) -> Result<Box<dyn Metric>> {
    let top_k = optional(arguments, "top_k", 1)?;
    let class_id = optional(arguments, "class_id", 0)?;
    let thresholds = thresholds(arguments, if top_k.is_some() { -1e10 } else { 0.5 })?;
    let look = Look { top_k, class_id, ..Look::default() };
    built_in(default_name, arguments, AtThresholds { confusion: Confusion::new(thresholds, look), rate })
}

impl AtThresholds {
    fn rates(&self) -> impl Iterator<Item = f64> {
        (0..self.confusion.true_positives.len()).map(|at| (self.rate)(&self.confusion, at))
    }
}

impl Running for AtThresholds {
    fn reset(&mut self) {
        self.confusion.reset();
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        self.confusion.update(metric, batch)
    }

    fn result(&self) -> f64 {
        self.rates().sum::<f64>() / self.confusion.true_positives.len().max(1) as f64
    }

    fn results(&self) -> Vec<f64> {
        self.rates().collect()
    }

    fn state(&self) -> MetricState {
        self.confusion.state()
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        self.confusion.restore(metric, state)
    }
}

/// Reads a whole number that may be null.
pub(super) fn optional(arguments: &Arguments, name: &str, least: i64) -> Result<Option<usize>> {
    match arguments.is_null(name) {
        true => Ok(None),
        false => arguments.at_least(name, least).map(Some),
    }
}

/// Reads one threshold or a list, each from 0 to 1.
fn thresholds(arguments: &Arguments, default: f32) -> Result<Vec<f32>> {
    let value = arguments.value("thresholds");
    let list = match value {
        Value::Null => return Ok(vec![default]),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let numbers: Option<Vec<f32>> = list
        .into_iter()
        .map(|item| item.as_f64().filter(|number| (0.0..=1.0).contains(number)).map(|number| number as f32))
        .collect();
    numbers
        .filter(|numbers| !numbers.is_empty())
        .ok_or_else(|| arguments.refuse("thresholds", "a number from 0 to 1 or a list of them"))
}
