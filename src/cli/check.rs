//! `barrage check`: says what is wrong before anything starts.
//!
//! Only the config itself is checked so far. What follows for a whole recipe (scripts, imports, a first batch,
//! shapes) belongs after it, in [`run`].

use std::path::PathBuf;

use crate::Result;
use crate::cli::options::Overrides;
use crate::cli::terminal;
use crate::recipe::{Recipe, Written};

/// Check a config, and say everything that is wrong with it at once
///
/// The exit code is 0 when it is right and 3 when it is not.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage check --config-only config.json")]
pub struct Args {
    /// The config
    file: PathBuf,

    #[command(flatten)]
    overrides: Overrides,

    /// Check keys, types and ranges alone: what the config imports is not looked up
    #[arg(long, required = true)]
    config_only: bool,
}

/// Checks.
pub fn run(args: Args) -> Result<()> {
    let written = Written::read(&args.file)?.overridden(&args.overrides.all())?;
    let (recipe, notes) = Recipe::resolve(&written)?;
    terminal::notes(&notes);
    if args.overrides.print_config {
        terminal::data(&recipe.explain(&written));
        return Ok(());
    }
    terminal::data(&format!("`{}` is a right config\n", args.file.display()));
    Ok(())
}
