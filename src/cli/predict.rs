//! `barrage predict`: scores records with a trained model.

use std::path::{Path, PathBuf};

use crate::cli::options::Scripts;
use crate::cli::terminal;
use crate::error::codes;
use crate::record::Records;
use crate::{Error, Result, artifact, assemble};

/// Score records with a trained model
///
/// Writes a JSON array with one object a record, in the order of the records: output name to value, arrays as
/// nested lists.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage predict score.csv artifacts -o scores.json")]
pub struct Args {
    /// The records to score; outputs and weights may be missing
    score: PathBuf,

    /// The artifact folder of a run
    artifacts: PathBuf,

    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "scores.json")]
    output: PathBuf,

    #[command(flatten)]
    scripts: Scripts,
}

/// Scores.
pub fn run(args: Args) -> Result<()> {
    check_folder(&args.output)?;
    let host = args.scripts.host(artifact::Folder::open(&args.artifacts)?.join(artifact::layout::SCRIPTS)).build()?;
    let model = assemble::load(&host, &args.artifacts)?;
    let records = Records::read_as(&args.score, model.schema())?;
    let scores = model.predict(&records)?;
    // One record a line: people look at such files, and other tools compare them.
    let lines: Vec<String> = assemble::scores_to_json(&scores)?.iter().map(ToString::to_string).collect();
    let text = match lines.is_empty() {
        true => "[]\n".to_owned(),
        false => format!("[\n{}\n]\n", lines.join(",\n")),
    };
    match args.output.as_os_str() == "-" {
        true => terminal::data(&text),
        false => artifact::write_atomic(&args.output, text.as_bytes())?,
    }
    Ok(())
}

/// Scoring may take long; where it cannot be written is told before.
fn check_folder(output: &Path) -> Result<()> {
    match output.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(Error::artifact(format!("cannot write `{}`", output.display()))
            .coded(codes::UNWRITABLE)
            .hint(format!("make the folder `{}` first", folder.display()))),
        None => Ok(()),
    }
}
