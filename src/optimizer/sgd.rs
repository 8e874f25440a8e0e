//! Gradient descent, with or without momentum.

use super::Optimizer;
use super::adam::NEGLIGIBLE;
use super::common::with_common;
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::simd;

/// SGD.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "SGD",
    aliases: &["sgd"],
    doc: "Gradient descent: w -= rate × g. With momentum: m = momentum × m - rate × g and w += m; with nesterov \
          w += momentum × m - rate × g.",
    parameters: &with_common::<2, 12>([
        Parameter::optional("momentum", Type::Float, "0.0", "The share of the last update that is kept, 0 to 1"),
        Parameter::optional("nesterov", Type::Bool, "false", "Whether momentum looks ahead"),
    ]),
    build,
};

struct Sgd {
    momentum: f32,
    nesterov: bool,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    Ok(Box::new(Sgd { momentum: arguments.within("momentum", 0.0, 1.0)? as f32, nesterov: arguments.bool("nesterov") }))
}

impl Optimizer for Sgd {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "SGD"
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    fn negligible(&self, _slot: usize) -> f32 {
        NEGLIGIBLE
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
        match slots {
            [m] if self.nesterov => look_ahead(parameter, gradient, m, self.momentum, learning_rate),
            [m] => keep_going(parameter, gradient, m, self.momentum, learning_rate),
            _ => descend(parameter, gradient, learning_rate),
        }
    }
}

simd! {
    fn descend(parameter: &mut [f32], gradient: &[f32], rate: f32) {
        parameter.iter_mut().zip(gradient).for_each(|(w, g)| *w -= g * rate);
    }

    fn keep_going(parameter: &mut [f32], gradient: &[f32], kept: &mut [f32], momentum: f32, rate: f32) {
        for ((w, g), m) in parameter.iter_mut().zip(gradient).zip(kept) {
            *m = *m * momentum - g * rate;
            *w += *m;
        }
    }

    fn look_ahead(parameter: &mut [f32], gradient: &[f32], kept: &mut [f32], momentum: f32, rate: f32) {
        for ((w, g), m) in parameter.iter_mut().zip(gradient).zip(kept) {
            *m = *m * momentum - g * rate;
            *w += *m * momentum - g * rate;
        }
    }
}
