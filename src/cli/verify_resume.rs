//! `barrage verify-resume`: shows that a run of one's own resumes to the bit.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::Result;
use crate::assemble::{self, Extent, Stop};
use crate::cli::config::Config;
use crate::cli::options::{Overrides, Scripts};
use crate::cli::{terminal, trial};
use crate::error::{Error, Kind};
use crate::script::resolver::Roots;
use crate::script::{Host, Wanted};

/// Show that a run of a recipe resumes exactly
///
/// Does a short run whole, then again, stopped after some steps and resumed, and compares every bit: the report,
/// weights, the state of optimizer and services. Nothing is kept. The exit code is 1 when bits differ.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage verify-resume recipe.rhai\n          \
                        barrage verify-resume config.json --records train.csv validation.csv --stops 10")]
pub struct Args {
    /// The recipe, or a config
    file: PathBuf,

    /// The records a config is run with
    #[arg(long, num_args = 2, value_names = ["TRAIN", "VALIDATION"])]
    records: Vec<PathBuf>,

    /// How often the run is stopped, once in each try
    #[arg(long, value_name = "N", default_value = "4")]
    stops: NonZeroUsize,

    /// Train for at most N epochs
    #[arg(long, value_name = "N", default_value = "3")]
    epochs: NonZeroUsize,

    /// Train and validate on at most N batches an epoch
    #[arg(long, value_name = "N", default_value = "10")]
    limit_batches: NonZeroUsize,

    #[command(flatten)]
    overrides: Overrides,

    #[command(flatten)]
    scripts: Scripts,
}

/// Verifies.
///
/// # Errors
/// Whatever stops a run, and that bits differ.
pub fn run(args: Args) -> Result<()> {
    let extent = Extent { epochs: args.epochs.get(), batches: args.limit_batches.get(), stops: args.stops.get() };
    if args.overrides.print_config {
        return Err(Error::new(Kind::Usage, "`--print-config` shows what `train` and `run` would do")
            .hint("write `barrage check --print-config FILE`"));
    }
    if args.file.extension().is_some_and(|ending| ending == "rhai") {
        let builder = args.scripts.host(Roots::project_of(&args.file)).overrides(args.overrides.all());
        return trial::run_recipe(builder, &args.file, move |host, wanted| verify(host, wanted, extent));
    }
    let config = Config::read(&args.file, &args.overrides, &args.records, &args.scripts)?;
    verify(&config.host, &config.wanted(), extent)
}

fn verify(host: &Host, wanted: &Wanted, extent: Extent) -> Result<()> {
    terminal::notes(wanted.notes);
    let mut tell = |stop: &Stop| {
        let verdict = match stop.differences.len() {
            0 => "the same bits".to_owned(),
            _ => stop.differences.iter().map(|line| format!("\n    {line}")).collect(),
        };
        terminal::data(&format!("stopped {}, step {}: {verdict}\n", stop.position, stop.step));
    };
    let stops = assemble::verify_resume(host, wanted, extent, &mut tell)?;
    match stops.iter().filter(|stop| !stop.differences.is_empty()).count() {
        0 => Ok(()),
        different => Err(Error::run(format!("{different} of {} resumed runs differ from the whole one", stops.len()))
            .hint("does a script use the clock, or keep something outside of `this`?")
            .hint("random numbers of scripts come from the `rng` they are given, or from `random(seed)`")),
    }
}
