//! `GlobalMaxPooling…` and `GlobalAveragePooling…`: one value per channel over all steps or the whole image.

use crate::error::Result;
use crate::kernel::pool2d;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::window::{self, DATA_FORMAT};
use super::super::{Bound, Kernel, Layer, Named, Pass, Shape, Symbol, Weight, shape};
use super::masked_mean::MaskedMean;
use super::{LayerEntry, NAME};

pub(super) const GLOBAL_MAX_POOLING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GlobalMaxPooling1D",
        aliases: &["GlobalMaxPool1D"],
        doc: "Takes the largest value over all steps; among equal ones the gradient goes to the first.\n\n\
              Input `[batch, steps, channels]`, output `[batch, channels]`.",
        parameters: &[DATA_FORMAT, KEEPDIMS, NAME],
        build: |a| GlobalPooling::build("GlobalMaxPooling1D", 1, Reduction::Maximum, a),
    },
    script_name: "global_max_pooling1d",
    positional: &[],
    merges: false,
};

pub(super) const GLOBAL_MAX_POOLING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GlobalMaxPooling2D",
        aliases: &["GlobalMaxPool2D"],
        doc: "Takes the largest value of the image; among equal ones the gradient goes to the first, row by row.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, channels]`.",
        parameters: &[DATA_FORMAT, KEEPDIMS, NAME],
        build: |a| GlobalPooling::build("GlobalMaxPooling2D", 2, Reduction::Maximum, a),
    },
    script_name: "global_max_pooling2d",
    positional: &[],
    merges: false,
};

pub(super) const GLOBAL_AVERAGE_POOLING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GlobalAveragePooling1D",
        aliases: &["GlobalAvgPool1D"],
        doc: "Takes the mean over all steps.\n\nInput `[batch, steps, channels]`, output `[batch, channels]`.",
        parameters: &[DATA_FORMAT, KEEPDIMS, NAME],
        build: |a| GlobalPooling::build("GlobalAveragePooling1D", 1, Reduction::Mean, a),
    },
    script_name: "global_average_pooling1d",
    positional: &[],
    merges: false,
};

pub(super) const GLOBAL_AVERAGE_POOLING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GlobalAveragePooling2D",
        aliases: &["GlobalAvgPool2D"],
        doc: "Takes the mean of the image.\n\nInput `[batch, height, width, channels]`, output `[batch, channels]`.",
        parameters: &[DATA_FORMAT, KEEPDIMS, NAME],
        build: |a| GlobalPooling::build("GlobalAveragePooling2D", 2, Reduction::Mean, a),
    },
    script_name: "global_average_pooling2d",
    positional: &[],
    merges: false,
};

const KEEPDIMS: Parameter =
    Parameter::optional("keepdims", Type::Bool, "false", "whether the axes stay, with length 1");

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reduction {
    Maximum,
    Mean,
}

#[derive(Debug)]
struct GlobalPooling {
    kind: &'static str,
    rank: usize,
    reduction: Reduction,
    keepdims: bool,
}

impl GlobalPooling {
    fn build(kind: &'static str, rank: usize, reduction: Reduction, a: &Arguments) -> Result<Box<dyn Layer>> {
        window::check_data_format(a)?;
        Ok(Box::new(GlobalPooling { kind, rank, reduction, keepdims: a.bool("keepdims") }))
    }
}

impl Layer for GlobalPooling {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn bind(&self, inputs: &[Symbol], _: &Named<'_>) -> Result<Option<Bound>> {
        match (self.reduction, inputs) {
            (Reduction::Mean, [x]) if self.rank == 1 => Ok(MaskedMean::bind(x, self.keepdims)),
            _ => Ok(None),
        }
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let axes = if self.rank == 1 { "steps, channels" } else { "height, width, channels" };
        let input = shape::single_of_rank(inputs, self.rank + 1, axes)?;
        let mut shape = if self.keepdims { vec![Some(1); self.rank] } else { Vec::new() };
        shape.push(input[self.rank]);
        Ok(shape)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let (batch, length, channels) = window::flat(&inputs[0]);
        let x = inputs[0].reshape((batch, length, channels))?;
        let y = match self.reduction {
            Reduction::Maximum => window::maximum(&x)?,
            Reduction::Mean => x.mean(1)?,
        };
        if !self.keepdims {
            return Ok(y);
        }
        let mut shape = vec![1; self.rank + 2];
        shape[0] = batch;
        shape[self.rank + 1] = channels;
        Ok(y.reshape(shape)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let (_, lengths) = inputs.first()?.split_last()?;
        Some(Box::new(Own { reduction: self.reduction, places: lengths.iter().product(), found: Vec::new() }))
    }
}

/// The layer on slices.
struct Own {
    reduction: Reduction,
    places: usize,
    /// Where the largest values stood.
    found: Vec<u32>,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let x = step.inputs.get(0);
        match self.reduction {
            Reduction::Mean => pool2d::global_mean(step.rows, self.places, x, step.output),
            Reduction::Maximum => {
                self.found.resize(step.output.len(), 0);
                pool2d::global_maximum(step.rows, self.places, x, step.output, &mut self.found);
            }
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let gradient = &*step.gradient;
        if let Some(target) = step.input_gradients.take(0) {
            let (to, add) = (target.values, target.add);
            match self.reduction {
                Reduction::Mean => pool2d::global_mean_backward(step.rows, gradient, to, add),
                Reduction::Maximum => pool2d::global_maximum_backward(step.rows, gradient, &self.found, to, add),
            }
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
        let coarse = |input, at| (noise(input, at) * 2.0).round();
        for keepdims in [false, true] {
            let params = json!({"keepdims": keepdims});
            let make = |entry: &LayerEntry| entry.entry.make(params.as_object().unwrap()).unwrap();
            for shape in [&[4, 6, 3][..], &[1, 1, 5], &[3, 3, 37]] {
                check(&*make(&GLOBAL_MAX_POOLING_2D), &[shape], 5, coarse);
                check(&*make(&GLOBAL_AVERAGE_POOLING_2D), &[shape], 5, noise);
            }
            for shape in [&[4, 3][..], &[9, 16], &[1, 1]] {
                check(&*make(&GLOBAL_MAX_POOLING_1D), &[shape], 5, coarse);
                check(&*make(&GLOBAL_AVERAGE_POOLING_1D), &[shape], 5, noise);
            }
        }
    }
}
