//! `Reshape`: the same values in other axes.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::{Step, lengths};
use super::super::{Integers, Layer, Pass, Shape, Weight, shape, show_shape};
use super::{LayerEntry, NAME};

pub(super) const RESHAPE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Reshape",
        aliases: &[],
        doc: "Gives the values of each record other axes, row by row.\n\n\
              Input `[batch, …]`, output `[batch, target_shape …]`.",
        parameters: &[
            Parameter::required(
                "target_shape",
                Type::Ints,
                "the lengths without the batch axis; one of them may be -1: as long as the values require",
            ),
            NAME,
        ],
        build: |a| Ok(Box::new(Reshape::new(a)?)),
    },
    script_name: "reshape",
    positional: &["target_shape"],
    merges: false,
};

#[derive(Debug)]
struct Reshape {
    /// `None` is the axis given as -1.
    target: Vec<Option<usize>>,
}

impl Reshape {
    fn new(a: &Arguments) -> Result<Self> {
        let axis = |value: &Value| match value.as_i64() {
            Some(-1) => Some(None),
            Some(length) if length > 0 => usize::try_from(length).ok().map(Some),
            _ => None,
        };
        let target: Option<Shape> = match a.value("target_shape") {
            Value::Array(axes) => axes.iter().map(axis).collect(),
            length => axis(length).map(|axis| vec![axis]),
        };
        match target {
            Some(target) if target.iter().filter(|axis| axis.is_none()).count() <= 1 => Ok(Reshape { target }),
            _ => Err(a.refuse("target_shape", "lengths of at least 1, one of which may be -1")),
        }
    }

    fn target(&self, input: &[Option<usize>]) -> Result<Shape> {
        let known: usize =
            shape::count(&self.target.iter().filter(|axis| axis.is_some()).copied().collect::<Shape>())?.unwrap_or(1);
        let refuse = || {
            let shown = show_shape(&self.target).replace("null", "-1");
            Err(Error::recipe(format!("values of shape {} cannot take the shape {shown}", show_shape(input))))
        };
        match shape::count(input)? {
            None => Ok(self.target.clone()),
            Some(count) if self.target.contains(&None) => match count.is_multiple_of(known) {
                true => Ok(self.target.iter().map(|axis| axis.or(Some(count / known))).collect()),
                false => refuse(),
            },
            Some(count) if count == known => Ok(self.target.clone()),
            Some(_) => refuse(),
        }
    }
}

impl Layer for Reshape {
    fn kind(&self) -> &'static str {
        "Reshape"
    }

    fn integers(&self) -> Integers {
        Integers::Kept
    }

    fn keeps_values(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.target(shape::single(inputs)?)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, target) = (step.x(0), self.target(step.shapes.first().map_or(&[], Vec::as_slice))?);
        Ok(step.to.reshape(&x, &lengths(&target)?))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let inner: Shape = x.dims().iter().skip(1).map(|length| Some(*length)).collect();
        let mut shape = vec![x.dim(0)?];
        shape.extend(self.target(&inner)?.into_iter().flatten());
        Ok(x.reshape(shape)?)
    }
}
