//! Convolutions on slices: the kernel of all layers that slide windows of weights.

use crate::error::Result;
use crate::kernel::activation::{Activated, Activation};
use crate::kernel::conv2d::{Back, Conv2d, Forward as Step, Geometry};

use super::super::Kernel;
use super::super::kernel::{Backward, Forward};
use super::super::window::Windows;

/// Returns the sizes of a convolution of one group and no filters yet, for an input of one or two axes and channels;
/// steps are an image of height 1. `None` where windows do not fit.
pub(super) fn geometry(windows: &Windows, input: &[usize]) -> Option<Geometry> {
    let (channels, lengths) = input.split_last()?;
    if lengths.len() != windows.rank() || lengths.contains(&0) {
        return None;
    }
    let axes: Vec<(usize, usize)> =
        lengths.iter().enumerate().map(|(axis, length)| windows.axis(axis, *length).ok()).collect::<Option<_>>()?;
    let pair = |one: usize, values: &[usize]| match values {
        [width] => Some([one, *width]),
        [height, width] => Some([*height, *width]),
        _ => None,
    };
    let (output, before): (Vec<usize>, Vec<usize>) = axes.into_iter().unzip();
    Some(Geometry {
        input: pair(1, lengths)?,
        channels: *channels,
        output: pair(1, &output)?,
        filters: 0,
        kernel: pair(1, &windows.size)?,
        strides: pair(1, &windows.strides)?,
        dilation: pair(1, &windows.dilation)?,
        before: pair(0, &before)?,
        groups: 1,
    })
}

/// A convolution, bias and activation. Weights: the kernel, and the bias if there is one.
pub(super) struct Convolved {
    conv: Conv2d,
    /// Whether it runs from the convolution's output to its input.
    transposed: bool,
    /// Channels of the output.
    width: usize,
    use_bias: bool,
    /// Relu is done on the way; other activations follow.
    relu: bool,
    activated: Activated,
}

impl Convolved {
    pub(super) fn new(geometry: Geometry, use_bias: bool, activation: Activation) -> Self {
        let relu = activation.is_relu();
        let activated = Activated::new(if relu { Activation::LINEAR } else { activation });
        let conv = Conv2d::new(geometry);
        Convolved { conv, transposed: false, width: geometry.filters, use_bias, relu, activated }
    }

    /// The transposed convolution, from the output of `geometry` to its input.
    pub(super) fn transposed(geometry: Geometry, use_bias: bool, activation: Activation) -> Self {
        let own = Self::new(geometry, use_bias, activation);
        Convolved { transposed: true, width: geometry.channels, ..own }
    }
}

impl Kernel for Convolved {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let bias = self.use_bias.then(|| step.weights.get(1));
        let (x, weights) = (step.inputs.get(0), step.weights.get(0));
        let own = Step { images: step.rows, x, weights, bias, relu: self.relu };
        match self.transposed {
            false => self.conv.forward(own, step.output),
            true => self.conv.transposed(own, step.output),
        }
        self.activated.forward(step.output, self.width, step.training);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        self.activated.backward(step.output, step.gradient, self.width);
        let (of_weights, of_bias) = (step.weight_gradients.wanted(0), self.use_bias && step.weight_gradients.wanted(1));
        let of_x = step.input_gradients.take(0);
        let back = Back {
            images: step.rows,
            x: step.inputs.get(0),
            weights: step.weights.get(0),
            relu: self.relu.then_some(step.output),
            gradient: step.gradient,
            of_x: of_x.map(|target| (target.values, target.add)),
            of_weights,
            of_bias,
        };
        match self.transposed {
            false => self.conv.backward(back),
            true => self.conv.transposed_backward(back),
        }
        if of_weights && let Some(target) = step.weight_gradients.take(0) {
            self.conv.weight_gradient(target.values, target.add);
        }
        if of_bias && let Some(target) = step.weight_gradients.take(1) {
            self.conv.bias_gradient(target.values, target.add);
        }
        Ok(())
    }
}
