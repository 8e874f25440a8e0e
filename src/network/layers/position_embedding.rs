//! `PositionEmbedding`: a learned vector for each step of a sequence.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::rows;
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::{Initializer, Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};

pub(super) const POSITION_EMBEDDING: LayerEntry = LayerEntry {
    entry: Entry {
        name: "PositionEmbedding",
        aliases: &[],
        doc: "Gives a vector for each position, the same for all records: what is added to a sequence whose order matters, \
              as `add([x, x.position_embedding(64)])`. The name is KerasHub's; Keras itself has no such layer.\n\n\
              Input `[batch, steps, length]`; the output has the shape of the input. Weights: `embeddings` \
              `[sequence_length, length]`.",
        parameters: &[
            Parameter::required("sequence_length", Type::Int, "the largest number of steps"),
            Parameter::optional("initializer", Type::Component, "\"glorot_uniform\"", "how the vectors start"),
            TRAINABLE,
            NAME,
        ],
        build: |a| {
            Ok(Box::new(PositionEmbedding {
                steps: a.at_least("sequence_length", 1)?,
                initializer: initializer(a, "initializer")?,
                trainable: a.bool("trainable"),
            }))
        },
    },
    script_name: "position_embedding",
    positional: &["sequence_length"],
    merges: false,
};

#[derive(Debug)]
struct PositionEmbedding {
    steps: usize,
    initializer: Arc<dyn Initializer>,
    trainable: bool,
}

impl Layer for PositionEmbedding {
    fn kind(&self) -> &'static str {
        "PositionEmbedding"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let shape = shape::single_of_rank(inputs, 2, "steps, length")?;
        match shape[0] {
            Some(steps) if steps > self.steps => {
                Err(Error::recipe(format!("expected at most {} steps, found {steps}", self.steps))
                    .hint("`sequence_length` is the largest number of steps"))
            }
            _ => Ok(shape.clone()),
        }
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let length = shape::last_axis(shape::single_of_rank(inputs, 2, "steps, length")?)?;
        Ok(vec![weight("embeddings", vec![self.steps, length], &self.initializer, self.trainable)?])
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let steps = inputs[0].dim(1)?;
        // The sum with zeros repeats the rows; its gradient adds them up.
        let zeros = inputs[0].detach().zeros_like()?.to_dtype(weights[0].dtype())?;
        Ok(zeros.broadcast_add(&weights[0].narrow(0, 0, steps)?.unsqueeze(0)?)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let count = inputs[0].iter().product();
        (count > 0).then(|| Box::new(Positions { count }) as Box<dyn Kernel>)
    }
}

struct Positions {
    /// Numbers of a record.
    count: usize,
}

impl Kernel for Positions {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let vectors = &step.weights.get(0)[..self.count];
        step.output.chunks_exact_mut(self.count).for_each(|row| row.copy_from_slice(vectors));
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0)
            && !target.add
        {
            target.values.fill(0.0);
        }
        let Some(target) = step.weight_gradients.take(0) else { return Ok(()) };
        let (used, unused) = target.values.split_at_mut(self.count);
        if !target.add {
            unused.fill(0.0);
        }
        rows::sum(step.gradient, used, target.add);
        Ok(())
    }
}
