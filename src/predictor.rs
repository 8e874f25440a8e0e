//! Scores records with a trained network.

use std::sync::Arc;

use crate::dataset::{Dataset, Options, Stations};
use crate::error::{self, Error, Result};
use crate::network::{Network, Pass};
use crate::random::{Random, Stream};
use crate::record::{Field, Fields, Loader, Mode, Name, Records, Transformer};
use crate::service::Logs;
use crate::tensor::{Array, Device, Dtype, Graph, Tensor};
use crate::trainer::{self, OutputSpec};

/// A trained network with the stations that feed it.
pub struct Predictor {
    stations: Stations,
    network: Arc<Network>,
    weights: Vec<Graph>,
    batch_size: usize,
    device: Device,
}

impl Predictor {
    /// Creates a predictor; `weights` by their Keras names, in any order, as an artifact folder holds them.
    ///
    /// # Errors
    /// A missing or unknown weight, and one of another shape.
    pub fn new(
        loader: Arc<dyn Loader>,
        transformer: Arc<dyn Transformer>,
        network: Arc<Network>,
        weights: &[(String, Array)],
        batch_size: usize,
        device: Device,
    ) -> Result<Self> {
        let known = || network.weights().iter().map(|info| &*info.name);
        if let Some((name, _)) = weights.iter().find(|(name, _)| !known().any(|own| own == name)) {
            return Err(Error::artifact(format!("the network has no weight `{name}`"))
                .maybe_hint(error::did_you_mean(name, known()))
                .hint("the weights belong to another network, or the network was changed after training"));
        }
        let mut own = Vec::with_capacity(weights.len());
        for info in network.weights() {
            let (_, weight) = weights
                .iter()
                .find(|(name, _)| **name == *info.name)
                .ok_or_else(|| Error::artifact(format!("weight `{}` is missing", info.name)))?;
            if weight.shape() != info.shape {
                return Err(Error::artifact(format!(
                    "weight `{}`: expected shape {:?}, found {:?}",
                    info.name,
                    info.shape,
                    weight.shape()
                )));
            }
            own.push(weight.cast(Dtype::F32).to_graph(&device)?);
        }
        let stations = Stations { loader, transformer, augmentor: None };
        Ok(Predictor { stations, network, weights: own, batch_size, device })
    }

    /// Returns the network.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Returns the outputs of each record by name, in the records' order and the network's order of
    /// outputs, after the transformer's `postprocess`. No records give no scores.
    ///
    /// # Errors
    /// Whatever a station raises, and inputs that do not fit the network.
    pub fn predict(&self, records: &Records) -> Result<Vec<Fields>> {
        let postprocess = self.stations.transformer.has_postprocess();
        let mut scores = Vec::with_capacity(records.len());
        self.each_batch(records, |outputs, rows| {
            for (position, &row) in rows.iter().enumerate() {
                let field =
                    |(name, array): &(Name, Array)| (name.clone(), Field::Tensor(Tensor::Host(array.row(position))));
                let score: Fields = outputs.iter().map(field).collect();
                scores.push(match postprocess {
                    false => score,
                    true => self
                        .stations
                        .transformer
                        .postprocess(score)
                        .map_err(|error| error.within("postprocess").within(records.record(row).place()))?,
                });
            }
            Ok(())
        })?;
        Ok(scores)
    }

    /// Returns the outputs of all records as arrays by name, their first axis the records, without
    /// `postprocess`. No records give no arrays.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    pub fn predict_arrays(&self, records: &Records) -> Result<Vec<(Name, Array)>> {
        let mut batches: Vec<Vec<Array>> = vec![Vec::new(); self.network.outputs().len()];
        self.each_batch(records, |outputs, _| {
            for (all, (_, array)) in batches.iter_mut().zip(outputs) {
                all.push(array.clone());
            }
            Ok(())
        })?;
        let ports = self.network.outputs().iter().zip(batches).filter(|(_, arrays)| !arrays.is_empty());
        ports.map(|(port, arrays)| Ok((port.name.clone(), Array::concat(&arrays, 0)?))).collect()
    }

    /// Returns losses and metrics over records that have outputs, under the names of a training report.
    ///
    /// # Errors
    /// As [`Predictor::predict`]; also no records, missing outputs, and outputs without a loss.
    pub fn evaluate(&self, records: &Records, outputs: Vec<OutputSpec>) -> Result<Logs> {
        let outputs = trainer::in_network_order(&self.network, outputs)?;
        let dataset = self.dataset(records, Mode::Validation)?;
        trainer::evaluate_with(&self.network, &outputs, &self.weights, &dataset, &self.device)
    }

    fn dataset(&self, records: &Records, mode: Mode) -> Result<Dataset> {
        Dataset::new(records.clone(), self.stations.clone(), mode, self.batch_size, 0, Options::default())
    }

    fn each_batch(
        &self,
        records: &Records,
        mut take: impl FnMut(&[(Name, Array)], &[usize]) -> Result<()>,
    ) -> Result<()> {
        let dataset = self.dataset(records, Mode::Score)?;
        let mut epoch = dataset.epoch(0);
        for at in 0..dataset.batches() {
            let batch = epoch.batch(at)?;
            let inputs = trainer::inputs(&self.network, &batch, &self.device)?;
            let mut pass = Pass::new(false, Random::new(0, Stream::Dropout, &[]));
            let values = self.network.forward(&self.weights, &inputs, &mut pass)?;
            let named = self.network.outputs().iter().zip(&values);
            let outputs: Vec<(Name, Array)> = named
                .map(|(port, value)| Ok((port.name.clone(), whole(&port.name, Array::from_graph(value)?, batch.len)?)))
                .collect::<Result<_>>()?;
            take(&outputs, &batch.rows)?;
        }
        Ok(())
    }
}

fn whole(name: &str, array: Array, len: usize) -> Result<Array> {
    match array.shape().first() == Some(&len) {
        true => Ok(array),
        false => Err(Error::run(format!(
            "output `{name}` has shape {:?}: expected {len} records on its first axis",
            array.shape()
        ))),
    }
}
