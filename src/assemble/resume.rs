//! A run that was stopped or killed goes on, to the same bits as if it had not been.

use std::path::Path;

use crate::artifact::{self, Folder, layout};
use crate::assemble::load::read_recipe;
use crate::assemble::run::{Fitted, Run, assemble};
use crate::assemble::{provenance, stations, summary};
use crate::error::{Error, Result};
use crate::recipe::Written;
use crate::record::Records;
use crate::registry::Params;
use crate::script::Host;
use crate::trainer::{History, Progress};

/// Reads what the transformer gave the network, every number to the bit.
pub(super) fn network_params(folder: &Folder) -> Result<Params> {
    let path = folder.join(layout::NETWORK_PARAMS);
    // Read twice: the first reader knows what a damaged file is, the second loses no digit.
    let _: Params = artifact::read_json(&path)?;
    Ok(Written::from_json(&path.display().to_string(), &artifact::read_text(&path)?)?.root.to_map())
}

/// Resumes a run from its newest checkpoint; without one it starts again at step 0. The host's project
/// root is the run's own `scripts/` folder. `records` are the training and validation records; `None`
/// reads the files the run was started with.
///
/// # Errors
/// A folder without a run, changed scripts, files that are gone or were changed, records that are not those
/// of the run; then whatever training raises.
pub fn resume(host: &Host, folder: &Path, records: Option<(&Records, &Records)>) -> Result<History> {
    let mut progress = host.progress();
    let mut run = go_on(host, folder, records, &mut *progress)?;
    summary::train(host, &mut run, folder, &mut *progress)
}

/// Makes a run again as it was at its newest checkpoint; what is left is to train.
///
/// # Errors
/// As [`resume`], but for what training raises.
pub(super) fn go_on(
    host: &Host,
    folder: &Path,
    records: Option<(&Records, &Records)>,
    progress: &mut dyn Progress,
) -> Result<Run> {
    let folder = Folder::open(folder)?;
    provenance::check_scripts(&folder)?;
    let recipe = read_recipe(&folder)?;
    let made = match records {
        Some((train, validation)) => Some((train.clone(), validation.clone())),
        None if provenance::has_files(&folder)? => None,
        // The script that made them makes them again.
        None if stations::makes_records(host, &recipe)? => Some(stations::data_loaders(host, &recipe)?),
        None => None,
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
    let network_params = network_params(&folder)?;
    let fitted = folder.join(layout::DATASET);
    let from = Fitted::From(&fitted, &network_params);
    let mut run = assemble(host, &recipe, from, &train, &validation, folder.path())?;
    run.check(&recipe)?;
    host.trace(|| "checked a first batch, losses, metrics and gradients".to_owned());

    let (checkpoint, damaged) = folder.latest_checkpoint()?;
    for error in damaged {
        progress.message(&format!("a checkpoint was passed over: {error}"));
    }
    match checkpoint {
        Some(checkpoint) => {
            let warning = run.trainer.resume(&checkpoint)?;
            progress.message(&format!("resuming {}, step {}", checkpoint.state.position(), checkpoint.state.step));
            if let Some(warning) = warning {
                progress.message(&warning);
            }
        }
        None => progress.message("there is no checkpoint yet: starting again at step 0"),
    }
    Ok(run)
}
