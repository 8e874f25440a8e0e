//! The coefficient of determination.

use super::built_in::{Running, built_in};
use super::seen::misfit;
use super::{Metric, MetricState, NAME, Seen, state};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// R².
pub(super) const ENTRY: Entry<dyn Metric> = Entry {
    name: "R2Score",
    aliases: &["r2_score"],
    doc: "1 - (sum of squared errors) / (sum of squared distances of the labels from their mean), for labels and \
          predictions of shape `[batch, outputs]`: 1 is perfect, 0 as good as the mean.",
    parameters: &[
        Parameter::optional(
            "class_aggregation",
            Type::Any,
            "\"uniform_average\"",
            "`uniform_average` or `variance_weighted_average` over outputs, or null for one score an output",
        ),
        Parameter::optional(
            "num_regressors",
            Type::Int,
            "0",
            "The number of independent predictors, for the adjusted score; 0: not adjusted",
        ),
        NAME,
    ],
    build,
};

#[derive(Clone, Copy, PartialEq)]
enum Aggregation {
    None,
    Uniform,
    Variance,
}

struct R2Score {
    aggregation: Aggregation,
    regressors: usize,
    /// Of each output: weights, labels, squared labels, squared errors.
    sums: Vec<[f64; 4]>,
    /// The number of values, which Keras 3.15 takes for the number of samples: the same for one output.
    values: f64,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let value = arguments.value("class_aggregation");
    let aggregation = match value.as_str() {
        Some("uniform_average") => Aggregation::Uniform,
        Some("variance_weighted_average") => Aggregation::Variance,
        None if value.is_null() => Aggregation::None,
        _ => {
            let expected = "`uniform_average`, `variance_weighted_average` or null";
            return Err(arguments.refuse("class_aggregation", expected));
        }
    };
    let regressors = arguments.at_least("num_regressors", 0)?;
    built_in("r2_score", arguments, R2Score { aggregation, regressors, sums: Vec::new(), values: 0.0 })
}

impl Running for R2Score {
    fn reset(&mut self) {
        self.sums.clear();
        self.values = 0.0;
    }

    fn state(&self) -> MetricState {
        MetricState::of(std::iter::once(self.values).chain(self.sums.as_flattened().iter().copied()))
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        let (values, sums) = state.numbers.split_first().ok_or_else(|| state::foreign(metric))?;
        self.values = *values;
        self.sums = MetricState::of(sums.iter().copied()).rows(metric)?;
        Ok(())
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        let (labels, predictions) = batch.pair(metric)?;
        let (shape, outputs) = (predictions.shape, predictions.columns());
        let known = self.sums.len();
        if shape.len() != 2 || (known > 0 && known != outputs) {
            return Err(misfit(metric, labels.shape, shape).hint("it needs both of shape [batch, outputs]"));
        }
        if predictions.data.is_empty() {
            return Ok(());
        }
        let weights = batch.weights(metric, shape)?;
        self.sums.resize(outputs, [0.0; 4]);
        let rows = labels.data.chunks_exact(outputs).zip(predictions.data.chunks_exact(outputs));
        for (row, (labels, predictions)) in rows.enumerate() {
            for (column, (label, prediction)) in labels.iter().zip(predictions).enumerate() {
                let at = row * outputs + column;
                let weight = weights.get(at);
                let (label, error) = (f64::from(*label), f64::from(*label) - f64::from(*prediction));
                let sums = &mut self.sums[column];
                sums[0] += weight;
                sums[1] += weight * label;
                sums[2] += weight * label * label;
                sums[3] += weight * error * error;
            }
            self.values += outputs as f64;
        }
        Ok(())
    }

    fn result(&self) -> f64 {
        if self.sums.is_empty() {
            return 0.0;
        }
        // The adjustment is linear: that of the mean is the mean of the adjusted.
        self.adjust(match self.aggregation {
            Aggregation::None | Aggregation::Uniform => {
                self.sums.iter().map(score).sum::<f64>() / self.sums.len() as f64
            }
            Aggregation::Variance => {
                let weighted: f64 = self.sums.iter().map(|sums| score(sums) * total(sums)).sum();
                weighted / self.sums.iter().map(total).sum::<f64>()
            }
        })
    }

    fn results(&self) -> Vec<f64> {
        match self.aggregation {
            Aggregation::None if !self.sums.is_empty() => {
                self.sums.iter().map(|sums| self.adjust(score(sums))).collect()
            }
            _ => vec![self.result()],
        }
    }
}

impl R2Score {
    /// Adjusts for the number of predictors, where there are more samples than these.
    fn adjust(&self, score: f64) -> f64 {
        let freedom = self.values - self.regressors as f64 - 1.0;
        match self.regressors > 0 && freedom > 0.0 {
            true => 1.0 - (1.0 - score) * (self.values - 1.0) / freedom,
            false => score,
        }
    }
}

/// Returns the sum of squared distances of an output's labels from their mean.
fn total([count, sum, squares, _]: &[f64; 4]) -> f64 {
    squares - sum * sum / count
}

/// Returns 1 - errors / total; 0 where labels do not vary and the prediction misses them.
fn score(sums: &[f64; 4]) -> f64 {
    let score = 1.0 - sums[3] / total(sums);
    if score.is_infinite() { 0.0 } else { score }
}
