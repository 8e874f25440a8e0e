//! `barrage evaluate`: losses and metrics of a trained model on records with outputs.

use std::fmt::Write;
use std::path::PathBuf;

use crate::cli::options::{Input, Json, Scripts};
use crate::cli::{events, signals, terminal};
use crate::{Result, artifact, assemble};

/// Evaluate a trained model on records that have outputs
///
/// Prints the losses and metrics of the training report, computed with the best checkpoint. Large files are read part
/// by part.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage evaluate test.csv artifacts\n          \
                        barrage evaluate test.csv artifacts --json")]
pub struct Args {
    /// The records; `-` is standard input
    records: PathBuf,

    /// The artifact folder of a run
    artifacts: PathBuf,

    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    scripts: Scripts,

    #[command(flatten)]
    json: Json,
}

/// Evaluates.
pub fn run(args: Args) -> Result<()> {
    signals::end_at_once(None);
    let folder = artifact::Folder::open(&args.artifacts)?;
    let host = args.scripts.host(folder.join(artifact::layout::SCRIPTS)).build()?;
    let model = assemble::load(&host, &args.artifacts)?;
    terminal::trace(&format!("loaded the best checkpoint of `{}`", args.artifacts.display()));
    let parts = args.input.open(&args.records)?.parts(model.schema(), model.batch_size(), &[])?;
    let mut count = 0;
    let mut counted = parts.inspect(|part| {
        count += part.as_ref().map_or(0, crate::record::Records::len);
        terminal::trace(&format!("read {count} records"));
    });
    let logs = model.evaluate_parts(&mut counted)?;
    if args.json.json {
        let logs: serde_json::Map<_, _> = logs.into_iter().map(|(name, value)| (name, events::number(value))).collect();
        terminal::data(&format!("{}\n", serde_json::to_string_pretty(&logs).unwrap_or_default()));
        return Ok(());
    }
    let width = logs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{count} records\n");
    for (name, value) in &logs {
        let _ = writeln!(text, "{name:<width$}  {}", digits(*value));
    }
    terminal::data(&text);
    Ok(())
}

/// Returns a number with six significant digits at most.
fn digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if !(1e-4..1e7).contains(&value.abs()) => format!("{value:.5e}"),
        value => {
            let places = 5 - value.abs().log10().floor() as i32;
            format!("{value:.*}", usize::try_from(places).unwrap_or(0))
        }
    }
}
