//! The best of one rate where another reaches a given value.

use super::confusion::{Confusion, Look, evenly, shares};
use super::counts::optional;
use super::{Metric, MetricState, NAME, mean};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

const NUM_THRESHOLDS: Parameter =
    Parameter::optional("num_thresholds", Type::Int, "200", "The number of thresholds that are tried; at least 1");
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
    build: |arguments| build("sensitivity_at_specificity", "specificity", arguments, (specificity, sensitivity)),
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
    build: |arguments| build("specificity_at_sensitivity", "sensitivity", arguments, (sensitivity, specificity)),
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
    build: |arguments| build("precision_at_recall", "recall", arguments, (sensitivity, precision)),
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
    build: |arguments| build("recall_at_precision", "precision", arguments, (precision, sensitivity)),
};

/// A rate at each threshold.
type Rate = fn(&Confusion) -> Vec<f64>;

struct OperatingPoint {
    name: String,
    least: f32,
    /// The rate that must be reached and the one that is maximised.
    rates: (Rate, Rate),
    confusion: Confusion,
}

fn build(default_name: &str, least: &str, arguments: &Arguments, rates: (Rate, Rate)) -> Result<Box<dyn Metric>> {
    let thresholds = match arguments.at_least("num_thresholds", 1)? {
        1 => vec![0.5],
        count => evenly(count),
    };
    let even = thresholds.len() > 1;
    let look = Look { class_id: optional(arguments, "class_id", 0)?, ..Look::default() };
    Ok(Box::new(OperatingPoint {
        name: mean::name(default_name, arguments),
        least: arguments.within(least, 0.0, 1.0)? as f32,
        rates,
        confusion: Confusion::new(thresholds, look).even(even),
    }))
}

impl Metric for OperatingPoint {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.confusion.reset();
    }

    fn state(&self) -> Result<MetricState> {
        Ok(self.confusion.state())
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        self.confusion.restore(&self.name, state)
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        self.confusion.update(&self.name, y_true, y_pred, weight)
    }

    fn result(&self) -> Result<f64> {
        let (constrained, wanted) = self.rates;
        let points = constrained(&self.confusion).into_iter().zip(wanted(&self.confusion));
        // Compared in f32 as Keras does: a rate of 0.8 reaches 0.8.
        let reached = points.filter(|(constrained, _)| *constrained as f32 >= self.least).map(|(_, wanted)| wanted);
        Ok(reached.fold(0.0, f64::max))
    }
}

fn sensitivity(confusion: &Confusion) -> Vec<f64> {
    shares(&confusion.true_positives, &confusion.false_negatives)
}

fn specificity(confusion: &Confusion) -> Vec<f64> {
    shares(&confusion.true_negatives, &confusion.false_positives)
}

fn precision(confusion: &Confusion) -> Vec<f64> {
    shares(&confusion.true_positives, &confusion.false_positives)
}
