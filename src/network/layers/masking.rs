//! `Masking`: steps of a certain value do not count.

use crate::error::Result;
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Layer, Pass, Shape, Symbol, Weight, shape};
use super::mask::NotEqual;
use super::{LayerEntry, NAME};

pub(super) const MASKING: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Masking",
        aliases: &[],
        doc: "Masks the steps of which all values are `mask_value`, such as padding: layers that know masks leave them out, \
              and their values become 0.\n\n\
              Input `[batch, steps, …, in]`; the output has the shape of the input.",
        parameters: &[
            Parameter::optional("mask_value", Type::Float, "0.0", "the value of steps that do not count"),
            NAME,
        ],
        build: |a| Ok(Box::new(Masking { number: a.float("mask_value") })),
    },
    script_name: "masking",
    positional: &[],
    merges: false,
};

#[derive(Debug)]
struct Masking {
    number: f64,
}

impl Layer for Masking {
    fn kind(&self) -> &'static str {
        "Masking"
    }

    fn mask(&self, inputs: &[Symbol]) -> Result<Option<Symbol>> {
        inputs.first().map(|x| NotEqual::anywhere(self.number, x)).transpose()
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let shape = shape::single(inputs)?;
        shape::last_axis(shape)?;
        Ok(shape.clone())
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        let rank = step.shapes.first().map_or(1, Vec::len);
        let differs = step.to.differs(&x, self.number);
        let counts = step.to.reduce("ReduceMax", &differs, &[rank], true);
        Ok(step.to.two("Mul", &x, &counts))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let counts = x.detach().ne(self.number)?.max_keepdim(x.rank() - 1)?;
        Ok(x.broadcast_mul(&counts.to_dtype(x.dtype())?)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let width = *inputs[0].last()?;
        (width > 0).then(|| Box::new(Steps { number: self.number as f32, width }) as Box<dyn Kernel>)
    }
}

struct Steps {
    number: f32,
    width: usize,
}

impl Steps {
    fn counts(&self, step: &[f32]) -> bool {
        step.iter().any(|value| *value != self.number)
    }
}

impl Kernel for Steps {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let steps = step.inputs.get(0).chunks_exact(self.width);
        for (out, x) in step.output.chunks_exact_mut(self.width).zip(steps) {
            match self.counts(x) {
                true => out.copy_from_slice(x),
                false => out.fill(0.0),
            }
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let Some(target) = step.input_gradients.take(0) else { return Ok(()) };
        let steps = step.inputs.get(0).chunks_exact(self.width).zip(step.gradient.chunks_exact(self.width));
        for (target_step, (x, gradient)) in target.values.chunks_exact_mut(self.width).zip(steps) {
            match (self.counts(x), target.add) {
                (true, true) => target_step.iter_mut().zip(gradient).for_each(|(sum, own)| *sum += own),
                (true, false) => target_step.copy_from_slice(gradient),
                (false, true) => {}
                (false, false) => target_step.fill(0.0),
            }
        }
        Ok(())
    }
}
