//! `Rescaling`: a factor and an offset, such as bytes of an image to numbers from 0 to 1.

use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME};

pub(super) const RESCALING: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Rescaling",
        aliases: &[],
        doc: "Computes scale · x + offset: `scale` 1/255 makes numbers from 0 to 1 of bytes.\n\n\
              The output has the shape of the input.",
        parameters: &[
            Parameter::required("scale", Type::Float, "the factor"),
            Parameter::optional("offset", Type::Float, "0.0", "what is added"),
            NAME,
        ],
        build: |a| Ok(Box::new(Rescaling { scale: a.float("scale"), offset: a.float("offset") })),
    },
    script_name: "rescaling",
    positional: &["scale"],
    merges: false,
};

#[derive(Debug)]
struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Layer for Rescaling {
    fn kind(&self) -> &'static str {
        "Rescaling"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        shape::single(inputs).cloned()
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        let y = step.to.with("Mul", &x, self.scale);
        Ok(step.to.with("Add", &y, self.offset))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        Ok(inputs[0].affine(self.scale, self.offset)?)
    }
}
