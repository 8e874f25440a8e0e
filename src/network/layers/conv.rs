//! `Conv1D` and `Conv2D`: each place of the output combines a window of the input.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::activation::Activation as Function;
use crate::kernel::conv2d::Geometry;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::linear;
use super::super::onnx::Step;
use super::super::window::{self, DATA_FORMAT, Padding, Windows};
use super::super::{Activation, Initializer, Kernel, Layer, Pass, Shape, Weight, shape};
use super::conv_kernel::{self, Convolved};
use super::conv_onnx;
use super::terms::{
    ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, KERNEL_CONSTRAINT, KERNEL_REGULARIZER, Terms,
};
use super::{LayerEntry, NAME, TRAINABLE, activation, initializer, weight};

pub(super) const CONV_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Conv1D",
        aliases: &["Convolution1D"],
        doc: "Combines windows of steps: activation(window · kernel + bias).\n\n\
              Input `[batch, steps, channels]`, output `[batch, new steps, filters]`. Weights: `kernel` \
              `[kernel_size, channels / groups, filters]`, `bias` `[filters]`.",
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
            GROUPS,
            ACTIVATION,
            USE_BIAS,
            KERNEL_INITIALIZER,
            BIAS_INITIALIZER,
            KERNEL_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            KERNEL_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(Convolution::new("Conv1D", 1, a)?)),
    },
    script_name: "conv1d",
    positional: &["filters", "kernel_size"],
    merges: false,
};

pub(super) const CONV_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Conv2D",
        aliases: &["Convolution2D"],
        doc: "Combines windows of an image: activation(window · kernel + bias).\n\n\
              Input `[batch, height, width, channels]`, output `[batch, new height, new width, filters]`. Weights: \
              `kernel` `[height, width, channels / groups, filters]`, `bias` `[filters]`.",
        parameters: &[
            Parameter::required("filters", Type::Int, "the number of output channels, at least 1"),
            Parameter::required("kernel_size", Type::Ints, "height and width of the window, or one number for both"),
            Parameter::optional("strides", Type::Ints, "1", "how far the window moves down and right"),
            Parameter::optional("padding", Type::Text, "\"valid\"", "`valid`: none; `same`: zeros on all sides"),
            DATA_FORMAT,
            DILATION_RATE,
            GROUPS,
            ACTIVATION,
            USE_BIAS,
            KERNEL_INITIALIZER,
            BIAS_INITIALIZER,
            KERNEL_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            KERNEL_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(Convolution::new("Conv2D", 2, a)?)),
    },
    script_name: "conv2d",
    positional: &["filters", "kernel_size"],
    merges: false,
};

pub(super) const DILATION_RATE: Parameter =
    Parameter::optional("dilation_rate", Type::Ints, "1", "the distance between neighbours in a window");
const GROUPS: Parameter = Parameter::optional(
    "groups",
    Type::Int,
    "1",
    "into how many groups input and output channels are split; each sees only its own",
);
pub(super) const ACTIVATION: Parameter =
    Parameter::optional("activation", Type::Component, "null", "what is applied to the output; nothing when null");
pub(super) const USE_BIAS: Parameter = Parameter::optional("use_bias", Type::Bool, "true", "whether a bias is added");
pub(super) const KERNEL_INITIALIZER: Parameter =
    Parameter::optional("kernel_initializer", Type::Component, "\"glorot_uniform\"", "how the kernel starts");
pub(super) const BIAS_INITIALIZER: Parameter =
    Parameter::optional("bias_initializer", Type::Component, "\"zeros\"", "how the bias starts");

#[derive(Debug)]
struct Convolution {
    kind: &'static str,
    filters: usize,
    windows: Windows,
    groups: usize,
    activation: Box<dyn Activation>,
    use_bias: bool,
    kernel: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

impl Convolution {
    fn new(kind: &'static str, rank: usize, a: &Arguments) -> Result<Self> {
        window::check_data_format(a)?;
        let filters = a.at_least("filters", 1)?;
        let groups = a.at_least("groups", 1)?;
        if !filters.is_multiple_of(groups) {
            return Err(a.refuse("filters", format!("a multiple of `groups`, {groups}")));
        }
        Ok(Convolution {
            kind,
            filters,
            windows: Windows {
                size: a.sizes("kernel_size", rank, 1)?,
                strides: a.sizes("strides", rank, 1)?,
                dilation: a.sizes("dilation_rate", rank, 1)?,
                padding: Padding::from(a, rank == 1)?,
            },
            groups,
            activation: activation(a, "activation")?,
            use_bias: a.bool("use_bias"),
            kernel: initializer(a, "kernel_initializer")?,
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("kernel", "kernel"), ("bias", "bias")])?,
        })
    }

    fn channels(&self, inputs: &[Shape]) -> Result<usize> {
        let axes = if self.windows.rank() == 1 { "steps, channels" } else { "height, width, channels" };
        let channels = shape::last_axis(shape::single_of_rank(inputs, self.windows.rank() + 1, axes)?)?;
        match channels.is_multiple_of(self.groups) {
            true => Ok(channels),
            false => {
                Err(Error::recipe(format!("{channels} input channels cannot be split into {} groups", self.groups)))
            }
        }
    }

    /// Each group combines its own channels: one product for each, side by side.
    fn grouped(&self, rows: &Graph, kernel: &Graph, bias: Option<&Graph>, channels: usize) -> Result<Graph> {
        let (own, filters) = (channels / self.groups, self.filters / self.groups);
        let count = rows.dims().iter().product::<usize>() / (self.windows.len() * channels);
        let rows = rows.reshape((count, self.windows.len(), channels))?;
        let kernel = kernel.reshape((self.windows.len() * own, self.filters))?;
        let mut parts = Vec::with_capacity(self.groups);
        for group in 0..self.groups {
            let rows = rows.narrow(2, group * own, own)?.reshape((count, self.windows.len() * own))?;
            let kernel = kernel.narrow(1, group * filters, filters)?.contiguous()?;
            let bias = bias.map(|bias| bias.narrow(0, group * filters, filters)?.contiguous()).transpose()?;
            parts.push(linear(&rows, &kernel, bias.as_ref())?);
        }
        Ok(Graph::cat(&parts, 1)?)
    }
}

impl Convolution {
    fn convolved(&self, inputs: &[&[usize]], activation: Function) -> Option<Box<dyn Kernel>> {
        let geometry = conv_kernel::geometry(&self.windows, inputs.first()?)?;
        let geometry = Geometry { filters: self.filters, groups: self.groups, ..geometry };
        Some(Box::new(Convolved::new(geometry, self.use_bias, activation)))
    }
}

impl Layer for Convolution {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.channels(inputs)?;
        let input = shape::single(inputs)?;
        let mut shape = self.windows.output(&input[..self.windows.rank()])?;
        shape.push(Some(self.filters));
        Ok(shape)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let mut shape = self.windows.size.clone();
        shape.extend([self.channels(inputs)? / self.groups, self.filters]);
        let mut weights = vec![weight("kernel", shape, &self.kernel, self.trainable)?];
        if self.use_bias {
            weights.push(weight("bias", vec![self.filters], &self.bias, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, input, rank) = (step.x(0), conv_onnx::input(step)?, self.windows.rank());
        let axes: Vec<usize> = [rank + 1, rank].into_iter().chain(0..rank).collect();
        let channels = self.channels(std::slice::from_ref(&input))? / self.groups;
        let kernel = step.weight_turned(0, &axes, &[&[self.filters, channels], &*self.windows.size].concat());
        let bias = self.use_bias.then_some(1);
        let y = conv_onnx::convolution(step, &x, &self.windows, &input, kernel, bias, self.groups)?;
        step.to.activate(&*self.activation, &y)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let (x, kernel, bias) = (&inputs[0], &weights[0], weights.get(1));
        let (batch, length, channels) = window::flat(x);
        let lengths = &x.dims()[1..=self.windows.rank()];
        let seen = self.windows.len() * channels;
        let (rows, mut shape) = match self.windows.is_identity() {
            true => (x.reshape((batch * length, channels))?, lengths.to_vec()),
            false => {
                let places = self.windows.places(lengths)?;
                let outputs = places.output.iter().product::<usize>();
                (window::gather(x, &places.inputs)?.reshape((batch * outputs, seen))?, places.output)
            }
        };
        let y = match self.groups {
            1 => linear(&rows, &kernel.reshape((seen, self.filters))?, bias)?,
            _ => self.grouped(&rows, kernel, bias, channels)?,
        };
        shape.insert(0, batch);
        shape.push(self.filters);
        self.activation.compose(&y.reshape(shape)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        self.convolved(inputs, self.activation.kernel()?)
    }

    fn kernel_with(&self, inputs: &[&[usize]], then: Function) -> Option<Box<dyn Kernel>> {
        self.activation.kernel().filter(Function::is_linear)?;
        self.convolved(inputs, then)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::network::kernel::testing::{check, check_with, noise};

    fn kernel(entry: &LayerEntry, params: Value, shapes: &[&[usize]]) {
        let layer = entry.entry.make(params.as_object().unwrap()).unwrap();
        for shape in shapes {
            for rows in [1, 5, 18] {
                check(&*layer, &[shape], rows, noise);
            }
        }
    }

    #[test]
    fn kernels_of_images_compute_what_composition_does() {
        for activation in ["linear", "relu", "gelu", "tanh", "softmax"] {
            kernel(
                &CONV_2D,
                json!({"filters": 16, "kernel_size": 3, "padding": "same", "activation": activation}),
                &[&[7, 5, 3], &[1, 1, 16]],
            );
        }
        for activation in ["relu", "gelu"] {
            let params = json!({"filters": 5, "kernel_size": 2});
            check_with(CONV_2D.entry.make(params.as_object().unwrap()).unwrap(), activation, &[&[3, 4, 2]], 3, noise);
        }
        let shapes = [&[5, 8, 4][..], &[7, 7, 32], &[13, 4, 18]];
        kernel(&CONV_2D, json!({"filters": 32, "kernel_size": [3, 2], "use_bias": false}), &shapes);
        kernel(&CONV_2D, json!({"filters": 10, "kernel_size": 1}), &shapes);
        kernel(&CONV_2D, json!({"filters": 10, "kernel_size": 1, "strides": 2, "padding": "same"}), &shapes);
        kernel(&CONV_2D, json!({"filters": 48, "kernel_size": 3, "strides": [2, 1], "padding": "same"}), &shapes);
        kernel(&CONV_2D, json!({"filters": 6, "kernel_size": 2, "dilation_rate": [2, 3], "groups": 2}), &shapes);
        kernel(&CONV_2D, json!({"filters": 4, "kernel_size": 9, "padding": "same", "activation": "relu"}), &shapes);
        kernel(&CONV_2D, json!({"filters": 5, "kernel_size": 3, "trainable": false}), &shapes);
    }

    #[test]
    fn kernels_of_steps_compute_what_composition_does() {
        let shapes = [&[9, 4][..], &[31, 16], &[6, 1]];
        for padding in ["valid", "same", "causal"] {
            kernel(&CONV_1D, json!({"filters": 7, "kernel_size": 3, "padding": padding}), &shapes);
            kernel(&CONV_1D, json!({"filters": 16, "kernel_size": 4, "padding": padding, "strides": 3}), &shapes);
            kernel(&CONV_1D, json!({"filters": 8, "kernel_size": 2, "padding": padding, "dilation_rate": 3}), &shapes);
        }
        kernel(
            &CONV_1D,
            json!({"filters": 8, "kernel_size": 2, "groups": 4, "activation": "relu"}),
            &[&[9, 4], &[3, 8]],
        );
    }
}
