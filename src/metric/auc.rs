//! The area under the ROC or the precision-recall curve, approximated at thresholds.

use serde_json::Value;

use super::confusion::{Confusion, EPSILON, Look, evenly, is_even, ratio, shares};
use super::{Metric, MetricState, NAME, mean};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

/// Area under the curve.
pub(super) const ENTRY: Entry<dyn Metric> = Entry {
    name: "AUC",
    aliases: &["auc"],
    doc: "The area under a curve over thresholds from 0 to 1; labels are 0 and 1. More thresholds are more exact.",
    parameters: &[
        Parameter::optional("num_thresholds", Type::Int, "200", "The number of thresholds; at least 2"),
        Parameter::optional("curve", Type::Text, "\"ROC\"", "`ROC`, `PR` (precision over recall) or `PRGAIN`"),
        Parameter::optional(
            "summation_method",
            Type::Text,
            "\"interpolation\"",
            "`interpolation`, or `minoring` or `majoring` for a lower or upper bound",
        ),
        NAME,
        Parameter::optional("thresholds", Type::Floats, "null", "Thresholds between 0 and 1, instead of a number"),
        Parameter::optional(
            "multi_label",
            Type::Bool,
            "false",
            "Whether the area is taken for each label and averaged",
        ),
        Parameter::optional("num_labels", Type::Int, "null", "The number of labels, with `multi_label`"),
        Parameter::optional("label_weights", Type::Floats, "null", "The weight of each label"),
        Parameter::optional("from_logits", Type::Bool, "false", "Whether predictions are logits"),
    ],
    build,
};

#[derive(Clone, Copy)]
enum Curve {
    Roc,
    PrecisionRecall,
    PrecisionRecallGain,
}

struct Auc {
    name: String,
    curve: Curve,
    height: fn(f64, f64) -> f64,
    interpolate: bool,
    confusion: Confusion,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let curve = match arguments.text("curve") {
        "ROC" | "roc" => Curve::Roc,
        "PR" | "pr" => Curve::PrecisionRecall,
        "PRGAIN" | "prgain" => Curve::PrecisionRecallGain,
        _ => return Err(arguments.refuse("curve", "one of `ROC`, `PR`, `PRGAIN`")),
    };
    let method = arguments.choice("summation_method", &["interpolation", "minoring", "majoring"])?;
    let height: fn(f64, f64) -> f64 = match method {
        "minoring" => f64::min,
        "majoring" => f64::max,
        _ => |a, b| (a + b) / 2.0,
    };
    let (thresholds, even) = thresholds(arguments)?;
    let multi_label = arguments.bool("multi_label");
    if !multi_label && !arguments.is_null("num_labels") {
        return Err(arguments.refuse("num_labels", "null without `multi_label`"));
    }
    let label_weights = match arguments.value("label_weights") {
        Value::Array(items) => Some(items.iter().filter_map(Value::as_f64).map(|weight| weight as f32).collect()),
        _ => None,
    };
    let look =
        Look { by_label: multi_label, label_weights, from_logits: arguments.bool("from_logits"), ..Look::default() };
    Ok(Box::new(Auc {
        name: mean::name("auc", arguments),
        curve,
        height,
        interpolate: method == "interpolation",
        confusion: Confusion::new(thresholds, look).even(even),
    }))
}

/// Returns the thresholds, the outer ones a little beyond 0 and 1 so that they take in all predictions, and whether
/// they are evenly divided.
fn thresholds(arguments: &Arguments) -> Result<(Vec<f32>, bool)> {
    let mut all = match arguments.value("thresholds") {
        Value::Array(items) => {
            let mut inner: Vec<f32> = items.iter().filter_map(Value::as_f64).map(|number| number as f32).collect();
            if inner.iter().any(|threshold| !(0.0..=1.0).contains(threshold)) {
                return Err(arguments.refuse("thresholds", "numbers from 0 to 1"));
            }
            inner.sort_by(f32::total_cmp);
            inner.insert(0, 0.0);
            inner.push(1.0);
            inner
        }
        _ => evenly(arguments.at_least("num_thresholds", 2)?),
    };
    // As in Keras, a given number of thresholds always counts as even, fewer than three too.
    let even = is_even(&all) || arguments.is_null("thresholds");
    if let [first, .., last] = all.as_mut_slice() {
        *first = -(EPSILON as f32);
        *last = (1.0 + EPSILON) as f32;
    }
    Ok((all, even))
}

impl Metric for Auc {
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
        let labels = self.confusion.labels;
        let areas: Vec<f64> = (0..labels).map(|label| self.area(label)).collect();
        Ok(match &self.confusion.look.label_weights {
            Some(weights) if self.confusion.look.by_label => {
                let weighted = areas.iter().zip(weights).map(|(area, weight)| area * f64::from(*weight)).sum();
                ratio(weighted, weights.iter().map(|weight| f64::from(*weight)).sum())
            }
            _ => areas.iter().sum::<f64>() / labels.max(1) as f64,
        })
    }
}

impl Auc {
    /// Returns the area under one label's curve.
    fn area(&self, label: usize) -> f64 {
        let confusion = &self.confusion;
        let column =
            |sums: &[f64]| -> Vec<f64> { sums.iter().skip(label).step_by(confusion.labels).copied().collect() };
        let (tp, fp) = (column(&confusion.true_positives), column(&confusion.false_positives));
        let (tn, fn_) = (column(&confusion.true_negatives), column(&confusion.false_negatives));
        let (x, y) = match self.curve {
            Curve::PrecisionRecall if self.interpolate => return interpolated(&tp, &fp, &fn_),
            Curve::Roc => (shares(&fp, &tn), shares(&tp, &fn_)),
            Curve::PrecisionRecall => (shares(&tp, &fn_), shares(&tp, &fp)),
            Curve::PrecisionRecallGain => gains(&tp, &fp, &tn, &fn_),
        };
        let steps = x.windows(2).zip(y.windows(2));
        steps.map(|(x, y)| (x[0] - x[1]) * (self.height)(y[0], y[1])).sum()
    }
}

/// Returns the area under the precision-recall curve, interpolating true positives rather than precision (Davis and
/// Goadrich, 2006), as Keras does.
fn interpolated(tp: &[f64], fp: &[f64], fn_: &[f64]) -> f64 {
    let positives: Vec<f64> = tp.iter().zip(fp).map(|(tp, fp)| tp + fp).collect();
    let mut area = 0.0;
    for at in 0..tp.len().saturating_sub(1) {
        let (p, next) = (positives[at], positives[at + 1]);
        let gained = tp[at] - tp[at + 1];
        let slope = ratio(gained, (p - next).max(0.0));
        let intercept = tp[at + 1] - slope * next;
        let log = if p > 0.0 && next > 0.0 { (p / next).ln() } else { 0.0 };
        area += ratio(slope * (gained + intercept * log), (tp[at + 1] + fn_[at + 1]).max(0.0));
    }
    area
}

/// Returns recall gain and precision gain (Flach and Kull, 2015).
fn gains(tp: &[f64], fp: &[f64], tn: &[f64], fn_: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let gain = |at: usize, wrong: f64, none: f64| match tp[at] == 0.0 {
        true => none,
        false => 1.0 - ratio(tp[at] + fn_[at], tn[at] + fp[at]) * wrong / tp[at],
    };
    let recall = (0..tp.len()).map(|at| gain(at, fn_[at], 0.0).max(0.0)).collect();
    let precision = (0..tp.len()).map(|at| gain(at, fp[at], 1.0)).collect();
    (recall, precision)
}
