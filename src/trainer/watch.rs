//! Calls services in the order of their list and passes on what they ask for.

use std::path::Path;

use super::progress::Progress;
use super::variables::Variables;
use crate::error::{Error, Result};
use crate::service::{Control, Logs, Moment, Service};

/// What one round of calls needs.
pub(super) struct Watch<'a> {
    pub services: &'a mut [Box<dyn Service>],
    pub folder: &'a Path,
    pub variables: &'a Variables,
    pub step: u64,
    pub scheduled: bool,
    pub control: &'a mut Control,
    pub progress: &'a mut dyn Progress,
}

impl Watch<'_> {
    /// Calls every service. The first reason to stop is kept; messages go to the progress display.
    ///
    /// # Errors
    /// Whatever a service raises, with its name.
    pub fn tell(
        self,
        epoch: usize,
        logs: &Logs,
        call: impl Fn(&mut dyn Service, &mut Moment) -> Result<()>,
    ) -> Result<()> {
        let rate = self.control.learning_rate;
        for service in self.services.iter_mut() {
            let reason = self.control.stop.take();
            let mut moment = Moment {
                folder: self.folder,
                epoch,
                step: self.step,
                logs,
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
}
