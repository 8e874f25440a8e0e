//! `Dense`: activation(x · kernel + bias), along the last axis.

use std::sync::Arc;

use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::linear;
use super::super::{Activation, Initializer, Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME, TRAINABLE, activation, initializer, weight};

pub(super) const DENSE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Dense",
        aliases: &[],
        doc: "Combines all values of the last axis: activation(x · kernel + bias).\n\n\
              Input `[batch, …, in]`, output `[batch, …, units]`. Weights: `kernel` `[in, units]`, `bias` `[units]`.",
        parameters: &[
            Parameter::required("units", Type::Int, "the length of the output's last axis, at least 1"),
            Parameter::optional(
                "activation",
                Type::Component,
                "null",
                "what is applied to the output; nothing when null",
            ),
            Parameter::optional("use_bias", Type::Bool, "true", "whether a bias is added"),
            Parameter::optional("kernel_initializer", Type::Component, "\"glorot_uniform\"", "how the kernel starts"),
            Parameter::optional("bias_initializer", Type::Component, "\"zeros\"", "how the bias starts"),
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(Dense::new(a)?)),
    },
    script_name: "dense",
    positional: &["units"],
    merges: false,
};

#[derive(Debug)]
struct Dense {
    units: usize,
    activation: Box<dyn Activation>,
    use_bias: bool,
    kernel: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    trainable: bool,
}

impl Dense {
    fn new(a: &Arguments) -> Result<Self> {
        Ok(Dense {
            units: a.at_least("units", 1)?,
            activation: activation(a, "activation")?,
            use_bias: a.bool("use_bias"),
            kernel: initializer(a, "kernel_initializer")?,
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
        })
    }
}

impl Layer for Dense {
    fn kind(&self) -> &'static str {
        "Dense"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let mut shape = shape::single(inputs)?.clone();
        shape::last_axis(&shape)?;
        shape.pop();
        shape.push(Some(self.units));
        Ok(shape)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let length = shape::last_axis(shape::single(inputs)?)?;
        let mut weights = vec![weight("kernel", vec![length, self.units], &self.kernel, self.trainable)?];
        if self.use_bias {
            weights.push(weight("bias", vec![self.units], &self.bias, self.trainable)?);
        }
        Ok(weights)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let (x, kernel, bias) = (&inputs[0], &weights[0], weights.get(1));
        let y = match x.dims() {
            [_, _] => linear(x, kernel, bias)?,
            [rows @ .., length] => {
                let mut shape = rows.to_vec();
                shape.push(self.units);
                linear(&x.reshape((rows.iter().product::<usize>(), *length))?, kernel, bias)?.reshape(shape)?
            }
            [] => x.clone(),
        };
        self.activation.compose(&y)
    }
}
