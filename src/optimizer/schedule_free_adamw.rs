//! Schedule-free AdamW: an average of all iterates takes the place of a learning-rate schedule.

use super::Optimizer;
use super::adam::{BETA_1, BETA_2, Moments};
use super::common::with_common;
use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Schedule-free AdamW.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "ScheduleFreeAdamW",
    aliases: &["schedule_free_adamw"],
    doc: "Adam without running mean, on a point between the iterate and the average of all iterates (Defazio et al., \
          2024). Weight decay only when given.",
    parameters: &with_common::<4, 14>([
        BETA_1,
        BETA_2,
        Parameter::optional("epsilon", Type::Float, "1e-8", "What keeps a division from 0"),
        Parameter::optional("warmup_steps", Type::Int, "0", "Over how many batches the rate rises from 0"),
    ]),
    build,
};

struct ScheduleFree {
    moments: Moments,
    warmup: usize,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    if arguments.float("beta_1") == 0.0 {
        return Err(arguments.refuse("beta_1", "a number above 0"));
    }
    Ok(Box::new(ScheduleFree { moments: Moments::from(arguments)?, warmup: arguments.at_least("warmup_steps", 0)? }))
}

impl Optimizer for ScheduleFree {
    fn elementwise(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "ScheduleFreeAdamW"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "velocity"]
    }

    /// The iterate starts as the parameter itself.
    fn slot_start(&self, slot: usize, _shape: &[usize], parameter: &[f32]) -> Buffer {
        if slot == 0 { Buffer::from(parameter) } else { Buffer::zeros(parameter.len()) }
    }

    fn negligible(&self, slot: usize) -> f32 {
        // The first array is the iterate, no mean.
        if slot == 1 { self.moments.negligible(1) } else { 0.0 }
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
        let [z, v] = slots else { return };
        let Moments { beta_1, rest_2, epsilon, .. } = self.moments;
        let (_, correction) = self.moments.corrections(step);
        let rate = match self.warmup {
            0 => learning_rate,
            steps => learning_rate * (step as f32 / steps as f32).min(1.0),
        };
        let (rest_1, weight) = (1.0 - beta_1, 1.0 / step as f32);
        for (((w, g), z), v) in parameter.iter_mut().zip(gradient).zip(z.iter_mut()).zip(v.iter_mut()) {
            *v += (g * g - *v) * rest_2;
            let average = (*w - rest_1 * *z) / beta_1;
            *z -= rate * g / ((*v / correction).sqrt() + epsilon);
            let average = (1.0 - weight) * average + weight * *z;
            *w = rest_1 * *z + beta_1 * average;
        }
    }
}
