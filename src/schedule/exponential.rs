//! A rate that falls by the same factor every so many updates.

use super::{DECAY_RATE, DECAY_STEPS, Formula, INITIAL, STAIRCASE, Schedule, above_zero};
use crate::error::Result;
use crate::registry::{Arguments, Entry};

/// Exponential decay.
pub(super) const ENTRY: Entry<dyn Schedule> = Entry {
    name: "ExponentialDecay",
    aliases: &["exponential_decay"],
    doc: "initial_learning_rate × decay_rate ^ (step / decay_steps).",
    parameters: &[INITIAL, DECAY_STEPS, DECAY_RATE, STAIRCASE],
    build,
};

fn build(arguments: &Arguments) -> Result<Box<dyn Schedule>> {
    let (initial, rate) = (arguments.float("initial_learning_rate"), arguments.float("decay_rate"));
    let (steps, staircase) = (above_zero(arguments, "decay_steps")?, arguments.bool("staircase"));
    Ok(Box::new(Formula(move |step: f64| {
        let part = step / steps;
        initial * rate.powf(if staircase { part.floor() } else { part })
    })))
}
