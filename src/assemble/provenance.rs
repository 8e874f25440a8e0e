//! What a run was made from: the scripts as they were, and where the records came from.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::artifact::{self, Folder, layout};
use crate::error::{Error, Kind, Result};
use crate::record::{Records, Schema};
use crate::script::Host;

/// Writes the scripts that were used, and a lock of their hashes.
pub fn write_scripts(host: &Host, folder: &Folder) -> Result<()> {
    let root = folder.join(layout::SCRIPTS);
    make(&root)?;
    let mut lock = serde_json::Map::new();
    for script in host.sources().all() {
        // What was typed at a prompt has no name to be found under.
        if !script.label.ends_with(".rhai") {
            continue;
        }
        let file = root.join(&*script.label);
        if let Some(parent) = file.parent() {
            make(parent)?;
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
                .hint("scores would not be those of the trained model; restore the file from a copy of the folder"));
        }
    }
    Ok(())
}

/// Writes where the records came from and what their columns are.
pub fn write_data(folder: &Folder, train: &Records, validation: &Records) -> Result<()> {
    let value = json!({
        "schema": train.schema(),
        "train": source(train),
        "validation": source(validation),
    });
    write_json(&folder.join(layout::DATA), &value)
}

/// Reads the schema of the training records.
pub fn read_schema(folder: &Folder) -> Result<Schema> {
    let path = folder.join(layout::DATA);
    let mut value: Value = artifact::read_json(&path)?;
    serde_json::from_value(value["schema"].take())
        .map_err(|error| Error::artifact(format!("`{}` is damaged: {error}", path.display())))
}

fn source(records: &Records) -> Value {
    let mut value = json!({ "source": records.source(), "records": records.len() });
    let path = Path::new(records.source());
    if let Ok(bytes) = std::fs::read(path) {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        value["path"] = Value::from(absolute.to_string_lossy());
        value["bytes"] = Value::from(bytes.len());
        value["sha256"] = Value::from(hash(&bytes));
    }
    value
}

/// Writes a JSON file a person may read.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    artifact::write_atomic(path, format!("{text}\n").as_bytes())
}

/// Makes a folder and its parents.
pub fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::new(Kind::Artifact, format!("cannot make the folder `{}`: {error}", folder.display())))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
