//! The training loop: batches go through the network, losses come back as gradients, the optimizer
//! updates weights in place, services watch.
//!
//! [`Parts`] holds everything a run is made of. [`Trainer::check`] tries all of it on the first real
//! batches before anything is written; [`Trainer::train`] runs the epochs. A step depends on the seed,
//! the weights and its number, on nothing else: the same parts give the same bits.

mod check;
mod epoch;
mod evaluate;
mod feed;
mod memory;
mod meters;
mod parts;
mod progress;
mod step;
mod variables;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use parts::{Clip, MetricFactory, MetricSpec, OutputSpec, Parts, Rate};
pub use progress::{EpochRow, History, Progress, Quiet, Run, Step};

pub(crate) use check::in_network_order;
pub(crate) use feed::inputs;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::metric::MetricTarget;
use crate::network::Network;
use crate::record::Mode;
use crate::service::{Control, Logs, Weights};
use crate::tensor::{Array, Device, Graph};
use feed::{Fed, feed};
use meters::Meters;
use variables::Variables;
use watch::Watch;

/// A training run: its parts, its weights, and where it stands.
pub struct Trainer {
    parts: Parts,
    variables: Variables,
    meters: Option<Meters>,
    validation_meters: Option<Meters>,
    checked: bool,
    stop: Arc<AtomicBool>,
    /// The next epoch.
    epoch: usize,
    /// Updates done.
    step: u64,
    /// The learning rate of the next step.
    learning_rate: f64,
}

/// Where a resumed run goes on; weights and state by name, as [`Weights`] gave them.
pub struct Resume {
    /// The number of finished epochs.
    pub epoch: usize,
    /// Updates done.
    pub step: u64,
    /// The learning rate of the next step, when no schedule sets it.
    pub learning_rate: f64,
    /// Every weight of the network.
    pub weights: Vec<(String, Array)>,
    /// Every array of the optimizer's state.
    pub optimizer: Vec<(String, Array)>,
}

impl Trainer {
    /// Creates a run that stands before its first step.
    ///
    /// # Errors
    /// Output names that differ from the network's, weights of another shape, and a learning rate that
    /// is no positive number.
    pub fn new(mut parts: Parts) -> Result<Self> {
        parts.outputs = check::in_network_order(&parts.network, parts.outputs)?;
        let variables = Variables::new(&parts.network, &parts.weights, &*parts.optimizer, &parts.device)?;
        let learning_rate = match &parts.rate {
            Rate::Constant(rate) if rate.is_finite() && *rate >= 0.0 => *rate,
            Rate::Constant(rate) => {
                return Err(Error::recipe(format!("the learning rate: expected a number of at least 0, found {rate}")));
            }
            Rate::Schedule(schedule) => scheduled(&**schedule, 0)?,
        };
        Ok(Trainer {
            parts,
            variables,
            meters: None,
            validation_meters: None,
            checked: false,
            stop: Arc::new(AtomicBool::new(false)),
            epoch: 0,
            step: 0,
            learning_rate,
        })
    }

    /// Returns the flag that ends the run after the current step once it is set.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Uses another flag: one that a signal handler already holds.
    pub fn set_stop_flag(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    /// Goes on where another run stopped. Services are restored by their own `restore`.
    ///
    /// # Errors
    /// Weights or state that do not fit the network and the optimizer.
    pub fn resume(&mut self, from: &Resume) -> Result<()> {
        self.variables.restore(&from.weights)?;
        self.variables.restore_optimizer(&from.optimizer)?;
        (self.epoch, self.step) = (from.epoch, from.step);
        self.learning_rate = match &self.parts.rate {
            Rate::Constant(_) => from.learning_rate,
            Rate::Schedule(schedule) => scheduled(&**schedule, from.step)?,
        };
        Ok(())
    }

    /// Returns the services, for what a resumed run puts back into them.
    pub fn services_mut(&mut self) -> &mut [Box<dyn crate::service::Service>] {
        &mut self.parts.services
    }

    /// Returns the network.
    pub fn network(&self) -> &Arc<Network> {
        &self.parts.network
    }

    /// Returns the weights as they are now, under their Keras names and in network order.
    pub fn weights(&self) -> Result<Vec<(String, Array)>> {
        Weights::weights(&self.variables)
    }

    /// Trains to the last epoch, or until a service or the stop flag ends the run. Runs
    /// [`Trainer::check`] first, unless that was done.
    ///
    /// # Errors
    /// Whatever a station, the network, a loss, a metric or a service raises. Asking to stop is no error:
    /// see [`History::interrupted`].
    pub fn train(&mut self, progress: &mut dyn Progress) -> Result<History> {
        if !self.checked {
            self.check()?;
        }
        progress.run_begin(&self.run());
        let mut history = History::default();
        let mut control = Control { learning_rate: self.learning_rate, ..Control::default() };
        let mut logs: Logs = self.log_names().into_iter().map(|name| (name, 0.0)).collect();
        let mut last = self.epoch;

        self.watch(&mut control, progress).tell(last, &logs, |service, moment| service.on_train_begin(moment))?;
        while self.epoch < self.parts.epochs && control.stop.is_none() {
            last = self.epoch;
            let Some(learning_rate) = self.train_epoch(&mut control, progress)? else {
                history.interrupted = self.stop.load(Ordering::Relaxed);
                break;
            };
            self.validate()?;
            self.collect(&mut logs)?;
            self.watch(&mut control, progress).tell(last, &logs, |service, moment| service.on_epoch_end(moment))?;
            let row = EpochRow { epoch: last, learning_rate, logs: logs.clone() };
            progress.epoch_end(&row, self.parts.epochs);
            history.epochs.push(row);
            self.epoch += 1;
        }
        self.put_back(&mut control)?;
        self.watch(&mut control, progress).tell(last, &logs, |service, moment| service.on_train_end(moment))?;
        self.put_back(&mut control)?;
        (self.learning_rate, history.steps, history.stopped) = (control.learning_rate, self.step, control.stop);
        if history.interrupted {
            history.stopped.get_or_insert_with(|| "interrupted".to_owned());
        }
        progress.run_end(&history);
        Ok(history)
    }

    /// Returns losses and metrics over a dataset with the weights as they are now, without prefix.
    ///
    /// # Errors
    /// A dataset in score mode, which has no outputs to compare with.
    pub fn evaluate(&self, dataset: &Dataset) -> Result<Logs> {
        evaluate_with(&self.parts.network, &self.parts.outputs, self.variables.plain(), dataset, &self.parts.device)
    }

    fn run(&self) -> Run {
        Run {
            epochs: self.parts.epochs,
            first_epoch: self.epoch,
            batches: self.parts.train.batches(),
            records: self.parts.train.len(),
            validation_records: self.parts.validation.as_ref().map_or(0, Dataset::len),
            trainable: self.variables.trainable(),
        }
    }

    fn watch<'a>(&'a mut self, control: &'a mut Control, progress: &'a mut dyn Progress) -> Watch<'a> {
        Watch {
            services: &mut self.parts.services,
            folder: &self.parts.folder,
            variables: &self.variables,
            step: self.step,
            scheduled: matches!(self.parts.rate, Rate::Schedule(_)),
            control,
            progress,
        }
    }

    fn validate(&mut self) -> Result<()> {
        match (&self.parts.validation, &mut self.validation_meters) {
            (Some(data), Some(meters)) => evaluate::evaluate(
                &self.parts.network,
                &self.parts.outputs,
                self.variables.plain(),
                data,
                &self.parts.device,
                meters,
            ),
            _ => Ok(()),
        }
    }

    /// Brings the logs of an epoch up to date, validation last.
    fn collect(&mut self, logs: &mut Logs) -> Result<()> {
        let mut at = 0;
        for meters in self.meters.iter_mut().chain(&mut self.validation_meters) {
            for (_, value) in meters.logs()? {
                logs[at].1 = *value;
                at += 1;
            }
        }
        Ok(())
    }

    fn put_back(&mut self, control: &mut Control) -> Result<()> {
        control.restore.take().map_or(Ok(()), |weights| self.variables.restore(&weights))
    }
}

/// Returns losses and metrics of a network over a dataset, under the names of a training report.
///
/// # Errors
/// A dataset in score mode, outputs in another order than the network's, and whatever a station raises.
pub(crate) fn evaluate_with(
    network: &Network,
    outputs: &[OutputSpec],
    weights: &[Graph],
    dataset: &Dataset,
    device: &Device,
) -> Result<Logs> {
    if dataset.mode() == Mode::Score {
        return Err(Error::data("records loaded in score mode have no outputs to compare with")
            .hint("evaluate a dataset in validation mode"));
    }
    let first = feed(network, &check::first_batch(network, dataset)?, device)?;
    let mut meters = Meters::new(outputs, &targets(network, outputs, &first), "")?;
    evaluate::evaluate(network, outputs, weights, dataset, device, &mut meters)?;
    meters.logs().cloned()
}

/// Returns what metrics need to know about each output.
fn targets(network: &Network, outputs: &[OutputSpec], fed: &Fed) -> Vec<MetricTarget> {
    let _ = (network, outputs, fed);
    todo!()
}

/// Returns a schedule's rate, which must be a number.
fn scheduled(schedule: &dyn crate::schedule::Schedule, step: u64) -> Result<f64> {
    let rate = schedule.learning_rate(step)?;
    match rate.is_finite() {
        true => Ok(rate),
        false => Err(Error::recipe(format!("the schedule gave a learning rate of {rate} at step {step}"))),
    }
}
