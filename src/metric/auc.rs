//! The area under the ROC or the precision-recall curve, approximated at thresholds.

use serde_json::Value;

use super::built_in::{Running, built_in};
use super::confusion::{Confusion, EPSILON, Look, MOST_THRESHOLDS, evenly, is_even, ratio, share};
use super::{Metric, MetricState, NAME, Seen};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Area under the curve.
pub(super) const ENTRY: Entry<dyn Metric> = Entry {
    name: "AUC",
    aliases: &["auc"],
    doc: "The area under a curve over thresholds from 0 to 1; labels are 0 and 1. More thresholds are more exact.",
    parameters: &[
        Parameter::optional("num_thresholds", Type::Int, "200", "The number of thresholds, 2 to 1,000,000"),
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
    let confusion = Confusion::new(thresholds, look).even(even);
    built_in("auc", arguments, Auc { curve, height, interpolate: method == "interpolation", confusion })
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
        _ => evenly(arguments.between("num_thresholds", 2, MOST_THRESHOLDS)?),
    };
    // As in Keras, a given number of thresholds always counts as even, fewer than three too.
    let even = is_even(&all) || arguments.is_null("thresholds");
    if let [first, .., last] = all.as_mut_slice() {
        *first = -(EPSILON as f32);
        *last = (1.0 + EPSILON) as f32;
    }
    Ok((all, even))
}

impl Running for Auc {
    fn reset(&mut self) {
        self.confusion.reset();
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        self.confusion.update(metric, batch)
    }

    fn result(&self) -> f64 {
        let labels = self.confusion.labels;
        let areas = (0..labels).map(|label| self.area(label));
        match &self.confusion.look.label_weights {
            Some(weights) if self.confusion.look.by_label => {
                let weighted = areas.zip(weights).map(|(area, weight)| area * f64::from(*weight)).sum();
                ratio(weighted, weights.iter().map(|weight| f64::from(*weight)).sum())
            }
            _ => areas.sum::<f64>() / labels.max(1) as f64,
        }
    }

    fn state(&self) -> MetricState {
        self.confusion.state()
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        self.confusion.restore(metric, state)
    }
}

impl Auc {
    /// Returns the area under one label's curve.
    fn area(&self, label: usize) -> f64 {
        let thresholds = self.confusion.true_positives.len() / self.confusion.labels.max(1);
        let counts = |at: usize| Counts::of(&self.confusion, at * self.confusion.labels + label);
        let points: fn(Counts) -> (f64, f64) = match self.curve {
            Curve::PrecisionRecall if self.interpolate => {
                return (1..thresholds).map(|at| interpolated(counts(at - 1), counts(at))).sum();
            }
            Curve::Roc => |counts| (share(counts.fp, counts.tn), share(counts.tp, counts.fn_)),
            Curve::PrecisionRecall => |counts| (share(counts.tp, counts.fn_), share(counts.tp, counts.fp)),
            Curve::PrecisionRecallGain => gains,
        };
        let step = |at: usize| {
            let ((x, y), (next_x, next_y)) = (points(counts(at - 1)), points(counts(at)));
            (x - next_x) * (self.height)(next_y, y)
        };
        (1..thresholds).map(step).sum()
    }
}

/// The counts at one threshold.
#[derive(Clone, Copy)]
struct Counts {
    tp: f64,
    fp: f64,
    tn: f64,
    fn_: f64,
}

impl Counts {
    fn of(confusion: &Confusion, at: usize) -> Self {
        Counts {
            tp: confusion.true_positives[at],
            fp: confusion.false_positives[at],
            tn: confusion.true_negatives[at],
            fn_: confusion.false_negatives[at],
        }
    }
}

/// Returns the area under the precision-recall curve between two thresholds, interpolating true positives rather than
/// precision (Davis and Goadrich, 2006), as Keras does.
fn interpolated(lower: Counts, upper: Counts) -> f64 {
    let (p, next) = (lower.tp + lower.fp, upper.tp + upper.fp);
    let gained = lower.tp - upper.tp;
    let slope = ratio(gained, (p - next).max(0.0));
    let intercept = upper.tp - slope * next;
    let log = if p > 0.0 && next > 0.0 { (p / next).ln() } else { 0.0 };
    ratio(slope * (gained + intercept * log), (upper.tp + upper.fn_).max(0.0))
}

/// Returns recall gain and precision gain (Flach and Kull, 2015).
fn gains(counts: Counts) -> (f64, f64) {
    let gain = |wrong: f64, none: f64| match counts.tp == 0.0 {
        true => none,
        false => 1.0 - ratio(counts.tp + counts.fn_, counts.tn + counts.fp) * wrong / counts.tp,
    };
    (gain(counts.fn_, 0.0).max(0.0), gain(counts.fp, 1.0))
}
