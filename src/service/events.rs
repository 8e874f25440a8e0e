//! One line for each event of a run: the source for progress, report and comparison.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::artifact::{layout, read, write_atomic};
use crate::error::Result;
use crate::registry::Entry;
use crate::service::{Moment, Service, clock};

/// Writes `events.jsonl`: `run_begin`, `epoch` with all logs, `stop` with the reason, `run_end`. Epochs count
/// from 0; a value that is not finite is a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Events;

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "events",
    aliases: &["Events"],
    doc: "Writes one line for each event of the run.",
    parameters: &[],
    build: |_| Ok(Box::new(Events)),
};

impl Service for Events {
    fn name(&self) -> &str {
        ENTRY.name
    }

    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let path = moment.folder.join(layout::EVENTS);
        let earlier = match moment.epoch > 0 && path.exists() {
            true => before_epoch(&path, moment.epoch)?,
            false => String::new(),
        };
        write_atomic(&path, earlier.as_bytes())?;
        let event = json!({ "resumed": moment.step > 0, "epoch": moment.epoch, "step": moment.step });
        write(moment, "run_begin", event)
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let logs: Map<String, Value> = moment.logs.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
        let rate = number(moment.learning_rate);
        let event = json!({ "epoch": moment.epoch, "step": moment.step, "learning_rate": rate, "logs": logs });
        write(moment, "epoch", event)
    }

    fn on_train_end(&mut self, moment: &mut Moment) -> Result<()> {
        if let Some(reason) = moment.control.stop.clone() {
            let mut event = json!({ "reason": reason, "epoch": moment.epoch, "step": moment.step });
            if !moment.control.details.is_empty() {
                event["details"] = json!(moment.control.details);
            }
            write(moment, "stop", event)?;
        }
        write(moment, "run_end", json!({ "step": moment.step }))
    }
}

fn write(moment: &Moment, name: &str, fields: Value) -> Result<()> {
    let mut event = Map::new();
    event.insert("event".to_owned(), name.into());
    event.insert("time".to_owned(), clock::rfc3339(clock::now()).into());
    if let Value::Object(fields) = fields {
        event.extend(fields);
    }
    moment.writer.append(&moment.folder.join(layout::EVENTS), format!("{}\n", Value::Object(event)).into_bytes())
}

fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(format!("{value:?}")), Value::Number)
}

/// Returns the lines up to the last finished epoch before `epoch`; what came after did not happen.
fn before_epoch(path: &Path, epoch: usize) -> Result<String> {
    // A killed process may have left half a character at the end.
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut end = 0;
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        position += line.len();
        let event: Value = serde_json::from_str(line).unwrap_or(Value::Null);
        let number = event["epoch"].as_u64().and_then(|number| usize::try_from(number).ok());
        let finished = event["event"] == "epoch" && number.is_some_and(|number| number < epoch);
        if finished && line.ends_with('\n') {
            end = position;
        }
    }
    Ok(text[..end].to_owned())
}
