//! `Dropout`: zeros at random places while training.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::kernel::pool;
use crate::random::Random;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::simd;
use crate::tensor::Graph;

use super::super::gradient::define;
use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::{Kernel, Layer, Pass, Shape, Weight, shape, show_shape};
use super::{LayerEntry, NAME, SEED, seed};

pub(super) const DROPOUT: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Dropout",
        aliases: &[],
        doc: "Sets values to 0 at random while training and scales the others by 1 / (1 - rate), so that the mean stays \
              (Srivastava and others, 2014). Otherwise it does nothing.\n\nThe output has the shape of the input.",
        parameters: &[
            Parameter::required("rate", Type::Float, "the fraction that is dropped, from 0 to 1"),
            Parameter::optional(
                "noise_shape",
                Type::Any,
                "null",
                "the shape of what is drawn, with the batch axis: values along an axis of 1 are dropped together, null is \
                 the length of the input's axis; `[null, 1, null]` drops features of all steps alike",
            ),
            SEED,
            NAME,
        ],
        build: |a| {
            Ok(Box::new(Dropout { rate: a.within("rate", 0.0, 1.0)?, noise_shape: noise_shape(a)?, seed: seed(a) }))
        },
    },
    script_name: "dropout",
    positional: &["rate"],
    merges: false,
};

#[derive(Debug)]
struct Dropout {
    rate: f64,
    /// With the batch axis; `None` in it is the length of the input's axis.
    noise_shape: Option<Shape>,
    seed: Option<u64>,
}

fn noise_shape(a: &Arguments) -> Result<Option<Shape>> {
    let refused = || a.refuse("noise_shape", "a list of lengths of at least 1 and nulls");
    let axis = |value: &Value| match value {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(length) if length > 0 => Ok(Some(length as usize)),
            _ => Err(refused()),
        },
    };
    match a.value("noise_shape") {
        Value::Null => Ok(None),
        Value::Array(axes) => axes.iter().map(axis).collect::<Result<_>>().map(Some),
        _ => Err(refused()),
    }
}

impl Layer for Dropout {
    fn kind(&self) -> &'static str {
        "Dropout"
    }

    fn seed(&self) -> Option<u64> {
        self.seed
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = shape::single(inputs)?;
        if let Some(noise) = &self.noise_shape {
            // Of a batch nobody knows the length beforehand.
            let fits = |(noise, axis): (&Option<usize>, &Option<usize>)| {
                noise.is_none_or(|length| length == 1 || axis.is_some_and(|axis| axis == length))
            };
            let axes = std::iter::once(&None).chain(input);
            if noise.len() != input.len() + 1 || !noise.iter().zip(axes).all(fits) {
                let (found, input) = (show_shape(noise), show_shape(input));
                return Err(Error::recipe(format!(
                    "`noise_shape`: expected 1 or null for the batch axis and for each axis of {input} (or its length), found {found}"
                )));
            }
        }
        Ok(input.clone())
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
        let noise = self.noise_shape.iter().flatten().zip(x.dims()).map(|(noise, axis)| noise.unwrap_or(*axis));
        let drawn = if self.noise_shape.is_some() { noise.collect() } else { x.dims().to_vec() };
        let mask: Vec<f32> = (0..drawn.iter().product()).map(draw).collect();
        let mask = Graph::from_vec(mask, drawn, x.device())?.to_dtype(x.dtype())?;
        let mask = mask.broadcast_as(x.shape())?.contiguous()?;
        let factor = mask.clone();
        define(x, move |x| x.mul(&factor), move |_, _, g| g.mul(&mask))
    }

    fn kernel(&self, _: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        if self.noise_shape.is_some() {
            return None;
        }
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

    #[test]
    fn values_along_an_axis_of_the_noise_are_dropped_together() {
        let run = |params: serde_json::Value| -> Vec<Vec<Vec<f32>>> {
            let layer = DROPOUT.entry.make(params.as_object().unwrap()).unwrap();
            let x = Graph::ones((4, 6, 5), candle_core::DType::F32, &crate::tensor::device::cpu()).unwrap();
            let random = super::super::super::layer::stream(
                &Random::new(3, crate::random::Stream::Dropout, &[]),
                0,
                layer.seed(),
            );
            layer.compose(&[x], &[], &mut Pass::new(true, random)).unwrap().to_vec3().unwrap()
        };
        let alike = run(json!({"rate": 0.5, "noise_shape": [null, 1, 5]}));
        assert!(alike.iter().all(|record| record.iter().all(|step| *step == record[0])));
        assert!(alike.iter().any(|record| record[0] != alike[0][0]));
        assert!(alike.iter().flatten().flatten().all(|value| *value == 0.0 || *value == 2.0));
        let batch = run(json!({"rate": 0.5, "noise_shape": [1, null, null]}));
        assert!(batch.iter().all(|record| *record == batch[0]));
        assert_ne!(run(json!({"rate": 0.5})), run(json!({"rate": 0.5, "seed": 1})));
        assert_eq!(run(json!({"rate": 0.5, "seed": 1})), run(json!({"rate": 0.5, "seed": 1})));
        for wrong in [json!([null, 5]), json!([2, null, null]), json!([null, 3, 1])] {
            let params = json!({"rate": 0.5, "noise_shape": wrong});
            let layer = DROPOUT.entry.make(params.as_object().unwrap()).unwrap();
            assert!(layer.output_shape(&[vec![Some(6), Some(5)]]).is_err(), "{wrong}");
        }
        let params = json!({"rate": 0.5, "noise_shape": [0, 1]});
        assert!(DROPOUT.entry.make(params.as_object().unwrap()).is_err());
    }
}
