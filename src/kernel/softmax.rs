//! Softmax of rows and its logarithm, forward in place and backward.

use super::curve::{LANES, folded, total};
use super::math::{exp, exp_within, ln};

crate::simd! {
    /// Replaces rows by their softmax: e^(x - largest) divided by the sum. Rows of minus infinities only are filled with
    /// `nothing`.
    pub fn softmax(values: &mut [f32], width: usize, nothing: f32) {
        // Below, the power is as good as 0.
        const LOW: f32 = -87.0;
        let power = |value: f32| {
            let inside = exp_within(if value < LOW { LOW } else { value });
            if value < LOW { 0.0 } else { inside }
        };
        for row in values.chunks_exact_mut(width.max(1)) {
            let largest = largest(row);
            if largest == f32::NEG_INFINITY {
                let nan = row.iter().any(|value| value.is_nan());
                row.fill(if nan { f32::NAN } else { nothing });
                continue;
            }
            let mut sums = [0.0f32; LANES];
            let (blocks, rest) = row.as_chunks_mut::<LANES>();
            for block in blocks {
                let mut own = *block;
                for l in 0..LANES {
                    own[l] = power(own[l] - largest);
                    sums[l] += own[l];
                }
                *block = own;
            }
            let mut sum = total(&sums);
            for value in rest {
                *value = power(*value - largest);
                sum += *value;
            }
            let scale = 1.0 / sum;
            for value in row.iter_mut() {
                *value *= scale;
            }
        }
    }

    /// Replaces rows by the logarithms of their softmax.
    pub fn log_softmax(values: &mut [f32], width: usize) {
        for row in values.chunks_exact_mut(width.max(1)) {
            let largest = largest(row);
            let mut sums = [0.0f32; LANES];
            let (blocks, rest) = row.as_chunks::<LANES>();
            for block in blocks {
                for l in 0..LANES {
                    sums[l] += exp(block[l] - largest);
                }
            }
            let mut sum = total(&sums);
            for value in rest {
                sum += exp(*value - largest);
            }
            let shift = largest + ln(sum);
            for value in row.iter_mut() {
                *value -= shift;
            }
        }
    }

    /// Turns gradients of a softmax into those of its inputs: y (g - Σ g y).
    pub fn softmax_backward(outputs: &[f32], gradient: &mut [f32], width: usize) {
        for (row, y) in gradient.chunks_exact_mut(width.max(1)).zip(outputs.chunks_exact(width.max(1))) {
            let mean = dot(row, y);
            for (g, y) in row.iter_mut().zip(y) {
                *g = y * (*g - mean);
            }
        }
    }

    /// Turns gradients of a logarithmic softmax into those of its inputs: g - e^y Σ g.
    pub fn log_softmax_backward(outputs: &[f32], gradient: &mut [f32], width: usize) {
        for (row, y) in gradient.chunks_exact_mut(width.max(1)).zip(outputs.chunks_exact(width.max(1))) {
            let all = sum(row);
            for (g, y) in row.iter_mut().zip(y) {
                *g -= exp(*y) * all;
            }
        }
    }
}

/// The largest value of a row. What is not a number is left out: it shows in the sum of the powers.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for l in 0..LANES {
            lanes[l] = larger(lanes[l], block[l]);
        }
    }
    rest.iter().copied().fold(folded(&lanes, larger), larger)
}

/// The sum of a row, in an order that depends on its length only.
#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for l in 0..LANES {
            sums[l] += block[l];
        }
    }
    rest.iter().fold(total(&sums), |sum, value| sum + value)
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            sums[l] += a[l] * b[l];
        }
    }
    a_rest.iter().zip(b_rest).fold(total(&sums), |sum, (a, b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_anything_to_choose_and_what_is_not_a_number() {
        let nothing = f32::NEG_INFINITY;
        for width in [1, 3, 16, 37] {
            let mut row = vec![nothing; width];
            softmax(&mut row, width, 0.0);
            assert!(row.iter().all(|value| *value == 0.0));
            for spoilt in 0..width {
                let mut row = vec![nothing; width];
                row[spoilt] = f32::NAN;
                softmax(&mut row, width, 0.0);
                assert!(row.iter().all(|value| value.is_nan()), "{row:?}");
                let mut row = vec![nothing; width];
                row[spoilt] = 1e30;
                softmax(&mut row, width, 0.0);
                assert!(row.iter().enumerate().all(|(at, value)| *value == f32::from(at == spoilt)), "{row:?}");
                let mut row: Vec<f32> = (0..width).map(|at| at as f32).collect();
                row[spoilt] = f32::NAN;
                softmax(&mut row, width, 0.0);
                assert!(row.iter().all(|value| value.is_nan()), "{row:?}");
            }
        }
    }

    #[test]
    fn shares_are_exact_and_add_up() {
        for width in [2, 16, 64, 70] {
            let x: Vec<f32> = (0..width).map(|at| ((at * 29) % 31) as f32 * 2.5 - 40.0).collect();
            let mut y = x.clone();
            softmax(&mut y, width, 0.0);
            let all: f64 = x.iter().map(|x| f64::from(*x).exp()).sum();
            for (x, y) in x.iter().zip(&y) {
                let expected = f64::from(*x).exp() / all;
                assert!((f64::from(*y) - expected).abs() <= 1e-6 * expected, "e^{x}: expected {expected}, found {y}");
            }
        }
    }
}
