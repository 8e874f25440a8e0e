//! A run in a person's hands: one batch forward, its gradients, the next training step.

use super::feed::{self, feed_training};
use super::{Trainer, variables::Variables};
use crate::artifact::weights::Named;
use crate::artifact::{Checkpoint, layout};
use crate::dataset::Batch;
use crate::error::{Error, Result};
use crate::random::{Random, Stream};
use crate::record::Name;
use crate::service::Logs;
use crate::tensor::Array;

/// What one training step by hand gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Updates done now, this one counted.
    pub step: u64,
    /// The loss of the batch before the update.
    pub loss: f64,
    /// The learning rate of the update.
    pub learning_rate: f64,
}

impl Trainer {
    /// Returns how many updates were done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Returns how many epochs the run has in all.
    pub fn planned_epochs(&self) -> usize {
        self.setup.epochs
    }

    /// Returns the epoch and the number of the batch that the next step takes, both from 0.
    pub fn next_batch(&self) -> (u64, usize) {
        let batches = self.setup.train.batches().max(1) as u64;
        (self.step / batches, (self.step % batches) as usize)
    }

    /// Returns what the network gives for a batch, by output, as in validation; targets are not needed.
    ///
    /// # Errors
    /// Inputs that the network does not take.
    pub fn forward(&mut self, batch: &Batch) -> Result<Vec<(Name, Array)>> {
        let engine = &mut self.variables.engine;
        let inputs = feed::inputs(&self.setup.network, batch)?;
        engine.forward(&inputs, batch.len, None)?;
        let outputs = self.setup.network.outputs().iter().enumerate();
        outputs.map(|(at, port)| Ok((port.name.clone(), engine.output(at)?))).collect()
    }

    /// Returns the total loss of a batch, as in validation.
    ///
    /// # Errors
    /// A batch without outputs; whatever the network or a loss raises.
    pub fn loss(&mut self, batch: &Batch) -> Result<f64> {
        check_outputs(batch)?;
        self.score(batch).map(|(loss, _)| loss)
    }

    /// Returns the gradients that the next training step would follow on a batch, by weight: those of the losses and
    /// penalties, before clipping. No weight changes.
    ///
    /// # Errors
    /// A batch without outputs; whatever the network or a loss raises.
    pub fn gradients(&mut self, batch: &Batch) -> Result<Named> {
        check_outputs(batch)?;
        let Trainer { setup, variables: Variables { engine, .. }, step, .. } = self;
        let fed = feed_training(&setup.network, &setup.outputs, batch)?;
        let random = Random::new(setup.seed, Stream::Dropout, &[*step]);
        // A pass of training moves statistics of normalisation.
        let before = engine.weights().clone();
        let mut found: Vec<f32> = Vec::new();
        let mut pass = || {
            engine.forward(&fed.inputs, fed.len, Some(&random))?;
            engine.losses(&setup.outputs, &fed.targets)?;
            engine.train(|_, gradients| {
                found = gradients.to_vec();
                Ok(false)
            })
        };
        let passed = pass();
        engine.change(|weights| {
            *weights = before;
            Ok(())
        })?;
        passed?;
        let infos = setup.network.weights().iter().zip(engine.weights().ranges()).filter(|(info, _)| info.trainable);
        infos
            .map(|(info, range)| {
                Ok((info.name.to_string(), Array::from_f32(found[range.clone()].to_vec(), &info.shape)?))
            })
            .collect()
    }

    /// Does the next training step of the run, as [`Trainer::train`] would, without telling a service.
    ///
    /// # Errors
    /// Whatever a station, the network, a loss or the optimizer raises, and that someone asked to stop.
    pub fn step_by_hand(&mut self) -> Result<Learned> {
        self.go_on()?;
        let (epoch, number) = self.next_batch();
        let batch = self.setup.train.epoch(epoch).batch(number)?;
        let learning_rate = match self.setup.rate {
            super::Rate::Constant(_) => self.next_rate,
            super::Rate::Schedule(_) => self.rate_at(self.step)?,
        };
        let loss = self.learn(&batch, learning_rate)?;
        self.learning_rate = learning_rate;
        Ok(Learned { step: self.step, loss, learning_rate })
    }

    /// Returns losses and metrics over the validation records with the weights as they are now; none without such
    /// records.
    ///
    /// # Errors
    /// Whatever a station, a loss or a metric raises.
    pub fn validation_logs(&mut self) -> Result<Logs> {
        match &self.setup.validation {
            Some(data) => super::evaluate_with(&mut self.variables.engine, &self.setup.outputs, data),
            None => Ok(Logs::new()),
        }
    }

    /// Takes the weights, the optimizer's state and the position of a checkpoint; services stay as they are.
    ///
    /// # Errors
    /// A checkpoint of another network or optimizer.
    pub fn go_to(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.variables.restore(&checkpoint.weights, layout::MODEL)?;
        self.variables.restore_optimizer(checkpoint.state.step, &checkpoint.optimizer)?;
        (self.epoch, self.step) = (checkpoint.state.epoch, checkpoint.state.step);
        self.next_rate = checkpoint.state.learning_rate;
        Ok(())
    }
}

fn check_outputs(batch: &Batch) -> Result<()> {
    match batch.y {
        Some(_) => Ok(()),
        None => Err(Error::data("the batch has no outputs to compare with").hint("a loss needs `y` in the batch")),
    }
}
