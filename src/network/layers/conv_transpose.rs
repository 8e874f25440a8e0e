//! `Conv1DTranspose` and `Conv2DTranspose`: each place of the input is spread over a window of the output.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::conv2d::Geometry;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::linear;
use super::super::onnx::{Step, ints};
use super::super::window::{self, DATA_FORMAT, Padding};
use super::super::{Activation, Initializer, Kernel, Layer, Pass, Shape, Weight, shape, show_shape};
use super::conv::{ACTIVATION, BIAS_INITIALIZER, DILATION_RATE, KERNEL_INITIALIZER, USE_BIAS};
use super::conv_kernel::Convolved;
use super::conv_onnx;
use super::terms::{
    ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, KERNEL_CONSTRAINT, KERNEL_REGULARIZER, Terms,
};
use super::{LayerEntry, NAME, TRAINABLE, activation, initializer, weight};

pub(super) const CONV_1D_TRANSPOSE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Conv1DTranspose",
        aliases: &["Convolution1DTranspose"],
        doc: "Spreads each step over a window: the gradient of a convolution, used forward, which makes sequences longer \
              again.\n\n\
              Input `[batch, steps, channels]`, output `[batch, new steps, filters]`. With padding `same` there are steps · \
              strides new steps, with `valid` as many as the windows reach. Weights: `kernel` \
              `[kernel_size, filters, channels]`, `bias` `[filters]`.",
        parameters: &[
            Parameter::required("filters", Type::Int, "the number of output channels, at least 1"),
            Parameter::required("kernel_size", Type::Ints, "the length of the window"),
            Parameter::optional("strides", Type::Ints, "1", "how far windows are apart in the output"),
            PADDING,
            OUTPUT_PADDING,
            DATA_FORMAT,
            DILATION_RATE,
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
        build: |a| Ok(Box::new(ConvTranspose::new("Conv1DTranspose", 1, a)?)),
    },
    script_name: "conv1d_transpose",
    positional: &["filters", "kernel_size"],
    merges: false,
};

pub(super) const CONV_2D_TRANSPOSE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Conv2DTranspose",
        aliases: &["Convolution2DTranspose"],
        doc: "Spreads each place of an image over a window: the gradient of a convolution, used forward, which makes \
              images larger again.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, new height, new width, filters]`. With padding \
              `same` the new height is height · strides, with `valid` as much as the windows reach. Weights: `kernel` \
              `[height, width, filters, channels]`, `bias` `[filters]`.",
        parameters: &[
            Parameter::required("filters", Type::Int, "the number of output channels, at least 1"),
            Parameter::required("kernel_size", Type::Ints, "height and width of the window, or one number for both"),
            Parameter::optional("strides", Type::Ints, "1", "how far windows are apart in the output, down and right"),
            PADDING,
            OUTPUT_PADDING,
            DATA_FORMAT,
            DILATION_RATE,
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
        build: |a| Ok(Box::new(ConvTranspose::new("Conv2DTranspose", 2, a)?)),
    },
    script_name: "conv2d_transpose",
    positional: &["filters", "kernel_size"],
    merges: false,
};

const PADDING: Parameter = Parameter::optional(
    "padding",
    Type::Text,
    "\"valid\"",
    "`valid`: all that the windows reach; `same`: as many places as a convolution with these strides needs to give \
     the input's",
);
const OUTPUT_PADDING: Parameter = Parameter::optional(
    "output_padding",
    Type::Ints,
    "null",
    "how many places the output has more at its end than the smallest that fits, less than the stride; null chooses \
     the length by `padding`",
);

#[derive(Debug)]
struct ConvTranspose {
    kind: &'static str,
    filters: usize,
    size: Vec<usize>,
    strides: Vec<usize>,
    dilation: Vec<usize>,
    padding: Padding,
    output_padding: Option<Vec<usize>>,
    activation: Box<dyn Activation>,
    use_bias: bool,
    kernel: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

impl ConvTranspose {
    fn new(kind: &'static str, rank: usize, a: &Arguments) -> Result<Self> {
        window::check_data_format(a)?;
        let strides = a.sizes("strides", rank, 1)?;
        let dilation = a.sizes("dilation_rate", rank, 1)?;
        if strides.iter().any(|stride| *stride > 1) && dilation.iter().any(|dilation| *dilation > 1) {
            return Err(a.refuse("dilation_rate", "1 where `strides` are above 1"));
        }
        let output_padding = match a.is_null("output_padding") {
            true => None,
            false => Some(a.sizes("output_padding", rank, 0)?),
        };
        if output_padding.iter().flatten().zip(&strides).any(|(padding, stride)| padding >= stride) {
            return Err(a.refuse("output_padding", "whole numbers below `strides`"));
        }
        Ok(ConvTranspose {
            kind,
            filters: a.at_least("filters", 1)?,
            size: a.sizes("kernel_size", rank, 1)?,
            strides,
            dilation,
            padding: Padding::from(a, false)?,
            output_padding,
            activation: activation(a, "activation")?,
            use_bias: a.bool("use_bias"),
            kernel: initializer(a, "kernel_initializer")?,
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("kernel", "kernel"), ("bias", "bias")])?,
        })
    }

    fn rank(&self) -> usize {
        self.size.len()
    }

    fn input<'a>(&self, inputs: &'a [Shape]) -> Result<&'a Shape> {
        let axes = if self.rank() == 1 { "steps, channels" } else { "height, width, channels" };
        shape::single_of_rank(inputs, self.rank() + 1, axes)
    }

    /// The length of the output along one axis, and how much of the first window lies before it. Place i of the input and
    /// place j of the window meet in place i · stride + j · dilation - before. As Keras 3 computes it
    /// (`keras/src/backend/common/backend_utils.py`).
    fn axis(&self, axis: usize, length: usize) -> Result<(usize, usize)> {
        let too_large = || Error::recipe("the output is too large").hint("use smaller windows or strides");
        let stride = self.strides[axis];
        let span = (self.size[axis] - 1).checked_mul(self.dilation[axis]).ok_or_else(too_large)? + 1;
        let extra = self.output_padding.as_ref().map(|padding| padding[axis]);
        let (added, before) = match (self.padding, extra) {
            (Padding::Same, extra) => {
                let added = extra.map_or(stride + span - 2, |extra| span + span % 2 - 2 + extra);
                (added, span - 1 - added.div_ceil(2).min(span - 1))
            }
            (_, extra) => (2 * (span - 1) + extra.unwrap_or(stride.max(span) - span), 0),
        };
        let reach = length.max(1).saturating_sub(1).checked_mul(stride).ok_or_else(too_large)?;
        let output = (reach + added + 2).checked_sub(span).filter(|output| *output > 0);
        let output = output.ok_or_else(|| Error::recipe(format!("nothing is left of an axis of length {length}")))?;
        match output < i32::MAX as usize {
            true => Ok((output, before)),
            false => Err(too_large()),
        }
    }

    /// For each place of the output, which places of the input it gets from each place of the window.
    fn places(&self, lengths: &[usize]) -> Result<(Vec<usize>, Vec<Option<usize>>)> {
        let mut output = Vec::new();
        let mut places: Vec<Option<usize>> = vec![Some(0)];
        let (mut outputs, mut window) = (1, 1);
        for (axis, length) in lengths.iter().enumerate() {
            let (out, before) = self.axis(axis, *length)?;
            let (size, stride, dilation) = (self.size[axis], self.strides[axis], self.dilation[axis]);
            let mut next = Vec::with_capacity(places.len() * out * size);
            for o in 0..outputs {
                for at in 0..out {
                    for w in 0..window {
                        for j in 0..size {
                            let place = (at + before).checked_sub(j * dilation);
                            let place = place.filter(|place| place.is_multiple_of(stride)).map(|place| place / stride);
                            let place = place.filter(|place| place < length);
                            next.push(places[o * window + w].zip(place).map(|(first, own)| first * length + own));
                        }
                    }
                }
            }
            places = next;
            outputs *= out;
            window *= size;
            output.push(out);
        }
        Ok((output, places))
    }
}

impl Layer for ConvTranspose {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = self.input(inputs)?;
        shape::last_axis(input)?;
        let axes = input[..self.rank()].iter().enumerate();
        let mut shape: Shape = axes
            .map(|(axis, length)| length.map(|length| self.axis(axis, length).map(|(output, _)| output)).transpose())
            .collect::<Result<_>>()?;
        // Places are counted in 32 bits, and a table of them is made for every pass.
        let places =
            shape.iter().flatten().chain(&self.size).fold(1usize, |product, size| product.saturating_mul(*size));
        if places >= i32::MAX as usize {
            return Err(Error::recipe(format!("shape {} has too many elements", show_shape(&shape))));
        }
        shape.push(Some(self.filters));
        Ok(shape)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let mut shape = self.size.clone();
        shape.extend([self.filters, shape::last_axis(self.input(inputs)?)?]);
        let mut weights = vec![weight("kernel", shape, &self.kernel, self.trainable)?];
        if self.use_bias {
            weights.push(weight("bias", vec![self.filters], &self.bias, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, input, rank) = (step.x(0), conv_onnx::input(step)?, self.rank());
        let channels = shape::last_axis(&input)?;
        let axes: Vec<usize> = [rank + 1, rank].into_iter().chain(0..rank).collect();
        let kernel = step.weight_turned(0, &axes, &[&[channels, self.filters], &*self.size].concat());
        let (mut before, mut after, mut more) = (Vec::new(), Vec::new(), Vec::new());
        for (axis, length) in input.iter().enumerate().take(rank) {
            // What is cut off does not depend on the length.
            let length = length.unwrap_or(self.size[axis] * self.dilation[axis] + 2);
            let (output, start) = self.axis(axis, length)?;
            let whole = (length - 1) * self.strides[axis] + (self.size[axis] - 1) * self.dilation[axis] + 1;
            before.push(start);
            after.push(whole.saturating_sub(start + output));
            more.push((start + output).saturating_sub(whole));
        }
        let mut attributes = vec![ints("kernel_shape", self.size.clone()), ints("strides", self.strides.clone())];
        attributes.push(ints("dilations", self.dilation.clone()));
        attributes.push(ints("pads", before.into_iter().chain(after)));
        attributes.push(ints("output_padding", more));
        let bias = self.use_bias.then(|| step.weight(1));
        let y = conv_onnx::channels_first(step.to, &x, rank, |to, x| match &bias {
            Some(bias) => to.node("ConvTranspose", &[x, &kernel, bias], attributes),
            None => to.node("ConvTranspose", &[x, &kernel], attributes),
        });
        step.to.activate(&*self.activation, &y)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let (batch, _, channels) = window::flat(x);
        let (mut output, places) = self.places(&x.dims()[1..=self.rank()])?;
        let window = self.size.iter().product::<usize>();
        let count = batch * output.iter().product::<usize>();
        let rows = window::gather(x, &places)?.reshape((count, window * channels))?;
        let kernel = weights[0].reshape((window, self.filters, channels))?.transpose(1, 2)?.contiguous()?;
        let y = linear(&rows, &kernel.reshape((window * channels, self.filters))?, weights.get(1))?;
        output.insert(0, batch);
        output.push(self.filters);
        self.activation.compose(&y.reshape(output)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let (channels, lengths) = inputs.first()?.split_last()?;
        if lengths.len() != self.rank() || lengths.contains(&0) {
            return None;
        }
        let axes = lengths.iter().enumerate().map(|(axis, length)| self.axis(axis, *length).ok());
        let (output, before): (Vec<usize>, Vec<usize>) = axes.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        let pair = |one: usize, values: &[usize]| match values {
            [width] => [one, *width],
            _ => [values[0], values[1]],
        };
        // The convolution whose gradient this is: from the output to the input.
        let geometry = Geometry {
            input: pair(1, &output),
            channels: self.filters,
            output: pair(1, lengths),
            filters: *channels,
            kernel: pair(1, &self.size),
            strides: pair(1, &self.strides),
            dilation: pair(1, &self.dilation),
            before: pair(0, &before),
            groups: 1,
        };
        Some(Box::new(Convolved::transposed(geometry, self.use_bias, self.activation.kernel()?)))
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
            json!({"filters": 4, "kernel_size": 2, "strides": 3, "use_bias": false, "activation": "gelu"}),
            json!({"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
            json!({"filters": 4, "kernel_size": 4, "strides": 3, "output_padding": 1, "padding": "same"}),
            json!({"filters": 4, "kernel_size": 1, "trainable": false}),
        ];
        for case in cases {
            let make = |entry: &LayerEntry| entry.entry.make(case.as_object().unwrap()).unwrap();
            for shape in [&[3, 5, 3][..], &[3, 4, 16]] {
                check(&*make(&CONV_2D_TRANSPOSE), &[shape], 5, noise);
            }
            for shape in [&[5, 3][..], &[9, 32]] {
                check(&*make(&CONV_1D_TRANSPOSE), &[shape], 18, noise);
            }
        }
    }
}
