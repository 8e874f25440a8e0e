//! Attention of one record's steps: weights = softmax(scale · q kᵀ), out = weights · v, head by head.
//!
//! Queries, keys and values stay where the projections wrote them, side by side: every head is a view with strides.

use super::gemm::{Matrix, MatrixMut, product};
use super::softmax::{softmax, softmax_backward};
use super::{math, pool};
use crate::simd;

/// The sizes of one record.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Steps that ask.
    pub queries: usize,
    /// Steps that are asked.
    pub keys: usize,
    /// Number of heads.
    pub heads: usize,
    /// Length of a query and of a key, a head.
    pub key: usize,
    /// Length of a value, a head.
    pub value: usize,
    /// What products are multiplied by.
    pub scale: f32,
}

/// Rows of a record: the heads of a step stand side by side, steps `stride` apart.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    /// The numbers, from the first head of the first step.
    pub values: &'a [f32],
    /// The distance between steps.
    pub stride: usize,
}

/// Rows of a record to write.
#[derive(Debug)]
pub struct StepsMut<'a> {
    /// The numbers, from the first head of the first step.
    pub values: &'a mut [f32],
    /// The distance between steps.
    pub stride: usize,
}

impl Steps<'_> {
    fn head(&self, head: usize, steps: usize, width: usize) -> Matrix<'_> {
        Matrix::strided(&self.values[head * width..], [steps, width], [self.stride, 1])
    }
}

impl StepsMut<'_> {
    fn head(&mut self, head: usize, steps: usize, width: usize) -> MatrixMut<'_> {
        MatrixMut::strided(&mut self.values[head * width..], [steps, width], [self.stride, 1])
    }
}

/// Which steps may look at which.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masks<'a> {
    /// `[queries]`, 0 where a step looks at nothing.
    pub query: Option<&'a [f32]>,
    /// `[keys]`, 0 where a step is not looked at; twice, since keys and values may have masks of their own.
    pub keys: [Option<&'a [f32]>; 2],
    /// `[queries, keys]`, 0 where one does not look at the other.
    pub pairs: Option<&'a [f32]>,
    /// Whether a step looks at itself and those before it only.
    pub causal: bool,
    /// How near a step must be to be looked at: 1 for a step itself only.
    pub window: Option<usize>,
}

impl Masks<'_> {
    fn any(&self) -> bool {
        self.causal
            || self.window.is_some()
            || self.query.is_some()
            || self.pairs.is_some()
            || self.keys.iter().any(Option::is_some)
    }

    /// Sets scores that do not count to minus infinity.
    fn apply(&self, scores: &mut [f32], keys: usize) {
        if !self.any() {
            return;
        }
        for (query, row) in scores.chunks_exact_mut(keys).enumerate() {
            if self.query.is_some_and(|mask| mask[query] == 0.0) {
                row.fill(f32::NEG_INFINITY);
                continue;
            }
            if self.causal {
                row[keys.min(query + 1)..].fill(f32::NEG_INFINITY);
            }
            if let Some(window) = self.window {
                row[..keys.min((query + 1).saturating_sub(window))].fill(f32::NEG_INFINITY);
                row[keys.min(query.saturating_add(window))..].fill(f32::NEG_INFINITY);
            }
            let pairs = self.pairs.map(|pairs| &pairs[query * keys..]);
            for mask in self.keys.iter().chain([&pairs]).flatten() {
                for (score, mask) in row.iter_mut().zip(*mask) {
                    *score = if *mask == 0.0 { f32::NEG_INFINITY } else { *score };
                }
            }
        }
    }
}

/// Writes `weights`, `[heads, queries, keys]`: each row is a softmax; one that may look at nothing is 0.
pub fn weigh(sizes: Sizes, query: Steps<'_>, key: Steps<'_>, masks: Masks<'_>, weights: &mut [f32]) {
    let Sizes { queries, keys, .. } = sizes;
    for (head, weights) in weights.chunks_exact_mut(queries * keys).enumerate() {
        let (q, k) = (query.head(head, queries, sizes.key), key.head(head, keys, sizes.key));
        product(MatrixMut::new(weights, queries, keys), false, q, k.t(), sizes.scale);
        masks.apply(weights, keys);
        softmax(weights, keys, 0.0);
    }
}

/// Writes `out = weights · v`.
pub fn gather(sizes: Sizes, weights: &[f32], value: Steps<'_>, mut out: StepsMut<'_>) {
    let Sizes { queries, keys, .. } = sizes;
    for (head, weights) in weights.chunks_exact(queries * keys).enumerate() {
        let v = value.head(head, keys, sizes.value);
        product(out.head(head, queries, sizes.value), false, Matrix::new(weights, queries, keys), v, 1.0);
    }
}

/// Writes the gradients of weights and values from that of `out`.
pub fn gather_back(
    sizes: Sizes,
    weights: &[f32],
    value: Steps<'_>,
    out: Steps<'_>,
    of_weights: &mut [f32],
    mut of_value: StepsMut<'_>,
) {
    let Sizes { queries, keys, .. } = sizes;
    let heads = weights.chunks_exact(queries * keys).zip(of_weights.chunks_exact_mut(queries * keys));
    for (head, (weights, of_weights)) in heads.enumerate() {
        let own = out.head(head, queries, sizes.value);
        let weights = Matrix::new(weights, queries, keys);
        product(of_value.head(head, keys, sizes.value), false, weights.t(), own, 1.0);
        let v = value.head(head, keys, sizes.value);
        product(MatrixMut::new(of_weights, queries, keys), false, own, v.t(), 1.0);
    }
}

/// Writes the gradients of queries and keys from that of the weights, which becomes that of the scores.
pub fn weigh_back(
    sizes: Sizes,
    query: Steps<'_>,
    key: Steps<'_>,
    weights: &[f32],
    of_weights: &mut [f32],
    mut of_query: StepsMut<'_>,
    mut of_key: StepsMut<'_>,
) {
    let Sizes { queries, keys, .. } = sizes;
    let heads = weights.chunks_exact(queries * keys).zip(of_weights.chunks_exact_mut(queries * keys));
    for (head, (weights, of_weights)) in heads.enumerate() {
        softmax_backward(weights, of_weights, keys);
        let scores = Matrix::new(of_weights, queries, keys);
        let (q, k) = (query.head(head, queries, sizes.key), key.head(head, keys, sizes.key));
        product(of_query.head(head, queries, sizes.key), false, scores, k, sizes.scale);
        product(of_key.head(head, keys, sizes.key), false, scores.t(), q, sizes.scale);
    }
}

/// Makes a gate of its logits and lets what was gathered through it: gated = gathered · σ(gate).
pub fn gate(gathered: &[f32], gate: &mut [f32], gated: &mut [f32]) {
    let work = 16 * gate.len();
    pool::together(&mut [gate, gated], GATED, work, |first, parts| {
        let [gate, gated] = parts else { return };
        open(&gathered[first..first + gate.len()], gate, gated);
    });
}

/// Turns the gradient of what a gate left into that of what was gathered, in its place, and that of the gate's logits.
pub fn gate_back(gathered: &[f32], gate: &[f32], of_gathered: &mut [f32], of_gate: &mut [f32]) {
    let work = 4 * gate.len();
    pool::together(&mut [of_gathered, of_gate], GATED, work, |first, parts| {
        let [of_gathered, of_gate] = parts else { return };
        let range = first..first + of_gate.len();
        open_back(&gathered[range.clone()], &gate[range], of_gathered, of_gate);
    });
}

/// A thread takes so many numbers of a gate at once.
const GATED: usize = 4096;

simd! {
    fn open(gathered: &[f32], gate: &mut [f32], gated: &mut [f32]) {
        for ((gate, gated), gathered) in gate.iter_mut().zip(gated).zip(gathered) {
            *gate = math::sigmoid(*gate);
            *gated = gathered * *gate;
        }
    }

    fn open_back(gathered: &[f32], gate: &[f32], of_gathered: &mut [f32], of_gate: &mut [f32]) {
        for (((of_gathered, of_gate), gathered), gate) in of_gathered.iter_mut().zip(of_gate).zip(gathered).zip(gate) {
            *of_gate = *of_gathered * gathered * gate * (1.0 - gate);
            *of_gathered *= gate;
        }
    }
}
