//! `RMSNormalization` and `UnitNormalization`: values divided by their size, without a shift.

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::define;
use super::super::{Initializer, Layer, Pass, Shape, Weight, shape, show_shape};
use super::{LayerEntry, NAME, TRAINABLE, weight};

pub(super) const RMS_NORMALIZATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "RMSNormalization",
        aliases: &[],
        doc: "Divides values by the root of their mean square: scale · x / √(mean(x²) + epsilon) (Zhang and Sennrich, \
              2019).\n\nThe output has the shape of the input. Weight: `scale`, with the lengths of the axes.",
        parameters: &[
            AXIS,
            Parameter::optional("epsilon", Type::Float, "1e-6", "added to the mean square; above 0"),
            TRAINABLE,
            NAME,
        ],
        build: |a| {
            // With 0 a record of zeros would be divided by 0.
            if a.float("epsilon") <= 0.0 {
                return Err(a.refuse("epsilon", "a number above 0"));
            }
            Ok(Box::new(RmsNormalization {
                axes: axes(a)?,
                epsilon: a.float("epsilon"),
                initializer: super::super::initializer::from_value(&Value::from("ones"))?,
                trainable: a.bool("trainable"),
            }))
        },
    },
    script_name: "rms_normalization",
    positional: &[],
    merges: false,
};

pub(super) const UNIT_NORMALIZATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "UnitNormalization",
        aliases: &[],
        doc: "Divides vectors by their length: x / √(sum(x²)); a vector of zeros stays.\n\n\
              The output has the shape of the input.",
        parameters: &[AXIS, NAME],
        build: |a| Ok(Box::new(UnitNormalization { axes: axes(a)? })),
    },
    script_name: "unit_normalization",
    positional: &[],
    merges: false,
};

const AXIS: Parameter = Parameter::optional(
    "axis",
    Type::Ints,
    "-1",
    "the axis or axes that belong together, counted with the batch axis as 0",
);

fn axes(a: &Arguments) -> Result<Vec<i64>> {
    let axes: Vec<i64> = match a.value("axis") {
        Value::Array(items) => items.iter().filter_map(Value::as_i64).collect(),
        value => vec![value.as_i64().unwrap_or(-1)],
    };
    match axes.is_empty() || axes.contains(&0) {
        true => Err(a.refuse("axis", "at least one axis, none of them 0, the batch")),
        false => Ok(axes),
    }
}

/// The axes in order, without the batch axis.
fn inner(axes: &[i64], input: &[Option<usize>]) -> Result<Vec<usize>> {
    let mut found = Vec::with_capacity(axes.len());
    for axis in axes {
        found.push(shape::inner_axis(*axis, input.len()).ok_or_else(|| {
            Error::recipe(format!("`axis` {axis} is outside of shape {} without the batch axis", show_shape(input)))
                .hint("axis 1 is the first after the batch, -1 the last")
        })?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn open(x: &Graph) -> Shape {
    x.dims().iter().skip(1).copied().map(Some).collect()
}

#[derive(Debug)]
struct RmsNormalization {
    axes: Vec<i64>,
    epsilon: f64,
    initializer: Arc<dyn Initializer>,
    trainable: bool,
}

impl Layer for RmsNormalization {
    fn kind(&self) -> &'static str {
        "RMSNormalization"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = shape::single(inputs)?;
        inner(&self.axes, input)?;
        Ok(input.clone())
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let input = shape::single(inputs)?;
        let length = |axis: usize| {
            input[axis].ok_or_else(|| {
                Error::recipe(format!("expected a known length of axis {}, found {}", axis + 1, show_shape(input)))
            })
        };
        let shape = inner(&self.axes, input)?.into_iter().map(length).collect::<Result<_>>()?;
        Ok(vec![weight("scale", shape, &self.initializer, self.trainable)?])
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let inner = inner(&self.axes, &open(x))?;
        let axes: Vec<usize> = inner.iter().map(|axis| axis + 1).collect();
        let mut wide = vec![1; x.rank()];
        for axis in &axes {
            wide[*axis] = x.dim(*axis)?;
        }
        let size = x.sqr()?.mean_keepdim(axes.as_slice())?.affine(1.0, self.epsilon)?.sqrt()?;
        Ok(x.broadcast_div(&size)?.broadcast_mul(&weights[0].reshape(wide)?)?)
    }
}

#[derive(Debug)]
struct UnitNormalization {
    axes: Vec<i64>,
}

impl Layer for UnitNormalization {
    fn kind(&self) -> &'static str {
        "UnitNormalization"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = shape::single(inputs)?;
        inner(&self.axes, input)?;
        Ok(input.clone())
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let axes = inner(&self.axes, &open(x))?.into_iter().map(|axis| axis + 1).collect();
        // The limit of Keras's layer.
        unit(x, axes, 1e-12)
    }
}

/// Divides by the root of the sum of squares along axes, or by `least` where that is smaller.
pub(super) fn unit(x: &Graph, axes: Vec<usize>, least: f64) -> Result<Graph> {
    let inverse = {
        let axes = axes.clone();
        move |x: &Graph| x.sqr()?.sum_keepdim(axes.as_slice())?.sqrt()?.maximum(least)?.recip()
    };
    let factor = inverse.clone();
    define(
        x,
        move |x| x.broadcast_mul(&factor(x)?),
        move |x, y, g| {
            let inverse = inverse(x)?;
            // Along the vector itself nothing changes, unless the limit takes its place.
            let along = g.mul(y)?.sum_keepdim(axes.as_slice())?;
            let along = inverse.lt(1.0 / least)?.where_cond(&along, &along.zeros_like()?)?;
            g.sub(&y.broadcast_mul(&along)?)?.broadcast_mul(&inverse)
        },
    )
}
