//! Attention along chosen axes of values with more than two.
//!
//! The chosen axes are laid side by side as one axis of steps, the others join the batch: what is left is the layer on
//! sequences.

use crate::error::{Error, Result};
use crate::network::onnx::Step;
use crate::tensor::Graph;

use super::super::super::{Layer, Pass, Shape, Weight, show_shape};
use super::MultiHeadAttention;

/// The layer, applied to inputs of some rank.
#[derive(Debug)]
pub(super) struct OverAxes {
    inner: MultiHeadAttention,
    /// The axes of steps, and those that join the batch, counted with the batch axis as 0.
    steps: Vec<usize>,
    others: Vec<usize>,
}

impl OverAxes {
    /// Returns what runs on queries of this rank, the batch axis counted; `None` where they are plain sequences.
    ///
    /// # Errors
    /// Axes that the query does not have; masks and scores, which mean nothing here.
    pub(super) fn new(inner: &MultiHeadAttention, rank: usize) -> Result<Option<Self>> {
        if rank < 3 || (rank == 3 && inner.own.axes.is_none()) {
            return Ok(None);
        }
        let steps = match &inner.own.axes {
            None => (1..rank - 1).collect(),
            Some(axes) => find(axes, rank).ok_or_else(|| {
                Error::recipe(format!(
                    "`attention_axes`: expected different axes from 1 to {}, found {axes:?}",
                    rank - 2
                ))
            })?,
        };
        if rank == 3 {
            return Ok(None);
        }
        let looks = &inner.looks;
        if looks.query_mask.or(looks.value_mask).or(looks.key_mask).is_some() {
            return Err(Error::recipe(format!("a mask of steps means nothing for inputs of {} axes", rank - 1))
                .hint("give `attention_mask`"));
        }
        if inner.own.scores {
            return Err(Error::recipe("`return_attention_scores` needs inputs of shape [steps, in]"));
        }
        if looks.causal && steps.len() > 1 {
            return Err(Error::recipe("`use_causal_mask` needs one axis of steps").hint("name it in `attention_axes`"));
        }
        if looks.window.is_some() && steps.len() > 1 {
            return Err(Error::recipe("`sliding_window` needs one axis of steps").hint("name it in `attention_axes`"));
        }
        let others = (1..rank - 1).filter(|axis| !steps.contains(axis)).collect();
        Ok(Some(OverAxes { inner: inner.clone(), steps, others }))
    }

    fn rank(&self) -> usize {
        self.steps.len() + self.others.len() + 2
    }

    /// Batch, the axes beside it, steps, the last.
    fn order(&self) -> Vec<usize> {
        let between = self.others.iter().chain(&self.steps).copied();
        std::iter::once(0).chain(between).chain([self.rank() - 1]).collect()
    }

    /// Where each axis stands in [`OverAxes::order`].
    fn back(&self, rank: usize) -> Vec<usize> {
        let order = self.order();
        let own = (0..self.rank() - 1).filter_map(|axis| order.iter().position(|at| *at == axis));
        own.chain(self.rank() - 1..rank).collect()
    }

    /// The shapes of sequences that the inputs are to the inner layer.
    fn flat(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let along = |input: &Shape, axes: &[usize]| -> Shape { axes.iter().map(|axis| input[axis - 1]).collect() };
        let known = |axes: &[Option<usize>]| -> Option<usize> { axes.iter().copied().product() };
        let count = self.steps.len();
        let one = |(at, input): (usize, &Shape)| {
            if self.inner.looks.pairs == Some(at) {
                return match input.len() == 2 * count {
                    true => Ok(vec![known(&input[..count]), known(&input[count..])]),
                    false => Err(Error::recipe(format!(
                        "`attention_mask`: expected the steps of the query and those of the value, {count} axes each, found shape {}",
                        show_shape(input)
                    ))),
                };
            }
            let first = inputs.first().unwrap_or(input);
            if input.len() + 1 != self.rank() || along(input, &self.others) != along(first, &self.others) {
                return Err(Error::recipe(format!(
                    "expected query, value and key of the same axes but for those of steps, found {} and {}",
                    show_shape(first),
                    show_shape(input)
                )));
            }
            Ok(vec![known(&along(input, &self.steps)), input.last().copied().flatten()])
        };
        inputs.iter().enumerate().map(one).collect()
    }
}

/// The axes as they are counted from the front, in the order of the value.
fn find(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let own = |axis: &i64| {
        let axis = if *axis < 0 { axis + rank as i64 } else { *axis };
        usize::try_from(axis).ok().filter(|axis| (1..rank - 1).contains(axis))
    };
    let mut found: Vec<usize> = axes.iter().map(own).collect::<Option<_>>()?;
    found.sort_unstable();
    found.dedup();
    (found.len() == axes.len() && !found.is_empty()).then_some(found)
}

impl Layer for OverAxes {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn seed(&self) -> Option<u64> {
        self.inner.seed()
    }

    fn penalises(&self) -> bool {
        self.inner.penalises()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let last = self.inner.output_shape(&self.flat(inputs)?)?.split_off(1);
        let mut shape = inputs.first().cloned().unwrap_or_default();
        shape.pop();
        shape.extend(last);
        Ok(shape)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        self.inner.weights(&self.flat(inputs)?)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        if self.inner.looks.pairs.is_some() && !self.others.is_empty() {
            return Err(Error::artifact("`attention_mask` beside `attention_axes` cannot be written as ONNX"));
        }
        let shapes = self.flat(&step.shapes)?;
        let given = step.shapes.clone();
        let closed = |shape: &Shape| {
            let known: Option<Vec<i64>> = shape.iter().map(|axis| axis.map(|length| length as i64)).collect();
            known.ok_or_else(|| Error::artifact("attention along axes of any length cannot be written as ONNX"))
        };
        let mut moved = Vec::with_capacity(given.len());
        for (at, shape) in shapes.iter().enumerate() {
            let x = step.x(at);
            let x = if self.inner.looks.pairs == Some(at) { x } else { step.to.transpose(&x, &self.order()) };
            moved.push(step.to.reshape(&x, &[&[-1], &*closed(shape)?].concat()));
        }
        let output = closed(&self.output_shape(&given)?)?;
        let count = step.weights.len();
        let y = step.within(&self.inner, moved, shapes, 0..count)?;
        let between = self.others.iter().chain(&self.steps).map(|axis| output[axis - 1]);
        let apart: Vec<i64> =
            std::iter::once(-1).chain(between).chain(output[self.rank() - 2..].iter().copied()).collect();
        let y = step.to.reshape(&y, &apart);
        Ok(step.to.transpose(&y, &self.back(output.len() + 1)))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let query = inputs.first().ok_or_else(|| Error::run("expected a query"))?;
        let along = |x: &Graph, axes: &[usize]| axes.iter().map(|axis| x.dims()[*axis]).collect::<Vec<_>>();
        let (rows, beside, steps) = (query.dim(0)?, along(query, &self.others), along(query, &self.steps));
        let count: usize = beside.iter().product();
        let flat = |(at, x): (usize, &Graph)| -> Result<Graph> {
            if self.inner.looks.pairs == Some(at) {
                let (queries, keys) = x.dims()[1..].split_at(self.steps.len());
                let (queries, keys): (usize, usize) = (queries.iter().product(), keys.iter().product());
                let all = x.reshape((rows, 1, queries, keys))?.broadcast_as((rows, count, queries, keys))?;
                return Ok(all.contiguous()?.reshape((rows * count, queries, keys))?);
            }
            let steps: usize = along(x, &self.steps).iter().product();
            let last = x.dim(self.rank() - 1)?;
            Ok(x.permute(self.order())?.contiguous()?.reshape((rows * count, steps, last))?)
        };
        let moved = inputs.iter().enumerate().map(flat).collect::<Result<Vec<_>>>()?;
        let y = self.inner.compose(&moved, weights, pass)?;
        // They were divided by the number of sequences, of which a record has several.
        for penalty in &mut pass.penalties {
            *penalty = penalty.affine(count as f64, 0.0)?;
        }
        let apart = [&[rows], &*beside, &*steps, &y.dims()[2..]].concat();
        let back = self.back(apart.len());
        Ok(y.reshape(apart)?.permute(back)?.contiguous()?)
    }
}
