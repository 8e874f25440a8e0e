//! `SeparableConv1D` and `SeparableConv2D`: windows of each channel, then a mix of all channels.

use std::sync::Arc;

use crate::error::Result;
use crate::kernel::activation::{Activated, Activation as Function};
use crate::kernel::buffer::Buffer;
use crate::kernel::conv2d::{self, Back, Conv2d, Geometry};
use crate::kernel::depthwise::{self, Depthwise};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::linear;
use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::window::DATA_FORMAT;
use super::super::{Activation, Initializer, Kernel, Layer, Pass, Shape, Weight};
use super::conv::{ACTIVATION, BIAS_INITIALIZER, DILATION_RATE, USE_BIAS};
use super::depthwise_conv::{
    DEPTH_MULTIPLIER, DEPTHWISE_CONSTRAINT, DEPTHWISE_INITIALIZER, DEPTHWISE_REGULARIZER, Depth,
};
use super::terms::{ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, Terms, penalty, rule};
use super::{LayerEntry, NAME, TRAINABLE, activation, initializer, weight};

pub(super) const SEPARABLE_CONV_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "SeparableConv1D",
        aliases: &["SeparableConvolution1D"],
        doc: "Combines windows of steps channel by channel, then the channels of each step: activation((window · \
              depthwise_kernel) · pointwise_kernel + bias).\n\n\
              Input `[batch, steps, channels]`, output `[batch, new steps, filters]`. Weights: `depthwise_kernel` \
              `[kernel_size, channels, depth_multiplier]`, `pointwise_kernel` `[1, channels · depth_multiplier, filters]`, \
              `bias` `[filters]`.",
        parameters: &[
            Parameter::required("filters", Type::Int, "the number of output channels, at least 1"),
            Parameter::required("kernel_size", Type::Ints, "the length of the window"),
            Parameter::optional("strides", Type::Ints, "1", "how far the window moves"),
            Parameter::optional(
                "padding",
                Type::Text,
                "\"valid\"",
                "`valid`: none; `same`: zeros on both sides; `causal`: zeros before the first step",
            ),
            DATA_FORMAT,
            DILATION_RATE,
            DEPTH_MULTIPLIER,
            ACTIVATION,
            USE_BIAS,
            DEPTHWISE_INITIALIZER,
            POINTWISE_INITIALIZER,
            BIAS_INITIALIZER,
            DEPTHWISE_REGULARIZER,
            POINTWISE_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            DEPTHWISE_CONSTRAINT,
            POINTWISE_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(SeparableConv::new("SeparableConv1D", 1, a)?)),
    },
    script_name: "separable_conv1d",
    positional: &["filters", "kernel_size"],
    merges: false,
};

pub(super) const SEPARABLE_CONV_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "SeparableConv2D",
        aliases: &["SeparableConvolution2D"],
        doc: "Combines windows of an image channel by channel, then the channels of each place: activation((window · \
              depthwise_kernel) · pointwise_kernel + bias).\n\n\
              Input `[batch, height, width, channels]`, output `[batch, new height, new width, filters]`. Weights: \
              `depthwise_kernel` `[height, width, channels, depth_multiplier]`, `pointwise_kernel` \
              `[1, 1, channels · depth_multiplier, filters]`, `bias` `[filters]`.",
        parameters: &[
            Parameter::required("filters", Type::Int, "the number of output channels, at least 1"),
            Parameter::required("kernel_size", Type::Ints, "height and width of the window, or one number for both"),
            Parameter::optional("strides", Type::Ints, "1", "how far the window moves down and right"),
            Parameter::optional("padding", Type::Text, "\"valid\"", "`valid`: none; `same`: zeros on all sides"),
            DATA_FORMAT,
            DILATION_RATE,
            DEPTH_MULTIPLIER,
            ACTIVATION,
            USE_BIAS,
            DEPTHWISE_INITIALIZER,
            POINTWISE_INITIALIZER,
            BIAS_INITIALIZER,
            DEPTHWISE_REGULARIZER,
            POINTWISE_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            DEPTHWISE_CONSTRAINT,
            POINTWISE_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(SeparableConv::new("SeparableConv2D", 2, a)?)),
    },
    script_name: "separable_conv2d",
    positional: &["filters", "kernel_size"],
    merges: false,
};

const POINTWISE_INITIALIZER: Parameter =
    Parameter::optional("pointwise_initializer", Type::Component, "\"glorot_uniform\"", "how that kernel starts");

const POINTWISE_REGULARIZER: Parameter = penalty("pointwise_regularizer", "a penalty on that kernel");
const POINTWISE_CONSTRAINT: Parameter = rule("pointwise_constraint", "a rule for that kernel");

#[derive(Debug)]
struct SeparableConv {
    kind: &'static str,
    filters: usize,
    depth: Depth,
    activation: Box<dyn Activation>,
    use_bias: bool,
    pointwise: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

impl SeparableConv {
    fn new(kind: &'static str, rank: usize, a: &Arguments) -> Result<Self> {
        Ok(SeparableConv {
            kind,
            filters: a.at_least("filters", 1)?,
            depth: Depth::new(rank, rank == 1, a)?,
            activation: activation(a, "activation")?,
            use_bias: a.bool("use_bias"),
            pointwise: initializer(a, "pointwise_initializer")?,
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(
                a,
                &[("depthwise", "depthwise_kernel"), ("pointwise", "pointwise_kernel"), ("bias", "bias")],
            )?,
        })
    }
}

impl Layer for SeparableConv {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.depth.output_shape(inputs, self.filters)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let channels = self.depth.channels(inputs)?;
        let mut pointwise = vec![1; self.depth.windows.rank()];
        pointwise.extend([channels.saturating_mul(self.depth.multiplier), self.filters]);
        let mut weights = vec![
            weight("depthwise_kernel", self.depth.kernel_shape(channels), &self.depth.kernel, self.trainable)?,
            weight("pointwise_kernel", pointwise, &self.pointwise, self.trainable)?,
        ];
        if self.use_bias {
            weights.push(weight("bias", vec![self.filters], &self.bias, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let middle = self.depth.onnx(step, None)?;
        let pointwise = step.weights.get(1).map(|(_, array)| array.shape().to_vec()).unwrap_or_default();
        let channels = pointwise.iter().rev().nth(1).copied().unwrap_or(1);
        let kernel = step.weight_as(1, &[channels, self.filters]);
        let mut y = step.to.two("MatMul", &middle, &kernel);
        if self.use_bias {
            let bias = step.weight(2);
            y = step.to.two("Add", &y, &bias);
        }
        step.to.activate(&*self.activation, &y)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let middle = self.depth.compose(&inputs[0], &weights[0])?;
        let mut shape = middle.dims().to_vec();
        let channels = shape.pop().unwrap_or(1);
        let rows = middle.reshape((shape.iter().product::<usize>(), channels))?;
        let y = linear(&rows, &weights[1].reshape((channels, self.filters))?, weights.get(2))?;
        shape.push(self.filters);
        self.activation.compose(&y.reshape(shape)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let geometry = self.depth.geometry(inputs.first()?)?;
        let activation = self.activation.kernel()?;
        let relu = activation.is_relu();
        let mixed = Geometry {
            input: geometry.output,
            channels: geometry.filters,
            filters: self.filters,
            kernel: [1, 1],
            strides: [1, 1],
            dilation: [1, 1],
            before: [0, 0],
            groups: 1,
            ..geometry
        };
        Some(Box::new(Own {
            size: mixed.input_len(),
            width: self.filters,
            depth: Depthwise::new(geometry),
            mix: Conv2d::new(mixed),
            use_bias: self.use_bias,
            relu,
            activated: Activated::new(if relu { Function::LINEAR } else { activation }),
            middle: Buffer::default(),
            gradient: Buffer::default(),
        }))
    }
}

/// The layer on slices.
struct Own {
    depth: Depthwise,
    mix: Conv2d,
    /// Numbers of a record between the two.
    size: usize,
    /// Channels of the output.
    width: usize,
    use_bias: bool,
    relu: bool,
    activated: Activated,
    middle: Buffer,
    gradient: Buffer,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        self.middle.fit(step.rows * self.size);
        let (images, x, weights) = (step.rows, step.inputs.get(0), step.weights.get(0));
        self.depth.forward(depthwise::Forward { images, x, weights, bias: None }, &mut self.middle);
        let (x, weights, bias) = (&self.middle, step.weights.get(1), self.use_bias.then(|| step.weights.get(2)));
        self.mix.forward(conv2d::Forward { images, x, weights, bias, relu: self.relu }, step.output);
        self.activated.forward(step.output, self.width, step.training);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let images = step.rows;
        self.activated.backward(step.output, step.gradient, self.width);
        self.gradient.fit(images * self.size);
        let (of_mix, of_bias) = (step.weight_gradients.wanted(1), self.use_bias && step.weight_gradients.wanted(2));
        self.mix.backward(Back {
            images,
            x: &self.middle,
            weights: step.weights.get(1),
            relu: self.relu.then_some(step.output),
            gradient: step.gradient,
            of_x: Some((&mut self.gradient, false)),
            of_weights: of_mix,
            of_bias,
        });
        if of_mix && let Some(target) = step.weight_gradients.take(1) {
            self.mix.weight_gradient(target.values, target.add);
        }
        if of_bias && let Some(target) = step.weight_gradients.take(2) {
            self.mix.bias_gradient(target.values, target.add);
        }
        let (x, weights) = (step.inputs.get(0), step.weights.get(0));
        let of_x = step.input_gradients.take(0).map(|target| (target.values, target.add));
        self.depth.backward(depthwise::Forward { images, x, weights, bias: None }, &self.gradient, of_x);
        if let Some(target) = step.weight_gradients.take(0) {
            self.depth.weight_gradients(Some((target.values, target.add)), None);
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
        let cases = [
            json!({"filters": 5, "kernel_size": 3}),
            json!({"filters": 16, "kernel_size": 3, "padding": "same", "strides": 2, "activation": "relu"}),
            json!({"filters": 4, "kernel_size": 2, "depth_multiplier": 3, "use_bias": false, "activation": "gelu"}),
            json!({"filters": 4, "kernel_size": 2, "trainable": false}),
        ];
        for case in cases {
            let make = |entry: &LayerEntry| entry.entry.make(case.as_object().unwrap()).unwrap();
            for shape in [&[5, 7, 3][..], &[3, 4, 16]] {
                check(&*make(&SEPARABLE_CONV_2D), &[shape], 5, noise);
            }
            for shape in [&[5, 3][..], &[9, 32]] {
                check(&*make(&SEPARABLE_CONV_1D), &[shape], 18, noise);
            }
        }
    }
}
