//! Batch renormalization: statistics of a batch are corrected towards those of the batches before.
//!
//! With σ = √(variance + ε) of the batch, and the moving mean μ' and deviation σ' of training, r = σ / σ' and
//! d = (mean - μ') / σ', both clipped and without a gradient: y = (x̂ · r + d) · gamma + beta (Ioffe, 2017). What moves, and
//! in which order, is that of Keras 3 (`keras/src/layers/normalization/batch_normalization.py`).

use std::sync::Arc;

use serde_json::Value;

use crate::error::Result;
use crate::network::{Initializer, Pass};
use crate::random::Random;
use crate::registry::{Arguments, Parameter, Type};
use crate::tensor::Graph;

pub(super) const RENORM: Parameter = Parameter::optional(
    "renorm",
    Type::Bool,
    "false",
    "whether the batch's statistics are corrected towards those of the batches before (Ioffe, 2017), for small batches",
);

pub(super) const RENORM_CLIPPING: Parameter = Parameter::optional(
    "renorm_clipping",
    Type::Map,
    "null",
    "the bounds of the corrections (x̂ · r + d): `#{ rmin: 0.33, rmax: 3.0, dmax: 5.0 }`, each may be missing; null is none",
);

pub(super) const RENORM_MOMENTUM: Parameter = Parameter::optional(
    "renorm_momentum",
    Type::Float,
    "0.99",
    "how much of the moving statistics that correct stays, from 0 to 1",
);

static BOUNDS: &[Parameter] = &[
    Parameter::optional("rmax", Type::Float, "null", "the largest r"),
    Parameter::optional("rmin", Type::Float, "null", "the least r"),
    Parameter::optional("dmax", Type::Float, "null", "the largest d, and minus the least; at least 0"),
];

/// Names of the further weights: the moving deviation that scores use, mean and deviation that correct.
pub(super) const WEIGHTS: [&str; 3] = ["moving_stddev", "renorm_mean", "renorm_stddev"];

/// How corrections are bounded, and how fast what corrects moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renorm {
    low: f64,
    high: f64,
    /// The bound of d, either way.
    shift: f64,
    momentum: f64,
}

impl Renorm {
    /// Reads the parameters; `None` where `renorm` is false.
    ///
    /// # Errors
    /// Bounds that leave nothing, and bounds of what is not done.
    pub(super) fn new(a: &Arguments) -> Result<Option<Self>> {
        let momentum = a.within(RENORM_MOMENTUM.name, 0.0, 1.0)?;
        let given = match a.value(RENORM_CLIPPING.name) {
            Value::Object(bounds) => Some(bounds),
            _ => None,
        };
        if !a.bool(RENORM.name) {
            return match given {
                Some(_) => Err(a.refuse(RENORM_CLIPPING.name, "null where `renorm` is false")),
                None => Ok(None),
            };
        }
        let given = given.cloned().unwrap_or_default();
        let bounds = Arguments::check(RENORM_CLIPPING.name, BOUNDS, &given)?;
        let bound = |name: &str| (!bounds.is_null(name)).then(|| bounds.float(name));
        let (low, high) = (bound("rmin"), bound("rmax"));
        if low.zip(high).is_some_and(|(low, high)| low > high) {
            return Err(bounds.refuse("rmax", "a number of at least `rmin`"));
        }
        if bound("dmax").is_some_and(|shift| shift < 0.0) {
            return Err(bounds.refuse("dmax", "a number of at least 0"));
        }
        Ok(Some(Renorm {
            low: low.unwrap_or(f64::NEG_INFINITY),
            high: high.unwrap_or(f64::INFINITY),
            shift: bound("dmax").unwrap_or(f64::INFINITY),
            momentum,
        }))
    }

    /// Returns r and d, and moves the statistics; `weights` are those from the moving mean on, `first` is its index.
    pub(super) fn compose(
        &self,
        (mean, variance): (&Graph, &Graph),
        weights: &[Graph],
        (momentum, epsilon): (f64, f64),
        (first, pass): (usize, &mut Pass),
    ) -> Result<(Graph, Graph)> {
        let (mean, deviation) = (mean.detach(), variance.detach().affine(1.0, epsilon)?.sqrt()?);
        let [moving_mean, _, moving_stddev, renorm_mean, renorm_stddev] = weights else {
            return Err(crate::error::Error::run("expected the weights of a renormalization"));
        };
        let along = |weight: &Graph| weight.detach().reshape(mean.shape());
        let against = along(renorm_stddev)?.maximum(epsilon.sqrt())?;
        let r = deviation.div(&against)?.maximum(self.low)?.minimum(self.high)?;
        let d = mean.sub(&along(renorm_mean)?)?.div(&against)?.maximum(-self.shift)?.minimum(self.shift)?;
        let moved = |weight: &Graph, batch: &Graph, momentum: f64| -> Result<Graph> {
            let batch = batch.reshape(weight.shape())?;
            Ok(weight.detach().affine(momentum, 0.0)?.add(&batch.affine(1.0 - momentum, 0.0)?)?)
        };
        let new = moved(moving_stddev, &deviation, momentum)?;
        // What scores use is made of the deviation.
        let variance = new.sqr()?.affine(1.0, -epsilon)?.relu()?;
        pass.updates.extend([
            (first, moved(moving_mean, &mean, momentum)?),
            (first + 2, new),
            (first + 1, variance),
            (first + 3, moved(renorm_mean, &mean, self.momentum)?),
            (first + 4, moved(renorm_stddev, &deviation, self.momentum)?),
        ]);
        Ok((r, d))
    }
}

/// What the kernel keeps of a step: for each channel.
#[derive(Debug, Default)]
pub(super) struct Corrected {
    r: Vec<f32>,
    d: Vec<f32>,
    /// r · gamma.
    pub(super) scale: Vec<f32>,
    /// d · gamma + beta.
    pub(super) shift: Vec<f32>,
    /// The gradient of gamma.
    of_gamma: Vec<f32>,
    deviation: Vec<f32>,
}

impl Corrected {
    /// Computes the corrections of a batch from the statistics before it.
    pub(super) fn correct(
        &mut self,
        renorm: Renorm,
        (mean, variance, epsilon): (&[f32], &[f32], f32),
        (renorm_mean, renorm_stddev): (&[f32], &[f32]),
        (gamma, beta): (Option<&[f32]>, Option<&[f32]>),
    ) {
        let (low, high, bound) = (renorm.low as f32, renorm.high as f32, renorm.shift as f32);
        let channels = mean.len();
        for buffer in [&mut self.r, &mut self.d, &mut self.scale, &mut self.shift, &mut self.of_gamma] {
            buffer.resize(channels, 0.0);
        }
        self.deviation.clear();
        self.deviation.extend(variance.iter().map(|variance| (variance + epsilon).sqrt()));
        for channel in 0..channels {
            let against = renorm_stddev[channel].max(epsilon.sqrt());
            let r = (self.deviation[channel] / against).max(low).min(high);
            let d = ((mean[channel] - renorm_mean[channel]) / against).max(-bound).min(bound);
            let gamma = gamma.map_or(1.0, |gamma| gamma[channel]);
            (self.r[channel], self.d[channel]) = (r, d);
            self.scale[channel] = r * gamma;
            self.shift[channel] = d * gamma + beta.map_or(0.0, |beta| beta[channel]);
        }
    }

    /// Hands out the new statistics: how many weights after the moving mean, and the values.
    pub(super) fn moved(
        &self,
        renorm: Renorm,
        (mean, momentum, epsilon): (&[f32], f32, f32),
        weights: [&[f32]; 5],
        to: &mut Vec<f32>,
        mut put: impl FnMut(usize, &[f32]),
    ) {
        let slow = renorm.momentum as f32;
        let ways = [(0, mean, momentum), (2, &self.deviation, momentum), (3, mean, slow), (4, &self.deviation, slow)];
        for (at, batch, momentum) in ways {
            to.clear();
            to.extend(weights[at].iter().zip(batch).map(|(old, new)| old * momentum + new * (1.0 - momentum)));
            put(at, to);
            if at == 2 {
                // What scores use is made of the deviation.
                to.iter_mut().for_each(|deviation| *deviation = (*deviation * *deviation - epsilon).max(0.0));
                put(1, to);
            }
        }
    }

    /// Returns the gradient of gamma, given those of r · gamma and of d · gamma + beta.
    pub(super) fn of_gamma(&mut self, of_scale: &[f32], of_shift: &[f32]) -> &[f32] {
        let corrections = self.r.iter().zip(&self.d).zip(of_scale.iter().zip(of_shift));
        let own = self.of_gamma.iter_mut().zip(corrections);
        own.for_each(|(own, ((r, d), (of_scale, of_shift)))| *own = r * of_scale + d * of_shift);
        &self.of_gamma
    }
}

/// Starts as the root of what another starts as: a deviation beside its variance.
#[derive(Debug)]
pub(super) struct Root(pub(super) Arc<dyn Initializer>);

impl Initializer for Root {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        let mut values = self.0.values(shape, random);
        values.iter_mut().for_each(|variance| *variance = variance.sqrt());
        values
    }

    fn check(&self, shape: &[usize]) -> Result<()> {
        self.0.check(shape)
    }
}
