//! Adadelta: steps in the unit of the parameter, from running means of squared gradients and squared steps.

use super::Optimizer;
use super::adam::EPSILON;
use super::common::{lost_beside, with_common};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Adadelta.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Adadelta",
    aliases: &["adadelta"],
    doc: "w -= rate × g × rms(steps) / rms(gradients), rms(x) = sqrt(running mean of x² + epsilon); a rate of 1 is the \
          original (Zeiler, 2012).",
    parameters: &with_common::<2, 12>([
        Parameter::optional("rho", Type::Float, "0.95", "The share of the old means that is kept, 0 to 1"),
        EPSILON,
    ]),
    build,
};

struct Adadelta {
    rho: f32,
    rest: f32,
    epsilon: f32,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    let rho = arguments.within("rho", 0.0, 1.0)?;
    Ok(Box::new(Adadelta {
        rho: rho as f32,
        rest: (1.0 - rho) as f32,
        epsilon: arguments.within("epsilon", 0.0, f64::INFINITY)? as f32,
    }))
}

impl Optimizer for Adadelta {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Adadelta"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["accumulated_grad", "accumulated_delta_var"]
    }

    fn negligible(&self, _slot: usize) -> f32 {
        lost_beside(self.epsilon)
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
        let [gradients, steps] = slots else { return };
        let Adadelta { rho, rest, epsilon } = *self;
        for (((w, g), a), d) in parameter.iter_mut().zip(gradient).zip(gradients.iter_mut()).zip(steps.iter_mut()) {
            *a = rho * *a + rest * (g * g);
            let step = (*d + epsilon).sqrt() * g / (*a + epsilon).sqrt();
            *d = rho * *d + rest * (step * step);
            *w -= learning_rate * step;
        }
    }
}
