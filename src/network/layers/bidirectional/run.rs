//! The kernel: both directions, then what is merged of them.

use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::pool;
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::network::layer::stream;

use super::Merge;

/// How the numbers of two outputs lie in one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) merge: Merge,
    /// Steps of the output: 1 where it is that of the last.
    pub(super) steps: usize,
    pub(super) units: [usize; 2],
    /// Numbers of each one's states.
    pub(super) states: [usize; 2],
    pub(super) turned: [bool; 2],
}

impl Plan {
    /// Numbers of a record in the output of one direction.
    fn own(&self, index: usize) -> usize {
        self.steps * self.units[index] + self.states[index]
    }

    /// Numbers of a record's merged steps.
    fn merged(&self) -> usize {
        let [forward, backward] = self.units;
        self.steps * if matches!(self.merge, Merge::Concat | Merge::Both) { forward + backward } else { forward }
    }

    fn width(&self) -> usize {
        self.merged() + self.states[0] + self.states[1]
    }

    /// Where one direction has a step of the merged output.
    fn place(&self, index: usize, step: usize) -> usize {
        (if self.turned[index] { self.steps - 1 - step } else { step }) * self.units[index]
    }

    fn merge(&self, own: [&[f32]; 2], out: &mut [f32]) {
        let [forward, backward] = self.units;
        let (out, states) = out.split_at_mut(self.merged());
        for step in 0..self.steps {
            let a = &own[0][self.place(0, step)..][..forward];
            let b = &own[1][self.place(1, step)..][..backward];
            let each = |out: &mut [f32], value: fn(f32, f32) -> f32| {
                let out = &mut out[step * forward..][..forward];
                out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = value(*a, *b));
            };
            match self.merge {
                Merge::Concat => {
                    let out = &mut out[step * (forward + backward)..][..forward + backward];
                    out[..forward].copy_from_slice(a);
                    out[forward..].copy_from_slice(b);
                }
                Merge::Both => {
                    out[step * forward..][..forward].copy_from_slice(a);
                    out[self.steps * forward + step * backward..][..backward].copy_from_slice(b);
                }
                Merge::Sum => each(out, |a, b| a + b),
                Merge::Multiply => each(out, |a, b| a * b),
                Merge::Average => each(out, |a, b| 0.5 * (a + b)),
            }
        }
        let (first, second) = states.split_at_mut(self.states[0]);
        first.copy_from_slice(&own[0][self.steps * forward..]);
        second.copy_from_slice(&own[1][self.steps * backward..]);
    }

    /// Writes the gradient of one direction's output, given those of both.
    fn split(&self, index: usize, outputs: [&[f32]; 2], gradient: &[f32], own: &mut [f32]) {
        let [forward, backward] = self.units;
        let units = self.units[index];
        let (gradient, states) = gradient.split_at(self.merged());
        for step in 0..self.steps {
            let into = &mut own[self.place(index, step)..][..units];
            let from = match self.merge {
                Merge::Concat => &gradient[step * (forward + backward) + index * forward..][..units],
                Merge::Both => &gradient[index * self.steps * forward + step * units..][..units],
                _ => &gradient[step * forward..][..units],
            };
            into.copy_from_slice(from);
            let other = 1 - index;
            match self.merge {
                Merge::Multiply => {
                    let factors = &outputs[other][self.place(other, step)..][..units];
                    into.iter_mut().zip(factors).for_each(|(into, factor)| *into *= factor);
                }
                Merge::Average => into.iter_mut().for_each(|into| *into *= 0.5),
                _ => {}
            }
        }
        own[self.steps * units..].copy_from_slice(&states[index * self.states[0]..][..self.states[index]]);
    }
}

pub(super) struct Run {
    pub(super) plan: Plan,
    /// How many of the weights are the first one's.
    pub(super) weights: usize,
    pub(super) kernels: [Box<dyn Kernel>; 2],
    pub(super) seeds: [Option<u64>; 2],
    pub(super) outputs: [Buffer; 2],
    pub(super) gradients: [Buffer; 2],
}

impl Run {
    fn share(&self, index: usize, count: usize) -> std::ops::Range<usize> {
        if index == 0 { 0..self.weights } else { self.weights..count }
    }
}

impl Kernel for Run {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        for index in 0..2 {
            let share = self.share(index, step.weights.len());
            self.outputs[index].fit(step.rows * self.plan.own(index));
            self.kernels[index].forward(&mut Forward {
                rows: step.rows,
                training: step.training,
                random: stream(&step.random, index as u64, self.seeds[index]),
                inputs: step.inputs,
                weights: step.weights.part(share),
                output: &mut self.outputs[index],
                moved: &mut *step.moved,
            })?;
        }
        let (plan, [a, b], width) = (self.plan, &self.outputs, self.plan.width());
        pool::rows(step.output, width, a.len() + b.len(), |first, rows| {
            for (at, row) in rows.chunks_exact_mut(width).enumerate() {
                let [a, b] = [(a, plan.own(0)), (b, plan.own(1))]
                    .map(|(values, own)| &values[(first + at) * own..(first + at + 1) * own]);
                plan.merge([a, b], row);
            }
        });
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let (plan, width) = (self.plan, self.plan.width());
        for index in 0..2 {
            let ([a, b], gradient) = (&self.outputs, &*step.gradient);
            let own = plan.own(index);
            self.gradients[index].fit(step.rows * own);
            pool::rows(&mut self.gradients[index], own, gradient.len(), |first, rows| {
                for (at, row) in rows.chunks_exact_mut(own).enumerate() {
                    let at = first + at;
                    let outputs = [&a[at * plan.own(0)..], &b[at * plan.own(1)..]];
                    plan.split(index, outputs, &gradient[at * width..(at + 1) * width], row);
                }
            });
        }
        for index in 0..2 {
            let share = self.share(index, step.weights.len());
            self.kernels[index].backward(&mut Backward {
                rows: step.rows,
                inputs: step.inputs,
                weights: step.weights.part(share.clone()),
                output: &self.outputs[index],
                gradient: &mut self.gradients[index],
                input_gradients: step.input_gradients.again(),
                weight_gradients: step.weight_gradients.part(share),
            })?;
        }
        Ok(())
    }
}
