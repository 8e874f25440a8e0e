//! Records that cannot be loaded or transformed: found before training starts, so that batches keep their shape and the
//! same records are left out on any number of workers. What augmentors fail on shows only in training, where other
//! records take the places of those ([`Options::failures`](crate::dataset::Options::failures)).

use std::path::Path;

use serde_json::{Value, json};

use crate::artifact;
use crate::error::{Error, Result};
use crate::recipe::OnError;
use crate::record::{DataRecords, Loader, Mode, Record, Records, Transformer};

/// Records that can be loaded, and what became of the others.
pub struct Screened {
    /// Those that can be loaded.
    pub records: Records,
    /// The lines of the quarantine, one for each of the others.
    pub refused: Vec<Value>,
}

/// Records loaded at a time.
const CHUNK: usize = 256;

/// A loader with a fitted transformer behind it.
pub struct Through<'a> {
    /// What loads.
    pub loader: &'a dyn Loader,
    /// What transforms.
    pub transformer: &'a dyn Transformer,
}

impl Loader for Through<'_> {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        self.transformer.transform(self.loader.load(records, mode)?, mode)
    }
}

/// Loads every record once and leaves out those that fail; with the policy `stop` nothing is loaded. `before` records
/// of the same set were left out already.
///
/// # Errors
/// More failures than the limit; the first of them is told. No record left.
pub fn screen(records: &Records, loader: &dyn Loader, mode: Mode, policy: &OnError, before: usize) -> Result<Screened> {
    let Some(limit) = policy.limit(records.len() + before).map(|limit| limit.saturating_sub(before)) else {
        return Ok(Screened { records: records.clone(), refused: Vec::new() });
    };
    let rows = records.to_vec();
    let (mut good, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
    let mut first: Option<Error> = None;
    for (number, chunk) in rows.chunks(CHUNK).enumerate() {
        let start = number * CHUNK;
        if loader.load(chunk, mode).is_ok() {
            good.extend(start..start + chunk.len());
            continue;
        }
        for (at, record) in chunk.iter().enumerate() {
            match loader.load(std::slice::from_ref(record), mode) {
                Ok(_) => good.push(start + at),
                Err(error) => {
                    let place = record.place();
                    let error = if error.context().contains(&place) { error } else { error.within(place) };
                    refused.push(line(record, &error));
                    first.get_or_insert(error);
                    if refused.len() > limit {
                        break;
                    }
                }
            }
        }
        if refused.len() > limit {
            break;
        }
    }
    match first {
        Some(error) if refused.len() > limit => Err(error.hint(format!(
            "more than {} of {} records cannot be loaded, which is the limit of `dataset.on_error`; this is the first",
            limit + before,
            records.len() + before
        ))),
        Some(error) if good.is_empty() => Err(error.hint("no record can be loaded; this is the first")),
        Some(_) => Ok(Screened { records: records.take(&good)?, refused }),
        None => Ok(Screened { records: records.clone(), refused }),
    }
}

/// Returns what is written about a record that failed.
pub fn line(record: &Record, error: &Error) -> Value {
    let field = |name: &crate::record::Name| {
        let value = record.get_or(name).ok().flatten().and_then(|value| match value {
            // A picture or a series would fill the file.
            crate::record::Value::Tensor(tensor) if tensor.size() > 16 => {
                Some(json!(format!("tensor of shape {:?}", tensor.shape())))
            }
            value => value.to_json().ok(),
        });
        (name.to_string(), value.unwrap_or(Value::Null))
    };
    let fields: serde_json::Map<String, Value> = record.keys().iter().map(field).collect();
    json!({ "record": record.place(), "reason": error.to_string(), "fields": fields })
}

/// Adds to the quarantine what is not in it yet.
///
/// # Errors
/// Whatever the disk says.
pub fn add(path: &Path, refused: &[Value]) -> Result<()> {
    let mut text = if path.is_file() { artifact::read_text(path)? } else { String::new() };
    for line in refused.iter().map(|line| format!("{line}\n")) {
        if !text.contains(&line) {
            text.push_str(&line);
        }
    }
    artifact::write_atomic(path, text.as_bytes())
}

/// Writes the quarantine, one JSON object a line.
///
/// # Errors
/// Whatever the disk says.
pub fn write(path: &Path, refused: &[Value]) -> Result<()> {
    let lines: String = refused.iter().map(|line| format!("{line}\n")).collect();
    artifact::write_atomic(path, lines.as_bytes())
}
