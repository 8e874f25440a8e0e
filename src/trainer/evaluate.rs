//! A pass over a dataset that trains nothing: validation, and scores of a finished network.

use super::engine::Engine;
use super::feed::feed;
use super::meters::Meters;
use super::parts::OutputSpec;
use crate::dataset::Dataset;
use crate::error::Result;

/// Runs all batches of a dataset through the network and fills the meters.
pub(super) fn evaluate(
    engine: &mut Engine,
    outputs: &[OutputSpec],
    dataset: &Dataset,
    meters: &mut Meters,
) -> Result<()> {
    meters.reset();
    add(engine, outputs, dataset, meters)
}

/// Does the same, and keeps what is in the meters already.
pub(super) fn add(engine: &mut Engine, outputs: &[OutputSpec], dataset: &Dataset, meters: &mut Meters) -> Result<()> {
    let mut epoch = dataset.epoch(0);
    for at in 0..dataset.batches() {
        let fed = feed(engine.network(), &epoch.batch(at)?)?;
        engine.forward(&fed.inputs, fed.len, None)?;
        let losses = engine.losses(outputs, &fed.targets)?;
        meters.update(outputs, &fed, &losses, engine)?;
    }
    Ok(())
}
