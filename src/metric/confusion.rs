//! True and false positives and negatives at thresholds, summed over batches: what `Precision`, `Recall`, `AUC` and
//! their kin are computed from.

use super::{MetricState, Seen};
use crate::error::{Error, Result};

/// What Keras adds to keep a division from 0.
pub(super) const EPSILON: f64 = 1e-7;

/// Counts at each threshold, for all labels together or for each label.
#[derive(Clone, Debug)]
pub(super) struct Confusion {
    thresholds: Vec<f32>,
    /// Whether thresholds divide 0 … 1 evenly; then predictions are sorted into buckets, as Keras does.
    even: bool,
    /// What is looked at of each prediction.
    pub(super) look: Look,
    /// Columns of the predictions that are counted apart; 1 when they are counted together.
    pub(super) labels: usize,
    /// Threshold by threshold, label by label.
    pub(super) true_positives: Vec<f64>,
    pub(super) false_positives: Vec<f64>,
    pub(super) true_negatives: Vec<f64>,
    pub(super) false_negatives: Vec<f64>,
    /// Predictions that are changed before they are counted, and columns in the order of their scores.
    changed: Vec<f32>,
    order: Vec<usize>,
}

/// What is looked at of each prediction.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// Only the k highest scores of a row can be positive.
    pub(super) top_k: Option<usize>,
    /// Only this column counts.
    pub(super) class_id: Option<usize>,
    /// Whether each column is counted apart.
    pub(super) by_label: bool,
    /// The weight of each column.
    pub(super) label_weights: Option<Vec<f32>>,
    /// Whether predictions are logits.
    pub(super) from_logits: bool,
}

impl Confusion {
    pub(super) fn new(thresholds: Vec<f32>, look: Look) -> Self {
        let even = is_even(&thresholds);
        let mut confusion = Confusion {
            thresholds,
            even,
            look,
            labels: 1,
            true_positives: Vec::new(),
            false_positives: Vec::new(),
            true_negatives: Vec::new(),
            false_negatives: Vec::new(),
            changed: Vec::new(),
            order: Vec::new(),
        };
        confusion.reset();
        confusion
    }

    /// Says that thresholds beyond 0 and 1 stand for 0 and 1, evenly divided.
    pub(super) fn even(mut self, even: bool) -> Self {
        self.even = even;
        self
    }

    pub(super) fn reset(&mut self) {
        self.start(1);
    }

    /// Returns the counts, those of each kind one after the other.
    pub(super) fn state(&self) -> MetricState {
        let counts = [&self.true_positives, &self.false_positives, &self.true_negatives, &self.false_negatives];
        MetricState::of(counts.into_iter().flatten().copied())
    }

    /// Takes back what [`Confusion::state`] gave.
    pub(super) fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        let (counts, thresholds) = (state.numbers.len() / 4, self.thresholds.len());
        if thresholds == 0 || counts == 0 || counts * 4 != state.numbers.len() || !counts.is_multiple_of(thresholds) {
            return Err(super::state::foreign(metric));
        }
        self.start(counts / thresholds);
        let places =
            [&mut self.true_positives, &mut self.false_positives, &mut self.true_negatives, &mut self.false_negatives];
        for (place, values) in places.into_iter().zip(state.numbers.chunks_exact(counts)) {
            *place = values.to_vec();
        }
        Ok(())
    }

    /// Takes in a batch.
    pub(super) fn update(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        let (labels, predictions) = batch.pair(metric)?;
        let shape = predictions.shape;
        let columns = if shape.len() > 1 { predictions.columns() } else { 1 };
        let weights = batch.weights(metric, shape)?;
        if predictions.data.is_empty() {
            return Ok(());
        }
        self.check(metric, shape, columns)?;
        if self.look.by_label && self.labels != columns {
            self.start(columns);
        }
        let mut changed = std::mem::take(&mut self.changed);
        let scores = match self.look.from_logits || self.look.top_k.is_some() {
            true => {
                self.change(predictions.data, columns, &mut changed);
                &changed
            }
            false => predictions.data,
        };
        for (at, (label, score)) in labels.data.iter().zip(scores).enumerate() {
            let column = at % columns;
            if self.look.class_id.is_some_and(|class| class != column) {
                continue;
            }
            let mut weight = weights.get(at);
            if let Some(weights) = &self.look.label_weights
                && !self.look.by_label
            {
                weight *= f64::from(weights[column]);
            }
            let label_at = if self.look.by_label { column } else { 0 };
            self.count(*label != 0.0, *score, label_at, weight);
        }
        self.changed = changed;
        Ok(())
    }

    /// Makes probabilities of logits; lowers all but the k highest scores of each row below every threshold, of equals
    /// the first are kept.
    fn change(&mut self, predictions: &[f32], columns: usize, changed: &mut Vec<f32>) {
        changed.clear();
        changed.extend_from_slice(predictions);
        if self.look.from_logits {
            changed.iter_mut().for_each(|logit| *logit = 1.0 / (1.0 + (-*logit).exp()));
        }
        let Some(k) = self.look.top_k else { return };
        for row in changed.chunks_exact_mut(columns) {
            self.order.clear();
            self.order.extend(0..columns);
            self.order.sort_unstable_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
            self.order.iter().skip(k).for_each(|&column| row[column] = f32::NEG_INFINITY);
        }
    }

    /// Returns TP / (TP + FP) at a threshold.
    pub(super) fn precision(&self, at: usize) -> f64 {
        share(self.true_positives[at], self.false_positives[at])
    }

    /// Returns TP / (TP + FN), which is also called sensitivity, at a threshold.
    pub(super) fn recall(&self, at: usize) -> f64 {
        share(self.true_positives[at], self.false_negatives[at])
    }

    /// Returns TN / (TN + FP) at a threshold.
    pub(super) fn specificity(&self, at: usize) -> f64 {
        share(self.true_negatives[at], self.false_positives[at])
    }

    /// Counts one prediction at all thresholds.
    fn count(&mut self, label: bool, prediction: f32, at: usize, weight: f64) {
        let positives = match self.even {
            true => bucket(prediction, &self.thresholds),
            // Thresholds need not be sorted: each is compared.
            false => 0,
        };
        for (index, threshold) in self.thresholds.iter().enumerate() {
            let positive = if self.even { index < positives } else { prediction > *threshold };
            let sums = match (label, positive) {
                (true, true) => &mut self.true_positives,
                (false, true) => &mut self.false_positives,
                (true, false) => &mut self.false_negatives,
                (false, false) => &mut self.true_negatives,
            };
            sums[index * self.labels + at] += weight;
        }
    }

    fn check(&self, metric: &str, shape: &[usize], columns: usize) -> Result<()> {
        let refuse = |what: String| Err(Error::data(format!("`{metric}`: {what}, found {shape:?}")));
        if let Some(class) = self.look.class_id
            && (shape.len() < 2 || class >= columns)
        {
            return refuse(format!("class {class} needs predictions of shape [batch, {}] or wider", class + 1));
        }
        if self.look.by_label && shape.len() != 2 {
            return refuse("labels are counted apart in predictions of shape [batch, labels]".to_owned());
        }
        if let Some(weights) = &self.look.label_weights
            && weights.len() != columns
        {
            return refuse(format!("{} label weights need as many columns", weights.len()));
        }
        Ok(())
    }

    fn start(&mut self, labels: usize) {
        self.labels = labels;
        let zeros = vec![0.0; self.thresholds.len() * labels];
        self.true_positives = zeros.clone();
        self.false_positives = zeros.clone();
        self.true_negatives = zeros.clone();
        self.false_negatives = zeros;
    }
}

/// Returns a / b, or 0 where b is 0.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Returns a / (a + b), or 0 where both are 0.
pub(super) fn share(a: f64, b: f64) -> f64 {
    ratio(a, a + b)
}

/// More thresholds than anyone needs: each has four sums for each class.
pub(super) const MOST_THRESHOLDS: i64 = 1_000_000;

/// Returns `count` thresholds from 0 to 1.
pub(super) fn evenly(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index as f64 / (count.saturating_sub(1)).max(1) as f64) as f32).collect()
}

/// Returns whether three or more thresholds divide 0 … 1 evenly, within Keras's tolerance.
pub(super) fn is_even(thresholds: &[f32]) -> bool {
    thresholds.len() >= 3
        && thresholds
            .iter()
            .zip(evenly(thresholds.len()))
            .all(|(found, even)| f64::from((found - even).abs()) <= EPSILON + 1e-5 * f64::from(even.abs()))
}

/// Returns at how many of evenly divided thresholds a prediction is positive. In f32 as Keras computes it, so that
/// predictions on a threshold fall on the same side.
fn bucket(prediction: f32, thresholds: &[f32]) -> usize {
    let steps = thresholds.len().saturating_sub(1) as f32;
    let bucket = (prediction.clamp(0.0, 1.0) * steps).ceil();
    // With a lowest threshold below 0 every prediction is positive there.
    let least = if thresholds.first().is_some_and(|lowest| *lowest < 0.0) { 1.0 } else { 0.0 };
    bucket.max(least) as usize
}
