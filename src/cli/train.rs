//! `barrage train`: trains from a config file and two data files.

use std::path::PathBuf;

use crate::cli::options::{Limits, Overrides, Scripts, Training};
use crate::cli::trial::Trials;
use crate::cli::{resume, terminal};
use crate::error::{Error, Kind};
use crate::recipe::{Recipe, Written};
use crate::record::Records;
use crate::script::Wanted;
use crate::script::resolver::Roots;
use crate::{Result, assemble};

/// Train from a config file, training records and validation records
///
/// The config has the four sections `dataset`, `model`, `solver` and `services`; it is JSON (comments allowed),
/// TOML or YAML.
/// Scripts it imports are looked up below the config's project root. Records are CSV, JSON or JSONL.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage train config.json train.csv validation.csv -a artifacts\n          \
barrage train config.json train.csv validation.csv solver.epochs=3")]
pub struct Args {
    /// The config
    #[arg(required_unless_present = "resume")]
    config: Option<PathBuf>,

    /// The training records
    #[arg(required_unless_present = "resume")]
    train: Option<PathBuf>,

    /// The validation records
    #[arg(required_unless_present = "resume")]
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

    #[command(flatten)]
    overrides: Overrides,

    #[command(flatten)]
    limits: Limits,

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
    let (Some(config), Some(train), Some(validation)) = (&args.config, &args.train, &args.validation) else {
        return Err(Error::new(Kind::Usage, "a config, training records and validation records are needed"));
    };
    let written = Written::read(config)?.overridden(&args.overrides.all())?;
    let (recipe, notes) = Recipe::resolve(&written)?;
    if args.overrides.print_config {
        terminal::notes(&notes);
        terminal::data(&recipe.explain(&written));
        return Ok(());
    }
    let train = Records::read(train)?;
    assemble::check_not_empty(&train, "training")?;
    // The schema of the training records holds for every later file.
    let validation = Records::read_as(validation, train.schema())?;
    terminal::trace(&format!("read {} training and {} validation records", train.len(), validation.len()));
    let builder = args.scripts.host(Roots::project_of(config)).overwrite(args.overwrite);
    let host = builder.limit_batches(args.limits.batches()).build()?;
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
