//! `barrage check`: says what is wrong before anything starts.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use crate::assemble::{self, Facts, Report};
use crate::cli::config::Config;
use crate::cli::options::{OUTPUT, Overrides, Scripts};
use crate::cli::{check_json, config, exit, terminal, trial, watch};
use crate::error::{self, Error};
use crate::recipe::{Recipe, Written};
use crate::script::resolver::Roots;
use crate::{Result, trainer};

/// Check a recipe or a config, and say all that is wrong
///
/// A recipe runs up to its `train(…)`; scripts, imports, parameters, a first batch, shapes, losses, metrics, one step
/// and monitors are checked, the records looked at, the cost of the run estimated. A config needs its records, or
/// `--config-only`. Nothing is written.
#[derive(clap::Args)]
#[command(
    after_help = "Examples: barrage check recipe.rhai\n          barrage check config.json --records train.csv validation.csv"
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

    /// Check the text of a config alone
    ///
    /// Keys, types, ranges and names; what it imports is not looked up.
    #[arg(long)]
    config_only: bool,

    /// Compare gradients with differences of the loss
    ///
    /// Of each prediction and each trained weight, on eight records of the first batch, in 64-bit numbers: shows whether a
    /// scripted loss or layer is differentiated right.
    #[arg(long, conflicts_with_all = ["config_only", "print_config"])]
    gradients: bool,

    /// Print one JSON object instead of text
    ///
    /// It has the keys `file`, `ok`, `errors` and `warnings`, and without errors those of what the run costs.
    #[arg(long, conflicts_with_all = ["watch", "print_config"], help_heading = OUTPUT)]
    json: bool,

    /// Check again whenever a file is saved, until Ctrl-C
    #[arg(long, conflicts_with = "print_config")]
    watch: bool,
}

/// Checks, and returns the exit code.
pub fn run(args: &Args) -> ExitCode {
    if args.overrides.print_config {
        return exit::finish(print_config(args));
    }
    if args.watch {
        let folders = std::iter::once(Roots::project_of(&args.file)).chain(args.scripts.paths.iter().cloned());
        let files = std::iter::once(&args.file).chain(&args.records).cloned();
        return exit::finish(watch::on_save(folders.collect(), files.collect(), &mut || {
            show(args, &look(args));
        }));
    }
    let report = look(args);
    match args.json {
        true => terminal::data(&format!("{:#}\n", check_json::object(&args.file.display().to_string(), &report))),
        false => show(args, &report),
    }
    ExitCode::from(code(&report.errors))
}

/// The exit code: what is wrong with the recipe comes before what is wrong with the records.
fn code(errors: &[Error]) -> u8 {
    errors.iter().map(exit::code).min().unwrap_or(0)
}

/// Checks, and has every error in the report.
fn look(args: &Args) -> Report {
    let looked = match (is_recipe(args), args.config_only) {
        (_, true) => config_only(args),
        (true, _) => recipe(args),
        (false, _) => config(args),
    };
    looked.unwrap_or_else(|error| Report { errors: error.split(), ..Report::default() })
}

fn is_recipe(args: &Args) -> bool {
    args.file.extension().is_some_and(|ending| ending == "rhai")
}

fn config_only(args: &Args) -> Result<Report> {
    let (_, notes) = config::resolve(&args.file, &args.overrides)?;
    Ok(Report { warnings: notes.into_iter().map(Error::recipe).collect(), ..Report::default() })
}

fn config(args: &Args) -> Result<Report> {
    match (config::resolve(&args.file, &args.overrides), config::files_of(&args.records, &args.scripts)) {
        (Ok(resolved), Ok(records)) => {
            let config = Config::of(resolved, &args.file, records, &args.scripts)?;
            Ok(assemble::check(&config.host, &config.wanted(), args.gradients))
        }
        (Err(error), Err(other)) => Err(error.and(other)),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Runs a recipe up to its training.
fn recipe(args: &Args) -> Result<Report> {
    let builder = args.scripts.host(Roots::project_of(&args.file)).overrides(args.overrides.all());
    let report = Arc::new(Mutex::new(None));
    let (place, gradients) = (report.clone(), args.gradients);
    trial::run_recipe(builder, &args.file, move |host, wanted| {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(assemble::check(host, wanted, gradients));
        Ok(())
    })?;
    let report = report.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(report.unwrap_or_default())
}

fn print_config(args: &Args) -> Result<()> {
    if is_recipe(args) && !args.config_only {
        let builder = args.scripts.host(Roots::project_of(&args.file)).overrides(args.overrides.all());
        let builder = builder.print(|text| terminal::message(&format!("{text}\n"))).show_config(terminal::data);
        return builder.build()?.run_file(&args.file).map(drop);
    }
    let written = Written::read(&args.file)?.overridden(&args.overrides.all())?;
    let (recipe, notes) = Recipe::resolve(&written)?;
    terminal::notes(&notes);
    terminal::data(&recipe.explain(&written));
    Ok(())
}

/// Shows a report: errors and warnings on standard error, what the run is on standard output.
fn show(args: &Args, report: &Report) {
    let (errors, warnings) = (&report.errors, &report.warnings);
    let told = terminal::settings().verbosity > terminal::Verbosity::Quiet;
    for warning in warnings.iter().filter(|_| told) {
        terminal::message(&format!("{}\n", error::draw_warning(warning, terminal::colored())));
    }
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let found = counted(errors.len(), "error").into_iter().chain(counted(warnings.len(), "warning"));
    let found = found.collect::<Vec<_>>().join(", ");
    let file = args.file.display();
    if let Some(joined) = Error::join(errors.clone()) {
        exit::report(&joined);
        terminal::message(&format!("`{file}`: {found}\n"));
        return;
    }
    if let Some(facts) = &report.facts {
        terminal::data(&text(facts));
        terminal::data(&gradients(facts));
    }
    let but = if found.is_empty() { found } else { format!(", with {found}") };
    let what = if args.config_only { "a right config" } else { "right" };
    terminal::data(&format!("`{file}` is {what}{but}\n"));
}

/// What the run is made of and what it costs, a line each.
fn text(facts: &Facts) -> String {
    let values = |kind: &str, values: &[assemble::Values]| -> String {
        let line =
            |value: &assemble::Values| format!("{kind:<11} `{}`: {} {:?}\n", value.name, value.dtype, value.shape);
        values.iter().map(line).collect()
    };
    let trainer::Footprint { weights, optimizer, activations } = facts.memory;
    let records = match facts.records_bytes {
        0 => "records are not kept".to_owned(),
        count => format!("{} for the records", bytes(count)),
    };
    let time = &facts.time;
    let bound = match time.is_data_bound() {
        true => "making batches takes longer than computing with them",
        false => "computing takes longer than making batches",
    };
    let frozen = if facts.fixed == 0 { String::new() } else { format!(", {} not", facts.fixed) };
    format!(
        "records     {} for training, {} for validation; {} epochs of {} steps of {}\n\
         {}{}\
         parameters  {} trainable{frozen}\n\
         memory      about {} for weights and gradients, {} for the optimizer, {} for the layers of a batch, {records}\n\
         time        about {} a step ({} making the batch, {} computing), {} an epoch, {} the run at most\n            \
                     {bound}; {} until the first batch; estimated from {} steps, here and now\n",
        facts.records,
        facts.validation_records,
        facts.epochs,
        facts.steps,
        facts.batch_size,
        values("input", &facts.inputs),
        values("output", &facts.outputs),
        facts.trainable,
        bytes(weights),
        bytes(optimizer),
        bytes(activations),
        seconds(time.load + time.compute),
        seconds(time.load),
        seconds(time.compute),
        seconds(time.epoch),
        seconds(time.epoch * facts.epochs as f64 + time.first_load),
        seconds(time.first_load),
        time.measured,
    )
}

/// What gradients were compared, where they were.
fn gradients(facts: &Facts) -> String {
    let of_losses = facts.gradients.iter().filter(|check| check.what.starts_with("the prediction")).count();
    let numbers: usize = facts.gradients.iter().map(|check| check.numbers).sum();
    let worst = facts.gradients.iter().map(|check| check.worst).fold(0.0, f64::max);
    let bits = if facts.gradients.iter().all(|check| check.exact) { "64" } else { "32, which a script insists on" };
    match facts.gradients.len() {
        0 => String::new(),
        all => format!(
            "gradients   those of {of_losses} predictions and {} weights are right: {numbers} numbers against differences \
             of the loss, the worst off by {worst:.0e}; in numbers of {bits} bits\n",
            all - of_losses
        ),
    }
}

fn seconds(time: f64) -> String {
    match time {
        time if time < 1e-3 => format!("{:.0} µs", time * 1e6),
        time if time < 1.0 => format!("{:.1} ms", time * 1e3),
        time if time < 120.0 => format!("{time:.1} s"),
        time if time < 7200.0 => format!("{:.0} min", time / 60.0),
        time => format!("{:.1} h", time / 3600.0),
    }
}

fn bytes(count: usize) -> String {
    match count {
        count if count < 1 << 10 => format!("{count} B"),
        count if count < 1 << 20 => format!("{:.1} KiB", count as f64 / 1024.0),
        count => format!("{:.1} MiB", count as f64 / (1024.0 * 1024.0)),
    }
}
