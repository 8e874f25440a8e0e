//! `data_format: "channels_first"`: the layer on values whose axes are put in order before it and back after it.
//!
//! Everything here computes with channels last; a network that is channels first all through pays for the moves.

use crate::error::Result;
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Integers, Layer, Pass, Shape, Weight};

/// A layer whose inputs, and outputs of the same rank, have the channels before the other axes.
#[derive(Debug)]
pub(super) struct ChannelsFirst(pub Box<dyn Layer>);

impl ChannelsFirst {
    /// Returns the shape with the channels last.
    fn last(shape: &Shape) -> Shape {
        let mut shape = shape.clone();
        if !shape.is_empty() {
            shape.rotate_left(1);
        }
        shape
    }

    fn inner(&self, inputs: &[Shape]) -> Vec<Shape> {
        inputs.iter().map(ChannelsFirst::last).collect()
    }
}

impl Layer for ChannelsFirst {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn integers(&self) -> Integers {
        self.0.integers()
    }

    fn seed(&self) -> Option<u64> {
        self.0.seed()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let mut shape = self.0.output_shape(&self.inner(inputs))?;
        if inputs.first().is_some_and(|input| input.len() == shape.len()) && !shape.is_empty() {
            shape.rotate_right(1);
        }
        Ok(shape)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        self.0.weights(&self.inner(inputs))
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let axes = |rank: usize| -> Vec<usize> { (0..=rank).collect() };
        let moved: Vec<String> = (0..step.inputs.len())
            .map(|at| {
                let (x, mut order) = (step.x(at), axes(step.shapes[at].len()));
                order[1..].rotate_left(1);
                step.to.transpose(&x, &order)
            })
            .collect();
        let (given, shapes) = (step.shapes.clone(), self.inner(&step.shapes));
        let rank = self.0.output_shape(&shapes)?.len();
        let weights = 0..step.weights.len();
        let y = step.within(&*self.0, moved, shapes, weights)?;
        if given.first().is_none_or(|input| input.len() != rank) || rank == 0 {
            return Ok(y);
        }
        let mut order = axes(rank);
        order[1..].rotate_right(1);
        Ok(step.to.transpose(&y, &order))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let to_last = |x: &Graph| -> Result<Graph> {
            let mut order: Vec<usize> = (0..x.rank()).collect();
            order[1..].rotate_left(1);
            Ok(x.permute(order)?.contiguous()?)
        };
        let moved = inputs.iter().map(to_last).collect::<Result<Vec<_>>>()?;
        let y = self.0.compose(&moved, weights, pass)?;
        if inputs.first().is_none_or(|x| x.rank() != y.rank()) || y.rank() < 2 {
            return Ok(y);
        }
        let mut order: Vec<usize> = (0..y.rank()).collect();
        order[1..].rotate_right(1);
        Ok(y.permute(order)?.contiguous()?)
    }
}
