//! Services: what watches a run and writes about it. They are called in the order of their list.
//!
//! One service, one file, one line in [`LIST`]. Writing goes through the run's [`Writer`], so that no
//! service makes training wait for the disk.

pub mod clock;
mod monitor;

mod best_checkpoint;
mod csv_report;
mod early_stopping;
mod events;
mod learning_rate_reducer;
mod resume_checkpoint;
mod tensorboard;
pub mod terminate_on_nan;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::Value;

use crate::artifact::layout::Position;
use crate::artifact::weights::Named;
use crate::artifact::{Checkpoint, State, Writer};
use crate::error::{Error, Result, Subject};
use crate::registry::Entry;
use crate::tensor::Array;

pub use best_checkpoint::BestCheckpoint;
pub use csv_report::CsvReport;
pub use early_stopping::EarlyStopping;
pub use events::Events;
pub use learning_rate_reducer::LearningRateReducer;
pub use monitor::{Direction, Monitor};
pub use resume_checkpoint::ResumeCheckpoint;
pub use tensorboard::TensorBoard;
pub use terminate_on_nan::TerminateOnNan;

/// The built-in services under their names in recipes, in the order they are called in.
pub const LIST: &[Entry<dyn Service>] = &[
    best_checkpoint::ENTRY,
    resume_checkpoint::ENTRY,
    tensorboard::ENTRY,
    csv_report::ENTRY,
    early_stopping::TRAIN_ENTRY,
    early_stopping::VALIDATION_ENTRY,
    terminate_on_nan::ENTRY,
    learning_rate_reducer::ENTRY,
    events::ENTRY,
];

/// What a service is told; epochs count from 0, as in Keras.
pub struct Moment<'a> {
    /// The artifact folder.
    pub folder: &'a Path,
    /// Writes files in the background, in order.
    pub writer: &'a Writer,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Batches of the epoch that are done, after a batch; also before the first step of a run that goes on within an
    /// epoch. 0 elsewhere.
    pub batches: u64,
    /// Steps done so far.
    pub step: u64,
    /// The learning rate of the latest update, whether a schedule or the control gave it.
    pub learning_rate: f64,
    /// Names and values so far: after a batch the running means of the epoch, after an epoch also the
    /// validation values (`val_…`). In the order of the report. Before the first epoch every name that
    /// will be reported, with NaN.
    pub logs: &'a Logs,
    /// The network as TensorBoard draws it; may be empty.
    pub graph: &'a [GraphNode],
    /// What may be changed.
    pub control: &'a mut Control,
    /// The weights, for services that store or look at them.
    pub weights: &'a dyn Weights,
}

impl Moment<'_> {
    /// Returns where the run goes on from when it begins: between epochs, or within one.
    pub fn start(&self) -> Position {
        Position { epochs: self.epoch, batches: self.batches }
    }
}

/// What a run resumed from a checkpoint gets back, besides weights and the optimizer's state.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Position, rates, and what services and metrics keep besides arrays.
    pub state: State,
    /// The arrays of services, each under `<service>/<name>`.
    pub services: Named,
    /// The arrays of metrics within an epoch.
    pub metrics: Named,
}

/// Log names and values in the order they are reported.
pub type Logs = Vec<(String, f64)>;

/// One layer or input of the network, for the drawing of the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphNode {
    /// Its name; slashes group.
    pub name: String,
    /// What it does: `Dense`, `Input`.
    pub op: String,
    /// The names of the nodes it reads.
    pub inputs: Vec<String>,
    /// The shape of its value without the batch axis; `None` is an axis of any length.
    pub shape: Vec<Option<usize>>,
}

/// What a service may change.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Why training ends after this epoch (or after this step, when `at_once`); `None` to go on.
    pub stop: Option<String>,
    /// Whether to stop before the epoch is over; the epoch is then not finished: no validation, no
    /// [`Service::on_epoch_end`], no checkpoint.
    pub at_once: bool,
    /// The learning rate of the next step, when it is not a schedule's.
    pub learning_rate: f64,
    /// Lines for the person, printed by the progress display.
    pub messages: Vec<String>,
    /// What is known about why it stopped, a line each, for the record of the run.
    pub details: Vec<String>,
    /// The weights that are put back when training has ended.
    pub restore: Option<Named>,
}

impl Control {
    /// Ends training after this epoch; the first reason given stays.
    pub fn stop_after_epoch(&mut self, reason: String) {
        self.stop.get_or_insert(reason);
    }
}

/// Read access to the weights and the optimizer's state, by name.
pub trait Weights {
    /// Returns every weight under its Keras name (`hidden/kernel`), in the order of the network.
    fn weights(&self) -> Result<Vec<(String, Array)>>;

    /// Returns every slot of the optimizer (`hidden/kernel/m`), in the same order.
    fn optimizer_state(&self) -> Result<Vec<(String, Array)>>;
}

/// Something that watches a run.
pub trait Service: Send {
    /// Returns the name in recipes: `best_checkpoint`.
    fn name(&self) -> &str;

    /// Called before the first epoch, and again when a run is resumed (`moment.epoch` tells where), then
    /// after [`Service::restore`]. When [`Control::stop`] is set afterwards, no epoch is run.
    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called before each epoch.
    fn on_epoch_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called after each update.
    fn on_batch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called after each epoch, validation included.
    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called before the state of all services is gathered for a checkpoint: what is buffered goes to the writer, so
    /// that the state knows of it.
    fn before_checkpoint(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called after each epoch once every service has seen its end, and within epochs where the run asks for it:
    /// `gathered` is what a run resumed from here gets back.
    fn on_checkpoint(&mut self, moment: &mut Moment, gathered: &Gathered) -> Result<()> {
        let _ = (moment, gathered);
        Ok(())
    }

    /// Called after the last epoch, and when training was stopped.
    fn on_train_end(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called between two epochs when scripts of the run were edited: `about` says which, with their hashes, and
    /// whether they were taken over (`taken`) or why not (`error`).
    fn on_change(&mut self, moment: &mut Moment, about: &Value) -> Result<()> {
        let _ = (moment, about);
        Ok(())
    }

    /// Returns what a resumed run needs to go on exactly; floating-point numbers by [`crate::artifact::exact`].
    ///
    /// # Errors
    /// Something that cannot be stored, in a scripted service.
    fn state(&self) -> Result<Value> {
        Ok(Value::Null)
    }

    /// Returns arrays that belong to the state.
    fn arrays(&self) -> Named {
        Vec::new()
    }

    /// Takes back what [`Service::state`] and [`Service::arrays`] gave.
    fn restore(&mut self, state: &Value, arrays: Named) -> Result<()> {
        let _ = (state, arrays);
        Ok(())
    }

    /// Returns the log name this service watches, so that it can be checked before training.
    fn monitor(&self) -> Option<&str> {
        None
    }

    /// Returns whether this service sets the learning rate, which then must not be a schedule's.
    fn sets_learning_rate(&self) -> bool {
        false
    }
}

/// Gathers the state of all services for a checkpoint; metrics are left to who has them.
///
/// # Errors
/// A state that cannot be stored, with the service's name.
pub fn gather(services: &[Box<dyn Service>], mut state: State) -> Result<Gathered> {
    let mut arrays = Vec::new();
    for (service, key) in services.iter().zip(keys(services)) {
        let within = |error: Error| error.within(format!("service `{}`", service.name()));
        let value =
            service.state().map_err(|error| within(error).about(Subject::Service(service.name().to_owned())))?;
        if !value.is_null() {
            state.services.insert(key.clone(), value);
        }
        arrays.extend(service.arrays().into_iter().map(|(name, array)| (format!("{key}/{name}"), array)));
    }
    Ok(Gathered { state, services: arrays, metrics: Vec::new() })
}

/// Gives the services back what [`gather`] took; a service the checkpoint does not know starts afresh.
///
/// # Errors
/// A state that the service cannot understand.
pub fn restore(services: &mut [Box<dyn Service>], checkpoint: &Checkpoint) -> Result<()> {
    let keys = keys(services);
    for (service, key) in services.iter_mut().zip(keys) {
        let prefix = format!("{key}/");
        let own = |(name, array): &(String, Array)| Some((name.strip_prefix(&prefix)?.to_owned(), array.clone()));
        let arrays = checkpoint.services.iter().filter_map(own).collect();
        if let Some(state) = checkpoint.state.services.get(&key) {
            service.restore(state, arrays)?;
        }
    }
    Ok(())
}

/// Returns the names of services in checkpoints: a component that is used twice has two states.
fn keys(services: &[Box<dyn Service>]) -> Vec<String> {
    let name = |at: usize| match services[..at].iter().filter(|other| other.name() == services[at].name()).count() {
        0 => services[at].name().to_owned(),
        earlier => format!("{}#{}", services[at].name(), earlier + 1),
    };
    (0..services.len()).map(name).collect()
}

/// Returns the error for a state that a service did not write.
fn foreign_state(service: &str, state: &Value) -> Error {
    Error::artifact(format!("the checkpoint's state of `{service}` cannot be understood: {state}"))
}
