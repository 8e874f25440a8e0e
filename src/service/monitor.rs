//! Watching one log value.

use crate::error::{self, Error, Result};
use crate::registry::{Arguments, Parameter, Type};
use crate::service::Logs;

/// Which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smaller ones: losses.
    Min,
    /// Larger ones: accuracies.
    Max,
}

/// A log name and which of its values are better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// The log name: `val_loss`.
    pub name: String,
    /// Which values are better.
    pub direction: Direction,
}

impl Monitor {
    /// Creates a monitor.
    pub fn new(name: impl Into<String>, direction: Direction) -> Self {
        Monitor { name: name.into(), direction }
    }

    /// The parameter `mode`, with the default of the original services.
    pub(super) const MODE: Parameter = Parameter::optional(
        "mode",
        Type::Text,
        "\"min\"",
        "whether smaller (`min`) or larger (`max`) values are better; `auto` is not supported",
    );

    /// Reads `monitor` and `mode`.
    pub(super) fn from_arguments(arguments: &Arguments) -> Result<Self> {
        let direction = match arguments.choice("mode", &["min", "max"])? {
            "max" => Direction::Max,
            _ => Direction::Min,
        };
        match arguments.text("monitor") {
            "" => Err(arguments.refuse("monitor", "a log name")),
            name => Ok(Monitor::new(name, direction)),
        }
    }

    /// Returns the value in the logs.
    ///
    /// # Errors
    /// The name was not reported; the error lists what was.
    pub fn value(&self, logs: &Logs, service: &str) -> Result<f64> {
        let names = || logs.iter().map(|(name, _)| name.as_str());
        match logs.iter().find(|(name, _)| *name == self.name) {
            Some((_, value)) => Ok(*value),
            None => Err(Error::run(format!("`{service}` watches `{}`, which is not reported", self.name))
                .maybe_hint(error::did_you_mean(&self.name, names()))
                .hint(format!("reported: {}", error::list(names())))),
        }
    }

    /// Returns whether a value is better than another by more than `min_delta`. NaN never is; anything else
    /// is better than nothing.
    pub fn improves(&self, value: f64, best: Option<f64>, min_delta: f64) -> bool {
        let Some(best) = best else { return !value.is_nan() };
        match self.direction {
            Direction::Min => value + min_delta < best,
            Direction::Max => value - min_delta > best,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strictly_better_values_improve() {
        let min = Monitor::new("loss", Direction::Min);
        let max = Monitor::new("accuracy", Direction::Max);
        let nan = f64::NAN;
        for (monitor, value, best, delta, expected) in [
            (&min, 1.0, None, 0.5, true),
            (&min, nan, None, 0.0, false),
            (&min, 0.9, Some(1.0), 0.0, true),
            (&min, 1.0, Some(1.0), 0.0, false),
            (&min, 0.9, Some(1.0), 0.2, false),
            (&min, nan, Some(1.0), 0.0, false),
            (&max, 1.1, Some(1.0), 0.0, true),
            (&max, 1.0, Some(1.0), 0.0, false),
            (&max, 1.1, Some(1.0), 0.2, false),
            (&max, nan, Some(1.0), 0.0, false),
        ] {
            assert_eq!(monitor.improves(value, best, delta), expected, "{value} after {best:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_reported_is_an_error_with_the_names_that_are() {
        let logs = vec![("loss".to_owned(), 1.0), ("val_auc".to_owned(), 0.5)];
        let monitor = Monitor::new("val_AUC", Direction::Max);
        let error = monitor.value(&logs, "best_checkpoint").unwrap_err();
        assert_eq!(error.message(), "`best_checkpoint` watches `val_AUC`, which is not reported");
        assert_eq!(error.hints(), ["did you mean `val_auc`?", "reported: `loss`, `val_auc`"]);
    }
}
