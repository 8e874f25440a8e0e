//! A network composed of Candle's operations, with its autograd: any device, and the reference for kernels.

use candle_core::Var;

use super::super::feed::Target;
use super::super::parts::OutputSpec;
use super::{Losses, check_scalar, masked, named};
use crate::error::{Error, Result};
use crate::network::{FlatWeights, Network, NotFinite, Pass};
use crate::random::{Random, Stream};
use crate::tensor::memory::{read, scalar, write};
use crate::tensor::{Array, Device, Graph};

/// The weights on the device, and the last pass.
pub(super) struct Composed {
    device: Device,
    /// Trainable weights as Candle's variables, so that backward reaches them; in network order.
    variables: Vec<Option<Var>>,
    /// What training passes use, in network order.
    tracked: Vec<Graph>,
    /// The same memory without autograd, for passes that do not train.
    plain: Vec<Graph>,
    /// Inputs that were copied to the device ahead of their pass, with what they were copied from.
    ahead: Vec<(Array, Graph)>,
    predictions: Vec<Graph>,
    /// The masks of the outputs.
    masks: Vec<Option<Graph>>,
    total: Option<Graph>,
    /// Penalties on values of the last pass.
    penalties: Vec<Graph>,
    /// Whether products are of bfloat16 values.
    pub(super) mixed: bool,
    /// New values of weights that gradients do not train.
    moved: Vec<(usize, Graph)>,
}

impl Composed {
    /// Creates it with the values of the weights.
    pub(super) fn new(network: &Network, weights: &FlatWeights, device: &Device) -> Result<Self> {
        let (mut variables, mut tracked, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for (at, info) in network.weights().iter().enumerate() {
            let value = Graph::from_slice(weights.get(at), &info.shape[..], device)?;
            let variable = if info.trainable { Some(Var::from_tensor(&value)?) } else { None };
            tracked.push(variable.as_ref().map_or(value.clone(), |variable| variable.as_tensor().clone()));
            plain.push(variable.as_ref().map_or(value, Var::as_detached_tensor));
            variables.push(variable);
        }
        let device = device.clone();
        Ok(Composed {
            device,
            variables,
            tracked,
            plain,
            ahead: Vec::new(),
            predictions: Vec::new(),
            masks: Vec::new(),
            total: None,
            penalties: Vec::new(),
            mixed: false,
            moved: Vec::new(),
        })
    }

    /// Copies the weights to where passes read them.
    pub(super) fn publish(&mut self, network: &Network, weights: &FlatWeights) -> Result<()> {
        for (at, info) in network.weights().iter().enumerate() {
            match &self.variables[at] {
                Some(variable) => write(variable, weights.get(at))?,
                None => {
                    let value = Graph::from_slice(weights.get(at), &info.shape[..], &self.device)?;
                    self.tracked[at] = value.clone();
                    self.plain[at] = value;
                }
            }
        }
        Ok(())
    }

    pub(super) fn forward(&mut self, network: &Network, inputs: &[Array], training: Option<&Random>) -> Result<()> {
        let ahead = std::mem::take(&mut self.ahead);
        let copied = |input: &Array| match ahead.iter().find(|(from, _)| from.is_one_with(input)) {
            Some((_, graph)) => Ok(graph.clone()),
            None => input.to_graph(&self.device),
        };
        let inputs: Vec<Graph> = inputs.iter().map(copied).collect::<Result<_>>()?;
        let weights = if training.is_some() { &self.tracked } else { &self.plain };
        let random = training.cloned().unwrap_or_else(|| Random::new(0, Stream::Dropout, &[]));
        let mut pass = Pass::new(training.is_some(), random);
        pass.mixed = self.mixed;
        self.predictions = network.forward(weights, &inputs, &mut pass)?;
        (self.moved, self.masks) = (pass.updates, pass.masks);
        self.penalties = pass.penalties;
        Ok(())
    }

    /// Copies the inputs of the next pass to the device, while it still works on this one.
    pub(super) fn copy_ahead(&mut self, inputs: &[Array]) -> Result<()> {
        let copy = |input: &Array| Ok((input.clone(), input.to_graph(&self.device)?));
        self.ahead = inputs.iter().map(copy).collect::<Result<_>>()?;
        Ok(())
    }

    /// Runs the last pass again, which nothing has changed yet, and looks at each layer's values.
    pub(super) fn first_not_finite(
        &mut self,
        network: &Network,
        inputs: &[Array],
        random: &Random,
    ) -> Result<Option<NotFinite>> {
        let inputs: Vec<Graph> = inputs.iter().map(|input| input.to_graph(&self.device)).collect::<Result<_>>()?;
        let mut pass = Pass::new(true, random.clone());
        pass.look = true;
        pass.mixed = self.mixed;
        network.forward(&self.plain, &inputs, &mut pass)?;
        Ok(pass.not_finite)
    }

    pub(super) fn output(&self, output: usize) -> Result<Array> {
        Array::from_graph(&self.predictions[output])
    }

    pub(super) fn mask(&self, output: usize) -> Result<Option<Array>> {
        self.masks.get(output).and_then(Option::as_ref).map(Array::from_graph).transpose()
    }

    pub(super) fn losses(&mut self, outputs: &[OutputSpec], targets: &[Target]) -> Result<Losses> {
        let mut total: Option<Graph> = None;
        let mut values = Vec::with_capacity(outputs.len());
        for (at, ((output, target), prediction)) in outputs.iter().zip(targets).zip(&self.predictions).enumerate() {
            let target = &*masked::target(target, self.mask(at)?, output.loss.reduction())?;
            let value = target.value.to_graph(&self.device)?;
            let weight = target.weight.as_ref().map(|weight| weight.to_graph(&self.device)).transpose()?;
            let loss = output.loss.value(&value, prediction, weight.as_ref());
            let loss = loss.map_err(|error| named(error, output, target, prediction.dims()))?;
            check_scalar(&loss, output)?;
            // Reading a value waits for the device, so the parts are read only when they are reported.
            if outputs.len() > 1 {
                values.push(scalar(&loss)?);
            }
            let share = if output.loss_weight == 1.0 { loss } else { (loss * output.loss_weight)? };
            total = Some(match total {
                None => share,
                Some(sum) => (sum + share)?,
            });
        }
        let mut total = total.ok_or_else(|| Error::recipe("the network has no outputs to train"))?;
        for penalty in &self.penalties {
            total = (total + penalty)?;
        }
        let losses = Losses { total: scalar(&total)?, outputs: values };
        self.total = Some(total);
        Ok(losses)
    }

    /// Computes the gradients and copies them to those of the weights.
    pub(super) fn backward(&mut self, weights: &mut FlatWeights) -> Result<()> {
        weights.clear();
        let total = self.total.take().ok_or_else(|| Error::run("a backward pass without losses"))?;
        let gradients = total.backward()?;
        for (at, variable) in self.variables.iter().enumerate() {
            if let Some(gradient) = variable.as_ref().and_then(|variable| gradients.get(variable)) {
                read(gradient, |numbers| weights.set_gradient(at, numbers))?;
            }
        }
        Ok(())
    }

    /// Stores what moved in the last pass.
    pub(super) fn keep_moved(&mut self, network: &Network, weights: &mut FlatWeights) -> Result<()> {
        for (at, value) in self.moved.drain(..) {
            match network.weights().get(at) {
                Some(info) if !info.trainable && info.shape == value.dims() => {}
                _ => {
                    let shape = value.dims();
                    return Err(Error::run(format!("a layer updated weight {at} with a value of shape {shape:?}")));
                }
            }
            read(&value, |numbers| weights.get_mut(at).copy_from_slice(numbers))?;
        }
        Ok(())
    }
}
