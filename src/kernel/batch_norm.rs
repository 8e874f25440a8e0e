//! Batch normalisation of rows of channels: y = γ (x - m) / √(v + ε) + β, with m and v those of the batch.
//!
//! The batch is cut into pieces that fit a cache; mean and squared deviations of a piece are taken while it is
//! there, and pieces are joined in order (Chan, Golub and LeVeque, 1979): the batch is read from memory once, and
//! variances are exact to the last digits. Backward, with x̂ = (x - m) / √(v + ε) and n rows,
//! dx = γ / √(v + ε) · (g - Σg / n - x̂ Σ(g x̂) / n), dγ = Σ(g x̂), dβ = Σg.

use super::pool::{self, Shared};
use crate::simd;

/// Numbers of a piece.
const PIECE: usize = 8192;

/// Narrow rows are taken several at a time, so that loops are at least so long.
const WIDE: usize = 256;

/// Statistics of the channels of a batch, and the memory they take.
#[derive(Debug, Default)]
pub struct Statistics {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The variance of each channel, of the population.
    pub variance: Vec<f32>,
    pieces: Vec<f32>,
    factors: Vec<f32>,
    slopes: Vec<f32>,
    /// Σ(g x̂), then Σg of each channel.
    sums: Vec<f32>,
}

/// What is done with normalised numbers.
#[derive(Clone, Copy)]
pub struct Affine<'a> {
    /// ε, added to the variance.
    pub epsilon: f32,
    /// γ of each channel; 1 without.
    pub scale: Option<&'a [f32]>,
    /// β of each channel; 0 without.
    pub shift: Option<&'a [f32]>,
    /// Whether numbers below 0 become 0 in the end.
    pub relu: bool,
}

/// How rows are taken together and cut into pieces.
#[derive(Clone, Copy)]
struct Cut {
    channels: usize,
    /// Rows taken together.
    fold: usize,
    /// Rows of a piece, a multiple of `fold`.
    rows: usize,
    pieces: usize,
}

impl Cut {
    fn new(len: usize, channels: usize) -> Self {
        let fold = (WIDE / channels.max(1)).max(1);
        let rows = (PIECE / channels.max(1)).max(1).next_multiple_of(fold);
        let all = len / channels.max(1);
        Cut { channels, fold, rows, pieces: all.div_ceil(rows) }
    }

    fn range(&self, piece: usize, len: usize) -> std::ops::Range<usize> {
        let size = self.rows * self.channels;
        piece * size..((piece + 1) * size).min(len)
    }
}

impl Statistics {
    /// Computes mean and variance of each channel of rows of `channels` numbers.
    pub fn measure(&mut self, x: &[f32], channels: usize) {
        let cut = Cut::new(x.len(), channels);
        let wide = channels * cut.fold;
        let size = 2 * wide;
        self.pieces.resize(cut.pieces * size, 0.0);
        pool::rows(&mut self.pieces, size, x.len() * 2, |first, pieces| {
            for (at, piece) in pieces.chunks_exact_mut(size.max(1)).enumerate() {
                let (mean, squares) = piece.split_at_mut(wide);
                moments(&x[cut.range(first + at, x.len())], mean, squares, channels);
            }
        });
        self.mean.clear();
        self.mean.resize(channels, 0.0);
        self.variance.clear();
        self.variance.resize(channels, 0.0);
        let mut count = 0.0;
        for (at, piece) in self.pieces.chunks_exact(size.max(1)).enumerate() {
            let own = (cut.range(at, x.len()).len() / channels.max(1)) as f32;
            let (both, share) = (count + own, own / (count + own));
            let (means, squares) = piece.split_at(wide);
            for channel in 0..channels {
                let step = means[channel] - self.mean[channel];
                self.mean[channel] += step * share;
                self.variance[channel] += squares[channel] + step * step * count * share;
            }
            count = both;
        }
        self.variance.iter_mut().for_each(|squares| *squares /= count.max(1.0));
    }

    /// Writes γ (x - mean) / √(variance + ε) + β.
    pub fn apply(&mut self, x: &[f32], then: Affine<'_>, y: &mut [f32]) {
        let cut = Cut::new(x.len(), self.mean.len());
        self.prepare(cut, then);
        let (y, factors) = (Shared::new(y), &self.factors);
        pool::split(cut.pieces, x.len(), |pieces| {
            for piece in pieces {
                let range = cut.range(piece, x.len());
                // SAFETY: the pieces do not overlap.
                affine(&x[range.clone()], factors, then.relu, unsafe { y.slice(range) });
            }
        });
    }

    /// Lays mean, factor and shift out for rows that are taken together.
    fn prepare(&mut self, cut: Cut, then: Affine<'_>) {
        let (channels, wide) = (cut.channels, cut.channels * cut.fold);
        self.factors.clear();
        self.factors.resize(3 * wide, 0.0);
        let (centre, rest) = self.factors.split_at_mut(wide);
        let (factor, shift) = rest.split_at_mut(wide);
        for channel in 0..channels {
            let inverse = 1.0 / (self.variance[channel] + then.epsilon).sqrt();
            centre[channel] = self.mean[channel];
            factor[channel] = then.scale.map_or(1.0, |scale| scale[channel]) * inverse;
            shift[channel] = then.shift.map_or(0.0, |shift| shift[channel]);
        }
        for part in [centre, factor, shift] {
            repeat(part, channels);
        }
    }

    /// Takes mean and variance from elsewhere.
    pub fn keep(&mut self, mean: &[f32], variance: &[f32]) {
        self.mean.clear();
        self.mean.extend_from_slice(mean);
        self.variance.clear();
        self.variance.extend_from_slice(variance);
    }

    /// Writes the gradients of [`apply`](Self::apply); those of γ and β are kept. Statistics that were not
    /// `measured` on `x` are constants.
    pub fn backward(
        &mut self,
        x: &[f32],
        gradient: &[f32],
        then: Affine<'_>,
        of_x: Option<(&mut [f32], bool)>,
        measured: bool,
    ) {
        let channels = self.mean.len();
        let cut = Cut::new(x.len(), channels);
        let wide = channels * cut.fold;
        self.prepare(cut, then);
        let (size, factors) = (2 * wide, &self.factors);
        self.pieces.resize(cut.pieces * size, 0.0);
        pool::rows(&mut self.pieces, size, x.len() * 2, |first, pieces| {
            for (at, piece) in pieces.chunks_exact_mut(size.max(1)).enumerate() {
                let (products, sums) = piece.split_at_mut(wide);
                let range = cut.range(first + at, x.len());
                gradient_sums(&x[range.clone()], &gradient[range], factors, then.relu, products, sums, channels);
            }
        });
        self.sums.clear();
        self.sums.resize(2 * channels, 0.0);
        let (products, sums) = self.sums.split_at_mut(channels);
        for piece in self.pieces.chunks_exact(size.max(1)) {
            products.iter_mut().zip(piece).for_each(|(sum, own)| *sum += own);
            sums.iter_mut().zip(&piece[wide..]).for_each(|(sum, own)| *sum += own);
        }
        let count = (x.len() / channels.max(1)).max(1) as f32;
        self.slopes.clear();
        self.slopes.resize(2 * wide, 0.0);
        let (by_x, constant) = self.slopes.split_at_mut(wide);
        for channel in 0..channels {
            let inverse = 1.0 / (self.variance[channel] + then.epsilon).sqrt();
            products[channel] *= inverse;
            if measured {
                let factor = self.factors[wide + channel];
                by_x[channel] = -factor * inverse * products[channel] / count;
                constant[channel] = -factor * sums[channel] / count;
            }
        }
        for part in [by_x, constant] {
            repeat(part, channels);
        }
        if let Some((to, add)) = of_x {
            let (factors, slopes) = (&self.factors, &self.slopes);
            let to = Shared::new(to);
            pool::split(cut.pieces, x.len() * 2, |pieces| {
                for piece in pieces {
                    let range = cut.range(piece, x.len());
                    // SAFETY: the pieces do not overlap.
                    let to = unsafe { to.slice(range.clone()) };
                    combine(&x[range.clone()], &gradient[range], factors, slopes, then.relu, to, add);
                }
            });
        }
    }

    /// Returns the gradients of γ and β that the last [`backward`](Self::backward) kept.
    pub fn weight_gradients(&self) -> (&[f32], &[f32]) {
        self.sums.split_at(self.sums.len() / 2)
    }
}

/// Repeats the first `period` values over the rest.
fn repeat(values: &mut [f32], period: usize) {
    for at in period..values.len() {
        values[at] = values[at - period];
    }
}

simd! {
    /// Writes mean and sum of squared deviations of each channel to the starts of `mean` and `squares`.
    fn moments(x: &[f32], mean: &mut [f32], squares: &mut [f32], channels: usize) {
        let share = 1.0 / (x.len() / channels.max(1)).max(1) as f32;
        mean.fill(0.0);
        add_rows(x, mean);
        fold(mean, channels);
        for mean in mean[..channels].iter_mut() {
            *mean *= share;
        }
        for at in channels..mean.len() {
            mean[at] = mean[at - channels];
        }
        squares.fill(0.0);
        let rows = x.chunks_exact(mean.len().max(1));
        let rest = rows.remainder();
        for x in rows {
            for ((squares, x), mean) in squares.iter_mut().zip(x).zip(mean.iter()) {
                *squares += (x - mean) * (x - mean);
            }
        }
        for ((squares, x), mean) in squares.iter_mut().zip(rest).zip(mean.iter()) {
            *squares += (x - mean) * (x - mean);
        }
        fold(squares, channels);
    }

    /// Writes (x - m) · a + b, for factors of three parts: m, a, b.
    fn affine(x: &[f32], factors: &[f32], relu: bool, y: &mut [f32]) {
        let (m, a, b) = thirds(factors);
        for (x, y) in x.chunks(m.len()).zip(y.chunks_mut(m.len())) {
            let values = y.iter_mut().zip(x).zip(m).zip(a.iter().zip(b));
            match relu {
                true => values.for_each(|(((y, x), m), (a, b))| *y = above_zero((x - m) * a + b)),
                false => values.for_each(|(((y, x), m), (a, b))| *y = (x - m) * a + b),
            }
        }
    }

    /// Writes Σg (x - m) and Σg of each channel to the starts of `products` and `sums`; with `relu` those gradients
    /// count whose number was above 0.
    fn gradient_sums(
        x: &[f32],
        gradient: &[f32],
        factors: &[f32],
        relu: bool,
        products: &mut [f32],
        sums: &mut [f32],
        channels: usize,
    ) {
        sums.fill(0.0);
        products.fill(0.0);
        let (m, a, b) = thirds(factors);
        for (x, gradient) in x.chunks(m.len()).zip(gradient.chunks(m.len())) {
            let values = x.iter().zip(gradient).zip(m.iter().zip(a.iter().zip(b)));
            let values = values.zip(sums.iter_mut().zip(products.iter_mut()));
            match relu {
                true => values.for_each(|(((x, gradient), (m, (a, b))), (sum, product))| {
                    let gradient = if (x - m) * a + b > 0.0 { *gradient } else { 0.0 };
                    *sum += gradient;
                    *product += gradient * (x - m);
                }),
                false => values.for_each(|(((x, gradient), (m, _)), (sum, product))| {
                    *sum += gradient;
                    *product += gradient * (x - m);
                }),
            }
        }
        fold(sums, channels);
        fold(products, channels);
    }

    /// Writes a · g + s · (x - m) + c, for factors (m, a, b) and slopes (s, c); with `relu` those gradients count whose
    /// number was above 0.
    fn combine(
        x: &[f32],
        gradient: &[f32],
        factors: &[f32],
        slopes: &[f32],
        relu: bool,
        to: &mut [f32],
        add: bool,
    ) {
        let (m, a, b) = thirds(factors);
        let (s, c) = slopes.split_at(m.len());
        for ((x, gradient), to) in x.chunks(m.len()).zip(gradient.chunks(m.len())).zip(to.chunks_mut(m.len())) {
            let factors = m.iter().zip(a.iter().zip(b)).zip(s.iter().zip(c));
            let values = to.iter_mut().zip(x.iter().zip(gradient)).zip(factors);
            let own = |(x, gradient): (&f32, &f32), ((m, (a, b)), (s, c)): ((&f32, (&f32, &f32)), (&f32, &f32))| {
                let gradient = if !relu || (x - m) * a + b > 0.0 { *gradient } else { 0.0 };
                gradient * a + ((x - m) * s + c)
            };
            match add {
                true => values.for_each(|((to, pair), factors)| *to += own(pair, factors)),
                false => values.for_each(|((to, pair), factors)| *to = own(pair, factors)),
            }
        }
    }
}

#[inline(always)]
fn thirds(values: &[f32]) -> (&[f32], &[f32], &[f32]) {
    let third = (values.len() / 3).max(1);
    (&values[..third], &values[third..2 * third], &values[2 * third..])
}

/// The number, or 0 below; what is not a number stays that.
#[inline(always)]
fn above_zero(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn add_rows(x: &[f32], sums: &mut [f32]) {
    for x in x.chunks(sums.len().max(1)) {
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum += x;
        }
    }
}

/// Adds the later parts of `period` values to the first.
#[inline(always)]
fn fold(values: &mut [f32], period: usize) {
    for at in period..values.len() {
        values[at % period] += values[at];
    }
}
