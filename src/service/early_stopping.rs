//! Ends training when a value has not improved for a number of epochs.
//!
//! The rules are those of Keras' `EarlyStopping`, but that a value of NaN never improves, not even the first.

use serde_json::{Value, json};

use crate::artifact::exact;
use crate::artifact::weights::Named;
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::service::{Moment, Monitor, Service, foreign_state};

/// Ends training when the watched value has not improved by more than `min_delta` for `patience` epochs.
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    side: Side,
    monitor: Monitor,
    /// What was written, when it had to be corrected.
    corrected: Option<String>,
    patience: usize,
    min_delta: f64,
    baseline: Option<f64>,
    restore_best_weights: bool,
    start_from_epoch: usize,
    verbose: bool,
    wait: usize,
    best: Option<f64>,
    best_epoch: usize,
    best_weights: Option<Named>,
    stopped_epoch: Option<usize>,
}

/// Whose values are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Train,
    Validation,
}

pub(super) const TRAIN_ENTRY: Entry<dyn Service> = Entry {
    name: "train_early_stopping",
    aliases: &["TrainEarlyStopping"],
    doc: "Ends training when a training value no longer improves.",
    parameters: &[
        Parameter::optional("monitor", Type::Text, "\"loss\"", "the log name of a training value"),
        Monitor::MODE,
        PATIENCE,
        MIN_DELTA,
        BASELINE,
        RESTORE,
        START,
        VERBOSE,
    ],
    build: |arguments| Ok(Box::new(EarlyStopping::build(Side::Train, arguments)?)),
};

pub(super) const VALIDATION_ENTRY: Entry<dyn Service> = Entry {
    name: "validation_early_stopping",
    aliases: &["ValidationEarlyStopping"],
    doc: "Ends training when a validation value no longer improves.",
    parameters: &[
        Parameter::optional("monitor", Type::Text, "\"val_loss\"", "the log name of a validation value"),
        Monitor::MODE,
        PATIENCE,
        MIN_DELTA,
        BASELINE,
        RESTORE,
        START,
        VERBOSE,
    ],
    build: |arguments| Ok(Box::new(EarlyStopping::build(Side::Validation, arguments)?)),
};

const PATIENCE: Parameter =
    Parameter::optional("patience", Type::Int, "10", "epochs without improvement after which training ends");
const MIN_DELTA: Parameter =
    Parameter::optional("min_delta", Type::Float, "1e-5", "an improvement is more than this; its sign is ignored");
const BASELINE: Parameter =
    Parameter::optional("baseline", Type::Float, "null", "a value that must be reached for the patience to start anew");
const RESTORE: Parameter = Parameter::optional(
    "restore_best_weights",
    Type::Bool,
    "false",
    "puts back the weights of the best epoch at the end",
);
const START: Parameter = Parameter::optional("start_from_epoch", Type::Int, "0", "earlier epochs are not looked at");
const VERBOSE: Parameter = Parameter::optional("verbose", Type::Int, "1", "0 says nothing when training ends");

impl EarlyStopping {
    fn build(side: Side, arguments: &Arguments) -> Result<Self> {
        let mut monitor = Monitor::from_arguments(arguments)?;
        // The original corrects the prefix, too, and its documents show configs that rely on it.
        let bare = monitor.name.strip_prefix("val_").unwrap_or(&monitor.name);
        let right = match side {
            Side::Train => bare.to_owned(),
            Side::Validation => format!("val_{bare}"),
        };
        let written = std::mem::replace(&mut monitor.name, right);
        Ok(EarlyStopping {
            side,
            corrected: (written != monitor.name).then_some(written),
            monitor,
            patience: arguments.at_least("patience", 0)?,
            min_delta: arguments.float("min_delta").abs(),
            baseline: arguments.value("baseline").as_f64(),
            restore_best_weights: arguments.bool("restore_best_weights"),
            start_from_epoch: arguments.at_least("start_from_epoch", 0)?,
            verbose: arguments.at_least("verbose", 0)? > 0,
            wait: 0,
            best: None,
            best_epoch: 0,
            best_weights: None,
            stopped_epoch: None,
        })
    }

    /// Returns the epoch of the best value so far, from 0.
    pub fn best_epoch(&self) -> usize {
        self.best_epoch
    }

    /// Returns the epoch after which this service ended training, from 0.
    pub fn stopped_epoch(&self) -> Option<usize> {
        self.stopped_epoch
    }

    fn reason(&self) -> String {
        format!("{}: `{}` has not improved for {} epochs", self.name(), self.monitor.name, self.wait)
    }

    fn remember(&mut self, moment: &Moment) -> Result<()> {
        self.best_epoch = moment.epoch;
        if self.restore_best_weights {
            self.best_weights = Some(moment.weights.weights()?);
        }
        Ok(())
    }
}

impl Service for EarlyStopping {
    fn name(&self) -> &str {
        match self.side {
            Side::Train => TRAIN_ENTRY.name,
            Side::Validation => VALIDATION_ENTRY.name,
        }
    }

    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        if let Some(written) = &self.corrected {
            let line = format!("`{}` watches `{}`, not `{written}`", self.name(), self.monitor.name);
            moment.control.messages.push(line);
        }
        // A run that had stopped does not go on because it is resumed.
        if self.stopped_epoch.is_some() {
            moment.control.stop_after_epoch(self.reason());
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let value = self.monitor.value(moment.logs, self.name())?;
        if moment.epoch < self.start_from_epoch {
            return Ok(());
        }
        if self.restore_best_weights && self.best_weights.is_none() {
            self.remember(moment)?;
        }
        self.wait += 1;
        if self.monitor.improves(value, self.best, self.min_delta) {
            self.best = Some(value);
            self.remember(moment)?;
            if self.baseline.is_none() || self.monitor.improves(value, self.baseline, self.min_delta) {
                self.wait = 0;
            }
        } else if self.wait >= self.patience && moment.epoch > 0 {
            self.stopped_epoch = Some(moment.epoch);
            moment.control.stop_after_epoch(self.reason());
        }
        Ok(())
    }

    fn on_train_end(&mut self, moment: &mut Moment) -> Result<()> {
        if let Some(epoch) = self.stopped_epoch.filter(|_| self.verbose) {
            moment.control.messages.push(format!("epoch {:05}: early stopping", epoch + 1));
        }
        if let Some(weights) = self.best_weights.clone() {
            if self.verbose {
                let line = format!("the weights of the best epoch, {}, are put back", self.best_epoch + 1);
                moment.control.messages.push(line);
            }
            moment.control.restore = Some(weights);
        }
        Ok(())
    }

    fn state(&self) -> Result<Value> {
        Ok(json!({
            "wait": self.wait,
            "best": self.best.map(exact::to_json),
            "best_epoch": self.best_epoch,
            "stopped_epoch": self.stopped_epoch,
        }))
    }

    fn arrays(&self) -> Named {
        self.best_weights.clone().unwrap_or_default()
    }

    fn restore(&mut self, state: &Value, arrays: Named) -> Result<()> {
        let whole = |key: &str| state[key].as_u64().and_then(|value| usize::try_from(value).ok());
        let (Some(wait), Some(best_epoch)) = (whole("wait"), whole("best_epoch")) else {
            return Err(foreign_state(self.name(), state));
        };
        self.wait = wait;
        self.best_epoch = best_epoch;
        self.best = exact::from_json(&state["best"]);
        self.stopped_epoch = whole("stopped_epoch");
        self.best_weights = (!arrays.is_empty()).then_some(arrays);
        Ok(())
    }

    fn monitor(&self) -> Option<&str> {
        Some(&self.monitor.name)
    }
}
