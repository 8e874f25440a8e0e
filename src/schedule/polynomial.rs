//! A rate that falls to an end as a power of the remaining time; linear with power 1.

use super::{DECAY_STEPS, Formula, INITIAL, Schedule, above_zero};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Polynomial decay.
pub(super) const ENTRY: Entry<dyn Schedule> = Entry {
    name: "PolynomialDecay",
    aliases: &["polynomial_decay"],
    doc: "(initial_learning_rate - end_learning_rate) × (1 - step / decay_steps) ^ power + end_learning_rate; constant \
          after `decay_steps`, unless `cycle`.",
    parameters: &[
        INITIAL,
        DECAY_STEPS,
        Parameter::optional("end_learning_rate", Type::Float, "0.0001", "the rate at the end"),
        Parameter::optional("power", Type::Float, "1.0", "1: linear; more: faster at first"),
        Parameter::optional(
            "cycle",
            Type::Bool,
            "false",
            "Whether, past the end, `decay_steps` is doubled, tripled … and the rate rises again",
        ),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Box<dyn Schedule>> {
    let (initial, end) = (arguments.float("initial_learning_rate"), arguments.float("end_learning_rate"));
    let (steps, power) = (above_zero(arguments, "decay_steps")?, arguments.float("power"));
    let cycle = arguments.bool("cycle");
    Ok(Box::new(Formula(move |step: f64| {
        let part = match cycle {
            true => step / (steps * (step / steps).ceil().max(1.0)),
            false => step.min(steps) / steps,
        };
        (initial - end) * (1.0 - part).powf(power) + end
    })))
}
