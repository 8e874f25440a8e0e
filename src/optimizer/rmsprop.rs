//! RMSprop: steps divided by the root of a running mean of squared gradients.

use super::Optimizer;
use super::adam::{EPSILON, NEGLIGIBLE};
use super::common::{lost_beside, with_common};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// RMSprop.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "RMSprop",
    aliases: &["rmsprop", "RMSProp"],
    doc: "Running mean v of squared gradients; w -= rate × g / sqrt(v + epsilon) (Hinton, 2012).",
    parameters: &with_common::<4, 14>([
        Parameter::optional("rho", Type::Float, "0.9", "The share of the old mean that is kept, 0 to 1"),
        Parameter::optional("momentum", Type::Float, "0.0", "The share of the last update that is kept, 0 to 1"),
        EPSILON,
        Parameter::optional("centered", Type::Bool, "false", "Whether the variance replaces the mean of squares"),
    ]),
    build,
};

struct RmsProp {
    rho: f32,
    rest: f32,
    momentum: f32,
    epsilon: f32,
    centered: bool,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    let rho = arguments.within("rho", 0.0, 1.0)?;
    Ok(Box::new(RmsProp {
        rho: rho as f32,
        rest: (1.0 - rho) as f32,
        momentum: arguments.within("momentum", 0.0, 1.0)? as f32,
        epsilon: arguments.within("epsilon", 0.0, f64::INFINITY)? as f32,
        centered: arguments.bool("centered"),
    }))
}

impl Optimizer for RmsProp {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "RMSprop"
    }

    fn slots(&self) -> &'static [&'static str] {
        match (self.momentum > 0.0, self.centered) {
            (false, false) => &["velocity"],
            (false, true) => &["velocity", "average_gradient"],
            (true, false) => &["velocity", "momentum"],
            (true, true) => &["velocity", "average_gradient", "momentum"],
        }
    }

    fn negligible(&self, slot: usize) -> f32 {
        if slot == 0 { lost_beside(self.epsilon) } else { NEGLIGIBLE }
    }

    fn update(
        &self,
        _step: u64,
        learning_rate: f32,
        _shape: &[usize],
        parameter: &mut [f32],
        gradient: &[f32],
        slots: &mut [&mut [f32]],
    ) {
        let RmsProp { rho, rest, momentum, epsilon, centered } = *self;
        let Some((v, others)) = slots.split_first_mut() else { return };
        let (mut mean, mut kept) = match others {
            [mean, kept] => (Some(mean), Some(kept)),
            [mean] if centered => (Some(mean), None),
            [kept] => (None, Some(kept)),
            _ => (None, None),
        };
        for (at, ((w, v), g)) in parameter.iter_mut().zip(v.iter_mut()).zip(gradient).enumerate() {
            *v = rho * *v + rest * g * g;
            let variance = match mean.as_mut() {
                Some(mean) => {
                    mean[at] = rho * mean[at] + rest * g;
                    *v - mean[at] * mean[at] + epsilon
                }
                None => *v + epsilon,
            };
            let mut step = learning_rate * g / variance.sqrt();
            if let Some(kept) = kept.as_mut() {
                kept[at] = momentum * kept[at] + step;
                step = kept[at];
            }
            *w -= step;
        }
    }
}
