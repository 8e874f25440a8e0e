//! Calls services in the order of their list and passes on what they ask for.

use std::path::Path;

use super::progress::Progress;
use super::variables::Variables;
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
    pub fn tell(self, logs: &Logs, call: impl Fn(&mut dyn Service, &mut Moment) -> Result<()>) -> Result<()> {
        let rate = self.control.learning_rate;
        for service in self.services.iter_mut() {
            let reason = self.control.stop.take();
            let mut moment = Moment {
                folder: self.folder,
                writer: self.writer,
                epoch: self.epoch,
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

    /// Gathers the state of all services after a finished epoch and offers it to each for a checkpoint.
    pub fn checkpoint(self, logs: &Logs, seed: u64) -> Result<()> {
        let mut state = State::new(self.epoch + 1, self.step, seed, self.control.learning_rate);
        let arrays = service::gather(self.services, &mut state);
        self.tell(logs, |service, moment| service.on_checkpoint(moment, &state, &arrays))
    }
}
