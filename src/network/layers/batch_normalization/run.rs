//! The kernel: statistics of the batch, or moving ones, and what becomes of both.

use crate::error::Result;
use crate::kernel::batch_norm::{Affine, Statistics};
use crate::network::Kernel;
use crate::network::kernel::{Backward, Forward};

use super::renorm::{Corrected, Renorm};

/// The layer on slices.
pub(super) struct Own {
    pub(super) channels: usize,
    pub(super) momentum: f32,
    pub(super) epsilon: f32,
    pub(super) center: bool,
    pub(super) scale: bool,
    pub(super) trainable: bool,
    /// Whether numbers below 0 become 0 in the end.
    pub(super) relu: bool,
    /// Whether the last forward used the statistics of the batch.
    pub(super) measured: bool,
    pub(super) statistics: Statistics,
    pub(super) moved: Vec<f32>,
    pub(super) renorm: Option<(Renorm, Corrected)>,
}

impl Own {
    /// The places of `beta` and of the moving mean among the weights; `gamma` is the first if there is one.
    fn places(&self) -> (usize, usize) {
        (usize::from(self.scale), usize::from(self.scale) + usize::from(self.center))
    }
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let (beta, moving) = self.places();
        let x = step.inputs.get(0);
        let scale = self.scale.then(|| step.weights.get(0));
        let shift = self.center.then(|| step.weights.get(beta));
        self.measured = step.training && self.trainable;
        match self.measured {
            true => self.statistics.measure(x, self.channels),
            false => self.statistics.keep(step.weights.get(moving), step.weights.get(moving + 1)),
        }
        let (epsilon, relu) = (self.epsilon, self.relu);
        if let (true, Some((renorm, corrected))) = (self.measured, &mut self.renorm) {
            let weights = [0, 1, 2, 3, 4].map(|at| step.weights.get(moving + at));
            let Statistics { mean, variance, .. } = &self.statistics;
            corrected.correct(*renorm, (mean, variance, epsilon), (weights[3], weights[4]), (scale, shift));
            let rates = (&**mean, self.momentum, epsilon);
            corrected.moved(*renorm, rates, weights, &mut self.moved, |at, new| (step.moved)(moving + at, new));
            let affine = Affine { epsilon, scale: Some(&corrected.scale), shift: Some(&corrected.shift), relu };
            self.statistics.apply(x, affine, step.output);
            return Ok(());
        }
        self.statistics.apply(x, Affine { epsilon, scale, shift, relu }, step.output);
        if !self.measured {
            return Ok(());
        }
        for (index, batch) in [(moving, &self.statistics.mean), (moving + 1, &self.statistics.variance)] {
            let pairs = step.weights.get(index).iter().zip(batch);
            self.moved.clear();
            self.moved.extend(pairs.map(|(old, new)| old * self.momentum + new * (1.0 - self.momentum)));
            (step.moved)(index, &self.moved);
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let (beta, _) = self.places();
        let scale = self.scale.then(|| step.weights.get(0));
        let shift = self.center.then(|| step.weights.get(beta));
        let of_x = step.input_gradients.take(0).map(|target| (target.values, target.add));
        let corrected = self.renorm.as_mut().filter(|_| self.measured).map(|(_, corrected)| corrected);
        let (scale, shift) = match &corrected {
            Some(corrected) => (Some(&*corrected.scale), Some(&*corrected.shift)),
            None => (scale, shift),
        };
        let affine = Affine { epsilon: self.epsilon, scale, shift, relu: self.relu };
        self.statistics.backward(step.inputs.get(0), step.gradient, affine, of_x, self.measured);
        let (mut of_gamma, of_beta) = self.statistics.weight_gradients();
        if let Some(corrected) = corrected {
            of_gamma = corrected.of_gamma(of_gamma, of_beta);
        }
        for (wanted, index, gradient) in [(self.scale, 0, of_gamma), (self.center, beta, of_beta)] {
            if wanted && let Some(target) = step.weight_gradients.take(index) {
                match target.add {
                    false => target.values.copy_from_slice(gradient),
                    true => target.values.iter_mut().zip(gradient).for_each(|(sum, own)| *sum += own),
                }
            }
        }
        Ok(())
    }
}
