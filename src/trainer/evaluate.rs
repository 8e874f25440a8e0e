//! A pass over a dataset that trains nothing: validation, and scores of a finished network.

use super::check;
use super::engine::Engine;
use super::feed::feed;
use super::meters::Meters;
use super::parts::OutputSpec;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::record::Mode;
use crate::service::Logs;

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

/// Returns losses and metrics of a network over a dataset, under the names of a training report.
///
/// # Errors
/// A dataset in score mode, outputs in another order than the network's, and whatever a station raises.
pub(crate) fn evaluate_with(engine: &mut Engine, outputs: &[OutputSpec], dataset: &Dataset) -> Result<Logs> {
    let mut evaluation = Evaluation::new(outputs);
    evaluation.add(engine, dataset)?;
    evaluation.logs()
}

/// Losses and metrics over datasets that come one after another: the same numbers as over all of them at once, as long
/// as batches are cut at the same records.
pub(crate) struct Evaluation<'a> {
    outputs: &'a [OutputSpec],
    meters: Option<Meters>,
}

impl<'a> Evaluation<'a> {
    /// Begins with no dataset; the outputs are in the network's order.
    pub(crate) fn new(outputs: &'a [OutputSpec]) -> Self {
        Evaluation { outputs, meters: None }
    }

    /// Looks at one more dataset.
    ///
    /// # Errors
    /// As [`evaluate_with`].
    pub(crate) fn add(&mut self, engine: &mut Engine, dataset: &Dataset) -> Result<()> {
        if dataset.mode() == Mode::Score {
            return Err(Error::data("records loaded in score mode have no outputs to compare with")
                .hint("evaluate a dataset in validation mode"));
        }
        let mut meters = match self.meters.take() {
            Some(meters) => meters,
            None => {
                let fed = feed(engine.network(), &check::first_batch(engine.network(), dataset)?)?;
                engine.forward(&fed.inputs, fed.len, None)?;
                let mut meters = Meters::new(self.outputs, &fed, engine, "")?;
                meters.reset();
                meters
            }
        };
        add(engine, self.outputs, dataset, &mut meters)?;
        self.meters = Some(meters);
        Ok(())
    }

    /// Returns the logs.
    ///
    /// # Errors
    /// There was no dataset; whatever a metric raises.
    pub(crate) fn logs(&mut self) -> Result<Logs> {
        match &mut self.meters {
            Some(meters) => meters.logs().cloned(),
            None => Err(Error::data("there are no records to evaluate")),
        }
    }
}
