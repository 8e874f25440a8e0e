//! A recipe and records become a training run with its artifact folder.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use serde_json::Value;

use crate::artifact::{self, Folder, Prepared, layout};
use crate::assemble::run::{Fitted, Run, assemble};
use crate::assemble::watch::Watch;
use crate::assemble::{pretrained, provenance, rehearse, screen, summary};
use crate::error::Result;
use crate::recipe::{self, Recipe};
use crate::record::Records;
use crate::script::Host;
use crate::tensor::device;
use crate::trainer::History;

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
    let prepared = Folder::prepare(folder, overwrite || host.overwrite())?;
    host.forget_functions();
    let mut recipe = recipe.clone();
    // A run without a seed gets one, and keeps it: what was lucky once can be repeated. That of a trial is given.
    recipe.dataset.seed.get_or_insert_with(|| host.trial().map_or_else(fresh_seed, |trial| trial.seed));
    if recipe.solver.device == recipe::Device::Auto {
        // The choice is recorded: a resume goes on where the run began.
        recipe.solver.device = recipe::Device::parse(&device::name(&device::auto())).unwrap_or(recipe::Device::Auto);
    }
    rehearse::limit_batches(host, &mut recipe, train)?;
    let path = prepared.path().to_owned();
    // What is watched are the scripts of the run, not the recipe that names them.
    let fresh = if host.watches() { Some(host.again()?) } else { None };
    let parts = fresh.as_ref().unwrap_or(host);
    let mut run = begin(parts, &recipe, train, validation, prepared)?;
    if host.watches() {
        let records = (train, validation);
        run.trainer.set_renewal(Box::new(Watch::new(parts, &recipe, records, &path, &run.network_params)));
    }

    let mut progress = host.progress();
    for note in notes {
        progress.message(&format!("note: {note}"));
    }
    for note in &run.notes {
        progress.message(note);
    }
    if !run.refused.is_empty() {
        progress.message(&format!("{} records could not be loaded and are left out", run.refused.len()));
    }
    summary::train(parts, &mut run, &path, &mut *progress)
}

/// Checks a run and makes its artifact folder; what is left is to train. The recipe must have its seed.
///
/// # Errors
/// Anything wrong with the recipe, the scripts or the records.
pub(super) fn begin(
    host: &Host,
    recipe: &Recipe,
    train: &Records,
    validation: &Records,
    prepared: Prepared,
) -> Result<Run> {
    let mut run = assemble(host, recipe, Fitted::Afresh, train, validation, prepared.path())?;
    run.check(recipe)?;
    host.trace(|| "checked a first batch, losses, metrics and gradients".to_owned());

    let made = prepared.create()?;
    provenance::write_json(&made.join(layout::CONFIG), &recipe.to_json())?;
    provenance::write_json(&made.join(layout::NETWORK_PARAMS), &Value::Object(run.network_params.clone()))?;
    provenance::write_scripts(host, &made)?;
    provenance::write_data(&made, train, validation)?;
    let dataset = made.join(layout::DATASET);
    artifact::make_folder(&dataset)?;
    run.transformer.save(&dataset)?;
    if run.quarantine && !run.refused.is_empty() {
        screen::write(&made.join(layout::QUARANTINE), &run.refused)?;
    }
    pretrained::keep(recipe, &run.trainer.weights()?, &made.join(layout::INITIAL))?;
    made.keep()?;
    host.trace(|| "the artifact folder is made".to_owned());
    Ok(run)
}

/// Returns a seed that differs from run to run; it is recorded in the artifact folder.
pub fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}
