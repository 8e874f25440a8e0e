//! Nadam: Adam with Nesterov momentum.

use super::Optimizer;
use super::adam::{BETA_1, BETA_2, EPSILON, Moments};
use super::common::with_common;
use crate::kernel::buffer::Buffer;
use crate::registry::Entry;

/// How fast the momentum comes near beta_1.
const DECAY: f32 = 0.96;

/// Nadam.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Nadam",
    aliases: &["nadam"],
    doc: "Adam with Nesterov momentum, which rises from beta_1 / 2 to beta_1 by 1 - 0.96^step / 2 (Dozat, 2016).",
    parameters: &with_common::<3, 13>([BETA_1, BETA_2, EPSILON]),
    build: |arguments| Ok(Box::new(Nadam { moments: Moments::from(arguments)? })),
};

struct Nadam {
    moments: Moments,
}

impl Nadam {
    fn momentum(&self, step: u64) -> f32 {
        self.moments.beta_1 * (1.0 - 0.5 * DECAY.powf(step as f32))
    }
}

impl Optimizer for Nadam {
    fn name(&self) -> &'static str {
        "Nadam"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "velocity", "momentum_product"]
    }

    /// The product of all momenta so far is one number.
    fn slot_start(&self, slot: usize, _shape: &[usize], parameter: &[f32]) -> Buffer {
        if slot == 2 { Buffer::from(&[1.0][..]) } else { Buffer::zeros(parameter.len()) }
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
        let [m, v, product] = slots else { return };
        let [product] = &mut **product else { return };
        let Moments { rest_1, rest_2, epsilon, .. } = self.moments;
        let (_, correction) = self.moments.corrections(step);
        let (now, next) = (self.momentum(step), self.momentum(step.saturating_add(1)));
        *product *= now;
        let ahead = next / (1.0 - *product * next);
        let fresh = (1.0 - now) / (1.0 - *product);
        for (((w, g), m), v) in parameter.iter_mut().zip(gradient).zip(m.iter_mut()).zip(v.iter_mut()) {
            *m += (g - *m) * rest_1;
            *v += (g * g - *v) * rest_2;
            let direction = ahead * *m + fresh * g;
            *w -= direction * learning_rate / ((*v / correction).sqrt() + epsilon);
        }
    }
}
