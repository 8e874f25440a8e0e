//! `Dropout`: zeros at random places while training.

use crate::error::Result;
use crate::kernel::pool;
use crate::random::Random;
use crate::registry::{Entry, Parameter, Type};
use crate::simd;
use crate::tensor::Graph;

use super::super::gradient::define;
use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::{Kernel, Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME};

pub(super) const DROPOUT: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Dropout",
        aliases: &[],
        doc: "Sets values to 0 at random while training and scales the others by 1 / (1 - rate), so that the mean stays \
              (Srivastava and others, 2014). Otherwise it does nothing.\n\nThe output has the shape of the input.",
        parameters: &[Parameter::required("rate", Type::Float, "the fraction that is dropped, from 0 to 1"), NAME],
        build: |a| Ok(Box::new(Dropout { rate: a.within("rate", 0.0, 1.0)? })),
    },
    script_name: "dropout",
    positional: &["rate"],
    merges: false,
};

#[derive(Debug)]
struct Dropout {
    rate: f64,
}

impl Layer for Dropout {
    fn kind(&self) -> &'static str {
        "Dropout"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        shape::single(inputs).cloned()
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        // Nothing happens but in training.
        Ok(step.x(0))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        if !pass.training || self.rate == 0.0 {
            return Ok(x.clone());
        }
        let (threshold, scale) = self.bounds();
        let random = &mut pass.random;
        let draw = |_| if u64::from(random.bits()) >= threshold { scale } else { 0.0 };
        let mask: Vec<f32> = (0..x.elem_count()).map(draw).collect();
        let mask = Graph::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?;
        let factor = mask.clone();
        define(x, move |x| x.mul(&factor), move |_, _, g| g.mul(&mask))
    }
    fn kernel(&self, _: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let (threshold, scale) = self.bounds();
        // At rate 1 no 32 bits reach the threshold; the factor is 0 as well.
        let threshold = u32::try_from(threshold).unwrap_or(u32::MAX);
        Some(Box::new(Own { threshold, scale, kept: Vec::new() }))
    }
}

impl Dropout {
    /// Returns the threshold that 32 random bits must reach for a value to stay (at rate 1 none do), and by what it
    /// is then multiplied.
    fn bounds(&self) -> (u64, f32) {
        let threshold = (self.rate * f64::from(u32::MAX) + self.rate) as u64;
        let scale = if self.rate < 1.0 { (1.0 / (1.0 - self.rate)) as f32 } else { 0.0 };
        (threshold, scale)
    }
}

/// The layer on slices.
struct Own {
    threshold: u32,
    scale: f32,
    /// 1 for a value that stayed, else 0.
    kept: Vec<u8>,
}

/// How many draws come at once.
const DRAWS: usize = 64;

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        pool::copy(step.inputs.get(0), step.output);
        if !step.training {
            return Ok(());
        }
        let (threshold, random, count) = (self.threshold, &step.random, step.output.len());
        self.kept.resize(count, 0);
        // About 20 operations a draw.
        pool::rows(&mut self.kept, DRAWS, count * 20, |first, part| draw(random, first as u64, part, threshold));
        keep(step.output, &self.kept, self.scale);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0) {
            keep(step.gradient, &self.kept, self.scale);
            target.put(step.gradient);
        }
        Ok(())
    }
}

/// Multiplies what stayed, and makes zeros of the rest.
fn keep(values: &mut [f32], kept: &[u8], scale: f32) {
    let work = values.len();
    pool::rows(values, 1, work, |first, part| {
        let range = first..first + part.len();
        scale_kept(part, &kept[range], scale);
    });
}

simd! {
    fn draw(random: &Random, first: u64, kept: &mut [u8], threshold: u32) {
        for (at, part) in kept.chunks_mut(DRAWS).enumerate() {
            let bits = random.block(first + at as u64);
            for (kept, bits) in part.iter_mut().zip(&bits) {
                *kept = u8::from(*bits >= threshold);
            }
        }
    }

    fn scale_kept(values: &mut [f32], kept: &[u8], scale: f32) {
        for (value, kept) in values.iter_mut().zip(kept) {
            *value = if *kept == 0 { 0.0 } else { *value * scale };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::kernel::testing::{check, noise};

    #[test]
    fn kernels_drop_what_composition_drops() {
        for rate in [0.0, 0.25, 0.9, 1.0] {
            let params = json!({"rate": rate});
            let layer = DROPOUT.entry.make(params.as_object().unwrap()).unwrap();
            check(&*layer, &[&[7, 3]], 5, noise);
            check(&*layer, &[&[4001]], 3, noise);
        }
    }
}
