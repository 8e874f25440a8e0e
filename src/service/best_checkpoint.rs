//! Keeps the weights of the best epoch, for scoring.

use serde_json::{Value, json};

use crate::artifact::{Best, checkpoint, exact, layout};
use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};
use crate::service::{Direction, Moment, Monitor, Service, foreign_state};

/// Writes `best_checkpoint/` whenever the watched value is strictly better than all before. NaN never is.
#[derive(Clone, Debug)]
pub struct BestCheckpoint {
    monitor: Monitor,
    best: Option<f64>,
}

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "best_checkpoint",
    aliases: &["BestCheckpoint"],
    doc: "Keeps the weights of the best epoch, for scoring.",
    parameters: &[
        Parameter::optional("monitor", Type::Text, "\"val_loss\"", "the log name that decides"),
        Monitor::MODE,
        Parameter::optional(
            "initial_value_threshold",
            Type::Float,
            "null",
            "only values better than this are kept, as in Keras",
        ),
    ],
    build: |arguments| {
        let monitor = Monitor::from_arguments(arguments)?;
        Ok(Box::new(BestCheckpoint { monitor, best: arguments.value("initial_value_threshold").as_f64() }))
    },
};

impl BestCheckpoint {
    /// Creates the service; any first value counts as the best.
    pub fn new(monitor: impl Into<String>, direction: Direction) -> Self {
        BestCheckpoint { monitor: Monitor::new(monitor, direction), best: None }
    }
}

impl Service for BestCheckpoint {
    fn name(&self) -> &str {
        ENTRY.name
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let value = self.monitor.value(moment.logs, ENTRY.name)?;
        if !self.monitor.improves(value, self.best, 0.0) {
            return Ok(());
        }
        self.best = Some(value);
        let best = Best {
            format: checkpoint::FORMAT,
            epoch: moment.epoch,
            step: moment.step,
            monitor: self.monitor.name.clone(),
            value,
        };
        moment.writer.best(&moment.folder.join(layout::BEST_CHECKPOINT), moment.weights.weights()?, best)
    }

    fn state(&self) -> Result<Value> {
        Ok(json!({ "best": self.best.map(exact::to_json) }))
    }

    fn restore(&mut self, state: &Value, _: crate::artifact::weights::Named) -> Result<()> {
        self.best = match &state["best"] {
            Value::Null => None,
            best => Some(exact::from_json(best).ok_or_else(|| foreign_state(ENTRY.name, state))?),
        };
        Ok(())
    }

    fn monitor(&self) -> Option<&str> {
        Some(&self.monitor.name)
    }
}
