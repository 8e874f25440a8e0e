//! Gradient descent, with or without momentum.

use super::Optimizer;
use super::common::with_common;
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// SGD.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "SGD",
    aliases: &["sgd"],
    doc: "Gradient descent: w -= rate × g. With momentum: m = momentum × m - rate × g and w += m; with nesterov \
          w += momentum × m - rate × g.",
    parameters: &with_common::<2, 11>([
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
    fn name(&self) -> &'static str {
        "SGD"
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
    }

    fn update(
        &self,
        _step: u64,
        learning_rate: f32,
        _shape: &[usize],
        parameter: &mut [f32],
        gradient: &[f32],
        slots: &mut [Vec<f32>],
    ) {
        let momentum = self.momentum;
        match slots {
            [m] if self.nesterov => {
                for ((w, g), m) in parameter.iter_mut().zip(gradient).zip(m) {
                    *m = *m * momentum - g * learning_rate;
                    *w += *m * momentum - g * learning_rate;
                }
            }
            [m] => {
                for ((w, g), m) in parameter.iter_mut().zip(gradient).zip(m) {
                    *m = *m * momentum - g * learning_rate;
                    *w += *m;
                }
            }
            _ => parameter.iter_mut().zip(gradient).for_each(|(w, g)| *w -= g * learning_rate),
        }
    }
}
