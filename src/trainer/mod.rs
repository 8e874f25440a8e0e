//! The training loop: batches go through the network, losses come back as gradients, the optimizer
//! updates weights in place, services watch.
//!
//! [`Parts`] holds everything a run is made of. [`Trainer::check`] tries all of it on the first real
//! batches before anything is written; [`Trainer::train`] runs the epochs. A step depends on the seed,
//! the weights and its number, on nothing else: the same parts give the same bits.

mod blame;
mod check;
mod class_weights;
mod engine;
mod epoch;
mod evaluate;
mod feed;
mod gradients;
mod live;
mod meters;
mod overfit;
mod parts;
mod progress;
mod rate_finder;
mod renew;
mod trial;
mod variables;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};

pub use class_weights::{ClassCounts, ClassWeights};
pub use gradients::GradientCheck;
pub use live::Learned;
pub use overfit::{Cause, NEAR_ZERO, Overfit};
pub use parts::{Checkpoints, MetricFactory, MetricSpec, OutputSpec, Parts, Rate};
pub use progress::{EpochRow, History, Progress, Quiet, Run, Step};
pub use rate_finder::{Range, RateCurve, Suggestion, Trial};
pub use renew::Renewal;
pub use trial::Footprint;

pub(crate) use check::in_network_order;
pub(crate) use engine::Engine;
pub(crate) use evaluate::{Evaluation, evaluate_with};
pub(crate) use feed::inputs;

use crate::artifact::layout::Position;
use crate::artifact::weights::Named;
use crate::artifact::{Checkpoint, Writer, cpu, layout};
use crate::dataset::Dataset;
use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::service::{self, Control, Logs, Weights};
use meters::Meters;
use parts::Setup;
use variables::Variables;
use watch::Watch;

/// A training run: its parts, its weights, and where it stands.
pub struct Trainer {
    setup: Setup,
    variables: Variables,
    writer: Writer,
    meters: Option<Meters>,
    validation_meters: Option<Meters>,
    checked: bool,
    stop: Arc<AtomicBool>,
    renewal: Option<Box<dyn Renewal>>,
    /// The next epoch.
    epoch: usize,
    /// Batches of it that are done, and what was gathered of them, when the run goes on within an epoch.
    within: Option<Within>,
    /// Batches of the epoch that is trained that are done.
    done: u64,
    /// Steps done.
    step: u64,
    /// The learning rate of the next step.
    next_rate: f64,
    /// The learning rate of the latest step; before the first one, that of the first.
    learning_rate: f64,
}

/// Where a run goes on within an epoch.
struct Within {
    batches: u64,
    fields: Map<String, Value>,
    arrays: Named,
}

impl Trainer {
    /// Creates a run that stands before its first step.
    ///
    /// # Errors
    /// Output names that differ from the network's, weights of another shape, and a learning rate that
    /// is no number of at least 0.
    pub fn new(parts: Parts) -> Result<Self> {
        let Parts { weights, optimizer, device, kernels, mixed, .. } = parts;
        let setup = Setup {
            outputs: check::in_network_order(&parts.network, parts.outputs)?,
            network: parts.network,
            rate: parts.rate,
            train: parts.train,
            validation: parts.validation,
            services: parts.services,
            epochs: parts.epochs,
            seed: parts.seed,
            checkpoints: parts.checkpoints,
            folder: parts.folder,
            graph: parts.graph,
        };
        let engine = Engine::new(setup.network.clone(), &weights, &device, kernels && !mixed)?;
        let engine = if mixed { engine.mix()? } else { engine };
        let next_rate = setup.rate.first()?;
        Ok(Trainer {
            variables: Variables::new(engine, optimizer)?,
            setup,
            writer: Writer::new(),
            meters: None,
            validation_meters: None,
            checked: false,
            stop: Arc::new(AtomicBool::new(false)),
            renewal: None,
            epoch: 0,
            within: None,
            done: 0,
            step: 0,
            next_rate,
            learning_rate: next_rate,
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

    /// Computes on so many threads, rather than as many as the environment variable `RAYON_NUM_THREADS` says or the
    /// machine has cores (0). Results do not depend on it.
    pub fn set_threads(&mut self, threads: usize) {
        self.variables.engine.set_threads(threads);
    }

    /// Goes on where a checkpoint was written: weights, optimizer, services, metrics, position. Returns a
    /// warning for the person when it was written on another kind of CPU.
    ///
    /// # Errors
    /// A checkpoint of another network, optimizer or seed, or of longer epochs.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<Option<String>> {
        let state = &checkpoint.state;
        if state.seed != self.setup.seed {
            return Err(Error::artifact(format!(
                "the checkpoint is of a run with seed {}, this one has seed {}",
                state.seed, self.setup.seed
            )));
        }
        let batches = self.setup.train.batches() as u64;
        if state.data_position > batches {
            return Err(Error::artifact(format!(
                "the checkpoint was written {}, but epochs of this run have {batches} batches",
                state.position()
            ))
            .hint("resume with the records and the batch size that the run was started with"));
        }
        self.variables.restore(&checkpoint.weights, layout::MODEL)?;
        self.variables.restore_optimizer(state.step, &checkpoint.optimizer)?;
        service::restore(&mut self.setup.services, checkpoint)?;
        (self.epoch, self.step) = (state.epoch, state.step);
        let within = || Within {
            batches: state.data_position,
            fields: state.metrics.clone(),
            arrays: checkpoint.metrics.clone(),
        };
        self.within = (state.data_position > 0).then(within);
        self.next_rate = match &self.setup.rate {
            Rate::Constant(_) => state.learning_rate,
            Rate::Schedule(schedule) => scheduled(&**schedule, state.step)?,
        };
        self.learning_rate =
            if state.latest_learning_rate.is_nan() { self.next_rate } else { state.latest_learning_rate };
        Ok(cpu::warning(&state.cpu))
    }

    /// Returns where the run stands: between epochs, or within one that was cut short or is gone on with.
    pub fn position(&self) -> Position {
        let batches = self.within.as_ref().map_or(0, |within| within.batches);
        Position { epochs: self.epoch, batches }
    }

    /// Returns how many epochs are finished, those before a resume included.
    pub fn epochs(&self) -> usize {
        self.epoch
    }

    /// Returns the training records with their stations.
    pub fn train_data(&self) -> &Dataset {
        &self.setup.train
    }

    /// Returns the validation records with their stations, when there are any.
    pub fn validation_data(&self) -> Option<&Dataset> {
        self.setup.validation.as_ref()
    }

    /// Returns the network.
    pub fn network(&self) -> &Arc<Network> {
        &self.setup.network
    }

    /// Returns the weights as they are now, under their Keras names and in network order.
    pub fn weights(&self) -> Result<Named> {
        Weights::weights(&self.variables)
    }

    /// Trains to the last epoch, or until a service or the stop flag ends the run. Runs
    /// [`Trainer::check`] first, unless that was done. When it returns, everything that services wrote
    /// is on the disk.
    ///
    /// # Errors
    /// Whatever a station, the network, a loss, a metric or a service raises. Asking to stop is no error:
    /// see [`History::interrupted`].
    pub fn train(&mut self, progress: &mut dyn Progress) -> Result<History> {
        if !self.checked {
            self.check()?;
        }
        progress.run_begin(&self.run());
        // What was waited for before, while the run was prepared, is not part of its time.
        let before = self.setup.train.waited();
        let mut history = History::default();
        let mut control = Control { learning_rate: self.next_rate, ..Control::default() };
        let mut logs: Logs = self.log_names().into_iter().map(|name| (name, f64::NAN)).collect();
        let mut epoch = self.epoch;

        self.watch(epoch, &mut control, progress).tell(&logs, |service, moment| service.on_train_begin(moment))?;
        while self.epoch < self.setup.epochs && control.stop.is_none() && !control.at_once {
            epoch = self.epoch;
            if !history.epochs.is_empty() {
                self.look_for_changes(&logs, &mut control, progress)?;
            }
            let trained = self.train_epoch(&logs, &mut control, progress);
            if !self.unless_stopped(trained)?.unwrap_or(false) {
                history.interrupted = self.stop.load(Ordering::Relaxed);
                let goes_on = history.interrupted && !control.at_once;
                self.pause(&logs, &mut control, progress, goes_on)?;
                break;
            }
            progress.validation_begin();
            let validated = self.validate();
            if self.unless_stopped(validated)?.is_none() {
                history.interrupted = true;
                self.pause(&logs, &mut control, progress, true)?;
                break;
            }
            self.collect(&mut logs)?;
            self.watch(epoch, &mut control, progress).tell(&logs, |service, moment| service.on_epoch_end(moment))?;
            let (seed, after) = (self.setup.seed, Position::after(epoch + 1));
            self.watch(epoch, &mut control, progress).checkpoint(&logs, seed, after, None)?;
            let row = EpochRow { epoch, step: self.step, learning_rate: self.learning_rate, logs: logs.clone() };
            progress.epoch_end(&row, self.setup.epochs);
            self.tell_saved(progress);
            history.epochs.push(row);
            self.epoch += 1;
        }
        self.variables.finish()?;
        self.put_back(&mut control)?;
        self.watch(epoch, &mut control, progress).tell(&logs, |service, moment| service.on_train_end(moment))?;
        self.put_back(&mut control)?;
        self.writer.flush()?;
        self.tell_saved(progress);
        (self.next_rate, history.steps, history.stopped) = (control.learning_rate, self.step, control.stop);
        history.details = control.details;
        if history.interrupted {
            history.stopped.get_or_insert_with(|| "interrupted".to_owned());
        }
        progress.waited(self.setup.train.waited().saturating_sub(before));
        progress.run_end(&history);
        Ok(history)
    }

    /// Returns losses and metrics over a dataset with the weights as they are now, without prefix.
    ///
    /// # Errors
    /// A dataset in score mode, which has no outputs to compare with.
    pub fn evaluate(&mut self, dataset: &Dataset) -> Result<Logs> {
        evaluate_with(&mut self.variables.engine, &self.setup.outputs, dataset)
    }

    /// Returns `None` for what was left because someone asked to stop: records that are being loaded are not waited for.
    fn unless_stopped<T>(&self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Err(error) if error.kind() == Kind::Interrupted && self.stop.load(Ordering::Relaxed) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    fn run(&self) -> Run {
        Run {
            folder: self.setup.folder.clone(),
            seed: self.setup.seed,
            device: crate::tensor::device::name(self.variables.engine.device()),
            epochs: self.setup.epochs,
            first_epoch: self.epoch,
            first_batch: self.position().batches as usize,
            batches: self.setup.train.batches(),
            step: self.step,
            records: self.setup.train.len(),
            validation_records: self.setup.validation.as_ref().map_or(0, Dataset::len),
            trainable: self.variables.trainable(),
        }
    }

    /// Tells what has reached the disk meanwhile.
    fn tell_saved(&self, progress: &mut dyn Progress) {
        self.writer.take_saved().iter().for_each(|saved| progress.saved(saved));
    }

    fn watch<'a>(&'a mut self, epoch: usize, control: &'a mut Control, progress: &'a mut dyn Progress) -> Watch<'a> {
        Watch {
            services: &mut self.setup.services,
            folder: &self.setup.folder,
            writer: &self.writer,
            graph: &self.setup.graph,
            variables: &self.variables,
            epoch,
            batches: self.within.as_ref().map_or(0, |within| within.batches),
            step: self.step,
            learning_rate: self.learning_rate,
            scheduled: matches!(self.setup.rate, Rate::Schedule(_)),
            control,
            progress,
        }
    }

    fn validate(&mut self) -> Result<()> {
        let Setup { outputs, validation, .. } = &self.setup;
        match (validation, &mut self.validation_meters) {
            (Some(data), Some(meters)) => evaluate::evaluate(&mut self.variables.engine, outputs, data, meters)
                .map_err(|error| error.within("validation")),
            _ => Ok(()),
        }
    }

    /// Brings the logs of an epoch up to date, validation last.
    fn collect(&mut self, logs: &mut Logs) -> Result<()> {
        let mut places = logs.iter_mut();
        for meters in self.meters.iter_mut().chain(&mut self.validation_meters) {
            for ((_, value), (_, place)) in meters.logs()?.iter().zip(&mut places) {
                *place = *value;
            }
        }
        Ok(())
    }

    fn put_back(&mut self, control: &mut Control) -> Result<()> {
        control.restore.take().map_or(Ok(()), |weights| self.variables.restore(&weights, "best weights"))
    }
}

/// Returns a schedule's rate, which must be a number.
fn scheduled(schedule: &dyn crate::schedule::Schedule, step: u64) -> Result<f64> {
    let rate = schedule.learning_rate(step)?;
    match rate.is_finite() {
        true => Ok(rate),
        false => Err(Error::recipe(format!("the schedule gave a learning rate of {rate} at step {step}"))),
    }
}
