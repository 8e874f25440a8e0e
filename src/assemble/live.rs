//! A run in a person's hands: made of a recipe and records, or found again in an artifact folder. Nothing is written.

use std::path::{Path, PathBuf};

use crate::artifact::layout::Position;
use crate::artifact::{self, Checkpoint, Folder, layout};
use crate::assemble::load::read_recipe;
use crate::assemble::run::{Fitted, Run, assemble};
use crate::assemble::{provenance, rehearse};
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use crate::record::Records;
use crate::registry::Params;
use crate::script::Host;
use crate::trainer::Trainer;

/// A run that a person takes step by step.
pub struct Live {
    run: Run,
    recipe: Recipe,
    host: Host,
    train: Records,
    validation: Records,
    /// Where a run that was found again has its fitted transformer.
    fitted: Option<(PathBuf, Params)>,
}

/// Makes the run of a recipe, as training would, and checks it; without a seed of its own it gets 0.
///
/// # Errors
/// Whatever would stop the run before its first step.
pub fn prepare(host: &Host, recipe: &Recipe, train: &Records, validation: &Records) -> Result<Live> {
    let mut recipe = recipe.clone();
    recipe.dataset.seed.get_or_insert_with(|| host.trial().map_or(0, |trial| trial.seed));
    rehearse::limit_batches(host, &mut recipe, train)?;
    Live::new(host, recipe, train, validation, None)
}

/// What [`replay`] found.
pub struct Replay {
    /// The run, as it stood before the step.
    pub live: Live,
    /// The epoch of the step and the number of its batch, from 0.
    pub epoch: u64,
    /// See `epoch`.
    pub batch: usize,
    /// Whether the weights are those before the step; otherwise they are those of the beginning.
    pub weights: bool,
}

/// Finds a step of a run again, counted from 1: its batch, and its weights where a checkpoint leads to them. The host's
/// project root is the folder of the scripts of that step ([`scripts_at`]). `records` are the training and validation
/// records; `None` reads the files the run was started with.
///
/// # Errors
/// A folder without a run, a step that it has not, changed scripts or records.
pub fn replay(host: &Host, folder: &Path, records: Option<(&Records, &Records)>, step: u64) -> Result<Replay> {
    let folder = Folder::open(folder)?;
    provenance::check_scripts_in(&host.roots().root)?;
    let (train, validation) = match records {
        Some((train, validation)) => {
            provenance::check_records(&folder, train, validation)?;
            (train.clone(), validation.clone())
        }
        None => provenance::read_records(&folder)?,
    };
    let recipe = read_recipe(&folder)?;
    let network_params: Params = artifact::read_json(&folder.join(layout::NETWORK_PARAMS))?;
    let fitted = Some((folder.join(layout::DATASET), network_params));
    let epochs = recipe.solver.epochs as u64;
    let mut live = Live::new(host, recipe, &train, &validation, fitted)?;
    let batches = live.trainer().train_data().batches().max(1) as u64;
    if step == 0 || step > epochs * batches {
        return Err(Error::artifact(format!("the run has no step {step}"))
            .hint(format!("its steps are 1 to {}: {epochs} epochs of {batches}", epochs * batches)));
    }
    let (epoch, batch) = ((step - 1) / batches, ((step - 1) % batches) as usize);
    let weights = live.go_to_epoch(&folder, epoch as usize)?;
    if weights {
        for _ in 0..batch {
            live.trainer_mut().step_by_hand()?;
        }
    }
    Ok(Replay { live, epoch, batch, weights })
}

/// Returns the folder of the scripts that a step of a run used, counted from 1.
///
/// # Errors
/// A folder without a run, and one whose epochs cannot be counted.
pub fn scripts_at(folder: &Path, step: u64) -> Result<PathBuf> {
    let folder = Folder::open(folder)?;
    let replaced = artifact::names(&folder.join(layout::REPLACED_SCRIPTS))?;
    if replaced.is_empty() {
        return Ok(folder.join(layout::SCRIPTS));
    }
    // The report has a line for each epoch, with the number of steps done at its end.
    let report = artifact::read_text(&folder.join(layout::EVENTS))?;
    let ended = report.lines().filter_map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_epoch = event["event"] == "epoch" && event["step"].as_u64()? < step;
        is_epoch.then(|| event["epoch"].as_u64()).flatten()
    });
    let epoch = ended.max().map_or(0, |epoch| epoch as usize + 1);
    provenance::scripts_of(&folder, epoch)
}

impl Live {
    fn new(
        host: &Host,
        recipe: Recipe,
        train: &Records,
        validation: &Records,
        fitted: Option<(PathBuf, Params)>,
    ) -> Result<Live> {
        let mut run = made(host, &recipe, train, validation, fitted.as_ref())?;
        run.check(&recipe)?;
        let (train, validation) = (train.clone(), validation.clone());
        Ok(Live { run, recipe, host: host.clone(), train, validation, fitted })
    }

    /// Returns the trainer.
    pub fn trainer(&self) -> &Trainer {
        &self.run.trainer
    }

    /// Returns the trainer, to go on with.
    pub fn trainer_mut(&mut self) -> &mut Trainer {
        &mut self.run.trainer
    }

    /// Takes over scripts that were edited: stations, losses, metrics, schedule. The transformer is fitted again, unless
    /// the run was found in a folder.
    ///
    /// # Errors
    /// Whatever is wrong with them; then the run stays as it was.
    pub fn reload(&mut self) -> Result<()> {
        let host = self.host.again()?;
        let mut run = made(&host, &self.recipe, &self.train, &self.validation, self.fitted.as_ref())?;
        run.check(&self.recipe)?;
        self.run.trainer.renew(run.trainer)?;
        self.run.transformer = run.transformer;
        self.host = host;
        Ok(())
    }

    /// Takes the weights of the beginning of an epoch, from its checkpoint; returns whether they could be had. Those of
    /// the first epoch are drawn from the seed.
    fn go_to_epoch(&mut self, folder: &Folder, epoch: usize) -> Result<bool> {
        if epoch == 0 {
            return Ok(true);
        }
        match folder.checkpoints()?.into_iter().find(|(position, _)| *position == Position::after(epoch)) {
            None => Ok(false),
            Some((_, path)) => {
                let checkpoint = Checkpoint::read(&path)?;
                self.run.trainer.go_to(&checkpoint).map(|()| true)
            }
        }
    }
}

fn made(
    host: &Host,
    recipe: &Recipe,
    train: &Records,
    validation: &Records,
    fitted: Option<&(PathBuf, Params)>,
) -> Result<Run> {
    let from = match fitted {
        Some((folder, network_params)) => Fitted::From(folder, network_params),
        None => Fitted::Afresh,
    };
    assemble(host, recipe, from, train, validation, Path::new("artifacts"))
}
