//! A pass through a network by Candle's operations: the reference, and what other devices run.

use std::borrow::Cow;

use candle_core::DType;

use crate::error::{self, Error, Result};
use crate::tensor::{Dtype, Graph};

use super::super::layer::stream;
use super::super::{NotFinite, Pass, Shape};
use super::{Network, Node, Port};

/// Layers whose kernels go into matrix products only, which mixed precision computes of bfloat16 values. What else these
/// layers compute (gates, scores of attention and their softmax) stays float32.
const PRODUCTS: [&str; 8] =
    ["Dense", "Conv1D", "Conv2D", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "MultiHeadAttention"];

impl Network {
    /// Computes the outputs (in the order of [`Network::outputs`]) from weights in the order of
    /// [`Network::weights`] and inputs in the order of [`Network::inputs`], each with the batch axis.
    ///
    /// Numbers of another dtype than the port's are converted; floats take the dtype of the weights, so a network
    /// with f64 weights computes in f64. `pass.updates` gets the new values of moving statistics by
    /// their index in [`Network::weights`], `pass.masks` the masks of the outputs. Each layer draws from a stream derived from `pass.random` by its position.
    ///
    /// # Errors
    /// Refuses inputs of another shape or batch size and weights of another number or shape.
    pub fn forward(&self, weights: &[Graph], inputs: &[Graph], pass: &mut Pass) -> Result<Vec<Graph>> {
        self.check_weights(weights)?;
        let mut values = self.input_values(inputs, weights)?;
        let float = weights.first().map_or(DType::F32, Graph::dtype);
        // Only a shared layer can read a statistic that this same pass has already moved.
        let mut weights = Cow::Borrowed(weights);
        for (position, node) in self.nodes.iter().enumerate() {
            let within = |error: Error| error.within(format!("layer `{}`, `{}`", node.name, node.layer.kind()));
            let arguments = node.arguments(&values, float).map_err(within)?;
            if self.open_axes {
                let shapes: Vec<Shape> = arguments.iter().map(inner_shape).collect();
                node.layer.output_shape(&shapes).map_err(within)?;
            }
            let mut own = Pass::new(pass.training, stream(&pass.random, position as u64, node.layer.seed()));
            let own_weights = &weights[node.weights.clone()];
            let value = match pass.mixed && PRODUCTS.contains(&node.layer.kind()) {
                true => node.layer.compose(&arguments, &self.halved(node, own_weights)?, &mut own),
                false => node.layer.compose(&arguments, own_weights, &mut own),
            }
            .map_err(within)?;
            if pass.look && pass.not_finite.is_none() {
                pass.not_finite = NotFinite::look(&node.name, node.layer.kind(), &value)?;
            }
            pass.penalties.append(&mut own.penalties);
            if let Some(activity) = &node.activity {
                let rows = value.dims().first().copied().unwrap_or(1).max(1);
                pass.penalties.push(activity.compose(&value)?.affine(1.0 / rows as f64, 0.0)?);
            }
            for (index, update) in own.updates {
                let index = node.weights.start + index;
                if node.shared {
                    weights.to_mut()[index] = update.clone();
                    pass.updates.retain(|(earlier, _)| *earlier != index);
                }
                pass.updates.push((index, update));
            }
            values.push(Some(value));
            for unused in &node.last_used {
                values[*unused] = None;
            }
        }
        pass.masks = self.output_masks.iter().map(|mask| values[(*mask)?].clone()).collect();
        let outputs = self
            .output_values
            .iter()
            .map(|value| values[*value].clone().ok_or_else(|| Error::run("an output was dropped before it was read")));
        outputs.collect()
    }

    /// Returns the weights of a layer with its kernels in bfloat16.
    fn halved(&self, node: &Node, weights: &[Graph]) -> Result<Vec<Graph>> {
        let names = self.weights[node.weights.clone()].iter().map(|weight| &weight.name);
        let half = |(name, weight): (_, &Graph)| match str::ends_with(name, "kernel") {
            true => Ok(weight.to_dtype(DType::BF16)?),
            false => Ok(weight.clone()),
        };
        names.map(|name| &**name).zip(weights).map(half).collect()
    }

    fn check_weights(&self, weights: &[Graph]) -> Result<()> {
        if weights.len() != self.weights.len() {
            return Err(Error::run(format!("expected {} weights, found {}", self.weights.len(), weights.len())));
        }
        match self.weights.iter().zip(weights).find(|(info, weight)| info.shape != weight.dims()) {
            None => Ok(()),
            Some((info, weight)) => Err(Error::run(format!(
                "weight `{}`: expected shape {:?}, found {:?}",
                info.name,
                info.shape,
                weight.dims()
            ))),
        }
    }

    fn input_values(&self, inputs: &[Graph], weights: &[Graph]) -> Result<Vec<Option<Graph>>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::data(format!("expected {} inputs, found {}", self.inputs.len(), inputs.len()))
                .hint(format!("inputs: {}", error::list(self.inputs.iter().map(|port| &*port.name)))));
        }
        let batch = inputs.first().and_then(|input| input.dims().first().copied());
        let mut values = Vec::with_capacity(inputs.len() + self.nodes.len());
        for (port, input) in self.inputs.iter().zip(inputs) {
            let fits = match input.dims() {
                [] => false,
                [rows, inner @ ..] => {
                    if *rows == 0 {
                        return Err(Error::data(format!("input `{}`: the batch is empty", port.name)));
                    }
                    if Some(*rows) != batch {
                        return Err(Error::data(format!(
                            "input `{}`: expected a batch of {} as in `{}`, found {rows}",
                            port.name,
                            batch.unwrap_or(0),
                            self.inputs[0].name
                        )));
                    }
                    inner.len() == port.shape.len()
                        && port.shape.iter().zip(inner).all(|(axis, length)| axis.is_none_or(|axis| axis == *length))
                }
            };
            if !fits {
                let mut expected = vec!["batch".to_owned()];
                expected.extend(port.shape.iter().map(|axis| axis.map_or("null".to_owned(), |axis| axis.to_string())));
                return Err(Error::data(format!(
                    "input `{}`: expected shape [{}], found {:?}",
                    port.name,
                    expected.join(", "),
                    input.dims()
                )));
            }
            values.push(Some(convert(port, input, weights)?));
        }
        Ok(values)
    }
}

impl Node {
    fn arguments(&self, values: &[Option<Graph>], float: DType) -> Result<Vec<Graph>> {
        let arguments = self.inputs.iter().map(|value| {
            let value = values.get(*value).and_then(Option::as_ref);
            let value = value.ok_or_else(|| Error::run("a value was dropped before it was read"))?;
            match self.floats && !value.dtype().is_float() {
                true => Ok(value.to_dtype(float)?),
                false => Ok(value.clone()),
            }
        });
        arguments.collect()
    }
}

fn convert(port: &Port, input: &Graph, weights: &[Graph]) -> Result<Graph> {
    let wanted = match port.dtype {
        Dtype::F32 => weights.first().map_or(DType::F32, Graph::dtype),
        Dtype::F64 => weights.first().map_or(DType::F64, Graph::dtype),
        Dtype::I64 => DType::I64,
        Dtype::U8 => DType::U8,
    };
    if wanted == input.dtype() {
        return Ok(input.clone());
    }
    port.check(Dtype::of_graph(input.dtype()))?;
    Ok(input.to_dtype(wanted)?)
}

fn inner_shape(value: &Graph) -> Shape {
    value.dims().iter().skip(1).map(|length| Some(*length)).collect()
}
