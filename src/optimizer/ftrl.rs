//! Follow the regularized leader: sparse weights for wide linear models.

use super::Optimizer;
use super::adagrad::INITIAL_ACCUMULATOR;
use super::common::with_common;
use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// FTRL.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Ftrl",
    aliases: &["ftrl"],
    doc: "Follow the regularized leader, proximal, with L1, L2 and shrinkage (McMahan et al., 2013).",
    parameters: &with_common::<6, 16>([
        Parameter::optional(
            "learning_rate_power",
            Type::Float,
            "-0.5",
            "How the rate falls with the sum of squares; at most 0",
        ),
        INITIAL_ACCUMULATOR,
        Parameter::optional("l1_regularization_strength", Type::Float, "0.0", "At least 0; makes weights exactly 0"),
        Parameter::optional("l2_regularization_strength", Type::Float, "0.0", "At least 0"),
        Parameter::optional(
            "l2_shrinkage_regularization_strength",
            Type::Float,
            "0.0",
            "A penalty on size; at least 0",
        ),
        Parameter::optional("beta", Type::Float, "0.0", "A further L2 strength of beta / (2 × rate)"),
    ]),
    build,
};

struct Ftrl {
    power: f32,
    initial: f32,
    l1: f32,
    l2: f32,
    shrinkage: f32,
    beta: f32,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    let positive = |name: &str| arguments.within(name, 0.0, f64::INFINITY).map(|value| value as f32);
    let power = arguments.float("learning_rate_power");
    if power > 0.0 {
        return Err(arguments.refuse("learning_rate_power", "a number of at most 0"));
    }
    Ok(Box::new(Ftrl {
        power: -power as f32,
        initial: positive("initial_accumulator_value")?,
        l1: positive("l1_regularization_strength")?,
        l2: positive("l2_regularization_strength")?,
        shrinkage: positive("l2_shrinkage_regularization_strength")?,
        beta: arguments.float("beta") as f32,
    }))
}

impl Optimizer for Ftrl {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Ftrl"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["accumulator", "linear"]
    }

    fn slot_start(&self, slot: usize, _shape: &[usize], parameter: &[f32]) -> Buffer {
        let mut start = Buffer::zeros(parameter.len());
        start.fill(if slot == 0 { self.initial } else { 0.0 });
        start
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
        let [accumulator, linear] = slots else { return };
        let Ftrl { power, l1, shrinkage, .. } = *self;
        let l2 = self.l2 + self.beta / (2.0 * learning_rate);
        for (((w, g), a), z) in parameter.iter_mut().zip(gradient).zip(accumulator.iter_mut()).zip(linear.iter_mut()) {
            let sum = *a + g * g;
            *z += g + 2.0 * shrinkage * *w - (sum.powf(power) - a.powf(power)) / learning_rate * *w;
            let quadratic = sum.powf(power) / learning_rate + 2.0 * l2;
            *w = (z.clamp(-l1, l1) - *z) / quadratic;
            *a = sum;
        }
    }
}
