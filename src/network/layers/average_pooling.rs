//! `AveragePooling1D` and `AveragePooling2D`: the mean of each window.

use crate::error::Result;
use crate::kernel::pool2d;
use crate::registry::Entry;
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::window::{self, DATA_FORMAT, Windows};
use super::super::{Kernel, Layer, Pass, Shape, Weight};
use super::max_pooling::{PADDING, POOL_SIZE, STRIDES, output_shape, places, windows};
use super::{LayerEntry, NAME, conv_onnx};

pub(super) const AVERAGE_POOLING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "AveragePooling1D",
        aliases: &["AvgPool1D"],
        doc: "Takes the mean of each window of steps, channel by channel; padding does not count.\n\n\
              Input `[batch, steps, channels]`, output `[batch, new steps, channels]`.",
        parameters: &[POOL_SIZE, STRIDES, PADDING, DATA_FORMAT, NAME],
        build: |a| Ok(Box::new(AveragePooling { kind: "AveragePooling1D", windows: windows(1, a)? })),
    },
    script_name: "average_pooling1d",
    positional: &["pool_size"],
    merges: false,
};

pub(super) const AVERAGE_POOLING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "AveragePooling2D",
        aliases: &["AvgPool2D"],
        doc: "Takes the mean of each window of an image, channel by channel; padding does not count.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, new height, new width, channels]`.",
        parameters: &[POOL_SIZE, STRIDES, PADDING, DATA_FORMAT, NAME],
        build: |a| Ok(Box::new(AveragePooling { kind: "AveragePooling2D", windows: windows(2, a)? })),
    },
    script_name: "average_pooling2d",
    positional: &["pool_size"],
    merges: false,
};

#[derive(Debug)]
struct AveragePooling {
    kind: &'static str,
    windows: Windows,
}

impl Layer for AveragePooling {
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
        Ok(conv_onnx::channels_first(step.to, &x, self.windows.rank(), |to, x| {
            to.node("AveragePool", &[x], attributes)
        }))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let (batch, _, channels) = window::flat(x);
        let places = self.windows.places(&x.dims()[1..=self.windows.rank()])?;
        let outputs = places.output.iter().product::<usize>();
        let sums =
            window::gather(x, &places.inputs)?.reshape((batch, outputs, self.windows.len(), channels))?.sum(2)?;
        let y = match places.inputs.contains(&None) {
            false => sums.affine(1.0 / self.windows.len() as f64, 0.0)?,
            true => {
                let share = |window: &[Option<usize>]| 1.0 / window.iter().flatten().count().max(1) as f64;
                let shares: Vec<f64> = places.inputs.chunks_exact(self.windows.len()).map(share).collect();
                let shares = Graph::from_vec(shares, (1, outputs, 1), x.device())?.to_dtype(x.dtype())?;
                sums.broadcast_mul(&shares)?
            }
        };
        let mut shape = places.output;
        shape.insert(0, batch);
        shape.push(channels);
        Ok(y.reshape(shape)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Own(places(&self.windows, inputs.first()?)?)))
    }
}

/// The layer on slices.
struct Own(pool2d::Windows);

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        pool2d::mean(&self.0, step.rows, step.inputs.get(0), step.output);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0) {
            pool2d::mean_backward(&self.0, step.rows, step.gradient, target.values, target.add);
        }
        Ok(())
    }
}
