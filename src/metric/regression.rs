//! The root mean squared error, and means and sums of predictions.

use super::mean::{Mean, Measured, mean_metric};
use super::values::{Values, pair};
use super::{Metric, NAME};
use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Tensor;

/// Root mean squared error.
pub(super) const ROOT_MEAN_SQUARED_ERROR: Entry<dyn Metric> = Entry {
    name: "RootMeanSquaredError",
    aliases: &["root_mean_squared_error", "rmse"],
    doc: "The root of the mean of (y_true - y_pred)² over all batches.",
    parameters: &[NAME],
    build: |arguments| mean_metric("root_mean_squared_error", arguments, squares, |mean| mean.result().sqrt()),
};

/// Mean of predictions.
pub(super) const MEAN: Entry<dyn Metric> = Entry {
    name: "Mean",
    aliases: &["mean"],
    doc: "The mean of the predictions; labels are not used.",
    parameters: &[NAME],
    build: |arguments| mean_metric("mean", arguments, predictions, Mean::result),
};

/// Sum of predictions.
pub(super) const SUM: Entry<dyn Metric> = Entry {
    name: "Sum",
    aliases: &["sum"],
    doc: "The sum of the predictions × weights; labels are not used.",
    parameters: &[NAME],
    build: |arguments| mean_metric("sum", arguments, sums, |mean| mean.total),
};

fn squares(name: &str, y_true: &Tensor, y_pred: &Tensor) -> Result<Measured> {
    let (labels, predictions) = pair(name, y_true, y_pred)?;
    let errors = labels.data.iter().zip(predictions.data.iter()).map(|(label, prediction)| prediction - label);
    let squares = errors.map(|error| error * error).collect();
    Ok((labels.shape, squares))
}

fn predictions(_name: &str, _y_true: &Tensor, y_pred: &Tensor) -> Result<Measured> {
    let values = Values::of(y_pred)?;
    Ok((values.shape, values.data.into_owned()))
}

/// Sums inner axes, since the mean over them would be taken otherwise.
fn sums(_name: &str, _y_true: &Tensor, y_pred: &Tensor) -> Result<Measured> {
    let values = Values::of(y_pred)?;
    let samples = values.samples();
    if samples == 0 || values.data.is_empty() {
        return Ok((vec![0], Vec::new()));
    }
    let sums = values.data.chunks_exact(values.data.len() / samples).map(|row| row.iter().sum()).collect();
    Ok((vec![samples], sums))
}
