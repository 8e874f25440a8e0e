//! Lamb: Adam with steps in proportion to the norm of each parameter, for large batches.

use super::Optimizer;
use super::adam::{BETA_1, BETA_2, EPSILON, Moments};
use super::common::{sum_of_squares, with_common};
use crate::kernel::scratch::Scratch;
use crate::registry::Entry;

/// Lamb.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Lamb",
    aliases: &["lamb"],
    doc: "Adam's step u, scaled for each parameter by norm(w) / norm(u) (You et al., 2019).",
    parameters: &with_common::<3, 13>([BETA_1, BETA_2, EPSILON]),
    build: |arguments| Ok(Box::new(Lamb { moments: Moments::from(arguments)?, update: Scratch::default() })),
};

struct Lamb {
    moments: Moments,
    update: Scratch<Vec<f32>>,
}

impl Optimizer for Lamb {
    fn name(&self) -> &'static str {
        "Lamb"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "velocity"]
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
        let [m, v] = slots else { return };
        let Moments { rest_1, rest_2, epsilon, .. } = self.moments;
        let (correction_1, correction_2) = self.moments.corrections(step);
        let means = m.iter_mut().zip(v.iter_mut()).zip(gradient);
        let mut update = self.update.lend();
        update.clear();
        update.extend(means.map(|((m, v), g)| {
            *m += (g - *m) * rest_1;
            *v += (g * g - *v) * rest_2;
            (*m / correction_1) / ((*v / correction_2).sqrt() + epsilon)
        }));
        let (size, length) = (sum_of_squares(parameter).sqrt() as f32, sum_of_squares(&update).sqrt() as f32);
        let ratio = if size > 0.0 && length > 0.0 { size / length } else { 1.0 };
        parameter.iter_mut().zip(&*update).for_each(|(w, update)| *w -= ratio * learning_rate * update);
    }
}
