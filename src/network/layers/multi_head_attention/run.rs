//! The kernel: projections side by side in one buffer, heads as strided views of it.

use std::sync::Arc;

use crate::error::Result;
use crate::kernel::attention::{self, Masks, Sizes, Steps, StepsMut, gather, gather_back, weigh, weigh_back};
use crate::kernel::buffer::Buffer;
use crate::kernel::gemm::{Matrix, MatrixMut, Start, product, product_onto};
use crate::kernel::pool;
use crate::kernel::rows;
use crate::network::kernel::{Backward, Forward, Kernel, Values};
use crate::random::Random;

use super::super::attention::Looks;
use super::super::factors;
use super::{GATE, KEY, MultiHeadAttention, OUTPUT, QUERY, Settings, VALUE};

pub(super) struct Run {
    own: Arc<Settings>,
    looks: Looks,
    sizes: Sizes,
    /// Length of query, key and value, and of the output.
    lengths: [usize; 3],
    output: usize,
    /// `[rows, steps, heads · length]` of query, key and value; on the way back, their gradients.
    projected: [Buffer; 3],
    gradients: [Buffer; 3],
    /// `[rows, heads, queries, keys]`.
    weights: Buffer,
    of_weights: Buffer,
    /// What weights were multiplied by, and the result.
    factors: Buffer,
    dropped: Buffer,
    /// `[rows, queries, heads · value]`: what heads gathered, then its gradient.
    gathered: Buffer,
    of_gathered: Buffer,
    /// The same: the gate between 0 and 1, what it leaves, and its gradient; empty where there is none.
    gate: Buffer,
    gated: Buffer,
    of_gate: Buffer,
    /// `[rows, queries, out]`, where the output has more beside it.
    out: Buffer,
    training: bool,
}

impl Run {
    pub(super) fn new(layer: &MultiHeadAttention, inputs: &[&[usize]]) -> Option<Self> {
        let looks = layer.looks;
        let (&[queries, query], &[keys, value]) = (inputs[0], inputs[looks.value]) else { return None };
        let &[_, key] = inputs[looks.key] else { return None };
        let own = &layer.own;
        Some(Run {
            own: Arc::clone(own),
            looks,
            sizes: Sizes {
                queries,
                keys,
                heads: own.heads,
                key: own.key,
                value: own.value,
                scale: 1.0 / (own.key as f32).sqrt(),
            },
            lengths: [query, key, value],
            output: own.output.as_ref().map_or(query, |axes| axes.iter().product()),
            projected: Default::default(),
            gradients: Default::default(),
            weights: Buffer::default(),
            of_weights: Buffer::default(),
            factors: Buffer::default(),
            dropped: Buffer::default(),
            gathered: Buffer::default(),
            of_gathered: Buffer::default(),
            gate: Buffer::default(),
            gated: Buffer::default(),
            of_gate: Buffer::default(),
            out: Buffer::default(),
            training: false,
        })
    }

    /// Steps of a record and numbers of a step, of a projection of inputs.
    fn projection(&self, index: usize) -> (usize, usize) {
        let Sizes { queries, keys, heads, key, value, .. } = self.sizes;
        match index {
            QUERY => (queries, heads * key),
            KEY => (keys, heads * key),
            GATE => (queries, heads * value),
            _ => (keys, heads * value),
        }
    }

    /// The input of a projection, and its length.
    fn source(&self, index: usize) -> (usize, usize) {
        match index {
            KEY => (self.looks.key, self.lengths[KEY]),
            VALUE => (self.looks.value, self.lengths[VALUE]),
            _ => (0, self.lengths[QUERY]),
        }
    }

    /// Projects an input.
    fn project(&self, step: &Forward<'_>, index: usize, projected: &mut Buffer) {
        let ((steps, wide), (source, length)) = (self.projection(index), self.source(index));
        let (count, kernel) = (step.rows * steps, self.own.kernel_at(index));
        projected.fit(count * wide);
        let start = if self.own.use_bias { Start::Row(step.weights.get(kernel + 1)) } else { Start::Nothing };
        let x = Matrix::new(step.inputs.get(source), count, length);
        let kernel = Matrix::new(step.weights.get(kernel), length, wide);
        product_onto(MatrixMut::new(projected, count, wide), start, x, kernel, 1.0);
    }

    /// Turns the gradient of a projection into those of its weights and its input.
    fn project_back(&self, step: &mut Backward<'_>, index: usize, gradient: &[f32]) {
        let ((steps, wide), (source, length)) = (self.projection(index), self.source(index));
        let (count, kernel) = (step.rows * steps, self.own.kernel_at(index));
        let of = Matrix::new(gradient, count, wide);
        if let Some(target) = step.weight_gradients.take(kernel) {
            let x = Matrix::new(step.inputs.get(source), count, length);
            product(MatrixMut::new(target.values, length, wide), target.add, x.t(), of, 1.0);
        }
        if self.own.use_bias
            && let Some(target) = step.weight_gradients.take(kernel + 1)
        {
            rows::sum(gradient, target.values, target.add);
        }
        if let Some(target) = step.input_gradients.take(source) {
            let kernel = Matrix::new(step.weights.get(kernel), length, wide);
            product(MatrixMut::new(target.values, count, length), target.add, of, kernel.t(), 1.0);
        }
    }

    /// Numbers of a record in the weights of all heads.
    fn pairs(&self) -> usize {
        self.sizes.heads * self.sizes.queries * self.sizes.keys
    }

    fn work(&self, rows: usize) -> usize {
        rows * self.pairs() * (self.sizes.key + self.sizes.value + 16)
    }

    fn masks<'a>(&self, inputs: &Values<'a>, row: usize) -> Masks<'a> {
        let of = |place: Option<usize>, width: usize| place.map(|place| &inputs.get(place)[row * width..][..width]);
        let Sizes { queries, keys, .. } = self.sizes;
        Masks {
            query: of(self.looks.query_mask, queries),
            keys: [of(self.looks.value_mask, keys), of(self.looks.key_mask, keys)],
            pairs: of(self.looks.pairs, queries * keys),
            causal: self.looks.causal,
            window: self.looks.window,
        }
    }

    fn steps<'a>(&self, projected: &'a [f32], index: usize, row: usize) -> Steps<'a> {
        let (steps, wide) = self.projection(index);
        Steps { values: &projected[row * steps * wide..][..steps * wide], stride: wide }
    }

    fn width(&self) -> usize {
        self.sizes.queries * self.output + if self.own.scores { self.pairs() } else { 0 }
    }
}

impl Kernel for Run {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let (count, sizes) = (step.rows, self.sizes);
        let (pairs, wide) = (self.pairs(), sizes.heads * sizes.value);
        for index in [QUERY, KEY, VALUE] {
            let mut projected = std::mem::take(&mut self.projected[index]);
            self.project(step, index, &mut projected);
            self.projected[index] = projected;
        }
        self.training = step.training && self.own.dropout > 0.0;
        if self.training {
            draw(&mut self.factors, count * pairs, self.own.dropout, &mut step.random);
            self.dropped.fit(count * pairs);
        }
        let mut weights = std::mem::take(&mut self.weights);
        let mut dropped = std::mem::take(&mut self.dropped);
        let mut gathered = std::mem::take(&mut self.gathered);
        weights.fit(count * pairs);
        gathered.fit(count * sizes.queries * wide);
        let of_dropped = if self.training { &mut dropped[..] } else { &mut [] };
        let buffers = [(&mut weights[..], pairs), (&mut gathered[..], sizes.queries * wide), (of_dropped, pairs)];
        pool::each(count, self.work(count), buffers, |row, [weights, values, dropped]| {
            let [query, key, value] = [0, 1, 2].map(|index| self.steps(&self.projected[index], index, row));
            weigh(sizes, query, key, self.masks(&step.inputs, row), weights);
            let used = match self.training {
                true => {
                    let pairs = weights.iter().zip(&self.factors[row * pairs..(row + 1) * pairs]);
                    dropped.iter_mut().zip(pairs).for_each(|(out, (weight, factor))| *out = weight * factor);
                    &*dropped
                }
                false => &*weights,
            };
            gather(sizes, used, value, StepsMut { values, stride: wide });
        });
        let (mut gate, mut gated) = (std::mem::take(&mut self.gate), std::mem::take(&mut self.gated));
        if self.own.gate {
            self.project(step, GATE, &mut gate);
            gated.fit(gate.len());
            attention::gate(&gathered, &mut gate, &mut gated);
        }
        let mut out = std::mem::take(&mut self.out);
        let kernel = self.own.kernel_at(OUTPUT);
        let all = count * sizes.queries;
        {
            let values = if self.own.scores {
                out.fit(all * self.output);
                &mut *out
            } else {
                &mut *step.output
            };
            let start = if self.own.use_bias { Start::Row(step.weights.get(kernel + 1)) } else { Start::Nothing };
            let kernel = Matrix::new(step.weights.get(kernel), wide, self.output);
            let gathered = Matrix::new(if self.own.gate { &gated } else { &gathered }, all, wide);
            product_onto(MatrixMut::new(values, all, self.output), start, gathered, kernel, 1.0);
        }
        if self.own.scores {
            let parts = out.chunks_exact(sizes.queries * self.output).zip(weights.chunks_exact(pairs));
            for (output, (out, weights)) in step.output.chunks_exact_mut(self.width()).zip(parts) {
                output[..out.len()].copy_from_slice(out);
                output[out.len()..].copy_from_slice(weights);
            }
        }
        (self.weights, self.dropped, self.gathered, self.out) = (weights, dropped, gathered, out);
        (self.gate, self.gated) = (gate, gated);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let (count, sizes) = (step.rows, self.sizes);
        let (pairs, wide) = (self.pairs(), sizes.heads * sizes.value);
        let (all, own, width) = (count * sizes.queries, sizes.queries * self.output, self.width());
        if self.own.scores {
            for (out, gradient) in self.out.chunks_exact_mut(own).zip(step.gradient.chunks_exact(width)) {
                out.copy_from_slice(&gradient[..own]);
            }
        }
        // The gradient of the projected output.
        let out = if self.own.scores { &*self.out } else { &*step.gradient };
        let of_out = Matrix::new(out, all, self.output);
        let last = self.own.kernel_at(OUTPUT);
        if let Some(target) = step.weight_gradients.take(last) {
            let into = MatrixMut::new(target.values, wide, self.output);
            let gathered = Matrix::new(if self.own.gate { &self.gated } else { &self.gathered }, all, wide);
            product(into, target.add, gathered.t(), of_out, 1.0);
        }
        if self.own.use_bias
            && let Some(target) = step.weight_gradients.take(last + 1)
        {
            rows::sum(out, target.values, target.add);
        }
        self.of_gathered.fit(all * wide);
        let kernel = Matrix::new(step.weights.get(last), wide, self.output);
        product(MatrixMut::new(&mut self.of_gathered, all, wide), false, of_out, kernel.t(), 1.0);
        if self.own.gate {
            self.of_gate.fit(all * wide);
            attention::gate_back(&self.gathered, &self.gate, &mut self.of_gathered, &mut self.of_gate);
        }

        let mut of_weights = std::mem::take(&mut self.of_weights);
        of_weights.fit(count * pairs);
        let mut gradients = std::mem::take(&mut self.gradients);
        for (index, gradient) in gradients.iter_mut().enumerate() {
            let (steps, wide) = self.projection(index);
            gradient.fit(count * steps * wide);
        }
        {
            let [of_query, of_key, of_value] = &mut gradients;
            let widths = [QUERY, KEY, VALUE].map(|index| {
                let (steps, wide) = self.projection(index);
                steps * wide
            });
            let [query, key, value] = widths;
            let (of_query, of_key, of_value) =
                ((&mut of_query[..], query), (&mut of_key[..], key), (&mut of_value[..], value));
            let buffers = [of_query, of_key, of_value, (&mut of_weights[..], pairs)];
            let gradient = &*step.gradient;
            pool::shares(count, 2 * self.work(count), buffers, |range, [of_query, of_key, of_value, of_weights]| {
                // One record's numbers are used up before the next one's: all of a range stand in the place of its
                // first, which stays in the cache.
                let of_weights = &mut of_weights[..pairs.min(range.len() * pairs)];
                for (at, row) in range.enumerate() {
                    let [query, key, value] = [0, 1, 2].map(|index| self.steps(&self.projected[index], index, row));
                    let place = |index: usize| at * widths[index]..(at + 1) * widths[index];
                    let all = row * pairs..(row + 1) * pairs;
                    let (of_query, of_key) = (&mut of_query[place(QUERY)], &mut of_key[place(KEY)]);
                    let of_value = &mut of_value[place(VALUE)];
                    let out = Steps { values: &self.of_gathered[row * sizes.queries * wide..], stride: wide };
                    let used = if self.training { &self.dropped } else { &self.weights };
                    let into = StepsMut { values: of_value, stride: wide };
                    gather_back(sizes, &used[all.clone()], value, out, of_weights, into);
                    if self.training {
                        let factors = &self.factors[all.clone()];
                        of_weights.iter_mut().zip(factors).for_each(|(gradient, factor)| *gradient *= factor);
                    }
                    if self.own.scores {
                        let scores = &gradient[row * width + own..(row + 1) * width];
                        of_weights.iter_mut().zip(scores).for_each(|(gradient, own)| *gradient += own);
                    }
                    let stride = sizes.heads * sizes.key;
                    let (of_query, of_key) =
                        (StepsMut { values: of_query, stride }, StepsMut { values: of_key, stride });
                    weigh_back(sizes, query, key, &self.weights[all], of_weights, of_query, of_key);
                }
            });
        }
        for (index, gradient) in gradients.iter().enumerate() {
            self.project_back(step, index, gradient);
        }
        if self.own.gate {
            self.project_back(step, GATE, &self.of_gate);
        }
        let masks = [self.looks.query_mask, self.looks.value_mask, self.looks.key_mask, self.looks.pairs];
        for place in masks.into_iter().flatten() {
            if let Some(target) = step.input_gradients.take(place)
                && !target.add
            {
                target.values.fill(0.0);
            }
        }
        (self.of_weights, self.gradients) = (of_weights, gradients);
        Ok(())
    }
}

/// Draws what weights are multiplied by, as [`super::factors::factors`] does.
fn draw(factors: &mut Buffer, count: usize, rate: f64, random: &mut Random) {
    factors.fit(count);
    factors.iter_mut().zip(factors::draws(rate, random)).for_each(|(factor, drawn)| *factor = drawn);
}
