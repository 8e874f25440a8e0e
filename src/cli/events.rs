//! `--json`: what happens, one JSON object a line on standard output. `docs/events.schema.json` says which events
//! there are and what stands in them.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::artifact::{Purpose, Saved};
use crate::cli::terminal;
use crate::error::{Error, Kind, Place};
use crate::service::clock;
use crate::trainer::{EpochRow, History, Run};

/// The schema of the events, as `barrage schema --events` prints it.
pub const SCHEMA: &str = include_str!("../../docs/events.schema.json");

/// A run begins.
pub fn start(run: &Run, threads: usize) {
    write(
        "start",
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "folder": path(&run.folder),
            "epochs": run.epochs,
            "first_epoch": run.first_epoch,
            "steps_per_epoch": run.batches,
            "step": run.step,
            "records": run.records,
            "validation_records": run.validation_records,
            "trainable": run.trainable,
            "seed": run.seed,
            "device": run.device,
            "threads": threads,
        }),
    );
}

/// An epoch is over, validation included.
pub fn epoch(row: &EpochRow, seconds: f64) {
    let logs: Map<String, Value> = row.logs.iter().map(|(name, value)| (name.clone(), number(*value))).collect();
    write(
        "epoch",
        json!({
            "epoch": row.epoch,
            "step": row.step,
            "learning_rate": number(row.learning_rate),
            "seconds": seconds,
            "logs": logs,
        }),
    );
}

/// A checkpoint is on the disk.
pub fn checkpoint(saved: &Saved) {
    let purpose = match saved.purpose {
        Purpose::Best => "best",
        Purpose::Resume => "resume",
    };
    write(
        "checkpoint",
        json!({ "purpose": purpose, "path": path(&saved.path), "epoch": saved.epoch, "step": saved.step }),
    );
}

/// The run or a service has something to say.
pub fn message(text: &str) {
    write("message", json!({ "text": text }));
}

/// A script printed a text.
pub fn print(text: &str) {
    write("print", json!({ "text": text }));
}

/// The run is over, whether it reached its last epoch or not.
pub fn end(history: &History, seconds: f64) {
    write(
        "end",
        json!({
            "epochs": history.epochs.len(),
            "steps": history.steps,
            "seconds": seconds,
            "stopped": history.stopped,
            "details": history.details,
            "interrupted": history.interrupted,
        }),
    );
}

/// The program ends with an error; each of several that were found together is one event.
pub fn error(error: &Error, exit_code: u8) {
    let kind = match error.kind() {
        Kind::Recipe => "recipe",
        Kind::Script => "script",
        Kind::Data => "data",
        Kind::Artifact => "artifact",
        Kind::Run => "run",
        Kind::Usage => "usage",
        Kind::Interrupted => "interrupted",
    };
    let calls: Vec<Value> = error
        .frames()
        .iter()
        .map(|frame| json!({ "function": frame.function, "place": frame.place.as_ref().map(place) }))
        .collect();
    write(
        "error",
        json!({
            "kind": kind,
            "exit_code": exit_code,
            "code": error.code(),
            "message": error.message(),
            "context": error.context(),
            "hints": error.hints(),
            "place": error.place().map(place),
            "label": error.span_label(),
            "calls": calls,
        }),
    );
}

/// A span of a file: lines and columns count from 1, columns in characters; the end is the place after the last.
fn place(place: &Place) -> Value {
    let (line, column) = place.line_column();
    let end = Place { span: place.span.end..place.span.end, ..place.clone() };
    let (end_line, end_column) = end.line_column();
    json!({ "file": &*place.file, "line": line, "column": column, "end_line": end_line, "end_column": end_column })
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn write(event: &str, fields: Value) {
    let mut object = Map::new();
    object.insert("event".to_owned(), event.into());
    object.insert("time".to_owned(), clock::rfc3339(clock::now()).into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    terminal::data(&format!("{}\n", Value::Object(object)));
}

/// A number with the digits that read back to the same bits; one that JSON cannot write is a text: `"NaN"`, `"inf"`,
/// `"-inf"`, as in `events.jsonl`.
pub fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(format!("{value:?}")), Value::Number)
}
