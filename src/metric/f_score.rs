//! The F score: the harmonic mean of precision and recall.

use super::confusion::EPSILON;
use super::values::{argmax, misfit, pair, weight_of};
use super::{Metric, MetricState, NAME, mean};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Tensor;

const AVERAGE: Parameter = Parameter::optional(
    "average",
    Type::Text,
    "null",
    "`micro` (all classes counted together), `macro` (mean over classes), `weighted` (mean weighted by labels), or null \
     for one score a class",
);
const THRESHOLD: Parameter = Parameter::optional(
    "threshold",
    Type::Float,
    "null",
    "Above 0, at most 1: predictions above it are positive; null: the highest score of each row",
);

/// F1 score.
pub(super) const F1: Entry<dyn Metric> = Entry {
    name: "F1Score",
    aliases: &["f1_score"],
    doc: "2 × precision × recall / (precision + recall), for labels and predictions of shape `[batch, classes]`.",
    parameters: &[AVERAGE, THRESHOLD, NAME],
    build: |arguments| build("f1_score", 1.0, arguments),
};

/// F-beta score.
pub(super) const F_BETA: Entry<dyn Metric> = Entry {
    name: "FBetaScore",
    aliases: &["fbeta_score"],
    doc: "(1 + beta²) × precision × recall / (beta² × precision + recall), for labels and predictions of shape `[batch, \
          classes]`.",
    parameters: &[
        AVERAGE,
        Parameter::optional("beta", Type::Float, "1.0", "How much more recall weighs than precision; above 0"),
        THRESHOLD,
        NAME,
    ],
    build: |arguments| match arguments.float("beta") {
        beta if beta > 0.0 => build("fbeta_score", beta, arguments),
        _ => Err(arguments.refuse("beta", "a number above 0")),
    },
};

#[derive(Clone, Copy, PartialEq)]
enum Average {
    None,
    Micro,
    Macro,
    Weighted,
}

struct FScore {
    name: String,
    average: Average,
    beta: f64,
    threshold: Option<f32>,
    /// Of each class: true positives, false positives, false negatives, labels.
    sums: Vec<[f64; 4]>,
}

fn build(default_name: &str, beta: f64, arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let average = match arguments.is_null("average") {
        true => Average::None,
        false => match arguments.choice("average", &["micro", "macro", "weighted"])? {
            "micro" => Average::Micro,
            "macro" => Average::Macro,
            _ => Average::Weighted,
        },
    };
    let threshold = match arguments.value("threshold").as_f64() {
        Some(threshold) if !(threshold > 0.0 && threshold <= 1.0) => {
            return Err(arguments.refuse("threshold", "a number above 0 and at most 1"));
        }
        threshold => threshold.map(|threshold| threshold as f32),
    };
    let name = mean::name(default_name, arguments);
    Ok(Box::new(FScore { name, average, beta, threshold, sums: Vec::new() }))
}

impl Metric for FScore {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.sums.clear();
    }

    fn state(&self) -> Result<MetricState> {
        Ok(MetricState::of(self.sums.as_flattened().iter().copied()))
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        self.sums = state.rows(&self.name)?;
        Ok(())
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let (labels, predictions) = pair(&self.name, y_true, y_pred)?;
        let (shape, classes) = (&predictions.shape, predictions.columns());
        let known = self.sums.len();
        if shape.len() != 2 || (known > 0 && known != classes) {
            return Err(misfit(&self.name, &labels.shape, shape).hint("it needs both of shape [batch, classes]"));
        }
        if predictions.data.is_empty() {
            return Ok(());
        }
        let weight = weight.map(|weight| weight_of(&self.name, weight, shape)).transpose()?;
        self.sums.resize(classes, [0.0; 4]);
        let rows = labels.data.chunks_exact(classes).zip(predictions.data.chunks_exact(classes));
        for (row, (labels, scores)) in rows.enumerate() {
            // Without a threshold all scores that equal the highest are positive, but for 0.
            let highest = scores[argmax(scores)];
            let positive = |score: f32| match self.threshold {
                Some(threshold) => score > threshold,
                None => score >= highest && score.abs() > 1e-9,
            };
            for (class, (label, score)) in labels.iter().zip(scores).enumerate() {
                let at = row * classes + class;
                let weight = weight.as_ref().map_or(1.0, |(weight, repeat)| f64::from(weight.data[at / repeat]));
                let (label, prediction) = (f64::from(*label), f64::from(u8::from(positive(*score))));
                let sums = &mut self.sums[class];
                sums[0] += weight * prediction * label;
                sums[1] += weight * prediction * (1.0 - label);
                sums[2] += weight * (1.0 - prediction) * label;
                sums[3] += weight * label;
            }
        }
        Ok(())
    }

    fn result(&self) -> Result<f64> {
        let results = self.results()?;
        Ok(results.iter().sum::<f64>() / results.len().max(1) as f64)
    }

    fn results(&self) -> Result<Vec<f64>> {
        let scores: Vec<f64> = self.sums.iter().map(|sums| self.score(sums)).collect();
        Ok(match self.average {
            Average::None => scores,
            Average::Macro => vec![scores.iter().sum::<f64>() / scores.len().max(1) as f64],
            Average::Weighted => {
                let labels: f64 = self.sums.iter().map(|sums| sums[3]).sum();
                vec![scores.iter().zip(&self.sums).map(|(score, sums)| score * sums[3] / (labels + EPSILON)).sum()]
            }
            Average::Micro => {
                let mut all = [0.0; 4];
                for sums in &self.sums {
                    all.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum);
                }
                vec![self.score(&all)]
            }
        })
    }
}

impl FScore {
    fn score(&self, [tp, fp, fn_, _]: &[f64; 4]) -> f64 {
        let precision = tp / (tp + fp + EPSILON);
        let recall = tp / (tp + fn_ + EPSILON);
        let square = self.beta * self.beta;
        (1.0 + square) * precision * recall / (square * precision + recall + EPSILON)
    }
}
