//! Lowers the learning rate when a value has not improved for a number of epochs.
//!
//! The rules are those of Keras' `ReduceLROnPlateau`, but that `mode` must be said.

use serde_json::{Value, json};

use crate::artifact::exact;
use crate::artifact::weights::Named;
use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};
use crate::service::{Moment, Monitor, Service, foreign_state};

/// Multiplies the learning rate by `factor` when the watched value has not improved for `patience` epochs.
#[derive(Clone, Debug)]
pub struct LearningRateReducer {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    min_delta: f64,
    cooldown: usize,
    min_lr: f64,
    verbose: bool,
    wait: usize,
    cooling: usize,
    best: Option<f64>,
}

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "learning_rate_reducer",
    aliases: &["LearningRateReducer", "ReduceLROnPlateau"],
    doc: "Lowers the learning rate when a value no longer improves.",
    parameters: &[
        Parameter::required("monitor", Type::Text, "the log name that decides"),
        Parameter::required("mode", Type::Text, "`min` or `max`: which values are better"),
        Parameter::required("patience", Type::Int, "epochs without improvement after which the rate is lowered"),
        Parameter::required("factor", Type::Float, "the new rate is the old one times this, more than 0, less than 1"),
        Parameter::optional("min_delta", Type::Float, "1e-4", "an improvement is more than this"),
        Parameter::optional("cooldown", Type::Int, "0", "epochs after a reduction in which none is counted"),
        Parameter::optional("min_lr", Type::Float, "0.0", "the rate does not go below this"),
        Parameter::optional("verbose", Type::Int, "1", "0 says nothing when the rate is lowered"),
    ],
    build: |arguments| {
        let factor = arguments.float("factor");
        if !(factor > 0.0 && factor < 1.0) {
            return Err(arguments.refuse("factor", "a number of more than 0 and less than 1"));
        }
        Ok(Box::new(LearningRateReducer {
            monitor: Monitor::from_arguments(arguments)?,
            factor,
            patience: arguments.at_least("patience", 0)?,
            min_delta: arguments.within("min_delta", 0.0, f64::INFINITY)?,
            cooldown: arguments.at_least("cooldown", 0)?,
            min_lr: arguments.within("min_lr", 0.0, f64::INFINITY)?,
            verbose: arguments.at_least("verbose", 0)? > 0,
            wait: 0,
            cooling: 0,
            best: None,
        }))
    },
};

impl Service for LearningRateReducer {
    fn name(&self) -> &str {
        ENTRY.name
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let value = self.monitor.value(moment.logs, ENTRY.name)?;
        if self.cooling > 0 {
            self.cooling -= 1;
            self.wait = 0;
        }
        if self.monitor.improves(value, self.best, self.min_delta) {
            self.best = Some(value);
            self.wait = 0;
        } else if self.cooling == 0 {
            self.wait += 1;
            let rate = moment.control.learning_rate;
            if self.wait >= self.patience && rate > self.min_lr {
                let lower = (rate * self.factor).max(self.min_lr);
                moment.control.learning_rate = lower;
                self.cooling = self.cooldown;
                self.wait = 0;
                if self.verbose {
                    let line = format!("epoch {:05}: the learning rate is lowered to {lower}", moment.epoch + 1);
                    moment.control.messages.push(line);
                }
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<Value> {
        Ok(json!({ "wait": self.wait, "cooling": self.cooling, "best": self.best.map(exact::to_json) }))
    }

    fn restore(&mut self, state: &Value, _: Named) -> Result<()> {
        let whole = |key: &str| state[key].as_u64().and_then(|value| usize::try_from(value).ok());
        let (Some(wait), Some(cooling)) = (whole("wait"), whole("cooling")) else {
            return Err(foreign_state(ENTRY.name, state));
        };
        self.wait = wait;
        self.cooling = cooling;
        self.best = exact::from_json(&state["best"]);
        Ok(())
    }

    fn monitor(&self) -> Option<&str> {
        Some(&self.monitor.name)
    }

    fn sets_learning_rate(&self) -> bool {
        true
    }
}
