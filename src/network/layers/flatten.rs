//! `Flatten`: one axis per record.

use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Integers, Layer, Pass, Shape, Weight, shape, window};
use super::{LayerEntry, NAME};

pub(super) const FLATTEN: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Flatten",
        aliases: &[],
        doc: "Lays all values of a record on one axis, row by row.\n\nInput `[batch, …]`, output `[batch, count]`.",
        parameters: &[window::DATA_FORMAT, NAME],
        build: |a| window::check_data_format(a).map(|()| Box::new(Flatten) as Box<dyn Layer>),
    },
    script_name: "flatten",
    positional: &[],
    merges: false,
};

#[derive(Debug)]
struct Flatten;

impl Layer for Flatten {
    fn kind(&self) -> &'static str {
        "Flatten"
    }

    fn integers(&self) -> Integers {
        Integers::Kept
    }

    fn keeps_values(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(vec![shape::count(shape::single(inputs)?)?])
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        Ok(step.to.reshape(&x, &[0, -1]))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        match x.dims() {
            [_, _] => Ok(x.clone()),
            [batch, inner @ ..] => Ok(x.reshape((*batch, inner.iter().product::<usize>()))?),
            [] => Ok(x.clone()),
        }
    }
}
