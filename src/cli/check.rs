//! `barrage check`: says what is wrong before anything starts.

use std::path::PathBuf;

use crate::cli::options::{Overrides, Scripts};
use crate::cli::{terminal, trial};
use crate::recipe::{Recipe, Written};
use crate::record::Records;
use crate::script::resolver::Roots;
use crate::{Error, Result, assemble};

/// Check a recipe or a config without training, and say everything that is wrong with it at once
///
/// A recipe runs up to its `train(…)`; scripts, imports, parameters, a first batch, shapes, losses, metrics, one forward
/// and backward pass and monitors are checked, and the cost of the run is estimated. A config needs its records for that;
/// with `--config-only` its text alone is checked. The exit code is 0 when all is right, 3 or 4 when it is not.
#[derive(clap::Args)]
#[command(
    after_help = "Examples: barrage check recipe.rhai\n          barrage check config.json --records train.csv validation.csv\n          \
                        barrage check --config-only config.json"
)]
pub struct Args {
    /// The recipe, or a config
    file: PathBuf,

    /// The records a config is checked with
    #[arg(long, num_args = 2, value_names = ["TRAIN", "VALIDATION"])]
    records: Vec<PathBuf>,

    #[command(flatten)]
    overrides: Overrides,

    #[command(flatten)]
    scripts: Scripts,

    /// Check keys, types and ranges of a config alone: what it imports is not looked up
    #[arg(long)]
    config_only: bool,
}

/// Checks.
pub fn run(args: Args) -> Result<()> {
    if !args.config_only && args.file.extension().is_some_and(|ending| ending == "rhai") {
        return recipe(&args);
    }
    let written = Written::read(&args.file)?.overridden(&args.overrides.all())?;
    let (recipe, notes) = Recipe::resolve(&written)?;
    if args.config_only || args.overrides.print_config {
        terminal::notes(&notes);
        terminal::data(&match args.overrides.print_config {
            true => recipe.explain(&written),
            false => format!("`{}` is a right config\n", args.file.display()),
        });
        return Ok(());
    }
    let [train, validation] = args.records.as_slice() else {
        return Err(Error::new(crate::error::Kind::Usage, "a config is checked with its records")
            .hint("name them with `--records TRAIN VALIDATION`, or give `--config-only`"));
    };
    let train = Records::read(train)?;
    assemble::check_not_empty(&train, "training")?;
    let validation = Records::read_as(validation, train.schema())?;
    let host = args.scripts.host(Roots::project_of(&args.file)).build()?;
    let report = assemble::check(&host, &recipe, &notes, &train, &validation)?;
    terminal::data(&report.text());
    Ok(())
}

/// Runs a recipe up to its training.
fn recipe(args: &Args) -> Result<()> {
    let builder = args.scripts.host(Roots::project_of(&args.file)).overrides(args.overrides.all());
    trial::run_recipe(builder, &args.file, |host, wanted| {
        let report = assemble::check(host, wanted.recipe, wanted.notes, wanted.train, wanted.validation)?;
        terminal::data(&report.text());
        Ok(())
    })
}
