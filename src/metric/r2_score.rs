//! The coefficient of determination.

use super::values::{misfit, pair, weight_of};
use super::{Metric, MetricState, NAME, mean, state};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

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
    name: String,
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
    Ok(Box::new(R2Score {
        name: mean::name("r2_score", arguments),
        aggregation,
        regressors: arguments.at_least("num_regressors", 0)?,
        sums: Vec::new(),
        values: 0.0,
    }))
}

impl Metric for R2Score {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.sums.clear();
        self.values = 0.0;
    }

    fn state(&self) -> Result<MetricState> {
        Ok(MetricState::of(std::iter::once(self.values).chain(self.sums.as_flattened().iter().copied())))
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        let (values, sums) = state.numbers.split_first().ok_or_else(|| state::foreign(&self.name))?;
        self.values = *values;
        self.sums = MetricState::of(sums.iter().copied()).rows(&self.name)?;
        Ok(())
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let (labels, predictions) = pair(&self.name, y_true, y_pred)?;
        let (shape, outputs) = (&predictions.shape, predictions.columns());
        let known = self.sums.len();
        if shape.len() != 2 || (known > 0 && known != outputs) {
            return Err(misfit(&self.name, &labels.shape, shape).hint("it needs both of shape [batch, outputs]"));
        }
        if predictions.data.is_empty() {
            return Ok(());
        }
        let weight = weight.map(|weight| weight_of(&self.name, weight, shape)).transpose()?;
        self.sums.resize(outputs, [0.0; 4]);
        let rows = labels.data.chunks_exact(outputs).zip(predictions.data.chunks_exact(outputs));
        for (row, (labels, predictions)) in rows.enumerate() {
            for (column, (label, prediction)) in labels.iter().zip(predictions).enumerate() {
                let at = row * outputs + column;
                let weight = weight.as_ref().map_or(1.0, |(weight, repeat)| f64::from(weight.data[at / repeat]));
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

    fn result(&self) -> Result<f64> {
        let results = self.results()?;
        Ok(results.iter().sum::<f64>() / results.len().max(1) as f64)
    }

    fn results(&self) -> Result<Vec<f64>> {
        if self.sums.is_empty() {
            return Ok(vec![0.0]);
        }
        let totals: Vec<f64> = self.sums.iter().map(|[count, sum, squares, _]| squares - sum * sum / count).collect();
        let scores: Vec<f64> = self.sums.iter().zip(&totals).map(|(sums, total)| score(sums[3], *total)).collect();
        let aggregated = match self.aggregation {
            Aggregation::None => scores,
            Aggregation::Uniform => vec![scores.iter().sum::<f64>() / scores.len() as f64],
            Aggregation::Variance => {
                let weighted: f64 = scores.iter().zip(&totals).map(|(score, total)| score * total).sum();
                vec![weighted / totals.iter().sum::<f64>()]
            }
        };
        Ok(aggregated.into_iter().map(|score| self.adjust(score)).collect())
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

/// Returns 1 - errors / total; 0 where labels do not vary and the prediction misses them.
fn score(errors: f64, total: f64) -> f64 {
    let score = 1.0 - errors / total;
    if score.is_infinite() { 0.0 } else { score }
}
