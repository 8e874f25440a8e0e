//! `barrage search`: runs the trials of a recipe.

use std::path::PathBuf;
use std::time::Instant;

use std::sync::Mutex;

use crate::cli::options::Scripts;
use crate::cli::terminal;
use crate::record::Records;
use crate::script::resolver::Roots;
use crate::script::search::{self, Settings};
use crate::search::{Event, Metric, Outcome, Status};
use crate::{Error, Result};

/// Try a recipe with many hyperparameters
///
/// The recipe's function `search()` says what is tried; each trial runs the recipe, where `hparams()` returns its
/// values. A config of an experiment names the recipe and says it in its sections. The table of results goes to standard output and to `results.csv` in the folder of the search. A search that
/// was interrupted or killed goes on with the same command.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage search recipe.rhai --workers 2\nMore: barrage help searches")]
pub struct Args {
    /// The recipe, or the config of an experiment
    recipe: PathBuf,

    /// Only print how many trials would go how far
    #[arg(long)]
    preview: bool,

    /// How many trials run at once
    #[arg(short, long, value_name = "N")]
    workers: Option<std::num::NonZeroUsize>,

    /// The folder of the search, below the project root
    #[arg(short, long, value_name = "DIR")]
    folder: Option<String>,

    /// The seed of draws and of trials
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Use this folder as the project root
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    #[command(flatten)]
    scripts: Scripts,

    /// What the recipe's `args()` returns
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// Searches.
pub fn run(args: Args) -> Result<()> {
    // Anything but a script is a config, and says itself what is wrong with it.
    if args.recipe.extension().is_none_or(|ending| ending == "rhai") {
        crate::cli::run::check(&args.recipe)?;
    }
    let root = args.root.unwrap_or_else(|| Roots::project_of(&args.recipe));
    let host = args.scripts.host(root).arguments(args.arguments).build()?;
    let (recipe, domain, declared) = search::declared(&host, &args.recipe)?;
    let given = Settings {
        folder: args.folder,
        seed: args.seed,
        workers: args.workers.map(usize::from),
        ..Settings::default()
    };
    let settings = given.or(declared);
    let searcher = settings.searcher.clone().unwrap_or_default();
    if args.preview {
        let records = crate::search::preview(&domain, &searcher, settings.seed.unwrap_or(0))?;
        terminal::data(&table(&records)?);
        return Ok(());
    }
    let count = searcher.configs(&domain, settings.seed.unwrap_or(0))?.len();
    let begun: Mutex<Vec<(usize, Instant)>> = Mutex::default();
    let tell = |event: Event| match event {
        Event::Found(found) => terminal::notes(&[format!("{found} of {count} trials are done already")]),
        Event::Begin(trial) => {
            if let Ok(mut begun) = begun.lock() {
                begun.push((trial.number, Instant::now()));
            }
        }
        Event::Replaced(trial, reason) => {
            let note = format!("trial {}/{count} begins anew with other hyperparameters: {reason}", trial.number);
            terminal::notes(&[note]);
        }
        Event::End(outcome) => {
            let seconds = begun.lock().ok().and_then(|begun| {
                begun.iter().find(|(number, _)| *number == outcome.number).map(|(_, at)| at.elapsed().as_secs_f64())
            });
            terminal::message(&line(outcome, count, seconds.unwrap_or(0.0)));
        }
    };
    let records = search::run(&host, &recipe, domain, settings, &tell)?;
    terminal::data(&table(&records)?);
    if let Some(best) = searcher.metric.as_ref().and_then(|metric| best(&records, metric)) {
        terminal::notes(&[best]);
    }
    let failed = records.texts("status")?.iter().filter(|status| &***status == "failed").count();
    match failed {
        0 => Ok(()),
        failed => Err(Error::run(format!("{failed} of {count} trials failed"))
            .hint("their errors are in the table, what they printed in `output.txt` of their folders")),
    }
}

fn line(outcome: &Outcome, count: usize, seconds: f64) -> String {
    let pairs = |map: &serde_json::Map<String, serde_json::Value>| {
        map.iter().map(|(name, value)| format!("{name} {}", short(value))).collect::<Vec<_>>().join(", ")
    };
    let result = match (&outcome.error, outcome.reports.last()) {
        (Some(error), _) => format!("{}: {error}", outcome.status.name()),
        (None, Some(last)) if outcome.status == Status::Stopped => format!("stopped at {}", pairs(last)),
        (None, Some(last)) => pairs(last),
        (None, None) => "nothing reported".to_owned(),
    };
    format!("trial {}/{count}  {}: {result}  ({seconds:.1} s)\n", outcome.number, pairs(&outcome.values))
}

/// Says which trial did best, of those that came to their end.
fn best(records: &Records, metric: &Metric) -> Option<String> {
    let turned = |value: f64| if metric.smaller_is_better { value } else { -value };
    let of_trial = |record: &crate::record::Record| {
        let text = |name: &str| record.get_or(name).ok()?;
        let done = matches!(text("status")?.to_json().ok()?, serde_json::Value::String(status) if status == "done");
        let value = text(&metric.name)?.to_json().ok()?.as_f64().filter(|_| done)?;
        Some((text("trial")?.to_json().ok()?.as_u64()?, value))
    };
    let (number, value) = records
        .iter()
        .filter_map(|record| of_trial(&record))
        .min_by(|(_, a), (_, b)| turned(*a).total_cmp(&turned(*b)))?;
    Some(format!("trial {number} did best: {} {}", metric.name, short(&serde_json::Value::from(value))))
}

/// Returns a value for the eye: numbers with six digits. The file has all of them.
fn short(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        value if value.is_f64() => {
            let number = value.as_f64().unwrap_or(f64::NAN);
            let digits = (5 - number.abs().log10().floor().clamp(-9.0, 5.0) as i64).max(0) as usize;
            let text = format!("{number:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        value => value.to_string(),
    }
}

/// Returns all rows as text, columns aligned.
fn table(records: &Records) -> Result<String> {
    let mut rows: Vec<Vec<String>> = vec![records.columns().iter().map(|name| name.to_string()).collect()];
    for record in records.iter() {
        let cells = record.keys().iter().map(|name| {
            Ok(match record.get_or(name)? {
                None => String::new(),
                Some(value) => match value.to_json()? {
                    serde_json::Value::Null => String::new(),
                    value => short(&value),
                },
            })
        });
        rows.push(cells.collect::<Result<_>>()?);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    Ok(rows.iter().map(line).collect())
}
