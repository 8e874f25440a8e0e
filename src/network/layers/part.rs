//! One of several values that a layer gives at once.
//!
//! A layer has one output. One that returns more, such as `LSTM` with its states, writes them into it one after the
//! other, record by record; this takes one out again.

use crate::error::{Error, Result};
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Layer, Pass, Shape, Weight, shape};

/// A part of a layer's output.
#[derive(Debug)]
pub(in super::super) struct Part {
    shapes: Vec<Shape>,
    index: usize,
}

impl Part {
    /// Creates the part of this number.
    pub(in super::super) fn new(shapes: &[Shape], index: usize) -> Self {
        Part { shapes: shapes.to_vec(), index }
    }

    /// Returns start, length and shape of the part, given the length of the whole. At most one axis of one part
    /// may be open: it takes what the others leave.
    fn place(&self, whole: usize) -> Result<(usize, usize, Vec<usize>)> {
        let known = |shape: &Shape| shape.iter().map(|axis| axis.unwrap_or(1)).product::<usize>();
        let closed = |shape: &&Shape| !shape.contains(&None);
        let taken: usize = self.shapes.iter().filter(closed).map(known).sum();
        let left = whole.checked_sub(taken).ok_or_else(|| Error::run("a layer's output is too short"))?;
        let length = |shape: &Shape| if shape.contains(&None) { left } else { known(shape) };
        let (start, own) = (self.shapes[..self.index].iter().map(length).sum(), &self.shapes[self.index]);
        let open = left / known(own).max(1);
        Ok((start, length(own), own.iter().map(|axis| axis.unwrap_or(open)).collect()))
    }
}

impl Layer for Part {
    fn kind(&self) -> &'static str {
        "Part"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        shape::single_of_rank(inputs, 1, "numbers")?;
        Ok(self.shapes[self.index].clone())
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, whole) = (step.x(0), step.shapes.first().and_then(|shape| shape.first().copied().flatten()));
        let whole =
            whole.ok_or_else(|| Error::artifact("a part of a sequence of any length cannot be written as ONNX"))?;
        let (start, length, shape) = self.place(whole)?;
        let part = step.to.slice(&x, 1, start as i64, (start + length) as i64, 1);
        let shape: Vec<i64> = std::iter::once(0).chain(shape.into_iter().map(|axis| axis as i64)).collect();
        Ok(step.to.reshape(&part, &shape))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let (rows, whole) = inputs[0].dims2()?;
        let (start, length, shape) = self.place(whole)?;
        Ok(inputs[0].narrow(1, start, length)?.reshape([&[rows], &*shape].concat())?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let whole = inputs[0].iter().product();
        let (start, length, _) = self.place(whole).ok()?;
        Some(Box::new(Copy { whole, start, length }))
    }
}

struct Copy {
    whole: usize,
    start: usize,
    length: usize,
}

impl Kernel for Copy {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let rows = step.inputs.get(0).chunks_exact(self.whole.max(1));
        for (own, row) in step.output.chunks_exact_mut(self.length.max(1)).zip(rows) {
            own.copy_from_slice(&row[self.start..self.start + self.length]);
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let Some(target) = step.input_gradients.take(0) else { return Ok(()) };
        let gradients = step.gradient.chunks_exact(self.length.max(1));
        for (row, own) in target.values.chunks_exact_mut(self.whole.max(1)).zip(gradients) {
            if !target.add {
                row.fill(0.0);
            }
            let part = &mut row[self.start..self.start + self.length];
            part.iter_mut().zip(own).for_each(|(part, own)| *part += own);
        }
        Ok(())
    }
}
