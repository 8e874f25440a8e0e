//! Stops a run whose loss is no longer a number.

use crate::error::Result;
use crate::registry::Entry;
use crate::service::{Moment, Service};

/// Stops at once when the loss of a batch is NaN or infinite, so that no weights spoilt by it are stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNan;

/// How the reason begins for which it stops.
pub const REASON: &str = "the loss became";

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "terminate_on_nan",
    aliases: &["TerminateOnNan", "TerminateOnNaN"],
    doc: "Stops at once when the loss is NaN or infinite.",
    parameters: &[],
    build: |_| Ok(Box::new(TerminateOnNan)),
};

impl Service for TerminateOnNan {
    fn name(&self) -> &str {
        ENTRY.name
    }

    fn on_batch_end(&mut self, moment: &mut Moment) -> Result<()> {
        // The running mean is NaN or infinite as soon as one batch was.
        let loss = moment.logs.iter().find(|(name, _)| name == "loss");
        if let Some((_, loss)) = loss.filter(|(_, loss)| !loss.is_finite()) {
            moment.control.stop_after_epoch(format!("{REASON} {loss} at step {}", moment.step));
            moment.control.at_once = true;
        }
        Ok(())
    }
}
