//! Means of errors over the last axis: squared, absolute, in percent, of logarithms.

use super::aligned::fused_or;
use super::formula::{self, EPSILON};
use super::fused::Aligned;
use super::{Loss, Reduction, rows};
use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Graph;

/// Mean squared error.
pub(super) const SQUARED: Entry<dyn Loss> = Entry {
    name: "MeanSquaredError",
    aliases: &["mean_squared_error", "mse", "MSE"],
    doc: "Mean over the last axis of (y_true - y_pred)².",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| fused_or(Some(Aligned::Squared), "mean_squared_error", arguments, squared),
};

/// Mean absolute error.
pub(super) const ABSOLUTE: Entry<dyn Loss> = Entry {
    name: "MeanAbsoluteError",
    aliases: &["mean_absolute_error", "mae", "MAE"],
    doc: "Mean over the last axis of |y_true - y_pred|.",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| fused_or(Some(Aligned::Absolute), "mean_absolute_error", arguments, absolute),
};

/// Mean absolute percentage error.
pub(super) const ABSOLUTE_PERCENTAGE: Entry<dyn Loss> = Entry {
    name: "MeanAbsolutePercentageError",
    aliases: &["mean_absolute_percentage_error", "mape", "MAPE"],
    doc: "Mean over the last axis of 100 |y_true - y_pred| / max(|y_true|, 1e-7).",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| {
        fused_or(
            Some(Aligned::Row(rows::absolute_percentage)),
            "mean_absolute_percentage_error",
            arguments,
            absolute_percentage,
        )
    },
};

/// Mean squared logarithmic error.
pub(super) const SQUARED_LOGARITHMIC: Entry<dyn Loss> = Entry {
    name: "MeanSquaredLogarithmicError",
    aliases: &["mean_squared_logarithmic_error", "msle", "MSLE"],
    doc: "Mean over the last axis of (log(1 + y_true) - log(1 + y_pred))²; values below 1e-7 count as 1e-7.",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| {
        fused_or(
            Some(Aligned::Row(rows::squared_logarithmic)),
            "mean_squared_logarithmic_error",
            arguments,
            squared_logarithmic,
        )
    },
};

fn squared(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    formula::mean_last(&(y_pred - y_true)?.sqr()?)
}

fn absolute(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    formula::mean_last(&formula::abs(&(y_pred - y_true)?)?)
}

fn absolute_percentage(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let relative = ((y_pred - y_true)? / y_true.abs()?.maximum(EPSILON)?)?;
    Ok((formula::mean_last(&formula::abs(&relative)?)? * 100.0)?)
}

fn squared_logarithmic(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let log = |values: &Graph| -> Result<Graph> { Ok((formula::at_least(values, EPSILON)? + 1.0)?.log()?) };
    formula::mean_last(&(log(y_pred)? - log(y_true)?)?.sqr()?)
}
