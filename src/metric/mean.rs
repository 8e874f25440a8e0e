//! The running mean over samples that most metrics are.

use super::built_in::{Running, built_in};
use super::{Metric, MetricState, Seen};
use crate::error::Result;
use crate::registry::Arguments;

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
    pub(super) fn add(&mut self, metric: &str, batch: &Seen<'_>, measured: &Measured) -> Result<()> {
        let Measured { shape, values } = measured;
        let samples = shape.first().copied().unwrap_or(1);
        if values.is_empty() || samples == 0 {
            return Ok(());
        }
        let weights = batch.weights(metric, shape)?;
        let Some(data) = weights.data else {
            let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
            self.total += sum / (values.len() / samples) as f64;
            self.count += samples as f64;
            return Ok(());
        };
        let positions = (data.len() / samples).max(1) as f64;
        for (values, weight) in values.chunks_exact(weights.repeat).zip(data) {
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / weights.repeat as f64;
            self.total += mean * f64::from(*weight) / positions;
            self.count += f64::from(*weight) / positions;
        }
        Ok(())
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

/// What is computed of a batch, in memory that is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Measured {
    /// Takes the place of what was measured before.
    pub(super) fn set(&mut self, shape: &[usize], values: impl Iterator<Item = f32>) {
        self.shape.clear();
        self.shape.extend_from_slice(shape);
        self.values.clear();
        self.values.extend(values);
    }
}

/// A mean of values of a batch.
struct MeanOf<F> {
    mean: Mean,
    measured: Measured,
    measure: F,
    result: fn(&Mean) -> f64,
}

/// Makes a metric that is the mean of what `measure` computes of labels and predictions, changed by `result` at the
/// end.
pub(super) fn mean_metric<F>(
    default_name: &str,
    arguments: &Arguments,
    measure: F,
    result: fn(&Mean) -> f64,
) -> Result<Box<dyn Metric>>
where
    F: Fn(&str, &Seen<'_>, &mut Measured) -> Result<()> + Send + 'static,
{
    built_in(default_name, arguments, MeanOf { mean: Mean::default(), measured: Measured::default(), measure, result })
}

impl<F> Running for MeanOf<F>
where
    F: Fn(&str, &Seen<'_>, &mut Measured) -> Result<()> + Send,
{
    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        (self.measure)(metric, batch, &mut self.measured)?;
        self.mean.add(metric, batch, &self.measured)
    }

    fn result(&self) -> f64 {
        (self.result)(&self.mean)
    }

    fn state(&self) -> MetricState {
        self.mean.state()
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        self.mean.restore(metric, state)
    }
}
