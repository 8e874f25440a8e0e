//! `Embedding`: a vector for each whole number.

use std::fmt::Display;
use std::sync::Arc;

use candle_core::DType;

use crate::error::{Error, Result};
use crate::kernel::{gather, pool};
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::{Step, message::INT64};
use super::super::{Initializer, Integers, Layer, Pass, Shape, Symbol, Weight, shape};
use super::mask::NotEqual;
use super::terms::{Terms, penalty, rule};
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
            penalty("embeddings_regularizer", "a penalty on the vectors"),
            rule("embeddings_constraint", "a rule for the vectors"),
            Parameter::optional(
                "mask_zero",
                Type::Bool,
                "false",
                "whether the number 0 is padding, which layers that know masks leave out; it has a vector all the same",
            ),
            TRAINABLE,
            NAME,
        ],
        build: |a| {
            Ok(Box::new(Embedding {
                input: a.at_least("input_dim", 1)?,
                output: a.at_least("output_dim", 1)?,
                initializer: initializer(a, "embeddings_initializer")?,
                mask_zero: a.bool("mask_zero"),
                trainable: a.bool("trainable"),
                terms: Terms::new(a, &[("embeddings", "embeddings")])?,
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
    mask_zero: bool,
    trainable: bool,
    terms: Terms,
}

impl Embedding {
    /// Returns the error for the first number without a vector.
    fn refuse(&self, ids: &Graph) -> Result<()> {
        let ids: Vec<i64> = ids.to_vec1()?;
        match ids.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= self.input)) {
            None => Ok(()),
            Some(id) => Err(without_vector(id, self.input)),
        }
    }
}

fn without_vector(id: impl Display, count: usize) -> Error {
    Error::data(format!("expected numbers from 0 to {}, found {id}", count - 1))
        .hint("`input_dim` is the largest number plus 1")
}

impl Layer for Embedding {
    fn kind(&self) -> &'static str {
        "Embedding"
    }

    fn integers(&self) -> Integers {
        Integers::Indices
    }

    fn mask(&self, inputs: &[Symbol]) -> Result<Option<Symbol>> {
        match (self.mask_zero, inputs.first()) {
            (true, Some(ids)) => NotEqual::to_zero(ids).map(Some),
            _ => Ok(None),
        }
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let mut shape = shape::single(inputs)?.clone();
        shape.push(Some(self.output));
        Ok(shape)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        self.terms.on(vec![weight("embeddings", vec![self.input, self.output], &self.initializer, self.trainable)?])
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (ids, table) = (step.x(0), step.weight(0));
        let ids = step.to.cast(&ids, INT64);
        Ok(step.to.two("Gather", &table, &ids))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let ids = inputs[0].flatten_all()?.to_dtype(DType::I64)?;
        self.refuse(&ids)?;
        let mut shape = inputs[0].dims().to_vec();
        shape.push(self.output);
        Ok(weights[0].index_select(&ids, 0)?.reshape(shape)?)
    }
    fn kernel(&self, _: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        // Numbers come as floats, which are exact up to here.
        (self.input <= 1 << f32::MANTISSA_DIGITS)
            .then(|| Box::new(Lookup { input: self.input, width: self.output, ids: Vec::new() }) as Box<dyn Kernel>)
    }
}

struct Lookup {
    input: usize,
    width: usize,
    /// The numbers of this batch as places in the table.
    ids: Vec<usize>,
}

impl Kernel for Lookup {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        self.ids.clear();
        for &id in step.inputs.get(0) {
            if !(id >= 0.0 && id < self.input as f32) {
                return Err(without_vector(id, self.input));
            }
            self.ids.push(id as usize);
        }
        let (table, width) = (step.weights.get(0), self.width);
        let work = step.output.len();
        pool::rows(step.output, width, work, |first, rows| {
            for (row, &id) in rows.chunks_exact_mut(width).zip(&self.ids[first..]) {
                row.copy_from_slice(&table[id * width..][..width]);
            }
        });
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if let Some(target) = step.input_gradients.take(0)
            && !target.add
        {
            target.values.fill(0.0);
        }
        let Some(target) = step.weight_gradients.take(0) else { return Ok(()) };
        if !target.add {
            let work = target.values.len() / 4;
            pool::rows(target.values, self.width, work, |_, rows| rows.fill(0.0));
        }
        gather::scatter(&self.ids, self.width, step.gradient, target.values);
        Ok(())
    }
}
