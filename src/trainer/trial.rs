//! One training step by itself: for trials that watch no log, keep no checkpoint and write nothing.

use super::feed::{feed, feed_training};
use super::{Rate, Trainer, scheduled};
use crate::dataset::Batch;
use crate::error::{Error, Kind, Result};
use crate::random::{Random, Stream};
use crate::tensor::{Array, device, memory};

/// How much memory a run takes beside its records, in bytes; known exactly once a step was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Weights and their gradients.
    pub weights: usize,
    /// What the optimizer keeps for each weight.
    pub optimizer: usize,
    /// Values of the layers for one batch, which backward needs.
    pub activations: usize,
}

impl Trainer {
    /// Does one training step on a batch and returns its loss before the update. No service is told, and meters
    /// stay as they are; weights and optimizer change.
    ///
    /// # Errors
    /// Whatever the network, a loss or the optimizer raises.
    pub(crate) fn learn(&mut self, batch: &Batch, learning_rate: f64) -> Result<f64> {
        let Trainer { setup, variables, step, .. } = self;
        let fed = feed_training(&setup.network, &setup.outputs, batch)?;
        let random = Random::new(setup.seed, Stream::Dropout, &[*step]);
        variables.engine.forward(&fed.inputs, fed.len, Some(&random))?;
        let losses = variables.engine.losses(&setup.outputs, &fed.targets)?;
        variables.update(learning_rate)?;
        *step += 1;
        Ok(losses.total)
    }

    /// Returns the total loss of a batch and the prediction of each output, as in validation: nothing is dropped,
    /// nothing changes.
    ///
    /// # Errors
    /// Whatever the network or a loss raises.
    pub(crate) fn score(&mut self, batch: &Batch) -> Result<(f64, Vec<Array>)> {
        let Trainer { setup, variables, .. } = self;
        let fed = feed(&setup.network, batch)?;
        variables.engine.forward(&fed.inputs, fed.len, None)?;
        let losses = variables.engine.losses(&setup.outputs, &fed.targets)?;
        let predictions =
            (0..setup.outputs.len()).map(|output| variables.engine.output(output)).collect::<Result<_>>()?;
        Ok((losses.total, predictions))
    }

    /// Puts weights by name in the place of those that are there; `what` is what errors call them.
    ///
    /// # Errors
    /// Weights of another network.
    pub(crate) fn put_weights(&mut self, weights: &crate::artifact::weights::Named, what: &str) -> Result<()> {
        self.variables.restore(weights, what)
    }

    /// Returns the total loss that predictions of one's own have on a batch, in the network's order of outputs.
    ///
    /// # Errors
    /// Predictions of a shape that a loss does not take.
    pub(super) fn loss_of(&self, batch: &Batch, predictions: &[Array]) -> Result<f64> {
        let setup = &self.setup;
        let (fed, cpu) = (feed(&setup.network, batch)?, device::cpu());
        let mut total = 0.0;
        for ((output, target), prediction) in setup.outputs.iter().zip(&fed.targets).zip(predictions) {
            let (value, prediction) = (target.value.to_graph(&cpu)?, prediction.to_graph(&cpu)?);
            let weight = target.weight.as_ref().map(|weight| weight.to_graph(&cpu)).transpose()?;
            let loss = output.loss.value(&value, &prediction, weight.as_ref())?;
            total += output.loss_weight * memory::scalar(&loss)?;
        }
        Ok(total)
    }

    /// Returns the learning rate of a step, counted from 0, as the recipe sets it: services that lower it have
    /// no say in a trial.
    ///
    /// # Errors
    /// A schedule that gives no number.
    pub(crate) fn rate_at(&self, step: u64) -> Result<f64> {
        match &self.setup.rate {
            Rate::Constant(rate) => Ok(*rate),
            Rate::Schedule(schedule) => scheduled(&**schedule, step),
        }
    }

    /// Returns how much memory the run takes beside its records, with `batch` records in a batch. The layers'
    /// values are counted once forward and once backward; axes of unknown length count as 1.
    ///
    /// # Errors
    /// None in practice: values are read from the device.
    pub(crate) fn footprint(&self, batch: usize) -> Result<Footprint> {
        const F32: usize = 4;
        let weights = crate::service::Weights::weights(&self.variables)?;
        let slots = crate::service::Weights::optimizer_state(&self.variables)?;
        let numbers = |arrays: &[(String, Array)]| arrays.iter().map(|(_, array)| array.size()).sum::<usize>();
        let values = |layer: &crate::network::LayerInfo| layer.shape.iter().map(|size| size.unwrap_or(1)).product();
        let activations: usize = self.setup.network.layers().iter().map::<usize, _>(values).sum();
        Ok(Footprint {
            weights: F32 * (numbers(&weights) + self.variables.trainable()),
            optimizer: F32 * numbers(&slots),
            activations: F32 * 2 * batch * activations,
        })
    }

    /// Ends a trial that someone asked to stop.
    ///
    /// # Errors
    /// The stop flag is set.
    pub(super) fn go_on(&self) -> Result<()> {
        match self.stop.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(Error::new(Kind::Interrupted, "the trial was interrupted; it has written nothing")),
            false => Ok(()),
        }
    }
}
