//! `barrage train`: trains from a config file and two data files.

use std::path::PathBuf;

use crate::cli::options::{Limits, Overrides, Prepared, Scripts, Training};
use crate::cli::trial::Trials;
use crate::cli::{config, resume, terminal};
use crate::error::Kind;
use crate::recipe::{self, Recipe, Written};
use crate::script::Wanted;
use crate::script::resolver::Roots;
use crate::{Error, Result, assemble};

/// Train from a config file and two files of records
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage train config.json train.csv validation.csv -a artifacts\n          \
barrage train config.json train.csv validation.csv solver.epochs=3")]
pub struct Args {
    /// The config: JSON with comments, TOML or YAML
    #[arg(required_unless_present = "resume")]
    config: Option<PathBuf>,

    /// The training records
    ///
    /// They are not needed when the loader's script makes them (`make_data_loaders`).
    train: Option<PathBuf>,

    /// The validation records
    validation: Option<PathBuf>,

    /// Go on with the run in DIR, which needs nothing else
    ///
    /// The same as `barrage resume DIR`.
    #[arg(long, value_name = "DIR")]
    #[arg(conflicts_with_all = ["config", "artifacts", "overwrite", "bare", "set", "print_config", "limit_batches"])]
    #[arg(conflicts_with_all = ["dry_run", "overfit_batch", "lr_find"])]
    resume: Option<PathBuf>,

    /// The artifact folder
    ///
    /// It must not hold a run yet.
    #[arg(short, long, value_name = "DIR", default_value = "artifacts")]
    artifacts: PathBuf,

    /// Move an existing run out of the way, to DIR.1 …
    #[arg(long)]
    overwrite: bool,

    /// Take over scripts that are saved between two epochs
    ///
    /// An edited script is checked on a batch first; one with a mistake is shown, and the run goes on with what it has.
    #[arg(long)]
    watch: bool,

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

    // Last, as its heading would stand above what follows.
    #[command(flatten)]
    trials: Trials,
}

/// Trains.
pub fn run(args: Args) -> Result<()> {
    args.training.set();
    if let Some(folder) = &args.resume {
        return resume::go_on(folder, &args.scripts);
    }
    let Some(file) = &args.config else {
        return Err(Error::new(Kind::Usage, "a config is needed"));
    };
    // Without data files the first changes to the config stand in their places.
    let (data, misplaced): (Vec<PathBuf>, Vec<PathBuf>) = [args.train, args.validation]
        .into_iter()
        .flatten()
        .partition(|name| name.exists() || recipe::check_override(&name.to_string_lossy()).is_err());
    if data.len() == 1 {
        return Err(Error::new(Kind::Usage, "the validation records are missing")
            .hint("barrage train CONFIG TRAIN VALIDATION; without both, the loader's script has to make them"));
    }
    let misplaced = misplaced.into_iter().map(|name| name.to_string_lossy().into_owned());
    let changes: Vec<String> = misplaced.chain(args.overrides.all()).collect();
    let written = Written::read(file)?.overridden(&changes)?;
    let (recipe, notes) = Recipe::resolve(&written)?;
    if args.overrides.print_config {
        terminal::notes(&notes);
        terminal::data(&recipe.explain(&written));
        return Ok(());
    }
    let builder = args.scripts.host(Roots::project_of(file)).overwrite(args.overwrite);
    let builder = builder.watch(args.watch).fitted(args.prepared.fitted);
    let host = builder.limit_batches(args.limits.batches()).build()?;
    let (train, validation) = match config::files_of(&data, &args.scripts)? {
        Some(records) => records,
        None => assemble::data_loaders(&host, &recipe)?,
    };
    terminal::trace(&format!("read {} training and {} validation records", train.len(), validation.len()));
    if let Some(trial) = args.trials.chosen() {
        let (recipe, notes, folder) = (&recipe, &*notes, &*args.artifacts);
        let wanted =
            Wanted { recipe, notes, train: &train, validation: &validation, folder, overwrite: args.overwrite };
        return trial.run(&host, &wanted);
    }
    let history = assemble::train(&host, &recipe, &notes, &train, &validation, &args.artifacts, args.overwrite)?;
    // A recipe can look at why a run ended; who calls this command sees the exit code.
    assemble::refuse_divergence(&history)
}
