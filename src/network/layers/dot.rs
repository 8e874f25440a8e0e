//! `Dot`: products of two values, summed along an axis of each.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::{Step, lengths};
use super::super::{Layer, Pass, Shape, Weight, shape, show_shape};
use super::scale_normalization::{unit, unit_onnx};
use super::{LayerEntry, NAME};

pub(super) const DOT: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Dot",
        aliases: &[],
        doc: "Multiplies two values and adds the products up along an axis of each.\n\n\
              Inputs `[batch, n]` and `[batch, n]` give `[batch, 1]`; otherwise the output has the other axes of the first \
              input, then those of the second: `[batch, a, n]` and `[batch, n, b]` with axes `[2, 1]` give `[batch, a, b]`.",
        parameters: &[
            Parameter::required(
                "axes",
                Type::Ints,
                "the axis of each input, or one number for both, counted with the batch axis as 0",
            ),
            Parameter::optional(
                "normalize",
                Type::Bool,
                "false",
                "whether vectors are divided by their length first, so that products are cosines",
            ),
            NAME,
        ],
        build: |a| Ok(Box::new(Dot { axes: axes(a)?, normalize: a.bool("normalize") })),
    },
    script_name: "dot",
    positional: &["axes"],
    merges: true,
};

fn axes(a: &Arguments) -> Result<[i64; 2]> {
    let axes: Vec<i64> = match a.value("axes") {
        Value::Array(items) => items.iter().filter_map(Value::as_i64).collect(),
        value => vec![value.as_i64().unwrap_or(0); 2],
    };
    match axes[..] {
        [first, second] if first != 0 && second != 0 => Ok([first, second]),
        _ => {
            Err(a.refuse("axes", "two axes, or one for both, other than 0, the batch").hint("records are never mixed"))
        }
    }
}

#[derive(Debug)]
struct Dot {
    axes: [i64; 2],
    normalize: bool,
}

impl Dot {
    /// The axes without the batch axis.
    fn inner(&self, inputs: &[Shape]) -> Result<[usize; 2]> {
        let [first, second] = inputs else {
            return Err(Error::recipe(format!("expected two inputs, found {}", inputs.len())));
        };
        let axis = |axis: i64, shape: &Shape| {
            shape::inner_axis(axis, shape.len()).ok_or_else(|| {
                Error::recipe(format!("`axes` {axis} is outside of shape {} without the batch axis", show_shape(shape)))
                    .hint("axis 1 is the first after the batch, -1 the last")
            })
        };
        let axes = [axis(self.axes[0], first)?, axis(self.axes[1], second)?];
        match (first[axes[0]], second[axes[1]]) {
            (Some(a), Some(b)) if a != b => Err(Error::recipe(format!(
                "expected axes of one length, found {a} and {b} in {} and {}",
                show_shape(first),
                show_shape(second)
            ))),
            _ => Ok(axes),
        }
    }
}

impl Layer for Dot {
    fn kind(&self) -> &'static str {
        "Dot"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let axes = self.inner(inputs)?;
        let mut output = Shape::new();
        for (shape, axis) in inputs.iter().zip(axes) {
            output.extend(shape.iter().enumerate().filter(|(at, _)| *at != axis).map(|(_, length)| *length));
        }
        if output.is_empty() {
            output.push(Some(1));
        }
        Ok(output)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let axes = self.inner(&step.shapes.clone())?;
        let mut parts = Vec::with_capacity(2);
        for (at, axis) in axes.into_iter().enumerate() {
            let (mut x, input) = (step.x(at), step.shapes[at].clone());
            let axis = axis + 1;
            if self.normalize {
                x = unit_onnx(step.to, &x, &[axis], 1e-7);
            }
            let others: Vec<usize> = (1..=input.len()).filter(|other| *other != axis).collect();
            let length = input[axis - 1].map_or(-1, |length| length as i64);
            let count = super::super::shape::count(&others.iter().map(|other| input[other - 1]).collect::<Vec<_>>())?;
            let count = count.map_or(-1, |count| count as i64);
            // The first as rows of vectors, the second as columns.
            let (order, shape) = match at {
                0 => ([vec![0], others, vec![axis]].concat(), [0, count, length]),
                _ => ([vec![0, axis], others].concat(), [0, length, count]),
            };
            let turned = step.to.transpose(&x, &order);
            parts.push(step.to.reshape(&turned, &shape));
        }
        let product = step.to.two("MatMul", &parts[0], &parts[1]);
        let output = self.output_shape(&step.shapes.clone())?;
        Ok(step.to.reshape(&product, &lengths(&output)?))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let shapes: Vec<Shape> =
            inputs.iter().map(|input| input.dims().iter().skip(1).copied().map(Some).collect()).collect();
        let axes = self.inner(&shapes)?;
        let batch = inputs[0].dim(0)?;
        let mut output = vec![batch];
        let mut parts = Vec::with_capacity(2);
        for (at, (x, axis)) in inputs.iter().zip(axes).enumerate() {
            let axis = axis + 1;
            // The limit of Keras's function.
            let x = if self.normalize { unit(x, vec![axis], 1e-7)? } else { x.clone() };
            let others: Vec<usize> = (1..x.rank()).filter(|other| *other != axis).collect();
            output.extend(others.iter().map(|other| x.dims()[*other]));
            let count = others.iter().map(|other| x.dims()[*other]).product::<usize>();
            let length = x.dim(axis)?;
            // The first as rows of vectors, the second as columns.
            let order = match at {
                0 => [vec![0], others, vec![axis]].concat(),
                _ => [vec![0, axis], others].concat(),
            };
            let shape = if at == 0 { (batch, count, length) } else { (batch, length, count) };
            parts.push(x.permute(order)?.contiguous()?.reshape(shape)?);
        }
        if output.len() == 1 {
            output.push(1);
        }
        Ok(parts[0].matmul(&parts[1])?.reshape(output)?)
    }
}
