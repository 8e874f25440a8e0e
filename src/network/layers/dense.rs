//! `Dense`: activation(x · kernel + bias), along the last axis.

use std::sync::Arc;

use crate::error::Result;
use crate::kernel::activation::Activated;
use crate::kernel::gemm::{Matrix, MatrixMut, Start, product, product_onto};
use crate::kernel::rows;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::linear;
use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::{Activation, Initializer, Kernel, Layer, Pass, Shape, Weight, shape};
use super::terms::{
    ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, KERNEL_CONSTRAINT, KERNEL_REGULARIZER, Terms,
};
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
            KERNEL_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            KERNEL_CONSTRAINT,
            BIAS_CONSTRAINT,
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
    terms: Terms,
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
            terms: Terms::new(a, &[("kernel", "kernel"), ("bias", "bias")])?,
        })
    }
}

impl Layer for Dense {
    fn kind(&self) -> &'static str {
        "Dense"
    }

    fn keeps_mask(&self) -> bool {
        true
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
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, kernel) = (step.x(0), step.weight(0));
        let mut y = step.to.two("MatMul", &x, &kernel);
        if self.use_bias {
            let bias = step.weight(1);
            y = step.to.two("Add", &y, &bias);
        }
        step.to.activate(&*self.activation, &y)
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
    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let length = *inputs.first()?.last()?;
        let activated = Activated::new(self.activation.kernel()?);
        Some(Box::new(Own { length, units: self.units, use_bias: self.use_bias, activated }))
    }
}

/// The layer on slices: all axes but the last are rows.
struct Own {
    length: usize,
    units: usize,
    use_bias: bool,
    activated: Activated,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let (length, units, count) = (self.length, self.units, step.output.len() / self.units);
        let start = if self.use_bias { Start::Row(step.weights.get(1)) } else { Start::Nothing };
        let x = Matrix::new(step.inputs.get(0), count, length);
        let kernel = Matrix::new(step.weights.get(0), length, units);
        product_onto(MatrixMut::new(step.output, count, units), start, x, kernel, 1.0);
        self.activated.forward(step.output, units, step.training);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let (length, units, count) = (self.length, self.units, step.output.len() / self.units);
        self.activated.backward(step.output, step.gradient, units);
        if self.use_bias
            && let Some(target) = step.weight_gradients.take(1)
        {
            rows::sum(step.gradient, target.values, target.add);
        }
        let gradient = Matrix::new(step.gradient, count, units);
        if let Some(target) = step.weight_gradients.take(0) {
            let x = Matrix::new(step.inputs.get(0), count, length);
            product(MatrixMut::new(target.values, length, units), target.add, x.t(), gradient, 1.0);
        }
        if let Some(target) = step.input_gradients.take(0) {
            let kernel = Matrix::new(step.weights.get(0), length, units);
            product(MatrixMut::new(target.values, count, length), target.add, gradient, kernel.t(), 1.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::kernel::testing::{check, noise};

    #[test]
    fn kernels_compute_what_composition_does() {
        for activation in ["linear", "relu", "gelu", "softmax", "tanh", "selu"] {
            for (use_bias, units) in [(true, 5), (false, 1), (true, 67)] {
                let params = json!({"units": units, "activation": activation, "use_bias": use_bias});
                let layer = DENSE.entry.make(params.as_object().unwrap()).unwrap();
                for shape in [&[3][..], &[1], &[4, 9], &[2, 3, 130]] {
                    check(&*layer, &[shape], 6, noise);
                }
            }
        }
        let frozen = json!({"units": 3, "trainable": false});
        check(&*DENSE.entry.make(frozen.as_object().unwrap()).unwrap(), &[&[4]], 5, noise);
    }
}
