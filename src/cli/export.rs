//! `barrage export`: a trained model for other programs.

use std::path::PathBuf;

use crate::cli::options::Scripts;
use crate::cli::{signals, terminal};
use crate::error::list;
use crate::network::transfer::Layout;
use crate::{Result, artifact, assemble};

/// Write a trained model for other programs: ONNX, or its weights
///
/// Writes the best weights of a run with its network as `.onnx` (operator set 17, the batch axis open), or alone as
/// `.safetensors`. What the transformer does is not part of either.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage export artifacts -o model.onnx\n          \
                        barrage export artifacts -o weights.safetensors --layout pytorch")]
pub struct Args {
    /// The artifact folder of a run
    artifacts: PathBuf,

    /// The file to write: `.onnx` or `.safetensors`
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Name and lay out weights as `keras` or `pytorch` does
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    layout: Option<Layout>,

    #[command(flatten)]
    scripts: Scripts,
}

fn layout(name: &str) -> Result<Layout, String> {
    Layout::parse(name).ok_or_else(|| format!("expected {}", list(Layout::NAMES.iter().copied())))
}

/// Exports.
pub fn run(args: Args) -> Result<()> {
    signals::end_at_once(None);
    let host = args.scripts.host(artifact::Folder::open(&args.artifacts)?.join(artifact::layout::SCRIPTS)).build()?;
    let model = assemble::load(&host, &args.artifacts)?;
    let written = assemble::export(&model, &args.output, args.layout)?;
    terminal::message(&format!("wrote `{}`: {written}\n", args.output.display()));
    Ok(())
}
