//! Everything a training run is made of, made from a recipe and not started.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::assemble::faults::Faults;
use crate::assemble::fit::{self, Part};
use crate::assemble::{blame, class_weights, kernels, model, open, pretrained, provenance, screen, services, stations};
use crate::dataset::{self, Dataset, Pad, Stations};
use crate::error::{Error, Kind, Result, codes};
use crate::machine;
use crate::network::LayerInfo;
use crate::recipe::{Cache, OnError, Precision, Recipe};
use crate::record::{Loader, Mode, Name, Records, Transformer};
use crate::registry::Params;
use crate::script::{Host, imports};
use crate::service::{GraphNode, terminate_on_nan};
use crate::trainer::{Checkpoints, History, Parts, Progress, Trainer};

/// What the transformer already knows.
pub enum Fitted<'a> {
    /// Nothing: it is fitted on the training records.
    Afresh,
    /// What an artifact folder holds: the folder of the transformer, and what it gave the network.
    From(&'a Path, &'a Params),
}

/// A run that was assembled.
pub struct Run {
    /// The trainer, before its first step.
    pub trainer: Trainer,
    /// The transformer, fitted.
    pub transformer: Arc<dyn Transformer>,
    /// What the transformer gave the network.
    pub network_params: Params,
    /// The records that could not be loaded and were left out, one JSON object each.
    pub refused: Vec<Value>,
    /// Whether records that fail are listed.
    pub quarantine: bool,
    /// What a person should know about the weights that it starts from.
    pub notes: Vec<String>,
    folder: PathBuf,
    /// Whether the records are files that a resume can read again.
    from_files: bool,
    /// Whether there will be checkpoints to go on from.
    resumable: bool,
}

impl Run {
    /// Checks everything that can be known before the first step; errors say where in the recipe they stand.
    ///
    /// # Errors
    /// See [`Trainer::check`].
    pub fn check(&mut self, recipe: &Recipe) -> Result<()> {
        self.trainer.check().map_err(|error| blame::blame(recipe, error))
    }

    /// Trains.
    ///
    /// # Errors
    /// Whatever training raises, and that someone asked to stop: what comes after the run is not wanted then.
    pub fn train(&mut self, progress: &mut dyn Progress) -> Result<History> {
        let history = self.trainer.train(progress)?;
        match history.interrupted {
            false => Ok(history),
            true => {
                Err(Error::new(Kind::Interrupted, format!("training was interrupted after {} steps", history.steps))
                    .hint(self.goes_on()))
            }
        }
    }

    /// Says how an interrupted run goes on.
    fn goes_on(&self) -> String {
        let folder = shown(&self.folder);
        if !self.resumable {
            return match self.trainer.epochs() {
                0 => "no epoch was finished, and the service `resume_checkpoints` is off: train again".to_owned(),
                _ => "the service `resume_checkpoints` is off: it cannot be resumed, but its best weights can score"
                    .to_owned(),
            };
        }
        format!("`{}` goes on {}", self.resume_command(&folder), self.trainer.position())
    }

    fn resume_command(&self, folder: &str) -> String {
        match self.from_files {
            true => format!("barrage resume {folder}"),
            false => format!("trainer({:?}).resume(train, validation)", folder.trim_matches('\'')),
        }
    }
}

/// Returns a folder as it is named on the command line: from the current folder, where it lies below it.
fn shown(folder: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok();
    let below = here.as_deref().and_then(|here| folder.strip_prefix(here).ok()).unwrap_or(folder);
    let text = below.display().to_string();
    match text.contains(|c: char| c.is_whitespace() || "'\"\\$`&;()<>|*?!#".contains(c)) {
        true => format!("'{}'", text.replace('\'', r"'\''")),
        false => text,
    }
}

/// Refuses a run that ended because its loss was no number.
///
/// # Errors
/// It did.
pub fn refuse_divergence(history: &History) -> Result<()> {
    match history.stopped.as_ref().filter(|reason| reason.starts_with(terminate_on_nan::REASON)) {
        Some(reason) => {
            let error = Error::run(reason.clone()).coded(codes::NOT_FINITE);
            let error = history.details.iter().fold(error, |error, line| error.hint(line.clone()));
            Err(error.hint("lower the learning rate, scale the inputs, or look for values that are not finite"))
        }
        None => Ok(()),
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
            .coded(codes::NO_RECORDS)
            .hint("a file needs at least one record below its header")),
    }
}

/// Assembles a run; nothing is written. The recipe must have its seed.
///
/// # Errors
/// Anything wrong with the recipe, the scripts or the records: all of it at once, as far as the parts do not need
/// each other.
pub fn assemble(
    host: &Host,
    recipe: &Recipe,
    fitted: Fitted,
    train: &Records,
    validation: &Records,
    folder: &Path,
) -> Result<Run> {
    let mut faults = Faults::default();
    faults.take(check_not_empty(train, "training"));
    faults.take(check_not_empty(validation, "validation"));
    // Their scripts would be made for nothing, and fitting cannot go well.
    let filled = !train.is_empty() && !validation.is_empty();
    faults.take(recipe.check_spelling());
    let seed = recipe.dataset.seed.unwrap_or(0);

    let loader = faults.take(stations::loader(host, &recipe.dataset));
    let on_error = &recipe.dataset.on_error;
    let from_files = provenance::from_file(train) && provenance::from_file(validation);
    let all = [(train, Mode::Train), (validation, Mode::Validation)];
    let mut refused = Vec::new();
    let [train, validation] = match &loader {
        Some(loader) if filled => screened(all, &**loader, on_error, [0, 0], &mut refused)?,
        _ => all.map(|(records, _)| records.clone()),
    };
    let left_out = [all[0].0.len() - train.len(), all[1].0.len() - validation.len()];
    let usable = loader.clone().unwrap_or_else(|| Arc::new(stations::Missing));
    let transformer = faults.take(stations::transformer(host, &recipe.dataset, &usable, Mode::Train));
    let afresh = matches!(fitted, Fitted::Afresh);
    let fitted = match (transformer, &loader) {
        (Some(transformer), Some(loader)) if filled => {
            faults.take(fit(host, transformer, &**loader, recipe, fitted, &train))
        }
        _ => None,
    };
    // What a transformer fails on shows once it is fitted.
    let [train, validation] = match (&loader, &fitted) {
        (Some(loader), Some((transformer, _))) if filled => {
            let through = screen::Through { loader: &**loader, transformer: &**transformer };
            let all = [(&train, Mode::Train), (&validation, Mode::Validation)];
            screened(all, &through, on_error, left_out, &mut refused)?
        }
        _ => [train, validation],
    };
    let augmentor = faults.take(stations::augmentors(host, &recipe.dataset));
    let network = match &fitted {
        Some((_, params)) => faults.take(model::network(host, &recipe.model.network, params)),
        // What it needs of the transformer is not known.
        None => faults.take(model::find_network(host, &recipe.model.network)).and(None),
    };
    let network = network.and_then(|network| faults.take(pretrained::freeze(recipe, network)));
    let weights = network.as_ref().and_then(|(network, _)| {
        faults.take(match afresh {
            true => pretrained::start(host, recipe, network, seed),
            false => pretrained::restart(recipe, network, seed, folder).map(|weights| (weights, None)),
        })
    });
    let outputs = faults.take(model::outputs(host, &recipe.model.outputs));
    let optimizer = faults.take(model::optimizer(&recipe.solver));
    let rate = faults.take(model::rate(host, &recipe.solver.optimizer.learning_rate));
    let device = faults.take(open(recipe.solver.device).map_err(|error| blame::key(recipe, error, "solver.device")));
    let services = faults.take(services::services(host, recipe));
    // What scripts import only when they are called.
    faults.take(imports::check(host));
    faults.finish()?;
    if fitted.is_some() {
        host.trace(|| format!("made loader, transformer `{}` and network", recipe.dataset.transformer.path));
    }
    let (
        Some(loader),
        Some((transformer, network_params)),
        Some(augmentor),
        Some((network, frozen)),
        Some((weights, loaded)),
        Some(outputs),
        Some(optimizer),
        Some(rate),
        Some(device),
        Some(services),
    ) = (loader, fitted, augmentor, network, weights, outputs, optimizer, rate, device, services)
    else {
        return Err(Error::run("a part of the run is missing, and nothing says why"));
    };
    let stations = Stations { loader, transformer, augmentor };
    let mut outputs = outputs;

    let options = options(host, recipe).map_err(|error| blame::key(recipe, error, "dataset.pad"))?;
    let data = |records: &Records, mode| {
        let options = dataset::Options { failures: on_error.limit(records.len()), ..options.clone() };
        Dataset::new(records.clone(), stations.clone(), mode, recipe.solver.batch_size, seed, options)
    };
    class_weights::balance(recipe, &mut outputs, &network, &train, &stations, &options)?;
    let parts = Parts {
        weights,
        outputs,
        optimizer,
        rate,
        train: data(&train, Mode::Train)?,
        validation: Some(data(&validation, Mode::Validation)?),
        services,
        epochs: recipe.solver.epochs,
        seed,
        device,
        kernels: kernels(),
        mixed: recipe.solver.precision == Precision::Bfloat16,
        checkpoints: checkpoints(recipe),
        folder: folder.to_owned(),
        graph: network.layers().into_iter().map(graph_node).collect(),
        network,
    };
    host.trace(|| format!("network: {} layers; first batches and services are ready", parts.graph.len()));
    let transformer = stations.transformer.clone();
    let mut trainer = Trainer::new(parts).map_err(|error| blame::blame(recipe, error))?;
    trainer.set_stop_flag(host.stop_flag().clone());
    Ok(Run {
        trainer,
        transformer,
        network_params,
        notes: loaded.into_iter().chain(frozen).collect(),
        folder: folder.to_owned(),
        from_files,
        refused,
        quarantine: matches!(on_error, OnError::Quarantine(_)),
        resumable: recipe.services.resume_checkpoints,
    })
}

/// Leaves out the records that cannot be loaded, and adds them to `refused`; `before` says how many of each set were left
/// out already.
fn screened(
    all: [(&Records, Mode); 2],
    loader: &dyn Loader,
    on_error: &OnError,
    before: [usize; 2],
    refused: &mut Vec<Value>,
) -> Result<[Records; 2]> {
    let mut one = |(records, mode): (&Records, Mode), before| -> Result<Records> {
        let screened = screen::screen(records, loader, mode, on_error, before)?;
        refused.extend(screened.refused);
        Ok(screened.records)
    };
    Ok([one(all[0], before[0])?, one(all[1], before[1])?])
}

/// Fits the transformer, or loads it, and returns it with what it gives the network.
fn fit(
    host: &Host,
    mut transformer: Box<dyn Transformer>,
    loader: &dyn Loader,
    recipe: &Recipe,
    fitted: Fitted,
    train: &Records,
) -> Result<(Arc<dyn Transformer>, Params)> {
    let params = match fitted {
        Fitted::Afresh => {
            let import = &recipe.dataset.transformer;
            match host.fitted() {
                [] => {
                    let within = |error: Error| error.within(format!("fitting `{}`", import.path));
                    transformer.fit(train, loader).map_err(within)?;
                }
                files => {
                    let part = |path: &PathBuf| Ok((path.clone(), Part::read(path)?));
                    let parts = files.iter().map(part).collect::<Result<Vec<_>>>()?;
                    fit::finish(host, recipe, &mut *transformer, parts)?;
                }
            }
            transformer.check_storable().map_err(|error| import.locate(error))?;
            transformer.network_params()
        }
        Fitted::From(folder, network_params) => {
            transformer.load(folder)?;
            network_params.clone()
        }
    };
    Ok((Arc::from(transformer), params))
}

/// Returns when checkpoints within an epoch are written; where none are kept, a stop loses the epoch.
fn checkpoints(recipe: &Recipe) -> Checkpoints {
    let every = recipe.solver.checkpoint_every;
    Checkpoints {
        steps: every.and_then(|every| every.steps).map(|steps| steps as u64),
        minutes: every.and_then(|every| every.minutes),
        stop: recipe.services.resume_checkpoints,
    }
}

fn options(host: &Host, recipe: &Recipe) -> Result<dataset::Options> {
    let name = |field: &Option<String>| field.as_deref().map(Name::from);
    Ok(dataset::Options {
        shuffle: recipe.dataset.shuffle,
        drop_last: recipe.dataset.drop_last,
        sample_count: recipe.dataset.sample_count.as_deref().map(Name::from),
        cache: match recipe.dataset.cache {
            Cache::Auto => dataset::Cache::Auto,
            Cache::On => dataset::Cache::On,
            Cache::Off => dataset::Cache::Off,
        },
        steps: recipe.solver.steps,
        validation_steps: recipe.solver.validation_steps,
        balance: name(&recipe.dataset.balance),
        sample_probability: name(&recipe.dataset.sample_probability),
        bucket: name(&recipe.dataset.bucket),
        pad: pads(recipe)?,
        workers: recipe.dataset.workers.unwrap_or_else(machine::cores),
        prefetch: recipe.dataset.prefetch,
        failures: None,
        stop: host.stop_flag().clone(),
    })
}

/// Returns how values of different lengths are padded, by name.
pub(super) fn pads(recipe: &Recipe) -> Result<Vec<(Name, Pad)>> {
    recipe.dataset.pad.iter().map(|(name, value)| Ok((name.as_str().into(), pad(name, value)?))).collect()
}

/// Returns how one name's values are padded: a number, or `{value, length}`.
fn pad(name: &str, value: &Value) -> Result<Pad> {
    let refuse = |found: &Value| {
        Error::recipe(format!(
            "`dataset.pad.{name}`: expected a number or a map with `value` and `length`, found {found}"
        ))
    };
    if let Some(value) = value.as_f64() {
        return Ok(Pad { value, length: None });
    }
    let map = value.as_object().ok_or_else(|| refuse(value))?;
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "value" | "length")) {
        return Err(Error::recipe(format!("`dataset.pad.{name}` has no key `{other}`")).hint("keys: `value`, `length`"));
    }
    let value = map.get("value").map_or(Some(0.0), Value::as_f64).ok_or_else(|| refuse(value))?;
    let length = match map.get("length") {
        None => None,
        Some(length) => Some(length.as_u64().ok_or_else(|| refuse(length))? as usize),
    };
    Ok(Pad { value, length })
}

/// Returns how many batches one pass over the training records has.
pub(super) fn batches_per_pass(host: &Host, recipe: &Recipe, train: &Records) -> Result<usize> {
    Dataset::batches_per_pass(train, recipe.solver.batch_size, &options(host, recipe)?)
}

fn graph_node(layer: LayerInfo) -> GraphNode {
    GraphNode {
        name: layer.name.to_string(),
        op: layer.kind.to_owned(),
        inputs: layer.inputs.iter().map(ToString::to_string).collect(),
        shape: layer.shape,
    }
}
