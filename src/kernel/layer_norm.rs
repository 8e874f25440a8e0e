//! Normalisation of rows: x̂ = (x - mean) / √(variance + ε), y = γ·x̂ + β.

use super::curve::{LANES, Lanes, load, store};

/// Adds lanes up, in a fixed order.
#[inline(always)]
fn total(lanes: &Lanes) -> f32 {
    let mut sum = 0.0;
    for lane in lanes {
        sum += lane;
    }
    sum
}

crate::simd! {
    /// Normalises rows as long as γ; `statistics` gets mean and 1 / √(variance + ε) of each.
    pub fn forward(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32, y: &mut [f32], statistics: &mut [[f32; 2]]) {
        let width = gamma.len();
        let beta = &beta[..width];
        let share = 1.0 / width as f32;
        for ((x, y), statistics) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(statistics) {
            let (parts, rest) = x.as_chunks::<LANES>();
            let mut sums = load(rest);
            for part in parts {
                for l in 0..LANES {
                    sums[l] += part[l];
                }
            }
            let mean = total(&sums) * share;
            let mut squares = [0.0; LANES];
            for (l, x) in rest.iter().enumerate() {
                squares[l] = (x - mean) * (x - mean);
            }
            for part in parts {
                for l in 0..LANES {
                    squares[l] += (part[l] - mean) * (part[l] - mean);
                }
            }
            let scale = 1.0 / (total(&squares) * share + epsilon).sqrt();
            *statistics = [mean, scale];
            for (((y, x), gamma), beta) in y.iter_mut().zip(x).zip(gamma).zip(beta) {
                *y = (x - mean) * scale * gamma + beta;
            }
        }
    }

    /// Turns the gradient of y into that of x, in place, and adds to those of γ and β.
    pub fn backward(x: &[f32], gamma: &[f32], statistics: &[[f32; 2]], gradient: &mut [f32], of_gamma: &mut [f32], of_beta: &mut [f32]) {
        let width = gamma.len();
        let share = 1.0 / width as f32;
        for ((x, gradient), [mean, scale]) in x.chunks_exact(width).zip(gradient.chunks_exact_mut(width)).zip(statistics) {
            let (mut plain, mut along) = ([0.0; LANES], [0.0; LANES]);
            let mut j = 0;
            while j < width {
                let (own, gamma, x) = (load(&gradient[j..]), load(&gamma[j..]), load(&x[j..]));
                let (mut sum_gamma, mut sum_beta) = (load(&of_gamma[j..]), load(&of_beta[j..]));
                for l in 0..LANES {
                    let (weighted, normal) = (own[l] * gamma[l], (x[l] - mean) * scale);
                    plain[l] += weighted;
                    along[l] += weighted * normal;
                    sum_gamma[l] += own[l] * normal;
                    sum_beta[l] += own[l];
                }
                store(&mut of_gamma[j..], &sum_gamma);
                store(&mut of_beta[j..], &sum_beta);
                j += LANES;
            }
            let (plain, along) = (total(&plain) * share, total(&along) * share);
            for ((own, gamma), x) in gradient.iter_mut().zip(gamma).zip(x) {
                *own = scale * (*own * gamma - plain - (x - mean) * scale * along);
            }
        }
    }
}
