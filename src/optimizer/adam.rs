//! Adam and AdamW: steps scaled by running means of the gradient and its square.

use super::Optimizer;
use super::common::{with_common, with_decay};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::simd;

pub(super) const BETA_1: Parameter =
    Parameter::optional("beta_1", Type::Float, "0.9", "The share of the old mean of gradients that is kept, 0 to 1");
pub(super) const BETA_2: Parameter = Parameter::optional(
    "beta_2",
    Type::Float,
    "0.999",
    "The share of the old mean of squared gradients that is kept, 0 to 1",
);
pub(super) const EPSILON: Parameter =
    Parameter::optional("epsilon", Type::Float, "1e-7", "What keeps a division from 0");
const AMSGRAD: Parameter = Parameter::optional(
    "amsgrad",
    Type::Bool,
    "false",
    "Whether the largest mean of squares so far is used (Reddi et al., 2018)",
);

/// Adam.
pub(super) const ADAM: Entry<dyn Optimizer> = Entry {
    name: "Adam",
    aliases: &["adam"],
    doc: "Running means m of the gradient and v of its square; w -= rate × m / (sqrt(v) + epsilon), both corrected for \
          their start at 0 (Kingma and Ba, 2014).",
    parameters: &with_common::<4, 14>([BETA_1, BETA_2, EPSILON, AMSGRAD]),
    build: |arguments| build("Adam", arguments),
};

/// AdamW.
pub(super) const ADAMW: Entry<dyn Optimizer> = Entry {
    name: "AdamW",
    aliases: &["adamw", "adam_w"],
    doc: "Adam with weight decay that does not pass through the gradient (Loshchilov and Hutter, 2019).",
    parameters: &with_decay(with_common::<4, 14>([BETA_1, BETA_2, EPSILON, AMSGRAD]), "0.004"),
    build: |arguments| build("AdamW", arguments),
};

struct Adam {
    name: &'static str,
    moments: Moments,
    amsgrad: bool,
}

/// What is negligible in a running mean of gradients.
pub(super) const NEGLIGIBLE: f32 = 1e-30;

/// The running means that the rules of Adam's family share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) beta_1: f32,
    pub(super) beta_2: f32,
    /// 1 - beta, rounded once.
    pub(super) rest_1: f32,
    pub(super) rest_2: f32,
    pub(super) epsilon: f32,
}

impl Moments {
    pub(super) fn from(arguments: &Arguments) -> Result<Self> {
        let beta_1 = arguments.within("beta_1", 0.0, 1.0)?;
        let beta_2 = arguments.within("beta_2", 0.0, 1.0)?;
        let epsilon = arguments.within("epsilon", 0.0, f64::INFINITY)? as f32;
        Ok(Moments::new(beta_1, beta_2, epsilon))
    }

    pub(super) fn new(beta_1: f64, beta_2: f64, epsilon: f32) -> Self {
        Moments {
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            rest_1: (1.0 - beta_1) as f32,
            rest_2: (1.0 - beta_2) as f32,
            epsilon,
        }
    }

    /// Returns 1 - beta^step for both means, in f32 as Keras computes it.
    pub(super) fn corrections(&self, step: u64) -> (f32, f32) {
        (1.0 - self.beta_1.powf(step as f32), 1.0 - self.beta_2.powf(step as f32))
    }

    /// Returns what is negligible in the mean of gradients, slot 0, and in that of squares, slot 1.
    ///
    /// A parameter changes by at most the rate times the first over epsilon, and squares below epsilon² × 1e-15 are lost when the
    /// root is added to epsilon.
    pub(super) fn negligible(&self, slot: usize) -> f32 {
        match slot {
            0 => NEGLIGIBLE,
            1 => (f64::from(self.epsilon).powi(2) * 1e-15).min(1e-24) as f32,
            _ => 0.0,
        }
    }

    /// Updates the means and the parameter as Adam does.
    pub(super) fn adam(
        &self,
        step: u64,
        learning_rate: f32,
        parameter: &mut [f32],
        gradient: &[f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        let (correction_1, correction_2) = self.corrections(step);
        let alpha = learning_rate * correction_2.sqrt() / correction_1;
        step_by_means(parameter, gradient, m, v, [self.rest_1, self.rest_2, alpha, self.epsilon]);
    }
}

simd! {
    fn step_by_means(parameter: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32], numbers: [f32; 4]) {
        let [rest_1, rest_2, alpha, epsilon] = numbers;
        for (((w, g), m), v) in parameter.iter_mut().zip(gradient).zip(m).zip(v) {
            *m += (g - *m) * rest_1;
            *v += (g * g - *v) * rest_2;
            *w -= *m * alpha / (v.sqrt() + epsilon);
        }
    }
}

fn build(name: &'static str, arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    Ok(Box::new(Adam { name, moments: Moments::from(arguments)?, amsgrad: arguments.bool("amsgrad") }))
}

impl Optimizer for Adam {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn slots(&self) -> &'static [&'static str] {
        if self.amsgrad { &["momentum", "velocity", "velocity_hat"] } else { &["momentum", "velocity"] }
    }

    fn negligible(&self, slot: usize) -> f32 {
        self.moments.negligible(slot)
    }

    fn update(
        &self,
        step: u64,
        learning_rate: f32,
        _shape: &[usize],
        parameter: &mut [f32],
        gradient: &[f32],
        slots: &mut [&mut [f32]],
    ) {
        let moments = &self.moments;
        match slots {
            [m, v] => moments.adam(step, learning_rate, parameter, gradient, m, v),
            [m, v, largest] => {
                let (correction_1, correction_2) = moments.corrections(step);
                let alpha = learning_rate * correction_2.sqrt() / correction_1;
                for ((((w, g), m), v), largest) in
                    parameter.iter_mut().zip(gradient).zip(m.iter_mut()).zip(v.iter_mut()).zip(largest.iter_mut())
                {
                    *m += (g - *m) * moments.rest_1;
                    *v += (g * g - *v) * moments.rest_2;
                    *largest = largest.max(*v);
                    *w -= *m * alpha / (largest.sqrt() + moments.epsilon);
                }
            }
            _ => {}
        }
    }
}
