//! One step: forward, losses, and what backward needs.

use super::feed::Fed;
use super::memory::scalar;
use super::parts::OutputSpec;
use crate::error::{Error, Result};
use crate::network::{Network, Pass};
use crate::random::{Random, Stream};
use crate::tensor::Graph;

/// What a forward pass and its losses gave.
pub(super) struct Losses {
    /// The total loss as a value of the graph, for backward.
    pub graph: Graph,
    /// The total loss.
    pub total: f64,
    /// Each output's own loss, unweighted, in network order; empty with one output, where only the
    /// total is reported.
    pub outputs: Vec<f64>,
    /// Each output's prediction.
    pub predictions: Vec<Graph>,
    /// New values of weights that gradients do not train.
    pub updates: Vec<(usize, Graph)>,
}

/// Runs the network and the losses on a batch: total = Σ loss weight · loss.
///
/// `step` keys the random numbers inside the network; it counts from 0.
///
/// # Errors
/// Shapes that do not fit a layer or a loss, with the output's name.
pub(super) fn forward(
    network: &Network,
    outputs: &[OutputSpec],
    weights: &[Graph],
    fed: &Fed,
    training: bool,
    seed: u64,
    step: u64,
) -> Result<Losses> {
    let mut pass = Pass::new(training, Random::new(seed, Stream::Dropout, &[step]));
    let predictions = network.forward(weights, &fed.inputs, &mut pass)?;
    let mut total: Option<Graph> = None;
    let mut values = Vec::with_capacity(outputs.len());
    for ((output, target), prediction) in outputs.iter().zip(&fed.targets).zip(&predictions) {
        let loss = output.loss.value(&target.value, prediction, target.weight.as_ref()).map_err(|error| {
            error.within(format!(
                "output `{}`, target {:?}, prediction {:?}",
                output.name,
                target.value.dims(),
                prediction.dims()
            ))
        })?;
        if loss.rank() != 0 {
            return Err(Error::recipe(format!(
                "the loss of output `{}` is not one number: it has shape {:?}",
                output.name,
                loss.dims()
            ))
            .hint("leave its `reduction` at the default"));
        }
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
    let graph = total.ok_or_else(|| Error::recipe("the network has no outputs to train"))?;
    Ok(Losses { total: scalar(&graph)?, graph, outputs: values, predictions, updates: pass.updates })
}
