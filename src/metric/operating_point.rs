//! The best of one rate where another reaches a given value.

use super::built_in::{Running, built_in};
use super::confusion::{Confusion, Look, MOST_THRESHOLDS, evenly};
use super::counts::optional;
use super::{Metric, MetricState, NAME, Seen};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

const NUM_THRESHOLDS: Parameter =
    Parameter::optional("num_thresholds", Type::Int, "200", "The number of thresholds that are tried, 1 to 1,000,000");
const CLASS_ID: Parameter =
    Parameter::optional("class_id", Type::Int, "null", "The one column of predictions that counts; null: all");

/// Sensitivity at specificity.
pub(super) const SENSITIVITY_AT_SPECIFICITY: Entry<dyn Metric> = Entry {
    name: "SensitivityAtSpecificity",
    aliases: &["sensitivity_at_specificity"],
    doc: "The highest sensitivity, TP / (TP + FN), among thresholds where the specificity, TN / (TN + FP), is reached.",
    parameters: &[
        Parameter::required("specificity", Type::Float, "The least specificity, from 0 to 1"),
        NUM_THRESHOLDS,
        CLASS_ID,
        NAME,
    ],
    build: |arguments| {
        build("sensitivity_at_specificity", "specificity", arguments, (Confusion::specificity, Confusion::recall))
    },
};

/// Specificity at sensitivity.
pub(super) const SPECIFICITY_AT_SENSITIVITY: Entry<dyn Metric> = Entry {
    name: "SpecificityAtSensitivity",
    aliases: &["specificity_at_sensitivity"],
    doc: "The highest specificity, TN / (TN + FP), among thresholds where the sensitivity, TP / (TP + FN), is reached.",
    parameters: &[
        Parameter::required("sensitivity", Type::Float, "The least sensitivity, from 0 to 1"),
        NUM_THRESHOLDS,
        CLASS_ID,
        NAME,
    ],
    build: |arguments| {
        build("specificity_at_sensitivity", "sensitivity", arguments, (Confusion::recall, Confusion::specificity))
    },
};

/// Precision at recall.
pub(super) const PRECISION_AT_RECALL: Entry<dyn Metric> = Entry {
    name: "PrecisionAtRecall",
    aliases: &["precision_at_recall"],
    doc: "The highest precision, TP / (TP + FP), among thresholds where the recall, TP / (TP + FN), is reached.",
    parameters: &[
        Parameter::required("recall", Type::Float, "The least recall, from 0 to 1"),
        NUM_THRESHOLDS,
        CLASS_ID,
        NAME,
    ],
    build: |arguments| build("precision_at_recall", "recall", arguments, (Confusion::recall, Confusion::precision)),
};

/// Recall at precision.
pub(super) const RECALL_AT_PRECISION: Entry<dyn Metric> = Entry {
    name: "RecallAtPrecision",
    aliases: &["recall_at_precision"],
    doc: "The highest recall, TP / (TP + FN), among thresholds where the precision, TP / (TP + FP), is reached.",
    parameters: &[
        Parameter::required("precision", Type::Float, "The least precision, from 0 to 1"),
        NUM_THRESHOLDS,
        CLASS_ID,
        NAME,
    ],
    build: |arguments| build("recall_at_precision", "precision", arguments, (Confusion::precision, Confusion::recall)),
};

/// A rate at one of the thresholds.
type Rate = fn(&Confusion, usize) -> f64;

struct OperatingPoint {
    least: f32,
    /// The rate that must be reached and the one that is maximised.
    rates: (Rate, Rate),
    confusion: Confusion,
}

fn build(default_name: &str, least: &str, arguments: &Arguments, rates: (Rate, Rate)) -> Result<Box<dyn Metric>> {
    let thresholds = match arguments.between("num_thresholds", 1, MOST_THRESHOLDS)? {
        1 => vec![0.5],
        count => evenly(count),
    };
    let even = thresholds.len() > 1;
    let look = Look { class_id: optional(arguments, "class_id", 0)?, ..Look::default() };
    let least = arguments.within(least, 0.0, 1.0)? as f32;
    let confusion = Confusion::new(thresholds, look).even(even);
    built_in(default_name, arguments, OperatingPoint { least, rates, confusion })
}

impl Running for OperatingPoint {
    fn reset(&mut self) {
        self.confusion.reset();
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        self.confusion.update(metric, batch)
    }

    fn result(&self) -> f64 {
        let (constrained, wanted) = self.rates;
        // Compared in f32 as Keras does: a rate of 0.8 reaches 0.8.
        let reached = |at: &usize| constrained(&self.confusion, *at) as f32 >= self.least;
        let thresholds = 0..self.confusion.true_positives.len();
        thresholds.filter(reached).map(|at| wanted(&self.confusion, at)).fold(0.0, f64::max)
    }

    fn state(&self) -> MetricState {
        self.confusion.state()
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        self.confusion.restore(metric, state)
    }
}
