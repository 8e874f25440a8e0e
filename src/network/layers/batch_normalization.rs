//! `BatchNormalization`: mean 0 and variance 1 for each channel over the batch.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::{Initializer, Layer, Pass, Shape, Weight, shape, show_shape};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};

pub(super) const BATCH_NORMALIZATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "BatchNormalization",
        aliases: &[],
        doc: "Shifts and scales each channel: gamma · (x - mean) / √(variance + epsilon) + beta (Ioffe and Szegedy, \
              2015).\n\n\
              While training, mean and variance (of the population) are those of the batch, and the moving ones move \
              towards them: moving · momentum + batch · (1 - momentum). Otherwise, and when not trainable, the moving \
              ones are used. The output has the shape of the input. Weights, each `[channels]`: `gamma`, `beta`, \
              `moving_mean`, `moving_variance`.",
        parameters: &[
            Parameter::optional("axis", Type::Int, "-1", "the axis of the channels, counted with the batch axis as 0"),
            Parameter::optional(
                "momentum",
                Type::Float,
                "0.99",
                "how much of the moving statistics stays, from 0 to 1",
            ),
            Parameter::optional("epsilon", Type::Float, "0.001", "added to the variance; above 0"),
            Parameter::optional("center", Type::Bool, "true", "whether `beta` is added"),
            Parameter::optional("scale", Type::Bool, "true", "whether `gamma` is multiplied"),
            Parameter::optional("beta_initializer", Type::Component, "\"zeros\"", "how `beta` starts"),
            Parameter::optional("gamma_initializer", Type::Component, "\"ones\"", "how `gamma` starts"),
            Parameter::optional("moving_mean_initializer", Type::Component, "\"zeros\"", "how the moving mean starts"),
            Parameter::optional(
                "moving_variance_initializer",
                Type::Component,
                "\"ones\"",
                "how the moving variance starts",
            ),
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(BatchNormalization::new(a)?)),
    },
    script_name: "batch_normalization",
    positional: &[],
    merges: false,
};

#[derive(Debug)]
struct BatchNormalization {
    axis: i64,
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
    gamma: Arc<dyn Initializer>,
    beta: Arc<dyn Initializer>,
    moving_mean: Arc<dyn Initializer>,
    moving_variance: Arc<dyn Initializer>,
    trainable: bool,
}

impl BatchNormalization {
    fn new(a: &Arguments) -> Result<Self> {
        // With 0 a channel of equal values would be divided by 0.
        if a.float("epsilon") <= 0.0 {
            return Err(a.refuse("epsilon", "a number above 0"));
        }
        if a.int("axis") == 0 {
            return Err(a.refuse("axis", "an axis other than 0, the batch"));
        }
        Ok(BatchNormalization {
            axis: a.int("axis"),
            momentum: a.within("momentum", 0.0, 1.0)?,
            epsilon: a.float("epsilon"),
            center: a.bool("center"),
            scale: a.bool("scale"),
            gamma: initializer(a, "gamma_initializer")?,
            beta: initializer(a, "beta_initializer")?,
            moving_mean: initializer(a, "moving_mean_initializer")?,
            moving_variance: initializer(a, "moving_variance_initializer")?,
            trainable: a.bool("trainable"),
        })
    }

    fn channels(&self, inputs: &[Shape]) -> Result<usize> {
        let input = shape::single(inputs)?;
        let axis = shape::inner_axis(self.axis, input.len()).ok_or_else(|| {
            Error::recipe(format!(
                "`axis` {} is outside of shape {} without the batch axis",
                self.axis,
                show_shape(input)
            ))
            .hint("axis 1 is the first after the batch, -1 the last")
        })?;
        input[axis].ok_or_else(|| {
            Error::recipe(format!("expected a known length of axis {}, found {}", self.axis, show_shape(input)))
        })
    }
}

impl Layer for BatchNormalization {
    fn kind(&self) -> &'static str {
        "BatchNormalization"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.channels(inputs)?;
        shape::single(inputs).cloned()
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let shape = vec![self.channels(inputs)?];
        let mut weights = Vec::with_capacity(4);
        if self.scale {
            weights.push(weight("gamma", shape.clone(), &self.gamma, self.trainable)?);
        }
        if self.center {
            weights.push(weight("beta", shape.clone(), &self.beta, self.trainable)?);
        }
        weights.push(weight("moving_mean", shape.clone(), &self.moving_mean, false)?);
        weights.push(weight("moving_variance", shape, &self.moving_variance, false)?);
        Ok(weights)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let inner = shape::inner_axis(self.axis, x.rank().saturating_sub(1));
        let axis = inner.ok_or_else(|| Error::recipe("`axis` is outside of the value"))? + 1;
        let statistics = usize::from(self.scale) + usize::from(self.center);
        let mut wide = vec![1; x.rank()];
        wide[axis] = x.dim(axis)?;
        let along = |weight: &Graph| weight.reshape(wide.as_slice());
        let (centred, variance) = if pass.training && self.trainable {
            let others: Vec<usize> = (0..x.rank()).filter(|other| *other != axis).collect();
            let mean = x.mean_keepdim(others.as_slice())?;
            let centred = x.broadcast_sub(&mean)?;
            let variance = centred.sqr()?.mean_keepdim(others.as_slice())?;
            for (index, batch) in [(statistics, &mean), (statistics + 1, &variance)] {
                let moving = weights[index].detach();
                let batch = batch.detach().reshape(moving.shape())?;
                let moved = moving.affine(self.momentum, 0.0)?.add(&batch.affine(1.0 - self.momentum, 0.0)?)?;
                pass.updates.push((index, moved));
            }
            (centred, variance)
        } else {
            (x.broadcast_sub(&along(&weights[statistics])?)?, along(&weights[statistics + 1])?)
        };
        let mut factor = variance.affine(1.0, self.epsilon)?.sqrt()?.recip()?;
        if self.scale {
            factor = factor.mul(&along(&weights[0])?)?;
        }
        let y = centred.broadcast_mul(&factor)?;
        match self.center {
            true => Ok(y.broadcast_add(&along(&weights[statistics - 1])?)?),
            false => Ok(y),
        }
    }
}
