//! Layers that compute nothing: their output is made of values of the input and of zeros.

use crate::error::Result;
use crate::kernel::gather;
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::{Integers, Kernel, Layer, Pass, Shape, Weight, shape, window};

/// Where each value of the output comes from.
pub(super) trait Moves: Send + Sync + std::fmt::Debug + 'static {
    /// Returns the Keras name.
    fn kind(&self) -> &'static str;

    /// Returns the output's shape, or explains why the input does not fit.
    fn output_shape(&self, input: &Shape) -> Result<Shape>;

    /// Writes it as nodes of ONNX.
    ///
    /// # Errors
    /// What of it cannot be written.
    fn onnx(&self, step: &mut Step<'_>) -> Result<String>;

    /// Returns how many numbers stay together, and for each group of them in the output its place in the input, counted
    /// in groups; `None` are zeros. The lengths are those of one record, as checked by `output_shape`.
    fn places(&self, lengths: &[usize]) -> (usize, Vec<Option<usize>>);
}

/// A layer of a kind of moves.
#[derive(Debug)]
pub(super) struct Moved<M>(pub(super) M);

impl<M: Moves> Layer for Moved<M> {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn integers(&self) -> Integers {
        Integers::Kept
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.0.output_shape(shape::single(inputs)?)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        self.0.onnx(step)
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let (batch, lengths) = (x.dim(0)?, &x.dims()[1..]);
        let open: Shape = lengths.iter().copied().map(Some).collect();
        let (width, places) = self.0.places(lengths);
        let count = lengths.iter().product::<usize>() / width.max(1);
        let y = window::gather(&x.reshape((batch, count, width))?, &places)?;
        let mut shape = vec![batch];
        shape.extend(self.0.output_shape(&open)?.into_iter().flatten());
        Ok(y.reshape(shape)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let (width, places) = self.0.places(inputs.first()?);
        Some(Box::new(Own { width, places: gather::places(&places) }))
    }
}

/// Such a layer on slices.
struct Own {
    width: usize,
    places: Vec<u32>,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        gather::forward(step.rows, self.width, &self.places, step.inputs.get(0), step.output);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0) {
            gather::backward(step.rows, self.width, &self.places, step.gradient, target.values, target.add);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::network::kernel::testing::{check, noise};
    use crate::network::layers::find;

    #[test]
    fn kernels_compute_what_composition_does() {
        let cases: [(&str, Value, &[usize]); 9] = [
            ("Permute", json!({"dims": [3, 1, 2]}), &[3, 2, 5]),
            ("RepeatVector", json!({"n": 3}), &[5]),
            ("Cropping1D", json!({"cropping": [0, 2]}), &[5, 2]),
            ("Cropping2D", json!({"cropping": [[1, 0], [0, 2]]}), &[3, 5, 17]),
            ("ZeroPadding1D", json!({"padding": 3}), &[2, 3]),
            ("ZeroPadding2D", json!({"padding": [[0, 1], [2, 0]]}), &[3, 1, 2]),
            ("ZeroPadding2D", json!({"padding": [0, 2]}), &[3, 1, 2]),
            ("UpSampling1D", json!({"size": 3}), &[3, 2]),
            ("UpSampling2D", json!({"size": [1, 3]}), &[3, 2, 33]),
        ];
        for (layer, params, shape) in cases {
            let layer = find(layer).unwrap().entry.make(params.as_object().unwrap()).unwrap();
            check(&*layer, &[shape], 5, noise);
        }
    }
}
