//! A pass over a dataset that trains nothing: validation, and scores of a finished network.

use super::feed::feed;
use super::meters::Meters;
use super::parts::OutputSpec;
use super::step::forward;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::network::Network;
use crate::tensor::{Device, Graph};

/// Runs all batches of a dataset through the network and fills the meters.
pub(super) fn evaluate(
    network: &Network,
    outputs: &[OutputSpec],
    weights: &[Graph],
    dataset: &Dataset,
    device: &Device,
    meters: &mut Meters,
) -> Result<()> {
    meters.reset();
    add(network, outputs, weights, dataset, device, meters)
}

/// Does the same, and keeps what is in the meters already.
pub(super) fn add(
    network: &Network,
    outputs: &[OutputSpec],
    weights: &[Graph],
    dataset: &Dataset,
    device: &Device,
    meters: &mut Meters,
) -> Result<()> {
    let mut epoch = dataset.epoch(0);
    for at in 0..dataset.batches() {
        let fed = feed(network, &epoch.batch(at)?, device)?;
        let losses = forward(network, outputs, weights, &fed, false, 0, 0)?;
        meters.update(outputs, &fed, &losses)?;
    }
    Ok(())
}
