//! A network with its weights, ready to run: by a plan of kernels on a CPU, or composed of Candle's operations.
//!
//! Both ways give the same numbers, to rounding. The weights stand in one slice on the host in both; the composed way
//! has them on its device besides. A pass is `forward`, then `losses`, then, in training, `train`.

mod composed;
mod masked;
mod planned;

use std::sync::Arc;

use super::feed::Target;
use super::parts::OutputSpec;
use crate::error::{Error, Result, Subject};
use crate::network::{FlatWeights, Network, NotFinite, Plan};
use crate::random::Random;
use crate::tensor::{Array, Device};
use composed::Composed;
pub(super) use masked::{target as masked_target, weigh, weight as masked_weight};
use planned::Planned;

/// A network with weights.
pub(crate) struct Engine {
    network: Arc<Network>,
    weights: FlatWeights,
    device: Device,
    way: Way,
}

enum Way {
    Composed(Box<Composed>),
    Planned(Box<Planned>),
}

/// The losses of a batch.
pub(super) struct Losses {
    /// The total: Σ loss weight · loss.
    pub total: f64,
    /// Each output's own loss, unweighted, in network order; empty with one output, where only the total is reported.
    pub outputs: Vec<f64>,
}

impl Engine {
    /// Creates an engine from weights in network order. Without `kernels`, or on another device than the CPU,
    /// everything is composed.
    ///
    /// # Errors
    /// Another number of weights than the network has, or another shape.
    pub fn new(network: Arc<Network>, weights: &[Array], device: &Device, kernels: bool) -> Result<Self> {
        let weights = FlatWeights::new(&network, weights)?;
        let way = match kernels && device.is_cpu() && Plan::suits(&network) {
            true => Way::Planned(Box::new(Planned::new(device))),
            false => Way::Composed(Box::new(Composed::new(&network, &weights, device)?)),
        };
        Ok(Engine { network, weights, device: device.clone(), way })
    }

    /// Computes products of bfloat16 values from now on: everything is composed. Weights stay float32.
    ///
    /// # Errors
    /// None in practice: the weights are copied to the device.
    pub fn mix(mut self) -> Result<Self> {
        let mut composed = Composed::new(&self.network, &self.weights, &self.device)?;
        composed.mixed = true;
        self.way = Way::Composed(Box::new(composed));
        Ok(self)
    }

    /// Runs kernels on so many threads; 0 for as many as usual.
    pub fn set_threads(&mut self, threads: usize) {
        if let Way::Planned(planned) = &mut self.way {
            planned.set_threads(threads);
        }
    }

    /// Returns the network.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Returns where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns the weights.
    pub fn weights(&self) -> &FlatWeights {
        &self.weights
    }

    /// Changes the weights.
    pub fn change(&mut self, change: impl FnOnce(&mut FlatWeights) -> Result<()>) -> Result<()> {
        change(&mut self.weights)?;
        match &mut self.way {
            Way::Composed(composed) => composed.publish(&self.network, &self.weights),
            Way::Planned(_) => Ok(()),
        }
    }

    /// Computes the outputs for `rows` records. In training, `training` is the stream of the step's random numbers.
    ///
    /// # Errors
    /// Inputs that the network or a layer refuses.
    pub fn forward(&mut self, inputs: &[Array], rows: usize, training: Option<&Random>) -> Result<()> {
        match &mut self.way {
            Way::Composed(composed) => composed.forward(&self.network, inputs, training),
            Way::Planned(planned) => planned.forward(&self.network, &mut self.weights, inputs, rows, training),
        }
    }

    /// Returns the first layer whose values were not finite in the last pass, which was one of training on these inputs
    /// and this stream of random numbers.
    ///
    /// # Errors
    /// As [`Engine::forward`]: composed values are computed again, as they are not kept.
    pub(super) fn first_not_finite(&mut self, inputs: &[Array], random: &Random) -> Result<Option<NotFinite>> {
        match &mut self.way {
            Way::Composed(composed) => composed.first_not_finite(&self.network, inputs, random),
            Way::Planned(planned) => planned.first_not_finite(),
        }
    }

    /// Returns whether the next batch can be made ready while the device works on this one.
    pub(super) fn works_beside(&self) -> bool {
        !self.device.is_cpu()
    }

    /// Copies the inputs of the next pass to the device ahead of it; without another device there is nothing to copy.
    ///
    /// # Errors
    /// The device has no memory left.
    pub(super) fn copy_ahead(&mut self, inputs: &[Array]) -> Result<()> {
        match &mut self.way {
            Way::Composed(composed) => composed.copy_ahead(inputs),
            Way::Planned(_) => Ok(()),
        }
    }

    /// Returns an output of the last pass, with the batch axis.
    pub fn output(&self, output: usize) -> Result<Array> {
        match &self.way {
            Way::Composed(composed) => composed.output(output),
            Way::Planned(planned) => planned.output(output),
        }
    }

    /// Returns an output of the last pass where it stands, and the shape of one record, where it is on the host.
    pub(super) fn plain_output(&self, output: usize) -> Option<(&[f32], &[usize])> {
        match &self.way {
            Way::Composed(_) => None,
            Way::Planned(planned) => planned.plain_output(output),
        }
    }

    /// Returns the mask of an output in the last pass, with the batch axis: 1 for steps that count, 0 for others.
    pub fn mask(&self, output: usize) -> Result<Option<Array>> {
        match &self.way {
            Way::Composed(composed) => composed.mask(output),
            Way::Planned(planned) => planned.mask(output),
        }
    }

    /// Computes the losses of the last pass; after a pass of training also what [`Engine::train`] starts from.
    ///
    /// # Errors
    /// Targets that do not fit a loss, with the output's name.
    pub(super) fn losses(&mut self, outputs: &[OutputSpec], targets: &[Target]) -> Result<Losses> {
        let mut losses = match &mut self.way {
            Way::Composed(composed) => composed.losses(outputs, targets),
            Way::Planned(planned) => planned.losses(outputs, targets),
        }?;
        losses.total += self.weights.penalty();
        Ok(losses)
    }

    /// Computes the gradients of the losses and of the penalties and hands trained weights and gradients to `update`,
    /// which returns whether it changed the weights: then they are brought back to their rules.
    ///
    /// # Errors
    /// A trainable weight that was not reached, by name.
    pub(super) fn train(&mut self, update: impl FnOnce(&mut [f32], &mut [f32]) -> Result<bool> + Send) -> Result<()> {
        let Engine { network, weights, way, .. } = self;
        let check = |weights: &FlatWeights| match weights.unreached().next() {
            None => Ok(()),
            Some(at) => {
                Err(Error::run(format!("weight `{}` received no gradient in this step", network.weights()[at].name))
                    .hint("the loss or a scripted layer does not depend on it for every batch"))
            }
        };
        let step = |weights: &mut FlatWeights| {
            check(weights)?;
            weights.add_penalties();
            let (values, gradients) = weights.trained();
            if update(values, gradients)? {
                weights.constrain();
            }
            Ok(())
        };
        match way {
            Way::Composed(composed) => {
                composed.backward(weights)?;
                step(weights)?;
                composed.keep_moved(network, weights)?;
                composed.publish(network, weights)
            }
            Way::Planned(planned) => planned.backward(weights, step),
        }
    }

    /// Computes the gradients of the losses and returns the names of the trainable weights that got none.
    pub(super) fn unreached(&mut self) -> Result<Vec<String>> {
        let Engine { network, weights, way, .. } = self;
        match way {
            Way::Composed(composed) => composed.backward(weights)?,
            Way::Planned(planned) => planned.backward(weights, |_| Ok(()))?,
        }
        Ok(weights.unreached().map(|at| network.weights()[at].name.to_string()).collect())
    }
}

/// Says at which output an error occurred.
fn named(error: Error, output: &OutputSpec, target: &Target, prediction: &[usize]) -> Error {
    error
        .within(format!("output `{}`, target {:?}, prediction {prediction:?}", output.name, target.value.shape()))
        .about(Subject::Output(output.name.to_string()))
}

/// Checks that a loss is one number.
fn check_scalar(loss: &crate::tensor::Graph, output: &OutputSpec) -> Result<()> {
    match loss.rank() {
        0 => Ok(()),
        _ => Err(Error::recipe(format!(
            "the loss of output `{}` is not one number: it has shape {:?}",
            output.name,
            loss.dims()
        ))
        .about(Subject::Output(output.name.to_string()))
        .hint("leave its `reduction` at the default")),
    }
}

#[cfg(test)]
mod tests;
