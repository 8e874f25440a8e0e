//! Calls services in the order of their list and passes on what they ask for.

use std::path::Path;

use super::meters::Meters;
use super::progress::Progress;
use super::variables::Variables;
use crate::artifact::layout::Position;
use crate::artifact::{State, Writer};
use crate::error::{Error, Result};
use crate::service::{self, Control, GraphNode, Logs, Moment, Service};

/// What one round of calls needs.
pub(super) struct Watch<'a> {
    pub services: &'a mut [Box<dyn Service>],
    pub folder: &'a Path,
    pub writer: &'a Writer,
    pub graph: &'a [GraphNode],
    pub variables: &'a Variables,
    pub epoch: usize,
    /// Batches of the epoch that are done.
    pub batches: u64,
    pub step: u64,
    /// The learning rate of the latest update.
    pub learning_rate: f64,
    pub scheduled: bool,
    pub control: &'a mut Control,
    pub progress: &'a mut dyn Progress,
}

impl Watch<'_> {
    /// Calls every service. The first reason to stop is kept; messages go to the progress display.
    ///
    /// # Errors
    /// Whatever a service raises, with its name.
    pub fn tell(&mut self, logs: &Logs, call: impl Fn(&mut dyn Service, &mut Moment) -> Result<()>) -> Result<()> {
        let rate = self.control.learning_rate;
        for service in self.services.iter_mut() {
            let reason = self.control.stop.take();
            let mut moment = Moment {
                folder: self.folder,
                writer: self.writer,
                epoch: self.epoch,
                batches: self.batches,
                step: self.step,
                learning_rate: self.learning_rate,
                logs,
                graph: self.graph,
                control: self.control,
                weights: self.variables,
            };
            call(&mut **service, &mut moment).map_err(|error| error.within(format!("service `{}`", service.name())))?;
            if reason.is_some() {
                self.control.stop = reason;
            }
            // Bits are compared: a rate that is not a number is a change, too.
            if self.scheduled && self.control.learning_rate.to_bits() != rate.to_bits() {
                return Err(Error::recipe(format!(
                    "service `{}` changed the learning rate, but a schedule sets it",
                    service.name()
                ))
                .hint("give the optimizer a constant `learning_rate`, or leave the service out"));
            }
            for line in self.control.messages.drain(..) {
                self.progress.message(&line);
            }
        }
        Ok(())
    }

    /// Gathers the state of all services and offers it to each for a checkpoint at a position; within an epoch, with
    /// what the meters have gathered.
    ///
    /// # Errors
    /// Whatever a service raises; a state that cannot be stored.
    pub fn checkpoint(&mut self, logs: &Logs, seed: u64, position: Position, meters: Option<&Meters>) -> Result<()> {
        self.tell(logs, |service, moment| service.before_checkpoint(moment))?;
        let mut state = State::new(position, self.step, seed, self.control.learning_rate);
        state.latest_learning_rate = self.learning_rate;
        let mut gathered = service::gather(self.services, state)?;
        if let Some(meters) = meters {
            (gathered.state.metrics, gathered.metrics) = meters.state()?;
        }
        self.tell(logs, |service, moment| service.on_checkpoint(moment, &gathered))
    }
}
