//! A recipe and records become a training run.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::artifact::{Folder, layout};
use crate::assemble::{blame, model, open, provenance, services, stations};
use crate::dataset::{self, Dataset, Stations};
use crate::error::{Error, Kind, Result};
use crate::network::LayerInfo;
use crate::recipe::{Cache, Recipe};
use crate::record::{Mode, Name, Records};
use crate::script::Host;
use crate::service::GraphNode;
use crate::trainer::{History, Parts, Trainer};

/// Trains a recipe and writes its artifact folder. `notes` are what resolving it had to say.
///
/// # Errors
/// Anything wrong with the recipe, the scripts or the records, found before the folder is made; then
/// whatever training raises, and that someone asked to stop.
pub fn train(
    host: &Host,
    recipe: &Recipe,
    notes: &[String],
    train: &Records,
    validation: &Records,
    folder: &Path,
    overwrite: bool,
) -> Result<History> {
    recipe.check_spelling()?;
    check_not_empty(train, "training")?;
    check_not_empty(validation, "validation")?;
    let prepared = Folder::prepare(folder, overwrite || host.overwrite())?;
    let mut recipe = recipe.clone();
    // A run without a seed gets one, and keeps it: what was lucky once can be repeated.
    let seed = *recipe.dataset.seed.get_or_insert_with(fresh_seed);

    let loader = stations::loader(host, &recipe.dataset)?;
    let mut transformer = stations::transformer(host, &recipe.dataset, &loader, Mode::Train)?;
    transformer
        .fit(train, &*loader)
        .map_err(|error| error.within(format!("fitting `{}`", recipe.dataset.transformer.path)))?;
    transformer.check_storable().map_err(|error| recipe.dataset.transformer.locate(error))?;
    let network_params = transformer.network_params();
    let stations = Stations {
        loader,
        transformer: Arc::from(transformer),
        augmentor: stations::augmentors(host, &recipe.dataset)?,
    };

    let network = model::network(host, &recipe.model.network, &network_params)?;
    let optimizer = model::optimizer(&recipe.solver.optimizer.import)?;
    let data = |records: &Records, mode| {
        let options = dataset::Options {
            shuffle: recipe.dataset.shuffle,
            drop_last: recipe.dataset.drop_last,
            sample_count: recipe.dataset.sample_count.as_deref().map(Name::from),
            cache: match recipe.dataset.cache {
                Cache::Auto => dataset::Cache::Auto,
                Cache::On => dataset::Cache::On,
                Cache::Off => dataset::Cache::Off,
            },
            steps: recipe.solver.steps,
        };
        Dataset::new(records.clone(), stations.clone(), mode, recipe.solver.batch_size, seed, options)
    };
    let parts = Parts {
        weights: network.initialise(seed)?,
        outputs: model::outputs(host, &recipe.model.outputs)?,
        optimizer,
        rate: model::rate(host, &recipe.solver.optimizer.learning_rate)?,
        train: data(train, Mode::Train)?,
        validation: Some(data(validation, Mode::Validation)?),
        services: services::services(host, &recipe)?,
        epochs: recipe.solver.epochs,
        seed,
        device: open(recipe.solver.device).map_err(|error| blame::key(&recipe, error, "solver.device"))?,
        folder: prepared.path().to_owned(),
        graph: network.layers().into_iter().map(graph_node).collect(),
        network,
    };
    let transformer = stations.transformer.clone();
    let mut trainer = Trainer::new(parts).map_err(|error| blame::blame(&recipe, error))?;
    trainer.set_stop_flag(host.stop_flag().clone());
    trainer.check().map_err(|error| blame::blame(&recipe, error))?;

    let made = prepared.create()?;
    provenance::write_json(&made.join(layout::CONFIG), &recipe.to_json())?;
    provenance::write_json(&made.join(layout::NETWORK_PARAMS), &model::network_params_json(&network_params))?;
    provenance::write_scripts(host, &made)?;
    provenance::write_data(&made, train, validation)?;
    let dataset = made.join(layout::DATASET);
    provenance::make(&dataset)?;
    transformer.save(&dataset)?;
    made.keep();

    let mut progress = host.progress();
    for note in notes {
        progress.message(&format!("note: {note}"));
    }
    let history = trainer.train(&mut *progress)?;
    match history.interrupted {
        false => Ok(history),
        true => Err(Error::new(Kind::Interrupted, format!("training was interrupted after {} steps", history.steps))
            .hint(format!("the checkpoints of finished epochs are in `{}`", folder.display()))),
    }
}

/// Checks that there are records.
///
/// # Errors
/// There are none.
pub fn check_not_empty(records: &Records, what: &str) -> Result<()> {
    match records.is_empty() {
        false => Ok(()),
        true => Err(Error::data(format!("there are no {what} records in `{}`", records.source()))
            .hint("a file needs at least one record below its header")),
    }
}

fn graph_node(layer: LayerInfo) -> GraphNode {
    GraphNode {
        name: layer.name.to_string(),
        op: layer.kind.to_owned(),
        inputs: layer.inputs.iter().map(ToString::to_string).collect(),
        shape: layer.shape,
    }
}

/// Returns a seed that differs from run to run; it is recorded in the artifact folder.
fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}
