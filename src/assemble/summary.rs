//! What a run says about its data once it is over: how long training waited for it, and what each record function
//! of a script cost (why one is interpreted: with `--verbose`, and among the events).

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::artifact::{self, layout};
use crate::assemble::{Run, screen};
use crate::clock::Stopwatch;
use crate::error::{Error, Result};
use crate::script::Host;
use crate::script::vectorise::{How, Report};
use crate::service::clock;
use crate::trainer::{History, Progress};

/// Trains, tells the person what the scripts' functions cost, and notes it among the events of the run.
///
/// # Errors
/// See [`Run::train`].
pub(super) fn train(host: &Host, run: &mut Run, folder: &Path, progress: &mut dyn Progress) -> Result<History> {
    let before = run.trainer.train_data().waited();
    let stopwatch = Stopwatch::start();
    let history = run.train(progress);
    let took = stopwatch.elapsed();
    let functions = host.functions();
    let own: Vec<&Report> = functions.iter().filter(|report| report.records_in_all() > 0).collect();
    for report in own.iter().filter(|report| !matches!(report.how, How::Native)) {
        host.trace(|| report.to_string());
    }
    if let Some(line) = costs(&own) {
        progress.message(&line);
    }
    replaced(run, folder, progress)?;
    let waited = run.trainer.train_data().waited().saturating_sub(before);
    note(folder, waited, took, &own)?;
    history
}

/// Tells of the records that failed in training, and adds them to the quarantine where there is to be one.
fn replaced(run: &Run, folder: &Path, progress: &mut dyn Progress) -> Result<()> {
    let data = run.trainer.train_data();
    let failed = data.replaced();
    if failed.is_empty() {
        return Ok(());
    }
    let noun = if failed.len() == 1 { "record" } else { "records" };
    progress
        .message(&format!("{} training {noun} failed on the way to a batch; others took their places", failed.len()));
    match run.quarantine {
        false => Ok(()),
        true => {
            let line = |(row, error): (&usize, &Error)| screen::line(&data.records().record(*row), error);
            screen::add(&folder.join(layout::QUARANTINE), &failed.iter().map(line).collect::<Vec<_>>())
        }
    }
}

/// Returns what each function of a script cost; `None` when there is none.
fn costs(functions: &[&Report]) -> Option<String> {
    let cost = |report: &&&Report| match report.how {
        How::Native => None,
        How::Vectorised => Some(format!("{:.2} µs in {}", report.microseconds(), report.name())),
        How::Interpreted { .. } => Some(format!("{:.2} µs in {} (interpreted)", report.microseconds(), report.name())),
    };
    let costs: Vec<String> = functions.iter().filter_map(|report| cost(&report)).collect();
    (!costs.is_empty()).then(|| format!("a record took {}", costs.join(", ")))
}

/// Adds an event `data`, when the run writes events.
fn note(folder: &Path, waited: Duration, took: Duration, functions: &[&Report]) -> Result<()> {
    let path = folder.join(layout::EVENTS);
    if !path.is_file() {
        return Ok(());
    }
    let one = |report: &&Report| {
        json!({
            "station": report.slot,
            "import": report.import,
            "function": report.function,
            "how": report.how.name(),
            "why": report.how.why(),
            "records": report.records_in_all(),
            "microseconds_per_record": report.microseconds(),
        })
    };
    let event = json!({
        "event": "data",
        "time": clock::rfc3339(clock::now()),
        "seconds": took.as_secs_f64(),
        "waited_seconds": waited.as_secs_f64(),
        "functions": functions.iter().map(one).collect::<Vec<_>>(),
    });
    let mut text = artifact::read_text(&path)?;
    text.push_str(&format!("{event}\n"));
    artifact::write_atomic(&path, text.as_bytes())
}
