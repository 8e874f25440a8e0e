//! What a run says about its data once it is over: how long training waited for it, and what each record function
//! of a script cost (with `--verbose` and among the events; to everyone when it held the run up).

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::artifact::{self, layout};
use crate::assemble::Run;
use crate::clock::Stopwatch;
use crate::error::Result;
use crate::script::Host;
use crate::script::vectorise::{How, Report};
use crate::service::clock;
use crate::trainer::{History, Progress};

/// Trains, tells the person what the scripts' functions cost, and notes it among the events of the run.
///
/// # Errors
/// See [`Run::train`].
pub(super) fn train(host: &Host, run: &mut Run, folder: &Path, progress: &mut dyn Progress) -> Result<History> {
    let known = host.functions().len();
    let stopwatch = Stopwatch::start();
    let history = run.train(progress);
    let took = stopwatch.elapsed();
    // Of a host that trains several runs, the functions of this one are the latest.
    let functions = host.functions();
    let own = functions.iter().skip(known.saturating_sub(MOST_STATIONS)).filter(|report| report.records_in_all() > 0);
    let own: Vec<&Report> = own.collect();
    for report in own.iter().filter(|report| !matches!(report.how, How::Native)) {
        host.trace(|| report.to_string());
        // What runs at native speed, and what costs nothing to speak of, is no news.
        let share = report.time.as_secs_f64() / took.as_secs_f64().max(1e-9);
        if matches!(report.how, How::Interpreted { .. }) && share > WORTH_A_LINE {
            progress.message(&report.to_string());
        }
    }
    note(folder, run.trainer.train_data().waited(), took, &own)?;
    history
}

/// The share of a run's time from which on an interpreted function is told to the person.
const WORTH_A_LINE: f64 = 0.1;

/// Loader, transformer and a chain of augmentors: more functions than this are of another run.
const MOST_STATIONS: usize = 16;

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
