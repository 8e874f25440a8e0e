//! Correlation of labels and predictions along an axis, averaged over batches.

use super::mean::{Mean, Measured, mean_metric};
use super::{Metric, NAME, Seen};
use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};

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

fn build(default_name: &str, arguments: &Arguments, correlate: fn(Line, Line) -> f64) -> Result<Box<dyn Metric>> {
    let axis = arguments.int("axis");
    let measure = move |name: &str, batch: &Seen<'_>, own: &mut Measured| measure(name, axis, batch, own, correlate);
    mean_metric(default_name, arguments, measure, Mean::result)
}

fn measure(
    name: &str,
    axis: i64,
    batch: &Seen<'_>,
    own: &mut Measured,
    correlate: fn(Line, Line) -> f64,
) -> Result<()> {
    let (labels, predictions) = batch.pair(name)?;
    let shape = labels.shape;
    let counted = if axis < 0 { axis.saturating_add(shape.len() as i64) } else { axis };
    let Some(axis) = usize::try_from(counted).ok().filter(|axis| *axis < shape.len()) else {
        return Err(Error::recipe(format!("`{name}`: there is no axis {axis} in predictions of shape {shape:?}")));
    };
    let inner: usize = shape[axis + 1..].iter().product();
    let length = shape[axis];
    let places = if labels.data.is_empty() { 0 } else { labels.data.len() / length };
    let values = (0..places).map(|at| {
        let start = at / inner * inner * length + at % inner;
        let line = |data| Line { data, start, step: inner, length };
        correlate(line(labels.data), line(predictions.data)) as f32
    });
    own.set(shape, values);
    own.shape.remove(axis);
    Ok(())
}

/// The numbers along one axis.
#[derive(Clone, Copy)]
struct Line<'a> {
    data: &'a [f32],
    start: usize,
    step: usize,
    length: usize,
}

impl Line<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        (0..self.length).map(|at| f64::from(self.data[self.start + at * self.step]))
    }

    fn mean(&self) -> f64 {
        self.values().sum::<f64>() / self.length as f64
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        self.values().map(|value| (value - mean).powi(2)).sum::<f64>() / self.length as f64
    }
}

fn pearson(labels: Line, predictions: Line) -> f64 {
    covariance(labels, predictions) / (labels.variance() * predictions.variance()).sqrt()
}

fn concordance(labels: Line, predictions: Line) -> f64 {
    let distance = (labels.mean() - predictions.mean()).powi(2);
    2.0 * covariance(labels, predictions) / (labels.variance() + predictions.variance() + distance + 1e-7)
}

fn covariance(labels: Line, predictions: Line) -> f64 {
    let (mean_l, mean_p) = (labels.mean(), predictions.mean());
    let products = labels.values().zip(predictions.values()).map(|(l, p)| (l - mean_l) * (p - mean_p));
    products.sum::<f64>() / labels.length as f64
}
