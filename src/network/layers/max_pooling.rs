//! `MaxPooling1D` and `MaxPooling2D`: the largest value of each window.

use crate::error::Result;
use crate::kernel::pool2d;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::window::{self, DATA_FORMAT, Padding, Windows};
use super::super::{Kernel, Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME, conv_kernel, conv_onnx};

pub(super) const MAX_POOLING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "MaxPooling1D",
        aliases: &["MaxPool1D"],
        doc: "Takes the largest value of each window of steps, channel by channel; among equal ones the gradient goes \
              to the first.\n\nInput `[batch, steps, channels]`, output `[batch, new steps, channels]`.",
        parameters: &[POOL_SIZE, STRIDES, PADDING, DATA_FORMAT, NAME],
        build: |a| Ok(Box::new(MaxPooling { kind: "MaxPooling1D", windows: windows(1, a)? })),
    },
    script_name: "max_pooling1d",
    positional: &["pool_size"],
    merges: false,
};

pub(super) const MAX_POOLING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "MaxPooling2D",
        aliases: &["MaxPool2D"],
        doc: "Takes the largest value of each window of an image, channel by channel; among equal ones the gradient \
              goes to the first, row by row.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, new height, new width, channels]`.",
        parameters: &[POOL_SIZE, STRIDES, PADDING, DATA_FORMAT, NAME],
        build: |a| Ok(Box::new(MaxPooling { kind: "MaxPooling2D", windows: windows(2, a)? })),
    },
    script_name: "max_pooling2d",
    positional: &["pool_size"],
    merges: false,
};

pub(super) const POOL_SIZE: Parameter =
    Parameter::optional("pool_size", Type::Ints, "2", "the lengths of the window, or one number for all axes");
pub(super) const STRIDES: Parameter =
    Parameter::optional("strides", Type::Ints, "null", "how far the window moves; as `pool_size` when null");
pub(super) const PADDING: Parameter = Parameter::optional(
    "padding",
    Type::Text,
    "\"valid\"",
    "`valid`: windows lie within the input; `same`: they may reach over its ends, where nothing counts",
);

/// Reads the parameters of pooling.
pub(super) fn windows(rank: usize, a: &Arguments) -> Result<Windows> {
    window::check_data_format(a)?;
    let size = a.sizes("pool_size", rank, 1)?;
    let strides = if a.is_null("strides") { size.clone() } else { a.sizes("strides", rank, 1)? };
    Ok(Windows { dilation: vec![1; size.len()], size, strides, padding: Padding::from(a, false)? })
}

/// Returns the output's shape: the windows' places, and the channels as they are.
pub(super) fn output_shape(windows: &Windows, inputs: &[Shape]) -> Result<Shape> {
    let axes = if windows.rank() == 1 { "steps, channels" } else { "height, width, channels" };
    let input = shape::single_of_rank(inputs, windows.rank() + 1, axes)?;
    let mut shape = windows.output(&input[..windows.rank()])?;
    shape.push(input[windows.rank()]);
    Ok(shape)
}

#[derive(Debug)]
struct MaxPooling {
    kind: &'static str,
    windows: Windows,
}

impl Layer for MaxPooling {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        output_shape(&self.windows, inputs)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, input) = (step.x(0), conv_onnx::input(step)?);
        let attributes = conv_onnx::windows(&self.windows, &input)?;
        Ok(conv_onnx::channels_first(step.to, &x, self.windows.rank(), |to, x| to.node("MaxPool", &[x], attributes)))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let (batch, _, channels) = window::flat(x);
        let places = self.windows.places(&x.dims()[1..=self.windows.rank()])?;
        let outputs = places.output.iter().product::<usize>();
        let seen = window::gather_nearest(x, &places.nearest)?;
        let y = window::maximum(&seen.reshape((batch * outputs, self.windows.len(), channels))?)?;
        let mut shape = places.output;
        shape.insert(0, batch);
        shape.push(channels);
        Ok(y.reshape(shape)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        // Places in a window are kept as bytes.
        let windows = places(&self.windows, inputs.first()?).filter(|_| self.windows.len() <= 256)?;
        Some(Box::new(Own { windows, places: Vec::new() }))
    }
}

/// Returns where windows lie in an input of one or two axes and channels; steps are an image of height 1.
pub(super) fn places(windows: &Windows, input: &[usize]) -> Option<pool2d::Windows> {
    let geometry = conv_kernel::geometry(windows, input)?;
    Some(pool2d::Windows {
        input: geometry.input,
        output: geometry.output,
        size: geometry.kernel,
        strides: geometry.strides,
        before: geometry.before,
        channels: geometry.channels,
    })
}

/// The layer on slices.
struct Own {
    windows: pool2d::Windows,
    /// Where each value of the output stood in its window.
    places: Vec<u8>,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        self.places.resize(step.output.len(), 0);
        pool2d::maximum(&self.windows, step.rows, step.inputs.get(0), step.output, &mut self.places);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0) {
            let (places, gradient) = (&self.places, &*step.gradient);
            pool2d::maximum_backward(&self.windows, step.rows, gradient, places, target.values, target.add);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::average_pooling::{AVERAGE_POOLING_1D, AVERAGE_POOLING_2D};
    use super::*;
    use crate::network::kernel::testing::{check, noise};

    #[test]
    fn kernels_compute_what_composition_does() {
        let cases = [
            json!({}),
            json!({"padding": "same"}),
            json!({"pool_size": 3, "strides": 1}),
            json!({"pool_size": 3, "strides": 2, "padding": "same"}),
            json!({"pool_size": 2, "strides": 3, "padding": "same"}),
        ];
        // Few different values, so that there are equal ones in a window.
        let coarse = |input, at| (noise(input, at) * 2.0).round();
        for case in cases {
            let make = |entry: &LayerEntry| entry.entry.make(case.as_object().unwrap()).unwrap();
            for shape in [&[4, 6, 3][..], &[7, 5, 16], &[3, 3, 37]] {
                check(&*make(&MAX_POOLING_2D), &[shape], 5, coarse);
                check(&*make(&MAX_POOLING_2D), &[shape], 5, noise);
                check(&*make(&AVERAGE_POOLING_2D), &[shape], 5, noise);
            }
            for shape in [&[4, 3][..], &[9, 16], &[3, 1]] {
                check(&*make(&MAX_POOLING_1D), &[shape], 5, coarse);
                check(&*make(&AVERAGE_POOLING_1D), &[shape], 5, noise);
            }
        }
    }
}
