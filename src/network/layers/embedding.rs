//! `Embedding`: a vector for each whole number.

use std::sync::Arc;

use candle_core::DType;

use crate::error::{Error, Result};
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::{Initializer, Integers, Layer, Pass, Shape, Weight, shape};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};

pub(super) const EMBEDDING: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Embedding",
        aliases: &[],
        doc: "Replaces each whole number by a vector that is learned.\n\n\
              Input `[batch, …]` of numbers from 0 to `input_dim - 1`, output `[batch, …, output_dim]`. Weights: \
              `embeddings` `[input_dim, output_dim]`.",
        parameters: &[
            Parameter::required("input_dim", Type::Int, "how many numbers there are: the largest plus 1"),
            Parameter::required("output_dim", Type::Int, "the length of the vectors"),
            Parameter::optional("embeddings_initializer", Type::Component, "\"uniform\"", "how the vectors start"),
            TRAINABLE,
            NAME,
        ],
        build: |a| {
            Ok(Box::new(Embedding {
                input: a.at_least("input_dim", 1)?,
                output: a.at_least("output_dim", 1)?,
                initializer: initializer(a, "embeddings_initializer")?,
                trainable: a.bool("trainable"),
            }))
        },
    },
    script_name: "embedding",
    positional: &["input_dim", "output_dim"],
    merges: false,
};

#[derive(Debug)]
struct Embedding {
    input: usize,
    output: usize,
    initializer: Arc<dyn Initializer>,
    trainable: bool,
}

impl Embedding {
    /// Returns the error for the first number without a vector.
    fn refuse(&self, ids: &Graph) -> Result<()> {
        let ids: Vec<i64> = ids.to_vec1()?;
        match ids.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= self.input)) {
            None => Ok(()),
            Some(id) => Err(Error::data(format!("expected numbers from 0 to {}, found {id}", self.input - 1))
                .hint("`input_dim` is the largest number plus 1")),
        }
    }
}

impl Layer for Embedding {
    fn kind(&self) -> &'static str {
        "Embedding"
    }

    fn integers(&self) -> Integers {
        Integers::Indices
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let mut shape = shape::single(inputs)?.clone();
        shape.push(Some(self.output));
        Ok(shape)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(vec![weight("embeddings", vec![self.input, self.output], &self.initializer, self.trainable)?])
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let ids = inputs[0].flatten_all()?.to_dtype(DType::I64)?;
        self.refuse(&ids)?;
        let mut shape = inputs[0].dims().to_vec();
        shape.push(self.output);
        Ok(weights[0].index_select(&ids, 0)?.reshape(shape)?)
    }
}
