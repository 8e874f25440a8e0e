//! A rate that falls as one over time.

use super::{DECAY_RATE, DECAY_STEPS, Formula, INITIAL, STAIRCASE, Schedule, above_zero};
use crate::error::Result;
use crate::registry::{Arguments, Entry};

/// Inverse time decay.
pub(super) const ENTRY: Entry<dyn Schedule> = Entry {
    name: "InverseTimeDecay",
    aliases: &["inverse_time_decay"],
    doc: "initial_learning_rate / (1 + decay_rate × step / decay_steps).",
    parameters: &[INITIAL, DECAY_STEPS, DECAY_RATE, STAIRCASE],
    build,
};

fn build(arguments: &Arguments) -> Result<Box<dyn Schedule>> {
    let (initial, rate) = (arguments.float("initial_learning_rate"), arguments.float("decay_rate"));
    let (steps, staircase) = (above_zero(arguments, "decay_steps")?, arguments.bool("staircase"));
    Ok(Box::new(Formula(move |step: f64| {
        let part = step / steps;
        initial / (1.0 + rate * if staircase { part.floor() } else { part })
    })))
}
