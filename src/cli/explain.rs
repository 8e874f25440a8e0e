//! `barrage explain`: says how each station is run, and why.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::config::Config;
use crate::cli::options::{Overrides, Scripts};
use crate::cli::{terminal, trial};
use crate::error;
use crate::script::resolver::Roots;
use crate::script::vectorise::{How, Report};
use crate::{Result, assemble};

/// Say how each loader, transformer and augmentor is run, and why
///
/// A vectorised function of a script runs once for many records, on whole columns; an interpreted one runs record by
/// record, which takes about a microsecond for each. What makes a function be interpreted is said with its line. The
/// recipe runs up to its `train(…)` and its records are loaded; nothing is trained and nothing written.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage explain recipe.rhai\n          \
barrage explain config.json --records train.csv validation.csv")]
pub struct Args {
    /// The recipe, or a config
    file: PathBuf,

    /// The records a config is explained with
    #[arg(long, num_args = 2, value_names = ["TRAIN", "VALIDATION"])]
    records: Vec<PathBuf>,

    #[command(flatten)]
    overrides: Overrides,

    #[command(flatten)]
    scripts: Scripts,
}

/// Explains.
pub fn run(args: Args) -> Result<()> {
    let reports = match args.file.extension().is_some_and(|ending| ending == "rhai") {
        true => recipe(&args)?,
        false => config(&args)?,
    };
    for warning in reports.iter().filter_map(Report::warning) {
        terminal::message(&format!("{}\n", error::draw_warning(&warning, terminal::colored())));
    }
    terminal::data(&text(&reports));
    Ok(())
}

fn recipe(args: &Args) -> Result<Vec<Report>> {
    let builder = args.scripts.host(Roots::project_of(&args.file)).overrides(args.overrides.all());
    let reports = Arc::new(Mutex::new(Vec::new()));
    let place = reports.clone();
    trial::run_recipe(builder, &args.file, move |host, wanted| {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = assemble::explain(host, wanted)?;
        Ok(())
    })?;
    let reports = std::mem::take(&mut *reports.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(reports)
}

fn config(args: &Args) -> Result<Vec<Report>> {
    let config = Config::read(&args.file, &args.overrides, &args.records, &args.scripts)?;
    assemble::explain(&config.host, &config.wanted())
}

/// A line for each station.
fn text(reports: &[Report]) -> String {
    let name = |report: &Report| match report.import.ends_with(&format!(".{}", report.function)) {
        true => report.import.clone(),
        false => format!("{} {}", report.import, report.function).trim_end().to_owned(),
    };
    let wide = reports.iter().map(|report| name(report).chars().count()).max().unwrap_or(0);
    let line = |report: &Report| {
        let how = match &report.how {
            How::Interpreted { .. } => format!("interpreted: {}", report.how.why().unwrap_or_default()),
            other => other.name().to_owned(),
        };
        format!("{:<11}  {:<wide$}  {how}\n", report.slot, name(report))
    };
    reports.iter().map(line).collect()
}
