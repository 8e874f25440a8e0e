//! A scripted schedule: `learning_rate(step)` or `learning_rate(step, params)`.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::record::Mode;
use crate::schedule::Schedule;
use crate::script::Component;

/// A script's function behind the trait of schedules.
pub struct ScriptSchedule {
    component: Component,
    function: String,
    arity: usize,
}

impl ScriptSchedule {
    /// Wraps a component.
    ///
    /// # Errors
    /// A script without a fitting function.
    pub fn new(component: Component) -> Result<Self> {
        let (function, arity) = component.slot("learning_rate", 1..=2, "fn learning_rate(step) { … }")?;
        component.init(Mode::Train)?;
        Ok(ScriptSchedule { component, function, arity })
    }
}

impl Schedule for ScriptSchedule {
    fn learning_rate(&self, step: u64) -> Result<f64> {
        let mut arguments = [Dynamic::from(step as i64), Dynamic::UNIT];
        if self.arity == 2 {
            arguments[1] = self.component.params();
        }
        let value = self.component.call(&self.function, Mode::Train, &mut arguments[..self.arity])?;
        let rate = value.as_float().or_else(|_| value.as_int().map(|value| value as f64));
        let rate = match rate {
            Ok(rate) if rate.is_finite() && rate >= 0.0 => Ok(rate),
            Ok(rate) => Err(format!("expected a learning rate of at least 0, found {rate}")),
            Err(found) => Err(format!("expected a number, found {}", crate::script::traceback::type_phrase(found))),
        };
        rate.map_err(|message| {
            self.component.returned(&self.function, Error::script(message)).within(format!("step {step}"))
        })
    }
}
