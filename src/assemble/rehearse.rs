//! Trials of a run that write nothing: one step, one batch learned by heart, the learning-rate range test.

use std::path::{Path, PathBuf};

use crate::artifact::Folder;
use crate::assemble::run::{self, Fitted, Run, assemble};
use crate::error::Result;
use crate::recipe::Recipe;
use crate::record::Records;
use crate::script::{Host, Wanted};
use crate::trainer::{Overfit, Range, RateCurve};

/// What a run would be.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRun {
    /// Where it would be written.
    pub folder: PathBuf,
    /// Training records in a pass.
    pub records: usize,
    /// Validation records.
    pub validation_records: usize,
    /// Steps in an epoch.
    pub batches: usize,
    /// Epochs.
    pub epochs: usize,
    /// The loss of the first step.
    pub loss: f64,
    /// The learning rate of the first step.
    pub learning_rate: f64,
}

/// Does everything that comes before the artifact folder is made, and one training step.
///
/// # Errors
/// Whatever would stop the run until after its first step.
pub fn dry_run(host: &Host, wanted: &Wanted) -> Result<DryRun> {
    let prepared = Folder::prepare(wanted.folder, wanted.overwrite)?;
    let (recipe, mut run) = ready(host, wanted, |_| ())?;
    let batch = run.trainer.train_data().epoch(0).batch(0)?;
    let learning_rate = run.trainer.rate_at(0)?;
    let loss = run.trainer.learn(&batch, learning_rate)?;
    let trainer = &run.trainer;
    Ok(DryRun {
        folder: prepared.path().to_owned(),
        records: trainer.train_data().len(),
        validation_records: trainer.validation_data().map_or(0, |data| data.len()),
        batches: trainer.train_data().batches(),
        epochs: recipe.solver.epochs,
        loss,
        learning_rate,
    })
}

/// Trains on the first batch alone, without augmentation, for at most `steps` steps. `tell` sees the number of
/// steps done and the loss. Returns how many records the batch has, too.
///
/// # Errors
/// Whatever would stop a run, and that someone asked to stop.
pub fn overfit(
    host: &Host,
    wanted: &Wanted,
    steps: usize,
    tell: &mut dyn FnMut(usize, f64),
) -> Result<(Overfit, usize)> {
    let (_, run) = ready(host, wanted, |recipe| recipe.dataset.augmentor.clear())?;
    let batch = run.trainer.train_data().epoch(0).batch(0)?;
    Ok((run.trainer.overfit(&batch, steps, tell)?, batch.len))
}

/// Runs the learning-rate range test. `tell` sees the number of steps done and the loss.
///
/// # Errors
/// Whatever would stop a run, and that someone asked to stop.
pub fn find_rate(host: &Host, wanted: &Wanted, range: Range, tell: &mut dyn FnMut(usize, f64)) -> Result<RateCurve> {
    ready(host, wanted, |_| ())?.1.trainer.find_rate(range, tell)
}

/// Returns the run as it would start, checked, with its recipe after a change.
fn ready(host: &Host, wanted: &Wanted, change: impl FnOnce(&mut Recipe)) -> Result<(Recipe, Run)> {
    let mut recipe = wanted.recipe.clone();
    recipe.dataset.seed.get_or_insert(0);
    limit_batches(host, &mut recipe, wanted.train)?;
    change(&mut recipe);
    let mut run = assemble(host, &recipe, Fitted::Afresh, wanted.train, wanted.validation, Path::new("artifacts"))?;
    run.check(&recipe)?;
    Ok((recipe, run))
}

/// Writes the limit that the host has for the batches of an epoch into the recipe, so that the run's config says
/// what was done, and a resumed run does the same.
///
/// # Errors
/// A sample count that is none.
pub fn limit_batches(host: &Host, recipe: &mut Recipe, train: &Records) -> Result<()> {
    match host.limit_batches() {
        Some(limit) => shorten(host, recipe, limit, train),
        None => Ok(()),
    }
}

/// Limits the batches of an epoch, of training and of validation.
///
/// # Errors
/// A sample count that is none.
pub(super) fn shorten(host: &Host, recipe: &mut Recipe, limit: usize, train: &Records) -> Result<()> {
    let steps = match recipe.solver.steps {
        Some(steps) => steps,
        None => run::batches_per_pass(host, recipe, train)?,
    };
    if limit < steps {
        recipe.solver.steps = Some(limit);
    }
    let validation = recipe.solver.validation_steps;
    recipe.solver.validation_steps = Some(validation.map_or(limit, |steps| steps.min(limit)));
    Ok(())
}
