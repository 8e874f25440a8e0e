//! A layer without a kernel within a plan: composed of Candle's operations, cut off from everything around it.

use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{DType, Var};

use crate::error::{Error, Result};
use crate::network::kernel::{Forward, Targets};
use crate::network::{Layer, Pass};
use crate::tensor::{Device, Dtype, Graph, memory};

/// One application of a layer.
pub(super) struct Composed {
    layer: Arc<dyn Layer>,
    /// The shapes of the inputs, for one record.
    inputs: Vec<Vec<usize>>,
    /// What the layer takes each input as.
    dtypes: Vec<DType>,
    weights: Vec<Vec<usize>>,
    device: Device,
    /// What backward needs, between a forward pass of training and its backward pass.
    taped: Option<Taped>,
}

struct Taped {
    inputs: Vec<Graph>,
    weights: Vec<Graph>,
    output: Graph,
    /// The sum of the penalties on values within the layer.
    penalty: Option<Graph>,
}

impl Composed {
    /// Creates it for inputs of these shapes and dtypes, and weights of these shapes.
    pub(super) fn new(
        layer: Arc<dyn Layer>,
        inputs: Vec<Vec<usize>>,
        dtypes: &[Dtype],
        weights: Vec<Vec<usize>>,
        device: Device,
    ) -> Self {
        let dtypes = dtypes.iter().map(|dtype| match dtype {
            Dtype::I64 => DType::I64,
            Dtype::U8 => DType::U8,
            Dtype::F32 | Dtype::F64 => DType::F32,
        });
        Composed { layer, inputs, dtypes: dtypes.collect(), weights, device, taped: None }
    }

    /// Returns whether the last pass of training had penalties within the layer.
    pub(super) fn penalises(&self) -> bool {
        self.taped.as_ref().is_some_and(|taped| taped.penalty.is_some())
    }

    /// Computes the output and returns the penalties on values within the layer; `wanted` says of which inputs and of
    /// which weights gradients will be asked for.
    pub(super) fn forward(
        &mut self,
        step: Forward<'_>,
        wanted: (impl Fn(usize) -> bool, impl Fn(usize) -> bool),
    ) -> Result<f64> {
        self.taped = None;
        let leaf = |graph: Graph, wanted: bool| -> Result<Graph> {
            match wanted && step.training {
                true => Ok(Var::from_tensor(&graph)?.as_tensor().clone()),
                false => Ok(graph),
            }
        };
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (at, (shape, dtype)) in self.inputs.iter().zip(&self.dtypes).enumerate() {
            let shape = [&[step.rows], &shape[..]].concat();
            let graph = Graph::from_slice(step.inputs.get(at), shape, &self.device)?;
            inputs.push(leaf(graph.to_dtype(*dtype)?, wanted.0(at) && dtype.is_float())?);
        }
        let mut weights = Vec::with_capacity(self.weights.len());
        for (at, shape) in self.weights.iter().enumerate() {
            weights.push(leaf(Graph::from_slice(step.weights.get(at), &shape[..], &self.device)?, wanted.1(at))?);
        }
        let mut pass = Pass::new(step.training, step.random);
        let output = self.layer.compose(&inputs, &weights, &mut pass)?;
        let (expected, found) = (step.output.len(), output.elem_count());
        if expected != found {
            return Err(Error::run(format!("expected an output of {expected} numbers, found {:?}", output.dims())));
        }
        memory::read(&output.to_dtype(DType::F32)?, |numbers| step.output.copy_from_slice(numbers))?;
        for (at, value) in &pass.updates {
            memory::read(value, |numbers| (step.moved)(*at, numbers))?;
        }
        let mut penalties = std::mem::take(&mut pass.penalties).into_iter();
        let first = penalties.next();
        let penalty = first.map(|first| penalties.try_fold(first, |sum, own| sum.add(&own))).transpose()?;
        let value = match &penalty {
            Some(penalty) => penalty.to_dtype(DType::F64)?.to_scalar()?,
            None => 0.0,
        };
        if step.training {
            self.taped = Some(Taped { inputs, weights, output, penalty });
        }
        Ok(value)
    }

    /// Turns the gradient of the output into those of inputs and weights. What it does not reach stays unwritten.
    pub(super) fn backward(
        &mut self,
        gradient: &[f32],
        input_gradients: &mut Targets<'_>,
        weight_gradients: &mut Targets<'_>,
    ) -> Result<()> {
        let Some(Taped { inputs, weights, output, penalty }) = self.taped.take() else {
            return Err(Error::run("a backward pass without a forward pass"));
        };
        if !output.track_op() {
            return Ok(());
        }
        let upstream = Graph::from_slice(gradient, output.shape(), &self.device)?.to_dtype(output.dtype())?;
        let mut total = output.mul(&upstream)?.sum_all()?;
        if let Some(penalty) = penalty {
            total = total.add(&penalty.to_dtype(total.dtype())?)?;
        }
        let gradients = total.backward()?;
        hand_back(&gradients, &inputs, input_gradients)?;
        hand_back(&gradients, &weights, weight_gradients)
    }
}

/// Puts the gradients of the leaves among these tensors into their places.
fn hand_back(gradients: &GradStore, leaves: &[Graph], targets: &mut Targets<'_>) -> Result<()> {
    for (at, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.is_variable()) {
        if let Some(gradient) = gradients.get(leaf)
            && let Some(target) = targets.take(at)
        {
            memory::read(gradient, |numbers| target.put(numbers))?;
        }
    }
    Ok(())
}
