//! `DepthwiseConv1D` and `DepthwiseConv2D`: each channel is combined by windows of its own.

use std::sync::Arc;

use crate::error::Result;
use crate::kernel::activation::Activated;
use crate::kernel::conv2d::Geometry;
use crate::kernel::depthwise::{Depthwise, Forward as Step};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::onnx;
use super::super::window::{self, DATA_FORMAT, Padding, Windows};
use super::super::{Activation, Initializer, Kernel, Layer, Pass, Shape, Weight, shape};
use super::conv::{ACTIVATION, BIAS_INITIALIZER, DILATION_RATE, USE_BIAS};
use super::conv_onnx;
use super::terms::{ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, Terms, penalty, rule};
use super::{LayerEntry, NAME, TRAINABLE, activation, conv_kernel, initializer, weight};

pub(super) const DEPTHWISE_CONV_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "DepthwiseConv1D",
        aliases: &[],
        doc: "Combines windows of steps, each channel apart from the others: activation(window · kernel + bias).\n\n\
              Input `[batch, steps, channels]`, output `[batch, new steps, channels · depth_multiplier]`: the outputs of one \
              channel next to each other. Weights: `kernel` `[kernel_size, channels, depth_multiplier]`, `bias` \
              `[channels · depth_multiplier]`.",
        parameters: &[
            Parameter::required("kernel_size", Type::Ints, "the length of the window"),
            Parameter::optional("strides", Type::Ints, "1", "how far the window moves"),
            Parameter::optional("padding", Type::Text, "\"valid\"", "`valid`: none; `same`: zeros on both sides"),
            DEPTH_MULTIPLIER,
            DATA_FORMAT,
            DILATION_RATE,
            ACTIVATION,
            USE_BIAS,
            DEPTHWISE_INITIALIZER,
            BIAS_INITIALIZER,
            DEPTHWISE_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            DEPTHWISE_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(DepthwiseConv::new("DepthwiseConv1D", 1, a)?)),
    },
    script_name: "depthwise_conv1d",
    positional: &["kernel_size"],
    merges: false,
};

pub(super) const DEPTHWISE_CONV_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "DepthwiseConv2D",
        aliases: &[],
        doc: "Combines windows of an image, each channel apart from the others: activation(window · kernel + bias).\n\n\
              Input `[batch, height, width, channels]`, output `[batch, new height, new width, channels · depth_multiplier]`: \
              the outputs of one channel next to each other. Weights: `kernel` \
              `[height, width, channels, depth_multiplier]`, `bias` `[channels · depth_multiplier]`.",
        parameters: &[
            Parameter::required("kernel_size", Type::Ints, "height and width of the window, or one number for both"),
            Parameter::optional("strides", Type::Ints, "1", "how far the window moves down and right"),
            Parameter::optional("padding", Type::Text, "\"valid\"", "`valid`: none; `same`: zeros on all sides"),
            DEPTH_MULTIPLIER,
            DATA_FORMAT,
            DILATION_RATE,
            ACTIVATION,
            USE_BIAS,
            DEPTHWISE_INITIALIZER,
            BIAS_INITIALIZER,
            DEPTHWISE_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            DEPTHWISE_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(DepthwiseConv::new("DepthwiseConv2D", 2, a)?)),
    },
    script_name: "depthwise_conv2d",
    positional: &["kernel_size"],
    merges: false,
};

pub(super) const DEPTH_MULTIPLIER: Parameter =
    Parameter::optional("depth_multiplier", Type::Int, "1", "how many outputs each channel has, at least 1");
pub(super) const DEPTHWISE_INITIALIZER: Parameter =
    Parameter::optional("depthwise_initializer", Type::Component, "\"glorot_uniform\"", "how that kernel starts");

pub(super) const DEPTHWISE_REGULARIZER: Parameter = penalty("depthwise_regularizer", "a penalty on that kernel");
pub(super) const DEPTHWISE_CONSTRAINT: Parameter = rule("depthwise_constraint", "a rule for that kernel");

/// Windows over each channel by itself.
#[derive(Debug)]
pub(super) struct Depth {
    pub(super) windows: Windows,
    pub(super) multiplier: usize,
    pub(super) kernel: Arc<dyn Initializer>,
}

impl Depth {
    pub(super) fn new(rank: usize, causal: bool, a: &Arguments) -> Result<Self> {
        window::check_data_format(a)?;
        Ok(Depth {
            windows: Windows {
                size: a.sizes("kernel_size", rank, 1)?,
                strides: a.sizes("strides", rank, 1)?,
                dilation: a.sizes("dilation_rate", rank, 1)?,
                padding: Padding::from(a, causal)?,
            },
            multiplier: a.at_least("depth_multiplier", 1)?,
            kernel: initializer(a, "depthwise_initializer")?,
        })
    }

    /// The number of channels of the input.
    pub(super) fn channels(&self, inputs: &[Shape]) -> Result<usize> {
        let axes = if self.windows.rank() == 1 { "steps, channels" } else { "height, width, channels" };
        shape::last_axis(shape::single_of_rank(inputs, self.windows.rank() + 1, axes)?)
    }

    /// The output's shape, with `channels`.
    pub(super) fn output_shape(&self, inputs: &[Shape], channels: usize) -> Result<Shape> {
        self.channels(inputs)?;
        let mut shape = self.windows.output(&shape::single(inputs)?[..self.windows.rank()])?;
        shape.push(Some(channels));
        Ok(shape)
    }

    /// The kernel's shape.
    pub(super) fn kernel_shape(&self, channels: usize) -> Vec<usize> {
        let mut shape = self.windows.size.clone();
        shape.extend([channels, self.multiplier]);
        shape
    }

    /// Combines each channel: `[batch, axes …, channels]` becomes `[batch, new axes …, channels · multiplier]`.
    pub(super) fn compose(&self, x: &Graph, kernel: &Graph) -> Result<Graph> {
        let (batch, _, channels) = window::flat(x);
        let places = self.windows.places(&x.dims()[1..=self.windows.rank()])?;
        let count = batch * places.output.iter().product::<usize>();
        let seen = window::gather(x, &places.inputs)?.reshape((count, self.windows.len(), channels, 1))?;
        let kernel = kernel.reshape((1, self.windows.len(), channels, self.multiplier))?;
        let y = seen.broadcast_mul(&kernel)?.sum(1)?;
        let mut shape = places.output;
        shape.insert(0, batch);
        shape.push(channels * self.multiplier);
        Ok(y.reshape(shape)?)
    }

    /// Writes it as nodes; the kernel is weight 0.
    pub(super) fn onnx(&self, step: &mut onnx::Step<'_>, bias: Option<usize>) -> Result<String> {
        let (x, input, rank) = (step.x(0), conv_onnx::input(step)?, self.windows.rank());
        let channels = shape::last_axis(&input)?;
        let axes: Vec<usize> = [rank, rank + 1].into_iter().chain(0..rank).collect();
        let kernel = step.weight_turned(0, &axes, &[&[channels * self.multiplier, 1], &*self.windows.size].concat());
        conv_onnx::convolution(step, &x, &self.windows, &input, kernel, bias, channels)
    }

    /// The sizes for kernels.
    pub(super) fn geometry(&self, input: &[usize]) -> Option<Geometry> {
        let geometry = conv_kernel::geometry(&self.windows, input)?;
        Some(Geometry { filters: geometry.channels * self.multiplier, groups: geometry.channels, ..geometry })
    }
}

#[derive(Debug)]
struct DepthwiseConv {
    kind: &'static str,
    depth: Depth,
    activation: Box<dyn Activation>,
    use_bias: bool,
    bias: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

impl DepthwiseConv {
    fn new(kind: &'static str, rank: usize, a: &Arguments) -> Result<Self> {
        Ok(DepthwiseConv {
            kind,
            depth: Depth::new(rank, false, a)?,
            activation: activation(a, "activation")?,
            use_bias: a.bool("use_bias"),
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("depthwise", "kernel"), ("bias", "bias")])?,
        })
    }
}

impl Layer for DepthwiseConv {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.depth.output_shape(inputs, self.depth.channels(inputs)?.saturating_mul(self.depth.multiplier))
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let channels = self.depth.channels(inputs)?;
        let mut weights =
            vec![weight("kernel", self.depth.kernel_shape(channels), &self.depth.kernel, self.trainable)?];
        if self.use_bias {
            weights.push(weight("bias", vec![channels * self.depth.multiplier], &self.bias, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut onnx::Step<'_>) -> Result<String> {
        let y = self.depth.onnx(step, self.use_bias.then_some(1))?;
        step.to.activate(&*self.activation, &y)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let y = self.depth.compose(&inputs[0], &weights[0])?;
        let y = match weights.get(1) {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        self.activation.compose(&y)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let geometry = self.depth.geometry(inputs.first()?)?;
        Some(Box::new(Own {
            width: geometry.filters,
            conv: Depthwise::new(geometry),
            use_bias: self.use_bias,
            activated: Activated::new(self.activation.kernel()?),
        }))
    }
}

/// The layer on slices.
struct Own {
    conv: Depthwise,
    width: usize,
    use_bias: bool,
    activated: Activated,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let bias = self.use_bias.then(|| step.weights.get(1));
        let (x, weights) = (step.inputs.get(0), step.weights.get(0));
        self.conv.forward(Step { images: step.rows, x, weights, bias }, step.output);
        self.activated.forward(step.output, self.width, step.training);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        self.activated.backward(step.output, step.gradient, self.width);
        let own = Step { images: step.rows, x: step.inputs.get(0), weights: step.weights.get(0), bias: None };
        let of_x = step.input_gradients.take(0).map(|target| (target.values, target.add));
        self.conv.backward(own, step.gradient, of_x);
        if let Some(target) = step.weight_gradients.take(0) {
            self.conv.weight_gradients(Some((target.values, target.add)), None);
        }
        if self.use_bias
            && let Some(target) = step.weight_gradients.take(1)
        {
            self.conv.weight_gradients(None, Some((target.values, target.add)));
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
            json!({"kernel_size": 3}),
            json!({"kernel_size": 3, "padding": "same", "strides": 2, "use_bias": false}),
            json!({"kernel_size": 2, "depth_multiplier": 3, "activation": "relu"}),
            json!({"kernel_size": 2, "dilation_rate": 2, "padding": "same", "activation": "gelu"}),
            json!({"kernel_size": 1}),
        ];
        for case in cases {
            let make = |entry: &LayerEntry| entry.entry.make(case.as_object().unwrap()).unwrap();
            for shape in [&[5, 7, 3][..], &[3, 4, 16], &[4, 4, 21]] {
                check(&*make(&DEPTHWISE_CONV_2D), &[shape], 5, noise);
            }
            for shape in [&[5, 3][..], &[9, 32]] {
                check(&*make(&DEPTHWISE_CONV_1D), &[shape], 18, noise);
            }
        }
    }
}
