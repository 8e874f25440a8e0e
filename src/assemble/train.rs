//! A recipe and records become a training run with its artifact folder.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use serde_json::Value;

use crate::artifact::{self, Folder, layout};
use crate::assemble::run::{Fitted, assemble};
use crate::assemble::watch::Watch;
use crate::assemble::{provenance, rehearse, screen, summary};
use crate::error::Result;
use crate::recipe::{OnError, Recipe};
use crate::record::Records;
use crate::script::Host;
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
    rehearse::limit_batches(host, &mut recipe, train)?;
    // What is watched are the scripts of the run, not the recipe that names them.
    let fresh = if host.watches() { Some(host.again()?) } else { None };
    let parts = fresh.as_ref().unwrap_or(host);
    let mut run = assemble(parts, &recipe, Fitted::Afresh, train, validation, prepared.path())?;
    run.check(&recipe)?;
    host.trace(|| "checked a first batch, losses, metrics and gradients".to_owned());

    // Where the folder will be once it is kept.
    let place = prepared.path().to_owned();
    let made = prepared.create()?;
    provenance::write_json(&made.join(layout::CONFIG), &recipe.to_json())?;
    provenance::write_json(&made.join(layout::NETWORK_PARAMS), &Value::Object(run.network_params.clone()))?;
    provenance::write_scripts(parts, &made)?;
    provenance::write_data(&made, train, validation)?;
    let dataset = made.join(layout::DATASET);
    artifact::make_folder(&dataset)?;
    run.transformer.save(&dataset)?;
    if matches!(recipe.dataset.on_error, OnError::Quarantine(_)) && !run.refused.is_empty() {
        screen::write(&made.join(layout::QUARANTINE), &run.refused)?;
    }
    if host.watches() {
        let records = (train, validation);
        run.trainer.set_renewal(Box::new(Watch::new(parts, &recipe, records, &place, &run.network_params)));
    }
    made.keep()?;
    host.trace(|| "the artifact folder is made".to_owned());

    let mut progress = host.progress();
    for note in notes {
        progress.message(&format!("note: {note}"));
    }
    if !run.refused.is_empty() {
        progress.message(&format!("{} records could not be loaded and are left out", run.refused.len()));
    }
    summary::train(parts, &mut run, &place, &mut *progress)
}

/// Returns a seed that differs from run to run; it is recorded in the artifact folder.
pub fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}
