//! `barrage evaluate`: losses and metrics of a trained model on records with outputs.

use std::path::PathBuf;

use crate::cli::options::Scripts;
use crate::cli::terminal;
use crate::record::Records;
use crate::{Result, artifact, assemble};

/// Evaluate a trained model on records that have outputs
///
/// Prints one JSON object with the losses and metrics of the training report, computed with the best checkpoint.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage evaluate test.csv artifacts")]
pub struct Args {
    /// The records: CSV, JSON or JSONL
    records: PathBuf,

    /// The artifact folder of a run
    artifacts: PathBuf,

    #[command(flatten)]
    scripts: Scripts,
}

/// Evaluates.
pub fn run(args: Args) -> Result<()> {
    let folder = artifact::Folder::open(&args.artifacts)?;
    let host = args.scripts.host(folder.join(artifact::layout::SCRIPTS)).build()?;
    let model = assemble::load(&host, &args.artifacts)?;
    let records = Records::read_with(&args.records, &args.scripts.reading(Some(model.schema())))?;
    let logs: serde_json::Map<_, _> =
        model.evaluate(&records)?.into_iter().map(|(name, value)| (name, serde_json::Value::from(value))).collect();
    terminal::data(&format!("{}\n", serde_json::to_string_pretty(&logs).unwrap_or_default()));
    Ok(())
}
