//! Adagrad: steps divided by the root of the sum of all squared gradients.

use super::Optimizer;
use super::adam::EPSILON;
use super::common::with_common;
use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Adagrad.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Adagrad",
    aliases: &["adagrad"],
    doc: "Sum a of squared gradients; w -= rate × g / sqrt(a + epsilon) (Duchi et al., 2011).",
    parameters: &with_common::<2, 12>([INITIAL_ACCUMULATOR, EPSILON]),
    build,
};

pub(super) const INITIAL_ACCUMULATOR: Parameter =
    Parameter::optional("initial_accumulator_value", Type::Float, "0.1", "Where the sum of squares starts; at least 0");

struct Adagrad {
    initial: f32,
    epsilon: f32,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    Ok(Box::new(Adagrad {
        initial: arguments.within("initial_accumulator_value", 0.0, f64::INFINITY)? as f32,
        epsilon: arguments.within("epsilon", 0.0, f64::INFINITY)? as f32,
    }))
}

impl Optimizer for Adagrad {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Adagrad"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["accumulator"]
    }

    fn slot_start(&self, _slot: usize, _shape: &[usize], parameter: &[f32]) -> Buffer {
        let mut start = Buffer::zeros(parameter.len());
        start.fill(self.initial);
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
        let [accumulator] = slots else { return };
        for ((w, g), a) in parameter.iter_mut().zip(gradient).zip(accumulator.iter_mut()) {
            *a += g * g;
            *w -= learning_rate * g / (*a + self.epsilon).sqrt();
        }
    }
}
