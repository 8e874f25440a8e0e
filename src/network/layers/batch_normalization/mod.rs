//! `BatchNormalization`: mean 0 and variance 1 for each channel over the batch.

mod renorm;
mod run;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::activation::Activation as Function;
use crate::kernel::batch_norm::Statistics;
use crate::network::onnx::Step;
use crate::network::{Bound, Initializer, Kernel, Layer, Named, Pass, Shape, Symbol, Weight, shape, show_shape};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::terms::{BETA_CONSTRAINT, BETA_REGULARIZER, GAMMA_CONSTRAINT, GAMMA_REGULARIZER, Terms};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};
use renorm::{Corrected, Renorm, Root};
use run::Own;

pub(super) const BATCH_NORMALIZATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "BatchNormalization",
        aliases: &[],
        doc: "Shifts and scales each channel: gamma · (x - mean) / √(variance + epsilon) + beta (Ioffe and Szegedy, \
              2015).\n\n\
              While training, mean and variance (of the population) are those of the batch, and the moving ones move \
              towards them: moving · momentum + batch · (1 - momentum). Otherwise, and when not trainable, the moving \
              ones are used. The output has the shape of the input. Weights, each `[channels]`: `gamma`, `beta`, \
              `moving_mean`, `moving_variance`; with `renorm` also \
              `moving_stddev`, `renorm_mean`, `renorm_stddev`.",
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
            BETA_REGULARIZER,
            GAMMA_REGULARIZER,
            BETA_CONSTRAINT,
            GAMMA_CONSTRAINT,
            renorm::RENORM,
            renorm::RENORM_CLIPPING,
            renorm::RENORM_MOMENTUM,
            Parameter::optional(
                "synchronized",
                Type::Bool,
                "false",
                "only false: a run computes on one device, where the statistics are those of the whole batch anyway",
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

#[derive(Clone, Debug)]
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
    renorm: Option<Renorm>,
    /// Whether a mask of steps is the second input: statistics are those of the steps that count.
    masked: bool,
    terms: Terms,
}

impl BatchNormalization {
    fn new(a: &Arguments) -> Result<Self> {
        // With 0 a channel of equal values would be divided by 0.
        if a.float("epsilon") <= 0.0 {
            return Err(a.refuse("epsilon", "a number above 0"));
        }
        if a.bool("synchronized") {
            return Err(a.refuse("synchronized", "false").hint(
                "a run computes on one device, where the statistics are those of the whole batch anyway: leave it out",
            ));
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
            renorm: Renorm::new(a)?,
            masked: false,
            terms: Terms::new(a, &[("gamma", "gamma"), ("beta", "beta")])?,
        })
    }

    fn channels(&self, inputs: &[Shape]) -> Result<usize> {
        let input = shape::single(if self.masked { inputs.get(..1).unwrap_or(&[]) } else { inputs })?;
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

    fn frozen(&self) -> Option<Arc<dyn Layer>> {
        Some(Arc::new(BatchNormalization { trainable: false, ..self.clone() }))
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn bind(&self, inputs: &[Symbol], _: &Named<'_>) -> Result<Option<Bound>> {
        let [x] = inputs else { return Ok(None) };
        // As in Keras, where the mask has one axis less than the value.
        let Some(mask) = x.mask().filter(|mask| mask.shape().len() + 1 == x.shape().len()) else { return Ok(None) };
        let layer = Arc::new(BatchNormalization { masked: true, ..self.clone() });
        Ok(Some(Bound { layer, inputs: vec![x.clone(), mask.clone()] }))
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.channels(inputs)?;
        shape::single(inputs.get(..1).unwrap_or(&[])).cloned()
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let shape = vec![self.channels(inputs)?];
        let mut weights = Vec::with_capacity(7);
        if self.scale {
            weights.push(weight("gamma", shape.clone(), &self.gamma, self.trainable)?);
        }
        if self.center {
            weights.push(weight("beta", shape.clone(), &self.beta, self.trainable)?);
        }
        weights.push(weight("moving_mean", shape.clone(), &self.moving_mean, false)?);
        weights.push(weight("moving_variance", shape.clone(), &self.moving_variance, false)?);
        if self.renorm.is_some() {
            let root: Arc<dyn Initializer> = Arc::new(Root(Arc::clone(&self.moving_variance)));
            for (name, initializer) in renorm::WEIGHTS.into_iter().zip([&root, &self.moving_mean, &root]) {
                weights.push(weight(name, shape.clone(), initializer, false)?);
            }
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        // A mask changes the statistics of training only.
        let (x, input) = (step.x(0), step.shapes.first().cloned().unwrap_or_default());
        let axis =
            shape::inner_axis(self.axis, input.len()).ok_or_else(|| Error::recipe("`axis` is outside of the value"))?;
        let statistics = usize::from(self.scale) + usize::from(self.center);
        let mut factors: Vec<f32> =
            step.values(statistics + 1).iter().map(|variance| 1.0 / (variance + self.epsilon as f32).sqrt()).collect();
        if self.scale {
            factors.iter_mut().zip(step.values(0)).for_each(|(factor, gamma)| *factor *= gamma);
        }
        let mut wide = vec![1; input.len() - axis];
        wide[0] = factors.len();
        let (mean, factors) = (step.weight_as(statistics, &wide), step.to.numbers(&factors, &wide));
        let centred = step.to.two("Sub", &x, &mean);
        let y = step.to.two("Mul", &centred, &factors);
        if !self.center {
            return Ok(y);
        }
        let beta = step.weight_as(statistics - 1, &wide);
        Ok(step.to.two("Add", &y, &beta))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let inner = shape::inner_axis(self.axis, x.rank().saturating_sub(1));
        let axis = inner.ok_or_else(|| Error::recipe("`axis` is outside of the value"))? + 1;
        let statistics = usize::from(self.scale) + usize::from(self.center);
        let mut wide = vec![1; x.rank()];
        wide[axis] = x.dim(axis)?;
        let along = |weight: &Graph| weight.reshape(wide.as_slice());
        let mut corrections = None;
        let (centred, variance) = if pass.training && self.trainable {
            let others: Vec<usize> = (0..x.rank()).filter(|other| *other != axis).collect();
            let (mean, variance) = match self.masked {
                false => {
                    let mean = x.mean_keepdim(others.as_slice())?;
                    let variance = x.broadcast_sub(&mean)?.sqr()?.mean_keepdim(others.as_slice())?;
                    (mean, variance)
                }
                true => masked_moments(x, &inputs[1], &others)?,
            };
            let centred = x.broadcast_sub(&mean)?;
            if let Some(renorm) = &self.renorm {
                let (own, rates) = (&weights[statistics..], (self.momentum, self.epsilon));
                corrections = Some(renorm.compose((&mean, &variance), own, rates, (statistics, &mut *pass))?);
            }
            let plain = [(statistics, &mean), (statistics + 1, &variance)];
            for (index, batch) in plain.into_iter().filter(|_| corrections.is_none()) {
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
        let mut y = centred.broadcast_mul(&factor)?;
        if let Some((r, d)) = &corrections {
            let d = if self.scale { d.mul(&along(&weights[0])?)? } else { d.clone() };
            y = y.broadcast_mul(r)?.broadcast_add(&d)?;
        }
        match self.center {
            true => Ok(y.broadcast_add(&along(&weights[statistics - 1])?)?),
            false => Ok(y),
        }
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        self.own(inputs, false)
    }

    fn kernel_with(&self, inputs: &[&[usize]], then: Function) -> Option<Box<dyn Kernel>> {
        if then.is_relu() { self.own(inputs, true) } else { None }
    }
}

impl BatchNormalization {
    fn own(&self, inputs: &[&[usize]], relu: bool) -> Option<Box<dyn Kernel>> {
        let [input] = inputs else { return None };
        // Channels have to be next to each other.
        let channels = input.last().filter(|_| shape::inner_axis(self.axis, input.len()) == Some(input.len() - 1))?;
        Some(Box::new(Own {
            channels: *channels,
            momentum: self.momentum as f32,
            epsilon: self.epsilon as f32,
            center: self.center,
            scale: self.scale,
            trainable: self.trainable,
            relu,
            measured: false,
            statistics: Statistics::default(),
            moved: Vec::new(),
            renorm: self.renorm.map(|renorm| (renorm, Corrected::default())),
        }))
    }
}

/// Returns mean and variance of the steps that count, as Keras computes them.
fn masked_moments(x: &Graph, mask: &Graph, axes: &[usize]) -> Result<(Graph, Graph)> {
    let mask = mask.detach().to_dtype(x.dtype())?.unsqueeze(x.rank() - 1)?;
    let weighted = x.broadcast_mul(&mask)?;
    let count = mask.sum_keepdim(axes)?.affine(1.0, 1e-7)?;
    let mean = weighted.sum_keepdim(axes)?.broadcast_div(&count)?;
    let squares = weighted.broadcast_sub(&mean)?.sqr()?.broadcast_mul(&mask)?;
    Ok((mean, squares.sum_keepdim(axes)?.broadcast_div(&count)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::kernel::testing::{check, check_with, noise};

    #[test]
    fn kernels_compute_what_composition_does() {
        let cases = [
            json!({}),
            json!({"momentum": 0.5, "epsilon": 0.1}),
            json!({"scale": false}),
            json!({"center": false}),
            json!({"center": false, "scale": false}),
            json!({"trainable": false}),
            json!({"renorm": true}),
            json!({"renorm": true, "renorm_clipping": {"rmax": 1.5, "rmin": 0.75, "dmax": 0.5}, "renorm_momentum": 0.5}),
            json!({"renorm": true, "renorm_clipping": {"dmax": 0.25}, "scale": false}),
            json!({"renorm": true, "center": false, "epsilon": 0.1}),
        ];
        for case in cases {
            let layer = BATCH_NORMALIZATION.entry.make(case.as_object().unwrap()).unwrap();
            for shape in [&[3][..], &[1], &[300], &[5, 16], &[17, 9, 10], &[32, 32, 16]] {
                check(&*layer, &[shape], 7, noise);
                // A mean far from 0 does not cost digits of the variance.
                check(&*layer, &[shape], 7, |input, at| noise(input, at) + 30.0);
                let layer = BATCH_NORMALIZATION.entry.make(case.as_object().unwrap()).unwrap();
                check_with(layer, "relu", &[shape], 7, noise);
            }
        }
    }
}
