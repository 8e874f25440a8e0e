//! The F score: the harmonic mean of precision and recall.

use super::built_in::{Running, built_in};
use super::confusion::EPSILON;
use super::seen::{argmax, misfit};
use super::{Metric, MetricState, NAME, Seen};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

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
    built_in(default_name, arguments, FScore { average, beta, threshold, sums: Vec::new() })
}

impl Running for FScore {
    fn reset(&mut self) {
        self.sums.clear();
    }

    fn state(&self) -> MetricState {
        MetricState::of(self.sums.as_flattened().iter().copied())
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        self.sums = state.rows(metric)?;
        Ok(())
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        let (labels, predictions) = batch.pair(metric)?;
        let (shape, classes) = (predictions.shape, predictions.columns());
        let known = self.sums.len();
        if shape.len() != 2 || (known > 0 && known != classes) {
            return Err(misfit(metric, labels.shape, shape).hint("it needs both of shape [batch, classes]"));
        }
        if predictions.data.is_empty() {
            return Ok(());
        }
        let weights = batch.weights(metric, shape)?;
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
                let weight = weights.get(at);
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

    fn result(&self) -> f64 {
        let classes = self.sums.len().max(1) as f64;
        let scores = || self.sums.iter().map(|sums| self.score(sums));
        match self.average {
            Average::None | Average::Macro => scores().sum::<f64>() / classes,
            Average::Weighted => {
                let labels: f64 = self.sums.iter().map(|sums| sums[3]).sum();
                scores().zip(&self.sums).map(|(score, sums)| score * sums[3] / (labels + EPSILON)).sum()
            }
            Average::Micro => {
                let mut all = [0.0; 4];
                for sums in &self.sums {
                    all.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum);
                }
                self.score(&all)
            }
        }
    }

    fn results(&self) -> Vec<f64> {
        match self.average {
            Average::None => self.sums.iter().map(|sums| self.score(sums)).collect(),
            _ => vec![self.result()],
        }
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
