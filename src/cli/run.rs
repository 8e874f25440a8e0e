//! `barrage run`: runs a recipe.

use std::path::{Path, PathBuf};

use crate::cli::options::{Limits, Overrides, Prepared, Scripts, Training};
use crate::cli::terminal;
use crate::cli::trial::{self, Trials};
use crate::error::codes;
use crate::error::near_file;
use crate::script::resolver::Roots;
use crate::{Error, Result};

/// Run a recipe: a script that reads records, trains and scores
///
/// The project root is the nearest parent folder with a `barrage.toml`, else the recipe's own folder; scripts
/// and data are named relative to it.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage run examples/iris_scripted/recipe.rhai")]
pub struct Args {
    /// The recipe
    recipe: PathBuf,

    /// Use this folder as the project root
    ///
    /// A script from elsewhere then works on files below it.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    #[command(flatten)]
    overrides: Overrides,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    prepared: Prepared,

    #[command(flatten)]
    scripts: Scripts,

    #[command(flatten)]
    training: Training,

    /// Move an existing run out of the way, to DIR.1 …
    #[arg(long)]
    overwrite: bool,

    /// Take over scripts that are saved between two epochs
    ///
    /// An edited script is checked on a batch first; one with a mistake is shown, and the run goes on with what it has.
    #[arg(long)]
    watch: bool,

    /// What the recipe's `args()` returns
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,

    // Last, as its heading would stand above what follows.
    #[command(flatten)]
    trials: Trials,
}

/// Runs the recipe.
pub fn run(args: Args) -> Result<()> {
    args.training.set();
    check(&args.recipe)?;
    let root = args.root.unwrap_or_else(|| Roots::project_of(&args.recipe));
    let mut builder = args
        .scripts
        .host(root)
        .overwrite(args.overwrite)
        .watch(args.watch)
        .fitted(args.prepared.fitted)
        .overrides(args.overrides.all())
        .limit_batches(args.limits.batches())
        .arguments(args.arguments);
    if let Some(trial) = args.trials.chosen() {
        return trial::run_recipe(builder, &args.recipe, move |host, wanted| trial.run(host, wanted));
    }
    if args.overrides.print_config {
        // What the script prints is not part of the config.
        builder = builder.print(|text| terminal::message(&format!("{text}\n"))).show_config(terminal::data);
    }
    builder.build()?.run_file(&args.recipe).map(drop)
}

/// What is no recipe is refused before a project root is looked for.
pub(super) fn check(recipe: &Path) -> Result<()> {
    let name = recipe.display();
    if recipe.is_dir() {
        let inside = recipe.join("recipe.rhai");
        let hint = inside.is_file().then(|| format!("run `{}`", inside.display()));
        return Err(Error::script(format!("`{name}` is a folder, expected a recipe"))
            .coded(codes::WRONG_FILE)
            .maybe_hint(hint));
    }
    if !recipe.exists() {
        let folder = recipe.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
        let why = folder.map(|folder| format!(": there is no folder `{}`", folder.display())).unwrap_or_default();
        return Err(Error::script(format!("there is no recipe `{name}`{why}"))
            .coded(codes::WRONG_FILE)
            .maybe_hint(near_file(recipe)));
    }
    match recipe.extension().and_then(|ending| ending.to_str()) {
        Some("json" | "json5" | "toml" | "yaml" | "yml") => {
            Err(Error::script(format!("`{name}` is a config, expected a recipe"))
                .coded(codes::WRONG_FILE)
                .hint(format!("train it with `barrage train {name} TRAIN VALIDATION`")))
        }
        _ => Ok(()),
    }
}
