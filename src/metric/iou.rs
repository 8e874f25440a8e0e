//! Intersection over union of classes, from a confusion matrix.

use serde_json::Value;

use super::built_in::{Running, built_in};
use super::confusion::EPSILON;
use super::seen::misfit;
use super::{Metric, MetricState, NAME, Seen, Values, state};
use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};

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
const AXIS: Parameter =
    Parameter::optional("axis", Type::Int, "-1", "The axis of classes, of labels and predictions that are not indices");

/// IoU of chosen classes.
pub(super) const IOU: Entry<dyn Metric> = Entry {
    name: "IoU",
    aliases: &["iou"],
    doc: "TP / (TP + FP + FN), the mean over chosen classes that occur.",
    parameters: &[NUM_CLASSES, TARGETS, NAME, IGNORE, SPARSE_TRUE, SPARSE_PRED, AXIS],
    build: |arguments| build("iou", arguments, arguments.bool("sparse_y_true")),
};

/// Mean IoU.
pub(super) const MEAN_IOU: Entry<dyn Metric> = Entry {
    name: "MeanIoU",
    aliases: &["mean_iou"],
    doc: "TP / (TP + FP + FN), the mean over all classes that occur.",
    parameters: &[NUM_CLASSES, NAME, IGNORE, SPARSE_TRUE, SPARSE_PRED, AXIS],
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
    parameters: &[NUM_CLASSES, TARGETS, NAME, IGNORE, SPARSE_PRED_OFF, AXIS],
    build: |arguments| build("one_hot_iou", arguments, false),
};

/// Mean IoU of one-hot labels.
pub(super) const ONE_HOT_MEAN: Entry<dyn Metric> = Entry {
    name: "OneHotMeanIoU",
    aliases: &["one_hot_mean_iou"],
    doc: "Mean IoU of all classes that occur for one-hot labels.",
    parameters: &[NUM_CLASSES, NAME, IGNORE, SPARSE_PRED_OFF, AXIS],
    build: |arguments| build("one_hot_mean_iou", arguments, false),
};

/// The largest matrix is 64 million numbers.
const MOST_CLASSES: i64 = 8_000;

struct Iou {
    classes: usize,
    targets: Vec<usize>,
    ignore: Option<i64>,
    sparse_labels: bool,
    sparse_predictions: bool,
    threshold: Option<f32>,
    axis: i64,
    /// The shape of the labels without their classes, in memory that is used again.
    places: Vec<usize>,
    /// Label by label, prediction by prediction.
    matrix: Vec<f64>,
}

fn build(default_name: &str, arguments: &Arguments, sparse_labels: bool) -> Result<Box<dyn Metric>> {
    let classes = arguments.between("num_classes", 1, MOST_CLASSES)?;
    let iou = Iou {
        classes,
        targets: targets(arguments, classes)?,
        ignore: arguments.value("ignore_class").as_i64(),
        sparse_labels,
        sparse_predictions: arguments.bool("sparse_y_pred"),
        threshold: None,
        axis: arguments.int("axis"),
        places: Vec::new(),
        matrix: vec![0.0; classes * classes],
    };
    built_in(default_name, arguments, iou)
}

fn binary(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let iou = Iou {
        classes: 2,
        targets: targets(arguments, 2)?,
        ignore: None,
        sparse_labels: true,
        sparse_predictions: true,
        threshold: Some(arguments.float("threshold") as f32),
        axis: -1,
        places: Vec::new(),
        matrix: vec![0.0; 4],
    };
    built_in("binary_iou", arguments, iou)
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

impl Running for Iou {
    fn reset(&mut self) {
        self.matrix.fill(0.0);
    }

    fn state(&self) -> MetricState {
        MetricState::of(self.matrix.iter().copied())
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        match state.numbers.len() == self.matrix.len() {
            true => {
                self.matrix.copy_from_slice(&state.numbers);
                Ok(())
            }
            false => Err(state::foreign(metric)),
        }
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        let labels = Classes::of(metric, batch.labels, self.sparse_labels, self.axis, None)?;
        let predictions = Classes::of(metric, batch.predictions, self.sparse_predictions, self.axis, self.threshold)?;
        if labels.len() != predictions.len() || batch.labels.shape.is_empty() {
            return Err(misfit(metric, batch.labels.shape, batch.predictions.shape)
                .hint("it needs a class for each label; scores of classes need `sparse_y_pred: false`"));
        }
        // The weight is for labels without their class axis.
        self.places.clear();
        self.places.extend_from_slice(batch.labels.shape);
        if let Some(axis) = labels.axis {
            self.places.remove(axis);
        }
        let weights = batch.weights(metric, &self.places)?;
        for at in 0..labels.len() {
            let class = |index: i64| usize::try_from(index).ok().filter(|index| *index < self.classes);
            let label = labels.get(at);
            let (Some(row), Some(column)) = (class(label), class(predictions.get(at))) else { continue };
            if Some(label) == self.ignore {
                continue;
            }
            self.matrix[row * self.classes + column] += weights.get(at);
        }
        Ok(())
    }

    fn result(&self) -> f64 {
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
        total / (valid + EPSILON)
    }
}

/// Class indices: the numbers themselves, or the place of the highest along an axis.
struct Classes<'a> {
    data: &'a [f32],
    /// The axis, the number of its places, and how far apart they are; none for indices.
    axis: Option<usize>,
    length: usize,
    step: usize,
    /// Numbers of at least this are class 1, others class 0.
    threshold: Option<f32>,
}

impl<'a> Classes<'a> {
    fn of(metric: &str, values: Values<'a>, sparse: bool, axis: i64, threshold: Option<f32>) -> Result<Self> {
        let Values { shape, data } = values;
        if sparse || data.is_empty() {
            return Ok(Classes { data, axis: None, length: 1, step: 1, threshold });
        }
        let counted = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
        let Some(axis) = usize::try_from(counted).ok().filter(|axis| *axis < shape.len()) else {
            return Err(Error::recipe(format!("`{metric}`: there is no axis {axis} in values of shape {shape:?}")));
        };
        Ok(Classes { data, axis: Some(axis), length: shape[axis], step: shape[axis + 1..].iter().product(), threshold })
    }

    fn len(&self) -> usize {
        self.data.len() / self.length
    }

    fn get(&self, at: usize) -> i64 {
        if self.axis.is_none() {
            let value = self.data[at];
            return self.threshold.map_or(value as i64, |threshold| i64::from(value >= threshold));
        }
        let start = at / self.step * self.step * self.length + at % self.step;
        let score = |place: usize| self.data[start + place * self.step];
        // The first of equals, as numpy has it.
        (1..self.length).fold(0, |best, place| if score(place) > score(best) { place } else { best }) as i64
    }
}
