//! `barrage resume`: goes on with a run that was stopped or killed.

use std::path::{Path, PathBuf};

use crate::cli::options::{Scripts, Training};
use crate::{Result, artifact, assemble};

/// Resume a run that was stopped or killed
///
/// Goes on after the newest checkpoint, with the records the run was started with, to the same bits as if it had
/// never stopped. A run whose records were made by a recipe is resumed there, with `trainer(dir).resume(…)`.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage resume artifacts")]
pub struct Args {
    /// The artifact folder of the run
    artifacts: PathBuf,

    #[command(flatten)]
    scripts: Scripts,

    #[command(flatten)]
    training: Training,
}

/// Resumes.
pub fn run(args: Args) -> Result<()> {
    args.training.set();
    go_on(&args.artifacts, &args.scripts)
}

/// Goes on with the run in a folder.
///
/// # Errors
/// See [`assemble::resume`]; a loss that became no number.
pub fn go_on(artifacts: &Path, scripts: &Scripts) -> Result<()> {
    let folder = artifact::Folder::open(artifacts)?;
    let host = scripts.host(folder.join(artifact::layout::SCRIPTS)).build()?;
    let history = assemble::resume(&host, artifacts, None)?;
    assemble::refuse_divergence(&history)
}
