//! Scores records with a trained network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::artifact::layout;
use crate::artifact::weights::{Named, arrange};
use crate::dataset::{Dataset, Options, Pad, Stations};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::record::{Field, Fields, Loader, Mode, Name, Records, Transformer};
use crate::service::Logs;
use crate::tensor::{Array, Device, Tensor};
use crate::trainer::{self, Engine, OutputSpec};

/// A trained network with the stations that feed it.
pub struct Predictor {
    stations: Stations,
    network: Arc<Network>,
    engine: Mutex<Engine>,
    batch_size: usize,
    pad: Vec<(Name, Pad)>,
}

impl Predictor {
    /// Creates a predictor; `weights` by their Keras names, in any order, as an artifact folder holds them. With `kernels`,
    /// layers use theirs on the CPU.
    ///
    /// # Errors
    /// A missing or unknown weight, and one of another shape.
    pub fn new(
        loader: Arc<dyn Loader>,
        transformer: Arc<dyn Transformer>,
        network: Arc<Network>,
        weights: &Named,
        batch_size: usize,
        device: Device,
        kernels: bool,
    ) -> Result<Self> {
        let expected: Vec<_> =
            network.weights().iter().map(|info| (info.name.to_string(), info.shape.clone())).collect();
        let arranged = arrange(weights.clone(), &expected, layout::MODEL)?;
        let engine = Mutex::new(Engine::new(network.clone(), &arranged, &device, kernels)?);
        let stations = Stations { loader, transformer, augmentor: None };
        Ok(Predictor { stations, network, engine, batch_size, pad: Vec::new() })
    }

    /// Brings values of different lengths to one length, by name, as training did.
    #[must_use]
    pub fn padded(mut self, pad: Vec<(Name, Pad)>) -> Self {
        self.pad = pad;
        self
    }

    /// Returns the network.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Returns the weights under their Keras names, in the order of the network.
    ///
    /// # Errors
    /// None: their shapes were checked.
    pub fn weights(&self) -> Result<Named> {
        let engine = self.engine();
        let infos = self.network.weights().iter().enumerate();
        let value = |(at, info): (usize, &crate::network::WeightInfo)| {
            Ok((info.name.to_string(), Array::from_f32(engine.weights().get(at).to_vec(), &info.shape)?))
        };
        infos.map(value).collect()
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
        self.evaluate_parts(&mut std::iter::once(Ok(records.clone())), outputs)
    }

    /// Returns the same over records that come in parts; each but the last has to hold whole batches
    /// ([`Predictor::batch_size`]).
    ///
    /// # Errors
    /// As [`Predictor::evaluate`], and the first error of a part.
    pub fn evaluate_parts(
        &self,
        parts: &mut dyn Iterator<Item = Result<Records>>,
        outputs: Vec<OutputSpec>,
    ) -> Result<Logs> {
        let outputs = trainer::in_network_order(&self.network, outputs)?;
        let mut evaluation = trainer::Evaluation::new(&outputs);
        for part in parts {
            evaluation.add(&mut self.engine(), &self.dataset(&part?, Mode::Validation)?)?;
        }
        evaluation.logs()
    }

    /// Returns how many records go through the network at once.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The network with its buffers; a pass that failed leaves nothing that the next one reads.
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dataset(&self, records: &Records, mode: Mode) -> Result<Dataset> {
        let options = Options { pad: self.pad.clone(), ..Options::default() };
        Dataset::new(records.clone(), self.stations.clone(), mode, self.batch_size, 0, options)
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
            let inputs = trainer::inputs(&self.network, &batch)?;
            let mut engine = self.engine();
            engine.forward(&inputs, batch.len, None)?;
            let named = self.network.outputs().iter().enumerate();
            let outputs: Vec<(Name, Array)> = named
                .map(|(at, port)| Ok((port.name.clone(), whole(&port.name, engine.output(at)?, batch.len)?)))
                .collect::<Result<_>>()?;
            drop(engine);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::dataset::testing::{Tables, identity, numbers, records};
    use crate::network::sequential_from_config;
    use crate::record::DataRecords;
    use crate::registry::Params;

    /// Sums its two inputs.
    fn network() -> Arc<Network> {
        let layers = json!([
            {"import": "Input", "params": {"shape": [2], "name": "x"}},
            {"import": "Dense", "params": {"units": 1, "name": "sum"}},
        ]);
        Arc::new(sequential_from_config(&layers, &Params::new()).unwrap())
    }

    fn predictor(transformer: Arc<dyn Transformer>) -> Predictor {
        let x: Vec<f32> = (0..10).map(|value| value as f32).collect();
        let tables = Tables::new(numbers(&x, &[5, 2]), numbers(&[0.0; 5], &[5]));
        let weights = vec![
            ("sum/bias".to_owned(), numbers(&[0.0], &[1])),
            ("sum/kernel".to_owned(), numbers(&[1.0; 2], &[2, 1])),
        ];
        Predictor::new(Arc::new(tables), transformer, network(), &weights, 2, crate::tensor::device::cpu(), true)
            .unwrap()
    }

    fn sums(scores: &[Fields]) -> Vec<f32> {
        let sum = |score: &Fields| match &score[..] {
            [(name, Field::Tensor(tensor))] if &**name == "sum" => tensor.to_host().unwrap().as_f32()[0],
            other => panic!("{other:?}"),
        };
        scores.iter().map(sum).collect()
    }

    #[test]
    fn scores_keep_the_order_of_the_records_and_no_records_give_none() {
        let predictor = predictor(identity());
        let scores = predictor.predict(&records(5, &[])).unwrap();
        assert_eq!(sums(&scores), [1.0, 5.0, 9.0, 13.0, 17.0]);
        let arrays = predictor.predict_arrays(&records(5, &[])).unwrap();
        assert_eq!((&*arrays[0].0, arrays[0].1.shape()), ("sum", &[5, 1][..]));
        assert!(predictor.predict(&records(0, &[])).unwrap().is_empty());
        assert!(predictor.predict_arrays(&records(0, &[])).unwrap().is_empty());
    }

    /// Halves scores.
    struct Halves;

    impl Transformer for Halves {
        fn fit(&mut self, _: &Records, _: &dyn Loader) -> Result<()> {
            Ok(())
        }
        fn transform(&self, chunk: DataRecords, _: Mode) -> Result<DataRecords> {
            Ok(chunk)
        }
        fn postprocess(&self, score: Fields) -> Result<Fields> {
            match &score[0].1 {
                Field::Tensor(tensor) => Ok(vec![(score[0].0.clone(), Field::Tensor(tensor.div(2.0)?))]),
                _ => Err(Error::data("no tensor")),
            }
        }
        fn has_postprocess(&self) -> bool {
            true
        }
        fn save(&self, _: &Path) -> Result<()> {
            Ok(())
        }
        fn load(&mut self, _: &Path) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn scores_are_postprocessed_one_by_one() {
        let scores = predictor(Arc::new(Halves)).predict(&records(5, &[])).unwrap();
        assert_eq!(sums(&scores), [0.5, 2.5, 4.5, 6.5, 8.5]);
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let make = |weights: &Named| {
            let tables = Tables::new(numbers(&[0.0; 2], &[1, 2]), numbers(&[0.0], &[1]));
            let device = crate::tensor::device::cpu();
            Predictor::new(Arc::new(tables), identity(), network(), weights, 2, device, true).map(|_| ()).unwrap_err()
        };
        let error = make(&vec![("sum/kernel".to_owned(), numbers(&[1.0; 2], &[1, 2]))]);
        assert_eq!(error.message(), "the weights in `model.safetensors` are not those of this network");
        assert_eq!(error.hints(), ["missing: `sum/bias`", "`sum/kernel` has shape [1, 2], the network expects [2, 1]"]);
    }
}
