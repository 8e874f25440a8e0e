//! A run that was stopped or killed goes on, to the same bits as if it had not been.

use std::path::Path;

use crate::artifact::{self, Folder, layout};
use crate::assemble::load::read_recipe;
use crate::assemble::run::{Fitted, assemble};
use crate::assemble::{provenance, stations, summary};
use crate::error::{Error, Result};
use crate::record::Records;
use crate::registry::Params;
use crate::script::Host;
use crate::trainer::History;

/// Resumes a run from its newest checkpoint; without one it starts again at step 0. The host's project
/// root is the run's own `scripts/` folder. `records` are the training and validation records; `None`
/// reads the files the run was started with.
///
/// # Errors
/// A folder without a run, changed scripts, files that are gone or were changed, records that are not those
/// of the run; then whatever training raises.
pub fn resume(host: &Host, folder: &Path, records: Option<(&Records, &Records)>) -> Result<History> {
    let folder = Folder::open(folder)?;
    provenance::check_scripts(&folder)?;
    let recipe = read_recipe(&folder)?;
    let made = match records {
        Some((train, validation)) => Some((train.clone(), validation.clone())),
        None if provenance::has_files(&folder)? => None,
        // The script that made them makes them again.
        None => stations::data_loaders(host, &recipe).ok(),
    };
    let (train, validation) = match made {
        Some((train, validation)) => {
            provenance::check_records(&folder, &train, &validation)?;
            (train, validation)
        }
        None => provenance::read_records(&folder)?,
    };
    if recipe.dataset.seed.is_none() {
        return Err(Error::artifact(format!("`{}` has no seed", folder.join(layout::CONFIG).display())));
    }
    folder.tidy()?;
    host.forget_functions();
    let network_params: Params = artifact::read_json(&folder.join(layout::NETWORK_PARAMS))?;
    let fitted = folder.join(layout::DATASET);
    let from = Fitted::From(&fitted, &network_params);
    let mut run = assemble(host, &recipe, from, &train, &validation, folder.path())?;
    run.check(&recipe)?;
    host.trace(|| "checked a first batch, losses, metrics and gradients".to_owned());

    let mut progress = host.progress();
    let (checkpoint, damaged) = folder.latest_checkpoint()?;
    for error in damaged {
        progress.message(&format!("a checkpoint was passed over: {error}"));
    }
    match checkpoint {
        Some(checkpoint) => {
            let warning = run.trainer.resume(&checkpoint)?;
            progress
                .message(&format!("resuming after epoch {}, step {}", checkpoint.state.epoch, checkpoint.state.step));
            if let Some(warning) = warning {
                progress.message(&warning);
            }
        }
        None => progress.message("there is no checkpoint yet: starting again at step 0"),
    }
    summary::train(host, &mut run, folder.path(), &mut *progress)
}
