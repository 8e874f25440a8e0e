//! `barrage inspect`: what is in an artifact folder, a checkpoint, a weights file, a data file or a config.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::artifact::{self, Checkpoint, Folder, layout, weights};
use crate::cli::options::Scripts;
use crate::cli::terminal;
use crate::error::codes;
use crate::recipe::{Recipe, Written};
use crate::record::Records;
use crate::{Error, Result, assemble};

/// Show what is in an artifact folder, a checkpoint, a weights file, a data file or a config
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage inspect artifacts\n          barrage inspect train.csv")]
pub struct Args {
    /// A folder of a run, a checkpoint in it, a `.safetensors` file, records, or a config
    path: PathBuf,

    #[command(flatten)]
    scripts: Scripts,
}

/// Shows it.
pub fn run(args: Args) -> Result<()> {
    let path = &args.path;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let text = match (path.is_dir(), ending.as_str()) {
        (true, _) if path.join(layout::STATE).exists() && path.join(layout::MODEL).exists() => checkpoint(path)?,
        (true, _) => run_folder(path, &args.scripts)?,
        (false, "safetensors") => arrays(&weights::load(path)?),
        (false, "csv" | "jsonl" | "parquet") => Records::read(path)?.describe(),
        (false, _) if path.exists() => config_or_records(path)?,
        (false, _) => return Err(Error::artifact(format!("there is no `{}`", path.display())).coded(codes::WRONG_FILE)),
    };
    terminal::data(&format!("{}\n", text.trim_end()));
    Ok(())
}

fn run_folder(path: &Path, scripts: &Scripts) -> Result<String> {
    let folder = Folder::open(path)?;
    let host = scripts.host(folder.join(layout::SCRIPTS)).build()?;
    let mut text = format!("run `{}`\n\n", path.display());
    let report = artifact::read_text(&folder.join(layout::REPORT)).unwrap_or_default();
    let mut lines = report.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let last: Vec<&str> = lines.next_back().unwrap_or_default().split(',').collect();
    let _ = writeln!(text, "epochs: {}", report.lines().count().saturating_sub(1));
    for (name, value) in header.iter().zip(&last).skip(1) {
        let _ = writeln!(text, "last {name}: {value}");
    }
    if let Ok((_, best)) = artifact::checkpoint::read_best(&folder.join(layout::BEST_CHECKPOINT)) {
        let _ = writeln!(text, "best: epoch {}, {} {}", best.epoch + 1, best.monitor, best.value);
    }
    let kept = folder.checkpoints()?;
    let _ = writeln!(text, "checkpoints to resume from: {}", kept.len());
    let _ = writeln!(text, "\n{}", assemble::load(&host, path)?.summary());
    Ok(text)
}

fn checkpoint(path: &Path) -> Result<String> {
    match Checkpoint::read(path) {
        Ok(checkpoint) => {
            let state = &checkpoint.state;
            let head = format!("checkpoint after {} epochs, step {}, seed {}\n\n", state.epoch, state.step, state.seed);
            Ok(head + arrays(&checkpoint.weights).as_str())
        }
        Err(_) => Ok(format!("weights for scoring\n\n{}", arrays(&weights::load(&path.join(layout::MODEL))?))),
    }
}

fn arrays(arrays: &[(String, crate::tensor::Array)]) -> String {
    let width = arrays.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, array) in arrays {
        let _ = writeln!(text, "{name:<width$}  {}  {:?}", array.dtype().name(), array.shape());
    }
    text
}

fn config_or_records(path: &Path) -> Result<String> {
    let written = Written::read(path)?;
    match written.root.items().is_empty() {
        true => {
            let (recipe, notes) = Recipe::resolve(&written)?;
            let json = serde_json::to_string_pretty(&recipe.to_json()).unwrap_or_default();
            Ok(notes.iter().fold(json, |text, note| format!("{text}\nnote: {note}")))
        }
        false => Ok(Records::read(path)?.describe()),
    }
}
