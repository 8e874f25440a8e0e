//! Intersection over union of classes, from a confusion matrix.

use serde_json::Value;

use super::confusion::EPSILON;
use super::values::{Values, argmax, misfit, weight_of};
use super::{Metric, MetricState, NAME, mean, state};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

const NUM_CLASSES: Parameter = Parameter::required("num_classes", Type::Int, "The number of classes; at least 1");
const TARGETS: Parameter = Parameter::required("target_class_ids", Type::Ints, "The classes whose mean is taken");
const IGNORE: Parameter =
    Parameter::optional("ignore_class", Type::Int, "null", "A label that counts nothing, such as 255");
const SPARSE_TRUE: Parameter =
    Parameter::optional("sparse_y_true", Type::Bool, "true", "Whether labels are class indices, rather than one-hot");
const SPARSE_PRED: Parameter = Parameter::optional(
    "sparse_y_pred",
    Type::Bool,
    "true",
    "Whether predictions are class indices, rather than scores of classes on the last axis",
);
const SPARSE_PRED_OFF: Parameter = Parameter { default: Some("false"), ..SPARSE_PRED };

/// IoU of chosen classes.
pub(super) const IOU: Entry<dyn Metric> = Entry {
    name: "IoU",
    aliases: &["iou"],
    doc: "TP / (TP + FP + FN), the mean over chosen classes that occur.",
    parameters: &[NUM_CLASSES, TARGETS, NAME, IGNORE, SPARSE_TRUE, SPARSE_PRED],
    build: |arguments| build("iou", arguments, arguments.bool("sparse_y_true")),
};

/// Mean IoU.
pub(super) const MEAN_IOU: Entry<dyn Metric> = Entry {
    name: "MeanIoU",
    aliases: &["mean_iou"],
    doc: "TP / (TP + FP + FN), the mean over all classes that occur.",
    parameters: &[NUM_CLASSES, NAME, IGNORE, SPARSE_TRUE, SPARSE_PRED],
    build: |arguments| build("mean_iou", arguments, arguments.bool("sparse_y_true")),
};

/// Binary IoU.
pub(super) const BINARY: Entry<dyn Metric> = Entry {
    name: "BinaryIoU",
    aliases: &["binary_iou"],
    doc: "IoU of the classes 0 and 1; predictions of at least a threshold stand for 1.",
    parameters: &[
        Parameter::optional("target_class_ids", Type::Ints, "[0, 1]", "The classes whose mean is taken"),
        Parameter::optional("threshold", Type::Float, "0.5", "Predictions of at least this stand for 1"),
        NAME,
    ],
    build: binary,
};

/// IoU of one-hot labels.
pub(super) const ONE_HOT: Entry<dyn Metric> = Entry {
    name: "OneHotIoU",
    aliases: &["one_hot_iou"],
    doc: "IoU of chosen classes for one-hot labels.",
    parameters: &[NUM_CLASSES, TARGETS, NAME, IGNORE, SPARSE_PRED_OFF],
    build: |arguments| build("one_hot_iou", arguments, false),
};

/// Mean IoU of one-hot labels.
pub(super) const ONE_HOT_MEAN: Entry<dyn Metric> = Entry {
    name: "OneHotMeanIoU",
    aliases: &["one_hot_mean_iou"],
    doc: "Mean IoU of all classes that occur for one-hot labels.",
    parameters: &[NUM_CLASSES, NAME, IGNORE, SPARSE_PRED_OFF],
    build: |arguments| build("one_hot_mean_iou", arguments, false),
};

/// The largest matrix is 64 million numbers.
const MOST_CLASSES: usize = 8_000;

struct Iou {
    name: String,
    classes: usize,
    targets: Vec<usize>,
    ignore: Option<i64>,
    sparse_labels: bool,
    sparse_predictions: bool,
    threshold: Option<f32>,
    /// Label by label, prediction by prediction.
    matrix: Vec<f64>,
}

fn build(default_name: &str, arguments: &Arguments, sparse_labels: bool) -> Result<Box<dyn Metric>> {
    let classes = match arguments.at_least("num_classes", 1)? {
        classes if classes <= MOST_CLASSES => classes,
        _ => return Err(arguments.refuse("num_classes", format!("at most {MOST_CLASSES} classes"))),
    };
    Ok(Box::new(Iou {
        name: mean::name(default_name, arguments),
        classes,
        targets: targets(arguments, classes)?,
        ignore: arguments.value("ignore_class").as_i64(),
        sparse_labels,
        sparse_predictions: arguments.bool("sparse_y_pred"),
        threshold: None,
        matrix: vec![0.0; classes * classes],
    }))
}

fn binary(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    Ok(Box::new(Iou {
        name: mean::name("binary_iou", arguments),
        classes: 2,
        targets: targets(arguments, 2)?,
        ignore: None,
        sparse_labels: true,
        sparse_predictions: true,
        threshold: Some(arguments.float("threshold") as f32),
        matrix: vec![0.0; 4],
    }))
}

/// Reads the classes whose mean is taken; all of them where there is no such parameter.
fn targets(arguments: &Arguments, classes: usize) -> Result<Vec<usize>> {
    let given: Vec<Option<i64>> = match arguments.value("target_class_ids") {
        Value::Null => return Ok((0..classes).collect()),
        Value::Array(items) => items.iter().map(Value::as_i64).collect(),
        one => vec![one.as_i64()],
    };
    let index = |id: Option<i64>| id.and_then(|id| usize::try_from(id).ok()).filter(|id| *id < classes);
    given
        .into_iter()
        .map(index)
        .collect::<Option<Vec<usize>>>()
        .ok_or_else(|| arguments.refuse("target_class_ids", format!("class indices from 0 to {}", classes - 1)))
}

impl Metric for Iou {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.matrix.fill(0.0);
    }

    fn state(&self) -> Result<MetricState> {
        Ok(MetricState::of(self.matrix.iter().copied()))
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        match state.numbers.len() == self.matrix.len() {
            true => {
                self.matrix.copy_from_slice(&state.numbers);
                Ok(())
            }
            false => Err(state::foreign(&self.name)),
        }
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let (labels, mut predictions) = (Values::of(y_true)?, Values::of(y_pred)?);
        if let Some(threshold) = self.threshold {
            let values = predictions.data.to_mut();
            values.iter_mut().for_each(|value| *value = f32::from(u8::from(*value >= threshold)));
        }
        let shape = labels.shape.clone();
        let labels = indices(&labels, self.sparse_labels);
        let found = indices(&predictions, self.sparse_predictions);
        if labels.len() != found.len() || shape.is_empty() {
            return Err(misfit(&self.name, &shape, &predictions.shape)
                .hint("it needs a class for each label; scores of classes need `sparse_y_pred: false`"));
        }
        // The weight is for labels without their class axis.
        let places = if self.sparse_labels { &shape[..] } else { &shape[..shape.len() - 1] };
        let weight = weight.map(|weight| weight_of(&self.name, weight, places)).transpose()?;
        for (at, (&label, &prediction)) in labels.iter().zip(&found).enumerate() {
            let class = |index: i64| usize::try_from(index).ok().filter(|index| *index < self.classes);
            let (Some(row), Some(column)) = (class(label), class(prediction)) else { continue };
            if Some(label) == self.ignore {
                continue;
            }
            let weight = weight.as_ref().map_or(1.0, |(weight, repeat)| f64::from(weight.data[at / repeat]));
            self.matrix[row * self.classes + column] += weight;
        }
        Ok(())
    }

    fn result(&self) -> Result<f64> {
        let mut total = 0.0;
        let mut valid = 0.0;
        for &class in &self.targets {
            let hit = self.matrix[class * self.classes + class];
            let labels: f64 = self.matrix[class * self.classes..][..self.classes].iter().sum();
            let found: f64 = self.matrix.iter().skip(class).step_by(self.classes).sum();
            let union = labels + found - hit;
            if union > 1e-9 {
                total += hit / (union + EPSILON);
                valid += 1.0;
            }
        }
        Ok(total / (valid + EPSILON))
    }
}

/// Returns class indices: the values themselves, or the place of the highest on the last axis.
fn indices(values: &Values<'_>, sparse: bool) -> Vec<i64> {
    match sparse || values.columns() == 0 {
        true => values.data.iter().map(|value| *value as i64).collect(),
        false => values.data.chunks_exact(values.columns()).map(|row| argmax(row) as i64).collect(),
    }
}
