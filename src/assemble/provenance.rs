//! What a run was made from: the scripts as they were, and where the records came from.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::artifact::{self, Folder, layout};
use crate::error::{Error, Result, codes};
use crate::record::{Records, Schema};
use crate::script::Host;

/// Writes the scripts that were used, and a lock of their hashes.
pub fn write_scripts(host: &Host, folder: &Folder) -> Result<()> {
    write_scripts_to(host, &folder.join(layout::SCRIPTS))
}

/// Puts the scripts of a host in the place of those of a run, which stay below [`layout::REPLACED_SCRIPTS`] as those of
/// the epochs before this one, counted from 0.
pub fn replace_scripts(host: &Host, folder: &Path, epoch: usize) -> Result<()> {
    let (now, fresh) = (folder.join(layout::SCRIPTS), layout::partial(&folder.join(layout::SCRIPTS), ""));
    artifact::remove_folder(&fresh)?;
    write_scripts_to(host, &fresh)?;
    let kept = folder.join(layout::REPLACED_SCRIPTS);
    artifact::make_folder(&kept)?;
    let kept = kept.join(layout::epoch(epoch));
    // A run that was resumed before that epoch comes here again.
    artifact::remove_folder(&kept)?;
    artifact::move_folder(&now, &kept)?;
    artifact::move_folder(&fresh, &now)
}

/// Returns the folder of the scripts that an epoch (from 0) of a run used.
pub fn scripts_of(folder: &Folder, epoch: usize) -> Result<PathBuf> {
    let replaced = folder.join(layout::REPLACED_SCRIPTS);
    let epochs =
        artifact::names(&replaced)?.into_iter().filter_map(|name| Some(layout::Position::parse(&name)?.epochs));
    Ok(match epochs.filter(|before| *before > epoch).min() {
        Some(before) => replaced.join(layout::epoch(before)),
        None => folder.join(layout::SCRIPTS),
    })
}

fn write_scripts_to(host: &Host, root: &Path) -> Result<()> {
    artifact::make_folder(root)?;
    let mut lock = serde_json::Map::new();
    for script in host.sources().all() {
        // What was typed at a prompt has no name to be found under.
        if !script.label.ends_with(".rhai") {
            continue;
        }
        let file = root.join(&*script.label);
        if let Some(parent) = file.parent() {
            artifact::make_folder(parent)?;
        }
        artifact::write_atomic(&file, script.text.as_bytes())?;
        lock.insert(script.label.to_string(), Value::from(hash(script.text.as_bytes())));
    }
    write_json(&root.join(layout::SCRIPTS_LOCK), &Value::Object(lock))
}

/// Checks that the scripts are those the run was made with.
///
/// # Errors
/// Names the first that was changed or is gone.
pub fn check_scripts(folder: &Folder) -> Result<()> {
    check_scripts_in(&folder.join(layout::SCRIPTS))
}

/// Checks the scripts in a folder; see [`check_scripts`].
pub fn check_scripts_in(root: &Path) -> Result<()> {
    let lock: Value = artifact::read_json(&root.join(layout::SCRIPTS_LOCK))?;
    for (label, known) in lock.as_object().into_iter().flatten() {
        let text = artifact::read(&root.join(label)).map_err(|error| {
            error.within("the scripts of this run").hint("restore the file from a copy of the folder")
        })?;
        if known.as_str() != Some(hash(&text).as_str()) {
            return Err(Error::artifact(format!("the script `{label}` of this run was changed after training"))
                .coded(codes::CHANGED)
                .hint("scores would not be those of the trained model; restore the file from a copy of the folder"));
        }
    }
    Ok(())
}

/// Writes where the records came from and what their columns are.
pub fn write_data(folder: &Folder, train: &Records, validation: &Records) -> Result<()> {
    let value = json!({
        "schema": train.schema(),
        "train": source(train)?,
        "validation": source(validation)?,
    });
    write_json(&folder.join(layout::DATA), &value)
}

/// Reads the schema of the training records.
pub fn read_schema(folder: &Folder) -> Result<Schema> {
    let path = folder.join(layout::DATA);
    let mut value: Value = artifact::read_json(&path)?;
    serde_json::from_value(value["schema"].take())
        .map_err(|error| Error::artifact(format!("`{}` is damaged: {error}", path.display())).coded(codes::DAMAGED))
}

/// Returns whether the records of a run are files that can be read again.
///
/// # Errors
/// A damaged `data.json`.
pub fn has_files(folder: &Folder) -> Result<bool> {
    let known: Value = artifact::read_json(&folder.join(layout::DATA))?;
    Ok(["train", "validation"].iter().all(|which| is_read_again(&known[which])))
}

/// Whether records are all of a file, or rows of it that were noted.
fn is_read_again(source: &Value) -> bool {
    source["path"].is_string() && (source["whole"].as_bool() == Some(true) || source["rows"].is_array())
}

/// Reads the records a run was started with from its files.
///
/// # Errors
/// Records that were made by a script, and files that are gone or were changed.
pub fn read_records(folder: &Folder) -> Result<(Records, Records)> {
    let path = folder.join(layout::DATA);
    let known: Value = artifact::read_json(&path)?;
    let schema = read_schema(folder)?;
    let read = |which: &str| {
        let source = &known[which];
        let Some(file) = source["path"].as_str().filter(|_| is_read_again(source)) else {
            return Err(Error::artifact(format!("the {which} records of this run are no file that can be read again"))
                .coded(codes::OTHER_RECORDS)
                .hint("a recipe made them: resume it in the recipe, with `trainer(dir).resume(train, validation)`"));
        };
        let bytes = artifact::read(Path::new(file))?;
        if source["sha256"].as_str() != Some(hash(&bytes).as_str()) {
            return Err(Error::artifact(format!(
                "the {which} records `{file}` were changed since the run was started"
            ))
            .coded(codes::OTHER_RECORDS)
            .hint("put the file back as it was, or start a new run"));
        }
        let all = Records::read_as(Path::new(file), &schema)?;
        match &source["rows"] {
            Value::Null => Ok(all),
            rows => {
                let runs: Vec<(u32, u32)> = serde_json::from_value(rows.clone()).map_err(|error| {
                    Error::artifact(format!("`{}` is damaged: {error}", path.display())).coded(codes::DAMAGED)
                })?;
                all.of_runs(&runs)
            }
        }
    };
    let (train, validation) = (read("train")?, read("validation")?);
    // A file may have been read in another way than it is here.
    check_records(folder, &train, &validation)?;
    Ok((train, validation))
}

/// Checks that records are those of the run, as far as their number and columns tell.
///
/// # Errors
/// Names what differs.
pub fn check_records(folder: &Folder, train: &Records, validation: &Records) -> Result<()> {
    let known: Value = artifact::read_json(&folder.join(layout::DATA))?;
    for (which, records) in [("train", train), ("validation", validation)] {
        let number = known[which]["records"].as_u64().unwrap_or(0);
        if number != records.len() as u64 {
            return Err(Error::data(format!(
                "expected the {number} {which} records of the run, found {}",
                records.len()
            ))
            .coded(codes::OTHER_RECORDS)
            .hint("a run goes on with the records it was started with"));
        }
        if known[which]["content"].as_str() != Some(fingerprint(records)?.as_str()) {
            return Err(Error::data(format!("the {which} records are not those the run was started with"))
                .coded(codes::OTHER_RECORDS)
                .hint("the same rows in the same order are needed; is the split seeded as before?"));
        }
    }
    Ok(())
}

/// Whether the records are noted as a file, or rows of one, that a resume can read again.
pub fn from_file(records: &Records) -> bool {
    let rows = || records.rows_of_file().is_some_and(|runs| runs.len() <= MOST_RUNS);
    records.file().is_some() && (records.is_whole_file() || rows())
}

/// Rows of a file are noted as so many runs of neighbours at most: about 10 MB of text.
const MOST_RUNS: usize = 1_000_000;

fn source(records: &Records) -> Result<Value> {
    let mut value = json!({
        "source": records.source(),
        "records": records.len(),
        "content": fingerprint(records)?,
        "whole": false,
    });
    if let Some(path) = records.file()
        && let Ok(bytes) = std::fs::read(path)
    {
        value["path"] = Value::from(path.to_string_lossy());
        value["bytes"] = Value::from(bytes.len());
        value["sha256"] = Value::from(hash(&bytes));
        // Records that a script changed cannot be read from the file again; rows that it chose can.
        value["whole"] = Value::from(records.is_whole_file());
        value["rows"] =
            records.rows_of_file().filter(|runs| runs.len() <= MOST_RUNS).map_or(Value::Null, |runs| json!(runs));
    }
    Ok(value)
}

/// Returns a hash of all values, in order.
fn fingerprint(records: &Records) -> Result<String> {
    let mut hash = Sha256::new();
    for record in records.iter() {
        for name in record.keys() {
            let value = record.get_or(name)?.map(|value| value.to_json()).transpose()?;
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(value.unwrap_or(Value::Null).to_string().as_bytes());
            hash.update([0]);
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Writes a JSON file a person may read.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    artifact::write_atomic(path, format!("{text}\n").as_bytes())
}

pub(super) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
