//! The formulas of the common losses, on one row of labels and predictions: its value, and its gradient.

use crate::kernel::math;
use crate::loss::formula::EPSILON;
use crate::simd;

/// How labels are smoothed: label × keep + add.
#[derive(Clone, Copy)]
pub(super) struct Smooth {
    pub(super) keep: f32,
    pub(super) add: f32,
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

pub(super) fn sparse(class: usize, p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
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

pub(super) fn sparse_logits(class: usize, x: &[f32], gradient: Option<&mut [f32]>) -> f32 {
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
    pub(super) fn squared(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
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

    pub(super) fn absolute(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>) -> f32 {
        let part = 1.0 / p.len() as f32;
        if let Some(gradient) = gradient {
            for ((g, p), y) in gradient.iter_mut().zip(p).zip(y) {
                let slope = if p > y { part } else { 0.0 };
                *g = if p < y { -part } else { slope };
            }
        }
        p.iter().zip(y).map(|(p, y)| (p - y).abs()).sum::<f32>() * part
    }

    pub(super) fn categorical(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
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

    pub(super) fn categorical_logits(y: &[f32], x: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
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

    pub(super) fn binary(y: &[f32], p: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
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

    pub(super) fn binary_logits(y: &[f32], x: &[f32], gradient: Option<&mut [f32]>, smooth: Smooth) -> f32 {
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
