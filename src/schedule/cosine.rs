//! Rates that fall along half a cosine, once or again and again.

use std::f64::consts::PI;

use super::{DECAY_STEPS, Formula, INITIAL, Schedule, above_zero};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

const ALPHA: Parameter =
    Parameter::optional("alpha", Type::Float, "0.0", "the lowest rate, as a fraction of the highest");

/// Cosine decay.
pub(super) const DECAY: Entry<dyn Schedule> = Entry {
    name: "CosineDecay",
    aliases: &["cosine_decay"],
    doc: "rate × ((1 - alpha) × (1 + cos(π step / decay_steps)) / 2 + alpha), constant after `decay_steps`. With \
          `warmup_target` the rate first rises evenly from `initial_learning_rate` to it in `warmup_steps` updates \
          (Loshchilov and Hutter, 2016).",
    parameters: &[
        INITIAL,
        DECAY_STEPS,
        ALPHA,
        Parameter::optional("warmup_target", Type::Float, "null", "the rate after warming up; null: no warming up"),
        Parameter::optional("warmup_steps", Type::Float, "0", "the number of updates of warming up"),
    ],
    build: decay,
};

/// Cosine decay with restarts.
pub(super) const RESTARTS: Entry<dyn Schedule> = Entry {
    name: "CosineDecayRestarts",
    aliases: &["cosine_decay_restarts"],
    doc: "Cosine decay that starts anew when it ends, each period `t_mul` times as long and starting `m_mul` times as \
          high as the one before.",
    parameters: &[
        INITIAL,
        Parameter::required("first_decay_steps", Type::Float, "the number of updates of the first period; above 0"),
        Parameter::optional("t_mul", Type::Float, "2.0", "how much longer each period is; at least 1"),
        Parameter::optional("m_mul", Type::Float, "1.0", "how much higher each period starts"),
        ALPHA,
    ],
    build: restarts,
};

fn decay(arguments: &Arguments) -> Result<Box<dyn Schedule>> {
    let (initial, alpha) = (arguments.float("initial_learning_rate"), arguments.float("alpha"));
    let steps = above_zero(arguments, "decay_steps")?;
    let target = arguments.value("warmup_target").as_f64();
    let warmup = arguments.within("warmup_steps", 0.0, f64::INFINITY)?;
    let fall = move |from: f64, part: f64| from * ((1.0 - alpha) * 0.5 * (1.0 + (PI * part).cos()) + alpha);
    Ok(Box::new(Formula(move |step: f64| match target {
        None => fall(initial, step.min(steps) / steps),
        Some(target) if step < warmup => (target - initial) * (step / warmup) + initial,
        Some(target) => fall(target, (step - warmup).min(steps) / steps),
    })))
}

fn restarts(arguments: &Arguments) -> Result<Box<dyn Schedule>> {
    let (initial, alpha) = (arguments.float("initial_learning_rate"), arguments.float("alpha"));
    let first = above_zero(arguments, "first_decay_steps")?;
    let longer = arguments.within("t_mul", 1.0, f64::INFINITY)?;
    let higher = arguments.float("m_mul");
    Ok(Box::new(Formula(move |step: f64| {
        let (period, part) = period(step / first, longer);
        let cosine = 0.5 * higher.powf(period) * (1.0 + (PI * part).cos());
        initial * ((1.0 - alpha) * cosine + alpha)
    })))
}

/// Returns the number of the period and the part of it that is over, for a time in units of the first period.
fn period(time: f64, longer: f64) -> (f64, f64) {
    if longer == 1.0 {
        return (time.floor(), time.fract());
    }
    // Rounding must not put the first step of a period at the end of the one before.
    let period = ((1.0 + time * (longer - 1.0)).ln() / longer.ln() + 1e-9).floor();
    let length = longer.powf(period);
    let start = (length - 1.0) / (longer - 1.0);
    (period, ((time - start) / length).max(0.0))
}
