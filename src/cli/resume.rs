//! `barrage resume`: goes on with a run that was stopped or killed.

use std::path::PathBuf;

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
    let folder = artifact::Folder::open(&args.artifacts)?;
    let host = args.scripts.host(folder.join(artifact::layout::SCRIPTS)).build()?;
    assemble::resume(&host, &args.artifacts, None).map(drop)
}
