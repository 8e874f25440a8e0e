//! Lion: steps of one size, in the direction of the sign of a running mean.

use super::Optimizer;
use super::adam::BETA_1;
use super::common::with_common;
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Lion.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Lion",
    aliases: &["lion"],
    doc: "w -= rate × sign(beta_1 × m + (1 - beta_1) × g), then m = beta_2 × m + (1 - beta_2) × g: half of Adam's memory; \
          wants a smaller rate (Chen et al., 2023).",
    parameters: &with_common::<2, 12>([
        BETA_1,
        Parameter::optional("beta_2", Type::Float, "0.99", "The share of the old mean that is kept, 0 to 1"),
    ]),
    build,
};

struct Lion {
    beta_1: f32,
    beta_2: f32,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    Ok(Box::new(Lion {
        beta_1: arguments.within("beta_1", f64::MIN_POSITIVE, 1.0)? as f32,
        beta_2: arguments.within("beta_2", 0.0, 1.0)? as f32,
    }))
}

impl Optimizer for Lion {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Lion"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum"]
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
        let [m] = slots else { return };
        let Lion { beta_1, beta_2 } = *self;
        for ((w, g), m) in parameter.iter_mut().zip(gradient).zip(m.iter_mut()) {
            let direction = *m * beta_1 + g * (1.0 - beta_1);
            // Not `signum`, which takes 0 for positive.
            *w -= learning_rate * (f32::from(u8::from(direction > 0.0)) - f32::from(u8::from(direction < 0.0)));
            *m = *m * beta_2 + g * (1.0 - beta_2);
        }
    }
}
