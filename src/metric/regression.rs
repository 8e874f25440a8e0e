//! The root mean squared error, and means and sums of predictions.

use super::mean::{Mean, Measured, mean_metric};
use super::{Metric, NAME, Seen};
use crate::error::Result;
use crate::registry::Entry;

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

fn squares(name: &str, batch: &Seen<'_>, errors: &mut Measured) -> Result<()> {
    let (labels, predictions) = batch.pair(name)?;
    let differences = labels.data.iter().zip(predictions.data).map(|(label, prediction)| prediction - label);
    errors.set(labels.shape, differences.map(|error| error * error));
    Ok(())
}

fn predictions(_name: &str, batch: &Seen<'_>, own: &mut Measured) -> Result<()> {
    own.set(batch.predictions.shape, batch.predictions.data.iter().copied());
    Ok(())
}

/// Sums inner axes, since the mean over them would be taken otherwise.
fn sums(_name: &str, batch: &Seen<'_>, sums: &mut Measured) -> Result<()> {
    let (values, samples) = (batch.predictions.data, batch.predictions.samples());
    match samples == 0 || values.is_empty() {
        true => sums.set(&[0], std::iter::empty()),
        false => sums.set(&[samples], values.chunks_exact(values.len() / samples).map(|row| row.iter().sum())),
    }
    Ok(())
}
