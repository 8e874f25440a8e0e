//! Adamax: Adam with the largest recent gradient instead of the mean of squares.

use super::Optimizer;
use super::adam::{BETA_1, BETA_2, EPSILON, Moments, NEGLIGIBLE};
use super::common::with_common;
use crate::registry::Entry;

/// Adamax.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Adamax",
    aliases: &["adamax"],
    doc: "Running mean m of the gradient, u = max(beta_2 × u, |g|); w -= rate × m / (u + epsilon), m corrected for its \
          start at 0 (Kingma and Ba, 2014, section 7).",
    parameters: &with_common::<3, 13>([BETA_1, BETA_2, EPSILON]),
    build: |arguments| Ok(Box::new(Adamax { moments: Moments::from(arguments)? })),
};

struct Adamax {
    moments: Moments,
}

impl Optimizer for Adamax {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Adamax"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "norm"]
    }

    fn negligible(&self, slot: usize) -> f32 {
        // A norm this much smaller is lost when epsilon is added.
        if slot == 0 { NEGLIGIBLE } else { self.moments.epsilon * 1e-8 }
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
        let [m, u] = slots else { return };
        let Moments { beta_2, rest_1, epsilon, .. } = self.moments;
        let (correction, _) = self.moments.corrections(step);
        for (((w, g), m), u) in parameter.iter_mut().zip(gradient).zip(m.iter_mut()).zip(u.iter_mut()) {
            *m += (g - *m) * rest_1;
            *u = (beta_2 * *u).max(g.abs());
            *w -= learning_rate * *m / (correction * (*u + epsilon));
        }
    }
}
