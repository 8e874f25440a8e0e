//! An artifact folder becomes a model that scores.

use std::path::Path;
use std::sync::Arc;

use crate::artifact::{self, Folder, layout};
use crate::assemble::{kernels, model, open_for_scores, provenance, resume, run, stations};
use crate::error::{Error, Kind, Result, codes};
use crate::network::{Network, Port};
use crate::predictor::Predictor;
use crate::recipe::{Recipe, Written};
use crate::record::{Fields, Mode, Name, Records, Schema, Transformer};
use crate::script::Host;
use crate::service::Logs;

/// A trained model: the best checkpoint of a run with its stations.
pub struct Model {
    predictor: Predictor,
    recipe: Recipe,
    schema: Schema,
    host: Host,
}

impl Model {
    /// Returns the outputs of each record by name, in order, after `postprocess`.
    ///
    /// # Errors
    /// Whatever the stations raise; inputs that do not fit the network.
    pub fn predict(&self, records: &Records) -> Result<Vec<Fields>> {
        self.predictor.predict(records)
    }

    /// Returns the losses and metrics of records that have outputs, named as in the training report.
    ///
    /// # Errors
    /// As [`Model::predict`]; no records; missing outputs.
    pub fn evaluate(&self, records: &Records) -> Result<Logs> {
        self.predictor.evaluate(records, model::outputs(&self.host, &self.recipe.model.outputs)?)
    }

    /// Returns the same of records that come in parts; each but the last has to hold whole batches
    /// ([`Model::batch_size`]).
    ///
    /// # Errors
    /// As [`Model::evaluate`], and the first error of a part.
    pub fn evaluate_parts(&self, parts: &mut dyn Iterator<Item = Result<Records>>) -> Result<Logs> {
        self.predictor.evaluate_parts(parts, model::outputs(&self.host, &self.recipe.model.outputs)?)
    }

    /// Returns how many records go through the network at once.
    pub fn batch_size(&self) -> usize {
        self.predictor.batch_size()
    }

    /// Returns the network's outputs: name, and shape of one record's value; an open axis has length 0.
    pub fn outputs(&self) -> Vec<(Name, Vec<usize>)> {
        let shape = |port: &Port| port.shape.iter().map(|axis| axis.unwrap_or(0)).collect();
        self.predictor.network().outputs().iter().map(|port| (port.name.clone(), shape(port))).collect()
    }

    /// Returns the weights under their Keras names, in the order of the network.
    ///
    /// # Errors
    /// None: they were checked when the model was loaded.
    pub fn weights(&self) -> Result<artifact::weights::Named> {
        self.predictor.weights()
    }

    /// Returns the network.
    pub fn network(&self) -> &Network {
        self.predictor.network()
    }

    /// Returns the schema of the training records, which holds for files that are scored.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the table of the network's layers.
    pub fn summary(&self) -> String {
        self.predictor.network().summary()
    }

    /// Returns the resolved recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }
}

/// Reads the resolved recipe of a run.
pub(super) fn read_recipe(folder: &Folder) -> Result<Recipe> {
    let path = folder.join(layout::CONFIG);
    let text = artifact::read_text(&path)?;
    let damaged = |error: Error| {
        error.recoded(codes::DAMAGED).of_kind(Kind::Artifact).hint("the file was changed or cut after training")
    };
    let written = Written::from_json(&path.display().to_string(), &text).map_err(damaged)?;
    Ok(Recipe::resolve(&written).map_err(damaged)?.0)
}

/// Loads the best checkpoint of a run. The host's project root is the run's own `scripts/` folder.
///
/// # Errors
/// A missing or damaged file, scripts that were changed, a run without a best checkpoint.
pub fn load(host: &Host, folder: &Path) -> Result<Model> {
    let folder = Folder::open(folder)?;
    provenance::check_scripts(&folder)?;
    let recipe = read_recipe(&folder)?;
    let network_params = resume::network_params(&folder)?;

    let loader = stations::loader(host, &recipe.dataset)?;
    let mut transformer = stations::transformer(host, &recipe.dataset, &loader, Mode::Score)?;
    transformer.load(&folder.join(layout::DATASET))?;
    let transformer: Arc<dyn Transformer> = Arc::from(transformer);
    let network = model::network(host, &recipe.model.network, &network_params)?;

    let best = folder.join(layout::BEST_CHECKPOINT);
    if !best.join(layout::MODEL).exists() {
        return Err(Error::artifact(format!("`{}` has no best checkpoint", folder.path().display()))
            .coded(codes::NO_CHECKPOINT)
            .hint("the run ended before its first epoch, or the service `best_checkpoint` was switched off"));
    }
    let weights = artifact::weights::load(&best.join(layout::MODEL))?;
    let device = open_for_scores(host, recipe.solver.device);
    let batch_size = recipe.solver.batch_size;
    let predictor = Predictor::new(loader, transformer, network, &weights, batch_size, device, kernels())?;
    let predictor = predictor.padded(run::pads(&recipe)?);
    Ok(Model { predictor, schema: provenance::read_schema(&folder)?, recipe, host: host.clone() })
}
