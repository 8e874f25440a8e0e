//! `barrage completions`: completion scripts of shells.

use clap_complete::Shell;

use crate::Result;
use crate::cli::{command, terminal};

/// Print the completion script of a shell
#[derive(clap::Args)]
#[command(after_help = "Example: barrage completions bash > ~/.local/share/bash-completion/completions/barrage")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(args: Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "barrage", &mut script);
    terminal::data(&String::from_utf8_lossy(&script));
    Ok(())
}
