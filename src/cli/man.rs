//! `barrage man`: manual pages of the commands.

use std::path::PathBuf;

use crate::cli::{command, terminal};
use crate::{Error, Result, artifact};

/// Print the manual page of the program, or write one for each command
#[derive(clap::Args)]
#[command(after_help = "Example: barrage man --out man1")]
pub struct Args {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints or writes the pages.
pub fn run(args: Args) -> Result<()> {
    let command = command();
    let Some(folder) = args.out else {
        terminal::data(&String::from_utf8_lossy(&page(command, "barrage")?));
        return Ok(());
    };
    artifact::make_folder(&folder)?;
    artifact::write_atomic(&folder.join("barrage.1"), &page(command.clone(), "barrage")?)?;
    for verb in command.get_subcommands() {
        let name = format!("barrage-{}", verb.get_name());
        artifact::write_atomic(&folder.join(format!("{name}.1")), &page(verb.clone(), &name)?)?;
    }
    Ok(())
}

fn page(command: clap::Command, title: &str) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .title(title)
        .render(&mut page)
        .map_err(|error| Error::artifact(format!("cannot print the manual page: {error}")))?;
    Ok(page)
}
