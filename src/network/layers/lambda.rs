//! `Lambda`: a function of values as a layer, without weights.

use std::sync::Arc;

use candle_core::DType;

use crate::error::{Error, Result};
use crate::tensor::{Graph, device};

use super::super::{Layer, LayerInstance, Pass, Shape, Symbol, Weight, show_shape};

/// What a [`Lambda`] computes, by operations that gradients flow through.
pub trait Function: Send + Sync + std::fmt::Debug {
    /// Returns the value for these inputs, each with the batch axis first; so is the result's.
    ///
    /// # Errors
    /// Whatever it refuses.
    fn call(&self, inputs: &[Graph]) -> Result<Graph>;
}

/// A function as a layer. Its output's shape is found by trying it on ones.
#[derive(Debug)]
pub struct Lambda {
    function: Arc<dyn Function>,
}

impl Lambda {
    /// Returns the value of a function of others.
    ///
    /// # Errors
    /// The function fails on values of these shapes, or gives no value for each record.
    pub fn apply(function: Arc<dyn Function>, name: Option<&str>, inputs: &[Symbol]) -> Result<Symbol> {
        LayerInstance::new(Arc::new(Lambda { function }), name)?.apply(inputs)
    }

    /// Returns the lengths of the output's axes for two records, where open axes have `open`.
    fn lengths(&self, inputs: &[Shape], open: usize) -> Result<Vec<usize>> {
        let ones = |shape: &Shape| {
            let lengths: Vec<usize> =
                std::iter::once(TRIED).chain(shape.iter().map(|axis| axis.unwrap_or(open))).collect();
            Ok(Graph::ones(lengths, DType::F32, &device::cpu())?)
        };
        let inputs = inputs.iter().map(ones).collect::<Result<Vec<_>>>()?;
        Ok(self.function.call(&inputs)?.dims().to_vec())
    }
}

/// Records in a trial: not 1, which broadcasts.
const TRIED: usize = 2;

impl Layer for Lambda {
    fn kind(&self) -> &'static str {
        "Lambda"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let is_open = inputs.iter().flatten().any(Option::is_none);
        let lengths = self.lengths(inputs, 3)?;
        let (Some(&TRIED), false) = (lengths.first(), lengths.contains(&0)) else {
            return Err(Error::recipe(format!("the function gave shape {lengths:?} for {TRIED} records")).hint(
                "it must keep the first axis, the batch: reduce the others by their number, as in `x.mean(-1)`",
            ));
        };
        let mut shape: Shape = lengths[1..].iter().copied().map(Some).collect();
        if is_open {
            // An axis that changes with the open ones is open.
            let others = self.lengths(inputs, 5)?;
            if others.len() != lengths.len() {
                let inputs: Vec<String> = inputs.iter().map(|shape| show_shape(shape)).collect();
                return Err(Error::recipe(format!(
                    "the number of axes depends on the length of {}",
                    inputs.join(", ")
                )));
            }
            for (axis, (length, other)) in shape.iter_mut().zip(lengths[1..].iter().zip(&others[1..])) {
                *axis = axis.filter(|_| length == other);
            }
        }
        Ok(shape)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let rows = inputs.first().map(|input| input.dim(0)).transpose()?;
        let y = self.function.call(inputs)?;
        match y.dims().first() == rows.as_ref() {
            true => Ok(y),
            false => {
                Err(Error::run(format!("the function gave shape {:?} for {} records", y.dims(), rows.unwrap_or(0)))
                    .hint("it must keep the first axis, the batch"))
            }
        }
    }
}
