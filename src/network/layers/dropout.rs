//! `Dropout`: zeros at random places while training.

use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::gradient::define;
use super::super::{Layer, Pass, Shape, Weight, shape};
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

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        shape::single(inputs).cloned()
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        if !pass.training || self.rate == 0.0 {
            return Ok(x.clone());
        }
        // A value stays when 32 random bits reach the threshold; at rate 1 none do.
        let threshold = (self.rate * f64::from(u32::MAX) + self.rate) as u64;
        let scale = if self.rate < 1.0 { (1.0 / (1.0 - self.rate)) as f32 } else { 0.0 };
        let random = &mut pass.random;
        let draw = |_| if u64::from(random.bits()) >= threshold { scale } else { 0.0 };
        let mask: Vec<f32> = (0..x.elem_count()).map(draw).collect();
        let mask = Graph::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?;
        let factor = mask.clone();
        define(x, move |x| x.mul(&factor), move |_, _, g| g.mul(&mask))
    }
}
