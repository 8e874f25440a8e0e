//! `GlobalAveragePooling1D` of a sequence with a mask: the mean of the steps that count.

use std::sync::Arc;

use crate::error::Result;
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::tensor::Graph;

use super::super::{Bound, Layer, Pass, Shape, Symbol, Weight, shape};

/// The mean of steps, given the steps and their mask; 0 where none counts.
#[derive(Debug)]
pub(super) struct MaskedMean {
    keepdims: bool,
}

impl MaskedMean {
    /// Returns what runs on a value with a mask; `None` where it has none.
    pub(super) fn bind(x: &Symbol, keepdims: bool) -> Option<Bound> {
        let mask = x.mask()?;
        Some(Bound { layer: Arc::new(MaskedMean { keepdims }), inputs: vec![x.clone(), mask.clone()] })
    }
}

impl Layer for MaskedMean {
    fn kind(&self) -> &'static str {
        "GlobalAveragePooling1D"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = shape::single_of_rank(inputs.get(..1).unwrap_or(&[]), 2, "steps, channels")?;
        Ok(if self.keepdims { vec![Some(1), input[1]] } else { vec![input[1]] })
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let mask = inputs[1].detach().to_dtype(x.dtype())?.unsqueeze(2)?;
        // A sum of 0 steps is divided by 1.
        let count = mask.sum_keepdim(1)?.maximum(1.0)?;
        let mean = x.broadcast_mul(&mask)?.sum_keepdim(1)?.broadcast_div(&count)?;
        Ok(if self.keepdims { mean } else { mean.squeeze(1)? })
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let &[steps, channels] = inputs[0] else { return None };
        (steps > 0 && channels > 0).then(|| Box::new(Run { steps, channels }) as Box<dyn Kernel>)
    }
}

struct Run {
    steps: usize,
    channels: usize,
}

impl Run {
    /// The share of each step that counts.
    fn share(mask: &[f32]) -> f32 {
        1.0 / mask.iter().sum::<f32>().max(1.0)
    }
}

impl Kernel for Run {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let records = step.inputs.get(0).chunks_exact(self.steps * self.channels);
        let records = records.zip(step.inputs.get(1).chunks_exact(self.steps));
        for (out, (x, mask)) in step.output.chunks_exact_mut(self.channels).zip(records) {
            out.fill(0.0);
            for (x, _) in x.chunks_exact(self.channels).zip(mask).filter(|(_, mask)| **mask != 0.0) {
                out.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
            }
            let share = Self::share(mask);
            out.iter_mut().for_each(|sum| *sum *= share);
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(1)
            && !target.add
        {
            target.values.fill(0.0);
        }
        let Some(target) = step.input_gradients.take(0) else { return Ok(()) };
        if !target.add {
            target.values.fill(0.0);
        }
        let records = step.gradient.chunks_exact(self.channels).zip(step.inputs.get(1).chunks_exact(self.steps));
        for (into, (gradient, mask)) in target.values.chunks_exact_mut(self.steps * self.channels).zip(records) {
            let share = Self::share(mask);
            for (into, _) in into.chunks_exact_mut(self.channels).zip(mask).filter(|(_, mask)| **mask != 0.0) {
                into.iter_mut().zip(gradient).for_each(|(into, own)| *into += own * share);
            }
        }
        Ok(())
    }
}
