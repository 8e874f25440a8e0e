//! `barrage schema`: the JSON Schema of a config.

use crate::Result;
use crate::cli::{events, terminal};
use crate::recipe;

/// Print the JSON Schema of a config, for editors
///
/// A config names it as `"$schema": "./config.schema.json"`. It is draft 2020-12; what it cannot say stands in its
/// `$comment`, and `barrage check --config-only` knows it.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage schema > config.schema.json")]
pub struct Args {
    /// Print the schema of the events of `--json` instead
    #[arg(long)]
    events: bool,
}

/// Prints the schema.
pub fn run(args: Args) -> Result<()> {
    match args.events {
        true => terminal::data(events::SCHEMA),
        false => terminal::data(&format!("{:#}\n", recipe::json_schema())),
    }
    Ok(())
}
