//! Normalisation of rows: x̂ = (x - mean) / √(variance + ε), y = γ·x̂ + β.

use super::curve::{LANES, Lanes, load, store, total};

crate::simd! {
    /// Normalises rows as long as γ; `statistics` gets mean and 1 / √(variance + ε) of each.
    pub fn forward(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32, y: &mut [f32], statistics: &mut [[f32; 2]]) {
        let width = gamma.len();
        let beta = &beta[..width];
        let share = 1.0 / width as f32;
        for ((x, y), statistics) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(statistics) {
            let (parts, rest) = x.as_chunks::<LANES>();
            let mut sums = if rest.is_empty() { [0.0; LANES] } else { load(rest) };
            for part in parts {
                for l in 0..LANES {
                    sums[l] += part[l];
                }
            }
            let mean = total(&sums) * share;
            let mut squares = [0.0; LANES];
            for part in parts {
                for l in 0..LANES {
                    squares[l] += (part[l] - mean) * (part[l] - mean);
                }
            }
            if !rest.is_empty() {
                squares.iter_mut().zip(rest).for_each(|(square, x)| *square += (x - mean) * (x - mean));
            }
            let scale = 1.0 / (total(&squares) * share + epsilon).sqrt();
            *statistics = [mean, scale];
            for (((y, x), gamma), beta) in y.iter_mut().zip(x).zip(gamma).zip(beta) {
                *y = (x - mean) * scale * gamma + beta;
            }
        }
    }

    /// Adds to the gradients of γ and β, given the gradient of y, and writes that of x to `into`, or adds it with `add`;
    /// nobody wants it where `into` is empty.
    pub fn backward(x: &[f32], gamma: &[f32], statistics: &[[f32; 2]], gradient: &[f32], of_gamma: &mut [f32], of_beta: &mut [f32], into: &mut [f32], add: bool) {
        let width = gamma.len();
        let share = 1.0 / width as f32;
        let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width)).zip(statistics);
        for (row, ((x, gradient), [mean, scale])) in rows.enumerate() {
            let (mut plain, mut along) = ([0.0; LANES], [0.0; LANES]);
            let mut part = |x: &Lanes, gradient: &Lanes, gamma: &Lanes, of_gamma: &mut Lanes, of_beta: &mut Lanes| {
                for l in 0..LANES {
                    let (weighted, normal) = (gradient[l] * gamma[l], (x[l] - mean) * scale);
                    plain[l] += weighted;
                    along[l] += weighted * normal;
                    of_gamma[l] += gradient[l] * normal;
                    of_beta[l] += gradient[l];
                }
            };
            let ((xs, x_rest), (gradients, gradient_rest)) = (x.as_chunks::<LANES>(), gradient.as_chunks::<LANES>());
            let (gammas, gamma_rest) = gamma.as_chunks::<LANES>();
            let (of_gammas, of_gamma_rest) = of_gamma.as_chunks_mut::<LANES>();
            let (of_betas, of_beta_rest) = of_beta.as_chunks_mut::<LANES>();
            for ((((x, gradient), gamma), of_gamma), of_beta) in
                xs.iter().zip(gradients).zip(gammas).zip(of_gammas).zip(of_betas)
            {
                let (mut own_gamma, mut own_beta) = (*of_gamma, *of_beta);
                part(x, gradient, gamma, &mut own_gamma, &mut own_beta);
                (*of_gamma, *of_beta) = (own_gamma, own_beta);
            }
            if !x_rest.is_empty() {
                let (mut own_gamma, mut own_beta) = (load(of_gamma_rest), load(of_beta_rest));
                part(&load(x_rest), &load(gradient_rest), &load(gamma_rest), &mut own_gamma, &mut own_beta);
                store(of_gamma_rest, &own_gamma);
                store(of_beta_rest, &own_beta);
            }
            let Some(into) = into.get_mut(row * width..(row + 1) * width) else { continue };
            let (plain, along) = (total(&plain) * share, total(&along) * share * scale);
            let own = |gradient: f32, gamma: f32, x: f32| scale * (gradient * gamma - plain - (x - mean) * along);
            let values = into.iter_mut().zip(gradient).zip(gamma).zip(x);
            match add {
                true => values.for_each(|(((into, gradient), gamma), x)| *into += own(*gradient, *gamma, *x)),
                false => values.for_each(|(((into, gradient), gamma), x)| *into = own(*gradient, *gamma, *x)),
            }
        }
    }
}
