//! `barrage help`: commands, functions, components, exit codes.

use std::path::PathBuf;

use crate::Result;
use crate::cli::{command, exit, terminal};
use crate::error::{Error, Kind, codes, did_you_mean};
use crate::script::api::PAGES;
use crate::script::resolver::Roots;
use crate::script::{Host, manual};

/// Explain a function, a component, a page of the manual, an error code, `error-codes` or `exit-codes`
///
/// A component is built in, or a script of the project.
#[derive(clap::Args)]
#[command(
    after_help = "Examples: barrage help Adam\n          barrage help split\n          barrage help B0101\n          barrage help components.noise"
)]
pub struct Args {
    /// What to explain; without it, the commands and the pages of the manual
    name: Option<String>,

    /// Write all pages as Markdown files into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    write: Option<PathBuf>,

    /// Print the definitions of all functions, for editors that know Rhai
    ///
    /// They are those of `docs/barrage.d.rhai`.
    #[arg(long, conflicts_with_all = ["name", "write"])]
    definitions: bool,
}

/// Prints the help.
pub fn run(args: Args) -> Result<()> {
    if let Some(folder) = args.write {
        return write(&folder);
    }
    if args.definitions {
        terminal::data(&manual::definitions());
        return Ok(());
    }
    let mut command = command();
    // A verb's usage then names the program too.
    command.build();
    let text = match args.name.as_deref() {
        None => format!("{}\n{}", command.render_help(), names()),
        Some("exit-codes") => exit::CODES.to_owned(),
        Some("error-codes") => {
            codes::pages().map(|page| format!("{}  {}\n", page.code, page.title)).collect::<String>()
        }
        Some(name) if is_code(name) => match codes::page(name) {
            Some(page) => page.plain(),
            None => {
                return Err(Error::new(Kind::Usage, format!("there is no error code `{name}`"))
                    .coded(codes::NO_HELP)
                    .maybe_hint(did_you_mean(name, codes::pages().map(|page| page.code)))
                    .hint("`barrage help error-codes` lists them"));
            }
        },
        Some(name) => match command.find_subcommand_mut(name) {
            Some(verb) => verb.render_help().to_string(),
            None => match manual::help(name) {
                Err(_) if name.contains('.') && !name.starts_with("std.") => script(name)?,
                found => found.map_err(|error| error.of_kind(Kind::Usage))?,
            },
        },
    };
    terminal::data(&text);
    Ok(())
}

/// The help on a script of the project around the current folder.
fn script(path: &str) -> Result<String> {
    let root = Roots::project_of(std::path::Path::new("recipe.rhai"));
    manual::help_on_script(&Host::builder(root).build()?, path)
}

/// What else there is help on, to be asked for by name.
fn names() -> String {
    let pages = PAGES.iter().map(|page| page.name);
    let components = manual::sections().into_iter().map(|section| section.name);
    format!(
        "Explained by `barrage help NAME`:\n  types and functions: {}\n  built-in components: {}\n  and each function and \
         component: {}\n",
        pages.collect::<Vec<_>>().join(", "),
        components.collect::<Vec<_>>().join(", "),
        "split, tensor, KeySelector, Adam, mean_squared_error ..."
    )
}

fn is_code(name: &str) -> bool {
    let digits = name.strip_prefix(['B', 'b']).unwrap_or("");
    digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn write(folder: &std::path::Path) -> Result<()> {
    crate::artifact::make_folder(folder)?;
    for (name, text) in manual::pages() {
        crate::artifact::write_atomic(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}
