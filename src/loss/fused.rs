//! Value and gradient of a loss in one pass over slices: what the plan of the training engine runs.
//!
//! The formulas, and what is clipped where, are those of the composed losses beside it, which stay the reference. What
//! does not fit (shapes, labels, reductions) is left to them, and so are their errors.

use std::borrow::Cow;

use super::Reduction;
use super::formula::EPSILON;
use super::rows::{self, Row};
use crate::kernel::math;
use crate::simd;
use crate::tensor::Array;

/// A batch of predictions on the CPU.
pub struct Fused<'a> {
    /// The labels, with the batch axis.
    pub labels: &'a Array,
    /// The predictions, row-major.
    pub predictions: &'a [f32],
    /// The shape of one record's prediction.
    pub shape: &'a [usize],
    /// The sample weights.
    pub weight: Option<&'a Array>,
    /// Where the gradient goes; `None` where only the value is wanted.
    pub gradient: Option<&'a mut [f32]>,
    /// Whether the gradient is added to what stands there.
    pub add: bool,
    /// What the gradient is multiplied by: the share of this loss in the total.
    pub share: f32,
    /// Where the values of all rows go, without weights; `None` where only their sum is wanted.
    pub values: Option<&'a mut [f32]>,
    /// Memory that is used again from batch to batch.
    pub memory: &'a mut FusedMemory,
}

/// What a fused loss computes with: kept from batch to batch, so that nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct FusedMemory {
    labels: Vec<f32>,
    classes: Vec<usize>,
    row: Vec<f32>,
}

/// A loss whose labels are shaped like predictions, with the mean or sum over the last axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aligned {
    /// Mean of squared differences.
    Squared,
    /// Mean of absolute differences.
    Absolute,
    /// Cross-entropy of one-hot labels.
    Categorical { from_logits: bool, smoothing: f32 },
    /// Mean of the cross-entropies of single probabilities.
    Binary { from_logits: bool, smoothing: f32 },
    /// Hinge of labels -1 and 1, or of a batch of 0 and 1.
    Hinge { squared: bool },
    /// Huber's loss.
    Huber { delta: f32 },
    /// What looks at one row at a time.
    Row(Row),
}

impl Fused<'_> {
    /// Computes a loss whose labels are shaped like the predictions; `None` where it must be composed.
    pub(super) fn aligned(&mut self, loss: Aligned, reduction: Reduction) -> Option<f64> {
        if self.labels.shape().get(1..) != Some(self.shape) || self.labels.size() != self.predictions.len() {
            return None;
        }
        let (given, mut memory) = (self.labels, std::mem::take(&mut self.memory.labels));
        let total = self.of_labels(given.read_f32(&mut memory), loss, reduction);
        self.memory.labels = memory;
        total
    }

    fn of_labels(&mut self, labels: &[f32], loss: Aligned, reduction: Reduction) -> Option<f64> {
        let width = *self.shape.last()?;
        let row = |at: usize| &labels[at * width..(at + 1) * width];
        match loss {
            Aligned::Squared => self.rows(reduction, |at, p, g| squared(row(at), p, g)),
            Aligned::Absolute => self.rows(reduction, |at, p, g| absolute(row(at), p, g)),
            Aligned::Row(of) => self.rows(reduction, |at, p, g| of(row(at), p, g)),
            Aligned::Huber { delta } => self.rows(reduction, |at, p, g| rows::huber(delta, row(at), p, g)),
            Aligned::Hinge { squared } => {
                let binary = labels.iter().all(|label| *label == 0.0 || *label == 1.0);
                self.rows(reduction, |at, p, g| rows::hinge(squared, binary, row(at), p, g))
            }
            Aligned::Categorical { from_logits: true, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: smoothing / width as f32 };
                self.rows(reduction, |at, p, g| categorical_logits(row(at), p, g, smooth))
            }
            Aligned::Categorical { from_logits: false, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: smoothing / width as f32 };
                self.rows(reduction, |at, p, g| categorical(row(at), p, g, smooth))
            }
            Aligned::Binary { from_logits: true, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: 0.5 * smoothing };
                self.rows(reduction, |at, p, g| binary_logits(row(at), p, g, smooth))
            }
            Aligned::Binary { from_logits: false, smoothing } => {
                let smooth = Smooth { keep: 1.0 - smoothing, add: 0.5 * smoothing };
                self.rows(reduction, |at, p, g| binary(row(at), p, g, smooth))
            }
        }
    }

    /// Computes the cross-entropy of class indices; `None` where it must be composed.
    pub(super) fn sparse(&mut self, from_logits: bool, reduction: Reduction) -> Option<f64> {
        let (classes, front) = self.shape.split_last()?;
        let inner = self.labels.shape().get(1..)?;
        let fits = inner == front || inner.strip_suffix(&[1]) == Some(front);
        if !fits || *classes == 0 || self.labels.size() * classes != self.predictions.len() {
            return None;
        }
        let mut memory = std::mem::take(&mut self.memory.classes);
        let total = match class_indices(self.labels, *classes, &mut memory) {
            false => None,
            true if from_logits => self.rows(reduction, |at, p, g| sparse_logits(memory[at], p, g)),
            true => self.rows(reduction, |at, p, g| sparse(memory[at], p, g)),
        };
        self.memory.classes = memory;
        total
    }

    /// Adds up the values of all rows of predictions, weighted, and writes their gradients.
    fn rows(&mut self, reduction: Reduction, row: impl Fn(usize, &[f32], Option<&mut [f32]>) -> f32) -> Option<f64> {
        let width = *self.shape.last()?;
        let count = self.predictions.len().checked_div(width).filter(|count| *count > 0)?;
        let scale = match reduction {
            Reduction::SumOverBatchSize => 1.0 / count as f64,
            Reduction::MeanWithSampleWeight if self.weight.is_none() => 1.0 / count as f64,
            Reduction::Sum => 1.0,
            Reduction::MeanWithSampleWeight | Reduction::None => return None,
        };
        let (weights, repeat) = weights(self.weight, self.labels, self.shape, count)?;
        let mut places = self.gradient.as_deref_mut().map(|gradient| gradient.chunks_exact_mut(width));
        let mut own = std::mem::take(&mut self.memory.row);
        let mut total = 0.0;
        for (at, predictions) in self.predictions.chunks_exact(width).enumerate() {
            let weight = weights.as_ref().map_or(1.0, |weights| weights[at / repeat]);
            let factor = self.share * weight * scale as f32;
            let value = match places.as_mut().and_then(Iterator::next) {
                None => row(at, predictions, None),
                Some(place) if self.add => {
                    own.resize(width, 0.0);
                    let value = row(at, predictions, Some(&mut own));
                    place.iter_mut().zip(&own).for_each(|(place, own)| *place += own * factor);
                    value
                }
                Some(place) => {
                    let value = row(at, predictions, Some(place));
                    place.iter_mut().for_each(|place| *place *= factor);
                    value
                }
            };
            total += f64::from(value * weight);
            if let Some(place) = self.values.as_deref_mut().and_then(|values| values.get_mut(at)) {
                *place = value;
            }
        }
        self.memory.row = own;
        Some(total * scale)
    }
}

/// Reads labels as classes; returns whether all are.
fn class_indices(labels: &Array, classes: usize, memory: &mut Vec<usize>) -> bool {
    memory.clear();
    let class = |label: f64| (label >= 0.0 && label < classes as f64 && label.fract() == 0.0).then_some(label as usize);
    let mut push = |label: f64| class(label).map(|class| memory.push(class)).is_some();
    match labels {
        Array::F32(own) => own.iter().all(|label| push(f64::from(*label))),
        Array::F64(own) => own.iter().all(|label| push(*label)),
        Array::I64(own) => own.iter().all(|label| push(*label as f64)),
        Array::U8(own) => own.iter().all(|label| push(f64::from(*label))),
    }
}

/// Returns the weights of the rows, and for how many rows one after the other each of them stands; `None` where they
/// do not fit.
#[allow(clippy::type_complexity)]
fn weights<'a>(
    weight: Option<&'a Array>,
    labels: &Array,
    shape: &[usize],
    rows: usize,
) -> Option<(Option<Cow<'a, [f32]>>, usize)> {
    let Some(weight) = weight else { return Some((None, 1)) };
    let (batch, inner) = weight.shape().split_first()?;
    let positions = &shape[..shape.len().saturating_sub(1)];
    let fits = Some(batch) == labels.shape().first() && (inner.is_empty() || inner == positions);
    match fits && weight.size() > 0 && rows.is_multiple_of(weight.size()) {
        true => Some((Some(weight.as_f32()), rows / weight.size())),
        false => None,
    }
}

/// How labels are smoothed: label × keep + add.
#[derive(Clone, Copy)]
struct Smooth {
    keep: f32,
    add: f32,
}

impl Smooth {
    #[inline(always)]
    fn of(self, label: f32) -> f32 {
        label * self.keep + self.add
    }
}

/// The bounds of probabilities.
const LOW: f32 = EPSILON as f32;
const HIGH: f32 = (1.0 - EPSILON) as f32;

/// Returns whether a probability is one that clipping leaves alone, so that gradients pass: the bounds themselves are, as
/// in TensorFlow.
#[inline(always)]
fn inside(p: f32) -> bool {
    (LOW..=HIGH).contains(&p)
}

fn sparse(class: usize, p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    let total = sum_of_clipped(p);
    if let Some(gradient) = gradient {
        let share = 1.0 / total;
        for (g, p) in gradient.iter_mut().zip(p) {
            *g = if inside(*p) { share } else { 0.0 };
        }
        if inside(p[class]) {
            gradient[class] -= 1.0 / p[class];
        }
    }
    -(math::clamp(p[class], LOW, HIGH) / total).ln()
}

fn sparse_logits(class: usize, x: &[f32], gradient: Option<&mut [f32]>) -> f32 {
    let (largest, total) = match gradient {
        Some(gradient) => {
            gradient.copy_from_slice(x);
            let (largest, total) = powers(gradient);
            gradient.iter_mut().for_each(|power| *power /= total);
            gradient[class] -= 1.0;
            (largest, total)
        }
        None => sum_of_powers(x),
    };
    largest + total.ln() - x[class]
}

simd! {
    fn squared(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
        let part = 1.0 / p.len() as f32;
        if let Some(gradient) = gradient {
            for ((g, p), y) in gradient.iter_mut().zip(p).zip(y) {
                *g = 2.0 * part * (p - y);
            }
        }
        let mut sums = [0.0f32; 16];
        let ((ps, p_rest), (ys, y_rest)) = (p.as_chunks::<16>(), y.as_chunks::<16>());
        for (p, y) in ps.iter().zip(ys) {
            for ((sum, p), y) in sums.iter_mut().zip(p).zip(y) {
                *sum += (p - y) * (p - y);
            }
        }
        let rest: f32 = p_rest.iter().zip(y_rest).map(|(p, y)| (p - y) * (p - y)).sum();
        (sums.iter().sum::<f32>() + rest) * part
    }

    fn absolute(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
        let part = 1.0 / p.len() as f32;
        if let Some(gradient) = gradient {
            for ((g, p), y) in gradient.iter_mut().zip(p).zip(y) {
                let slope = if p > y { part } else { 0.0 };
                *g = if p < y { -part } else { slope };
            }
        }
        p.iter().zip(y).map(|(p, y)| (p - y).abs()).sum::<f32>() * part
    }

    fn categorical(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
        let total = sum(p);
        let mut value = 0.0;
        for (p, y) in p.iter().zip(y) {
            value -= smooth.of(*y) * math::ln(math::clamp(p / total, LOW, HIGH));
        }
        if let Some(gradient) = gradient {
            let mut mean = 0.0;
            for ((g, p), y) in gradient.iter_mut().zip(p).zip(y) {
                let chance = p / total;
                *g = if inside(chance) { -smooth.of(*y) / chance } else { 0.0 };
                mean += *g * chance;
            }
            for g in gradient.iter_mut() {
                *g = (*g - mean) / total;
            }
        }
        value
    }

    fn categorical_logits(y: &[f32], x: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
        let (largest, total) = sum_of_powers(x);
        let log_total = largest + math::ln(total);
        let (mut value, mut all) = (0.0, 0.0);
        for (x, y) in x.iter().zip(y) {
            value += smooth.of(*y) * (log_total - x);
            all += smooth.of(*y);
        }
        if let Some(gradient) = gradient {
            for ((g, x), y) in gradient.iter_mut().zip(x).zip(y) {
                *g = math::exp(x - log_total) * all - smooth.of(*y);
            }
        }
        value
    }

    fn binary(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
        let part = 1.0 / p.len() as f32;
        let mut value = 0.0;
        for (p, y) in p.iter().zip(y) {
            let (p, y) = (math::clamp(*p, LOW, HIGH), smooth.of(*y));
            value -= y * math::ln(p) + (1.0 - y) * math::ln(1.0 - p);
        }
        if let Some(gradient) = gradient {
            for ((g, p), y) in gradient.iter_mut().zip(p).zip(y) {
                let y = smooth.of(*y);
                *g = if inside(*p) { part * ((1.0 - y) / (1.0 - p) - y / p) } else { 0.0 };
            }
        }
        value * part
    }

    fn binary_logits(y: &[f32], x: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
        let part = 1.0 / x.len() as f32;
        let mut value = 0.0;
        for (x, y) in x.iter().zip(y) {
            value += math::softplus(*x) - smooth.of(*y) * x;
        }
        if let Some(gradient) = gradient {
            for ((g, x), y) in gradient.iter_mut().zip(x).zip(y) {
                *g = part * (math::sigmoid(*x) - smooth.of(*y));
            }
        }
        value * part
    }

    fn sum_of_clipped(values: &[f32]) -> f32 {
        let mut sums = [0.0f32; 16];
        let (blocks, rest) = values.as_chunks::<16>();
        for block in blocks {
            for (sum, value) in sums.iter_mut().zip(block) {
                *sum += math::clamp(*value, LOW, HIGH);
            }
        }
        sums.iter().sum::<f32>() + rest.iter().map(|value| math::clamp(*value, LOW, HIGH)).sum::<f32>()
    }

    fn sum(values: &[f32]) -> f32 {
        let mut sums = [0.0f32; 16];
        let (blocks, rest) = values.as_chunks::<16>();
        for block in blocks {
            for (sum, value) in sums.iter_mut().zip(block) {
                *sum += value;
            }
        }
        sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
    }

    /// Replaces values by e^(value - largest); returns the largest value and the sum of the powers.
    fn powers(values: &mut [f32]) -> (f32, f32) {
        let largest = largest(values);
        for value in values.iter_mut() {
            *value = math::exp(*value - largest);
        }
        (largest, sum(values))
    }

    /// Returns the largest value and the sum of all e^(value - largest).
    fn sum_of_powers(values: &[f32]) -> (f32, f32) {
        let largest = largest(values);
        let mut total = 0.0;
        for value in values {
            total += math::exp(*value - largest);
        }
        (largest, total)
    }
}

/// Returns the largest value; not a number where one is none.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a || b.is_nan() { *b } else { a })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::loss::{Loss, make};
    use crate::random::{Random, Stream};
    use crate::tensor::{Graph, Tensor, device::cpu};

    fn numbers(count: usize, low: f32, high: f32, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed, Stream::Script, &[]);
        (0..count).map(|_| low + (high - low) * random.uniform() as f32).collect()
    }

    /// Holds the fused loss against the composed one: value and gradient, with and without weights.
    fn check(loss: &dyn Loss, labels: &Array, predictions: &[f32], shape: &[usize]) {
        let rows = labels.shape()[0];
        let whole = [&[rows], shape].concat();
        let positions = [&[rows], &shape[..shape.len() - 1]].concat();
        let weights = [
            None,
            Some(Array::from_f32(numbers(rows, 0.0, 2.0, 5), &[rows]).unwrap()),
            Some(Array::from_f32(numbers(positions.iter().product(), 0.0, 2.0, 6), &positions).unwrap()),
        ];
        for weight in &weights {
            let leaf = candle_core::Var::from_vec(predictions.to_vec(), whole.clone(), &cpu()).unwrap();
            let graph = |array: &Array| -> Graph { Tensor::Host(array.clone()).to_graph(&cpu()).unwrap() };
            let value = loss.value(&graph(labels), &leaf, weight.as_ref().map(graph).as_ref()).unwrap();
            let gradients = value.backward().unwrap();
            let expected = gradients.get(&leaf).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for add in [false, true] {
                let mut gradient = vec![if add { 1.0 } else { f32::NAN }; predictions.len()];
                let mut fused = Fused {
                    labels,
                    predictions,
                    shape,
                    weight: weight.as_ref(),
                    gradient: Some(&mut gradient),
                    add,
                    share: 3.0,
                    values: None,
                    memory: &mut FusedMemory::default(),
                };
                let found = loss.fused(&mut fused).unwrap_or_else(|| panic!("{} is not fused", loss.name()));
                let composed = f64::from(value.to_scalar::<f32>().unwrap());
                assert!(
                    (found - composed).abs() <= 1e-5 * composed.abs().max(1.0),
                    "{}: {found}, {composed}",
                    loss.name()
                );
                for (found, expected) in gradient.iter().zip(&expected) {
                    let found = (found - f32::from(u8::from(add))) / 3.0;
                    let close = (found - expected).abs() <= 2e-6 * expected.abs().max(1.0);
                    assert!(close, "{}: gradient {found}, expected {expected}", loss.name());
                }
            }
        }
    }

    #[test]
    fn fused_losses_are_the_composed_ones() {
        for shape in [&[1][..], &[3], &[37], &[4, 5]] {
            let (rows, width) = (6, *shape.last().unwrap());
            let count = rows * shape.iter().product::<usize>();
            let whole = [&[rows], shape].concat();
            let array = |values: Vec<f32>| Array::from_f32(values, &whole).unwrap();
            for reduction in ["sum_over_batch_size", "sum"] {
                let loss = |name: &str, params: serde_json::Value| {
                    let mut params = params.as_object().unwrap().clone();
                    params.insert("reduction".to_owned(), json!(reduction));
                    make(name, &params).unwrap()
                };
                let mut p = numbers(count, 0.02, 0.98, 1);
                (p[0], p[1]) = (1e-9, 1.0);
                let x = numbers(count, -5.0, 5.0, 2);
                let y = array(numbers(count, 0.0, 1.0, 3));
                for name in ["mse", "mae", "mape", "msle", "log_cosh", "huber", "hinge", "squared_hinge"] {
                    check(&*loss(name, json!({})), &y, &x, shape);
                }
                check(&*loss("huber", json!({"delta": 2.5})), &y, &x, shape);
                for name in ["poisson", "kl_divergence"] {
                    // Away from the bounds of clipping, where Candle halves gradients.
                    check(&*loss(name, json!({})), &y, &numbers(count, 0.02, 0.98, 1), shape);
                }
                for name in ["hinge", "squared_hinge", "categorical_hinge", "cosine_similarity"] {
                    let marks = array((0..count).map(|at| f32::from(u8::from(at % 3 == 0))).collect());
                    check(&*loss(name, json!({})), &marks, &x, shape);
                }
                for smoothing in [0.0, 0.2] {
                    let from = |logits: bool| json!({"from_logits": logits, "label_smoothing": smoothing});
                    for name in ["binary_crossentropy", "categorical_crossentropy"] {
                        if name.starts_with("categorical") && width == 1 {
                            continue;
                        }
                        check(&*loss(name, from(false)), &y, &p, shape);
                        check(&*loss(name, from(true)), &y, &x, shape);
                    }
                }
                if width > 1 {
                    let classes: Vec<i64> = (0..count / width).map(|at| (at * 7 % width) as i64).collect();
                    let classes = Array::from_i64(classes, &whole[..whole.len() - 1]).unwrap();
                    check(&*loss("sparse_categorical_crossentropy", json!({})), &classes, &p, shape);
                    let logits = loss("sparse_categorical_crossentropy", json!({"from_logits": true}));
                    check(&*logits, &classes, &x, shape);
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_composition() {
        let labels = |values: Vec<f32>, shape: &[usize]| Array::from_f32(values, shape).unwrap();
        let fused = |name: &str, params: serde_json::Value, labels: &Array| {
            let loss = make(name, params.as_object().unwrap()).unwrap();
            let predictions = [0.25; 4];
            loss.fused(&mut Fused {
                labels,
                predictions: &predictions,
                shape: &[2],
                weight: None,
                gradient: None,
                add: false,
                share: 1.0,
                values: None,
                memory: &mut FusedMemory::default(),
            })
        };
        assert!(fused("mse", json!({}), &labels(vec![0.0; 2], &[2])).is_none());
        assert!(fused("mse", json!({"reduction": "none"}), &labels(vec![0.0; 4], &[2, 2])).is_none());
        assert!(fused("dice", json!({}), &labels(vec![0.0; 4], &[2, 2])).is_none());
        assert!(fused("cosine_similarity", json!({"axis": 0}), &labels(vec![0.0; 4], &[2, 2])).is_none());
        let sparse = "sparse_categorical_crossentropy";
        assert!(fused(sparse, json!({}), &labels(vec![0.0, 1.0], &[2])).is_some());
        assert!(fused(sparse, json!({}), &labels(vec![0.0, 2.0], &[2])).is_none());
        assert!(fused(sparse, json!({}), &labels(vec![0.0, 0.5], &[2])).is_none());
        assert!(fused(sparse, json!({"ignore_class": 0}), &labels(vec![0.0, 1.0], &[2])).is_none());
    }
}
