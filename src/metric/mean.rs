//! The running mean over samples that most metrics are.

use super::values::weight_of;
use super::{Metric, MetricState, Plain};
use crate::error::Result;
use crate::registry::Arguments;
use crate::tensor::Tensor;

/// A running weighted mean: sums of value × weight and of weights.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    pub(super) total: f64,
    count: f64,
}

impl Mean {
    /// Takes in the values of a batch, of a shape with the samples first.
    ///
    /// As in Keras: values are first averaged over the axes that the weight lacks, then value × weight and the
    /// weight are averaged over all axes but the first; without weights each sample counts 1.
    pub(super) fn add(&mut self, metric: &str, shape: &[usize], data: &[f32], weight: Option<&Tensor>) -> Result<()> {
        let samples = shape.first().copied().unwrap_or(1);
        if data.is_empty() || samples == 0 {
            return Ok(());
        }
        let Some(weight) = weight else {
            let sum: f64 = data.iter().map(|value| f64::from(*value)).sum();
            self.total += sum / (data.len() / samples) as f64;
            self.count += samples as f64;
            return Ok(());
        };
        let (weight, repeat) = weight_of(metric, weight, shape)?;
        let positions = (weight.data.len() / samples).max(1) as f64;
        for (values, weight) in data.chunks_exact(repeat).zip(weight.data.iter()) {
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / repeat as f64;
            self.total += mean * f64::from(*weight) / positions;
            self.count += f64::from(*weight) / positions;
        }
        Ok(())
    }

    /// Takes in how many values of a batch are 1, where all others are 0.
    fn add_hits(&mut self, hits: usize, values: usize, samples: usize) {
        if values > 0 && samples > 0 {
            self.total += hits as f64 / (values / samples) as f64;
            self.count += samples as f64;
        }
    }

    pub(super) fn state(&self) -> MetricState {
        MetricState::of([self.total, self.count])
    }

    pub(super) fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        [self.total, self.count] = state.exactly(metric)?;
        Ok(())
    }

    /// Returns the mean so far, 0 when nothing counted.
    pub(super) fn result(&self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.total / self.count }
    }
}

/// What is computed of a batch: the values' shape and data, of labels and predictions.
pub(super) type Measured = (Vec<usize>, Vec<f32>);

/// A mean of values of a batch.
struct MeanMetric<F, R, H> {
    name: String,
    mean: Mean,
    values: F,
    result: R,
    /// Counts the values that are 1, and all values; `None` where labels and predictions do not fit plainly.
    hits: H,
}

/// Makes a metric that is the mean of what `values` computes of labels and predictions, changed by `result` at the
/// end.
pub(super) fn mean_metric<F, R>(
    default_name: &str,
    arguments: &Arguments,
    values: F,
    result: R,
) -> Result<Box<dyn Metric>>
where
    F: Fn(&str, &Tensor, &Tensor) -> Result<Measured> + Send + 'static,
    R: Fn(&Mean) -> f64 + Send + 'static,
{
    let name = name(default_name, arguments);
    Ok(Box::new(MeanMetric { name, mean: Mean::default(), values, result, hits: |_: &Plain<'_>| None }))
}

/// Makes a metric that is the share of values that are 1; `hits` counts them where that is done without allocating.
pub(super) fn share_metric<F, H>(
    default_name: &str,
    arguments: &Arguments,
    values: F,
    hits: H,
) -> Result<Box<dyn Metric>>
where
    F: Fn(&str, &Tensor, &Tensor) -> Result<Measured> + Send + 'static,
    H: Fn(&Plain<'_>) -> Option<(usize, usize)> + Send + 'static,
{
    let name = name(default_name, arguments);
    Ok(Box::new(MeanMetric { name, mean: Mean::default(), values, result: Mean::result, hits }))
}

/// Returns the parameter `name`, or the default.
pub(super) fn name(default_name: &str, arguments: &Arguments) -> String {
    match arguments.text("name") {
        "" => default_name.to_owned(),
        name => name.to_owned(),
    }
}

impl<F, R, H> Metric for MeanMetric<F, R, H>
where
    F: Fn(&str, &Tensor, &Tensor) -> Result<Measured> + Send,
    R: Fn(&Mean) -> f64 + Send,
    H: Fn(&Plain<'_>) -> Option<(usize, usize)> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let (shape, data) = (self.values)(&self.name, y_true, y_pred)?;
        self.mean.add(&self.name, &shape, &data, weight)
    }

    fn update_plain(&mut self, batch: &Plain<'_>) -> bool {
        let found = (self.hits)(batch);
        if let Some((hits, values)) = found {
            self.mean.add_hits(hits, values, batch.rows);
        }
        found.is_some()
    }

    fn result(&self) -> Result<f64> {
        Ok((self.result)(&self.mean))
    }

    fn state(&self) -> Result<MetricState> {
        Ok(self.mean.state())
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        self.mean.restore(&self.name, state)
    }
}
