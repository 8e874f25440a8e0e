//! `barrage schema`: the JSON Schema of a config.

use crate::Result;
use crate::cli::terminal;
use crate::recipe;

/// Print the JSON Schema of a config, for completion and checks in editors
///
/// A config names it as `"$schema": "./config.schema.json"`. It is draft 2020-12; what it cannot say stands in its
/// `$comment`, and `barrage check --config-only` knows it.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage schema > config.schema.json")]
pub struct Args {}

/// Prints the schema.
pub fn run(_: Args) -> Result<()> {
    terminal::data(&format!("{:#}\n", recipe::json_schema()));
    Ok(())
}
