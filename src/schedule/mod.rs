//! Learning-rate schedules, in Keras vocabulary: the rate as a function of the number of updates done.

mod cosine;
mod exponential;
mod inverse_time;
mod piecewise;
mod polynomial;

use crate::error::Result;
use crate::registry::{self, Arguments, Entry, Parameter, Params, Type};

/// A learning rate for each step.
pub trait Schedule: Send + Sync {
    /// Returns the learning rate for a step; the first update has step 0.
    fn learning_rate(&self, step: u64) -> Result<f64>;
}

/// The same rate at every step, until a service changes it.
#[derive(Clone, Copy, Debug)]
pub struct Constant(pub f64);

impl Schedule for Constant {
    fn learning_rate(&self, _step: u64) -> Result<f64> {
        Ok(self.0)
    }
}

/// The built-in schedules.
pub static LIST: &[Entry<dyn Schedule>] =
    &[exponential::ENTRY, inverse_time::ENTRY, piecewise::ENTRY, polynomial::ENTRY, cosine::DECAY, cosine::RESTARTS];

/// Makes a built-in schedule from its name and parameters.
///
/// # Errors
/// Unknown names and parameters are refused with the nearest ones.
pub fn make(name: &str, params: &Params) -> Result<Box<dyn Schedule>> {
    registry::find(LIST, "schedule", name)?.make(params)
}

const INITIAL: Parameter = Parameter::required("initial_learning_rate", Type::Float, "the rate at step 0");
const DECAY_STEPS: Parameter =
    Parameter::required("decay_steps", Type::Float, "the number of updates in which the rate decays; above 0");
const DECAY_RATE: Parameter =
    Parameter::required("decay_rate", Type::Float, "how much the rate decays in `decay_steps` updates");
const STAIRCASE: Parameter = Parameter::optional(
    "staircase",
    Type::Bool,
    "false",
    "whether the rate falls in steps, every `decay_steps` updates, rather than at each",
);

/// Reads a number above 0.
fn above_zero(arguments: &Arguments, name: &str) -> Result<f64> {
    match arguments.float(name) {
        value if value > 0.0 => Ok(value),
        _ => Err(arguments.refuse(name, "a number above 0")),
    }
}

/// A formula as a schedule.
struct Formula<F>(F);

impl<F: Fn(f64) -> f64 + Send + Sync> Schedule for Formula<F> {
    fn learning_rate(&self, step: u64) -> Result<f64> {
        Ok((self.0)(step as f64))
    }
}
