//! Correlation of labels and predictions along an axis, averaged over batches.

use super::mean::{Mean, Measured, mean_metric};
use super::values::pair;
use super::{Metric, NAME};
use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

const AXIS: Parameter =
    Parameter::optional("axis", Type::Int, "-1", "The axis that is correlated; 0 is over the samples of a batch");

/// Pearson's correlation.
pub(super) const PEARSON: Entry<dyn Metric> = Entry {
    name: "PearsonCorrelation",
    aliases: &["pearson_correlation"],
    doc: "Covariance of labels and predictions / product of their standard deviations, along an axis.",
    parameters: &[NAME, AXIS],
    build: |arguments| build("pearson_correlation", arguments, pearson),
};

/// The concordance correlation.
pub(super) const CONCORDANCE: Entry<dyn Metric> = Entry {
    name: "ConcordanceCorrelation",
    aliases: &["concordance_correlation"],
    doc: "Pearson's correlation, lowered where means or variances differ (Lin, 1989).",
    parameters: &[NAME, AXIS],
    build: |arguments| build("concordance_correlation", arguments, concordance),
};

fn build(default_name: &str, arguments: &Arguments, correlate: fn(&[f64], &[f64]) -> f64) -> Result<Box<dyn Metric>> {
    let axis = arguments.int("axis");
    let values = move |name: &str, y_true: &Tensor, y_pred: &Tensor| measure(name, axis, y_true, y_pred, correlate);
    mean_metric(default_name, arguments, values, Mean::result)
}

fn measure(
    name: &str,
    axis: i64,
    y_true: &Tensor,
    y_pred: &Tensor,
    correlate: fn(&[f64], &[f64]) -> f64,
) -> Result<Measured> {
    let (labels, predictions) = pair(name, y_true, y_pred)?;
    let mut shape = labels.shape;
    let counted = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
    let Some(axis) = usize::try_from(counted).ok().filter(|axis| *axis < shape.len()) else {
        return Err(Error::recipe(format!("`{name}`: there is no axis {axis} in predictions of shape {shape:?}")));
    };
    let inner: usize = shape[axis + 1..].iter().product();
    let length = shape.remove(axis);
    let along = |data: &[f32], at: usize| -> Vec<f64> {
        let start = at / inner * inner * length + at % inner;
        (0..length).map(|step| f64::from(data[start + step * inner])).collect()
    };
    let places = if labels.data.is_empty() { 0 } else { labels.data.len() / length };
    let values =
        (0..places).map(|at| correlate(&along(&labels.data, at), &along(&predictions.data, at)) as f32).collect();
    Ok((shape, values))
}

fn pearson(labels: &[f64], predictions: &[f64]) -> f64 {
    let (mean_l, mean_p) = (average(labels), average(predictions));
    let deviation = (variance(labels) * variance(predictions)).sqrt();
    let products = labels.iter().zip(predictions).map(|(l, p)| (l - mean_l) * (p - mean_p));
    products.sum::<f64>() / labels.len() as f64 / deviation
}

fn concordance(labels: &[f64], predictions: &[f64]) -> f64 {
    let (mean_l, mean_p) = (average(labels), average(predictions));
    let products = labels.iter().zip(predictions).map(|(l, p)| (l - mean_l) * (p - mean_p));
    let covariance = products.sum::<f64>() / labels.len() as f64;
    2.0 * covariance / (variance(labels) + variance(predictions) + (mean_l - mean_p).powi(2) + 1e-7)
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = average(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}
