//! What a run was made from: the scripts as they were, and where the records came from.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::artifact::{self, Folder, layout};
use crate::error::{Error, Result, codes};
use crate::record::{Records, Schema};
use crate::script::Host;

/// Writes the scripts that were used, and a lock of their hashes.
pub fn write_scripts(host: &Host, folder: &Folder) -> Result<()> {
    let root = folder.join(layout::SCRIPTS);
    artifact::make_folder(&root)?;
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
    let root = folder.join(layout::SCRIPTS);
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
    Ok(["train", "validation"].iter().all(|which| known[which]["whole"].as_bool() == Some(true)))
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
        let Some(file) = source["path"].as_str().filter(|_| source["whole"].as_bool() == Some(true)) else {
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
        Records::read_as(Path::new(file), &schema)
    };
    Ok((read("train")?, read("validation")?))
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
        // Rows that a script chose or changed cannot be read from the file again.
        value["whole"] = Value::from(records.is_whole_file());
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

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
