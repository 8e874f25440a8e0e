//! The fitted state of a scripted transformer on disk: `state.json` for maps, lists, numbers and texts,
//! `state.safetensors` for the tensors in them, which the JSON names as `{"$tensor": "path"}`; a vocabulary is
//! `{"$vocabulary": {…}}`, counts of words are `{"$words": {…}}`, and a number that JSON cannot hold to the bit `{"$float": "inf"}`. Checkpoints keep the state of
//! scripted services and metrics the same way.

use std::path::Path;

use rhai::{Array as List, Dynamic, Map};
use serde_json::{Value, json};

use crate::artifact;
use crate::error::{Error, Result, codes};
use crate::media::{Vocabulary, WordCounts};
use crate::script::{cast, traceback};
use crate::tensor::{Array, Tensor};

const JSON: &str = "state.json";
const TENSORS: &str = "state.safetensors";

/// Checks that a state can be stored.
///
/// # Errors
/// Names the first field that holds something else than maps, lists, numbers, texts, booleans, tensors and
/// vocabularies.
pub fn check(state: &Map) -> Result<()> {
    take_apart(state, &mut Vec::new()).map(drop)
}

/// Takes a state apart for a checkpoint: JSON, and the tensors it names.
///
/// # Errors
/// As [`check`].
pub fn gather(state: &Map) -> Result<(Value, Vec<(String, Array)>)> {
    let mut tensors = Vec::new();
    let json = take_apart(state, &mut tensors)?;
    Ok((json, tensors))
}

/// Puts together what [`gather`] took apart; `None` where it is not of that kind.
pub fn put_back(json: &Value, tensors: &[(String, Array)]) -> Option<Vec<(String, Dynamic)>> {
    let fields = json.as_object()?.iter();
    fields.map(|(name, value)| Some((name.clone(), put_together(value, tensors)?))).collect()
}

/// Writes a state below a folder.
pub fn save(state: &Map, folder: &Path) -> Result<()> {
    let mut tensors = Vec::new();
    let json = take_apart(state, &mut tensors)?;
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    artifact::write_atomic(&folder.join(JSON), text.as_bytes())?;
    if !tensors.is_empty() {
        artifact::weights::save(&folder.join(TENSORS), &tensors)?;
    }
    Ok(())
}

/// Reads a state.
///
/// # Errors
/// A missing or damaged file.
pub fn load(folder: &Path) -> Result<Vec<(String, Dynamic)>> {
    let path = folder.join(JSON);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::artifact(format!("cannot read `{}`: {}", path.display(), super::host::reason(&error)))
            .coded(codes::DAMAGED)
    })?;
    let damaged = || {
        Error::artifact(format!("`{}` is damaged", path.display()))
            .coded(codes::DAMAGED)
            .hint("train again, or restore the folder from a copy")
    };
    let json: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
    let file = folder.join(TENSORS);
    let tensors = if file.exists() { artifact::weights::load(&file)? } else { Vec::new() };
    put_back(&json, &tensors).ok_or_else(damaged)
}

/// Returns the bytes of one value: the length of its JSON, the JSON, the tensors in it.
///
/// # Errors
/// A value that cannot be stored.
pub fn to_bytes(value: &Dynamic) -> Result<Vec<u8>> {
    let mut tensors = Vec::new();
    let json = part(value, "result", &mut tensors)?.to_string();
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.as_bytes());
    bytes.extend(artifact::weights::encode(&tensors)?);
    Ok(bytes)
}

/// Returns the value of such bytes, or `None` when they are not whole.
pub fn from_bytes(bytes: &[u8]) -> Option<Dynamic> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (json, tensors) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let tensors = artifact::weights::decode(tensors, "result").ok()?;
    put_together(&serde_json::from_slice(json).ok()?, &tensors)
}

fn take_apart(state: &Map, tensors: &mut Vec<(String, Array)>) -> Result<Value> {
    let mut fields = serde_json::Map::new();
    for (name, value) in state {
        fields.insert(name.to_string(), part(value, name, tensors)?);
    }
    Ok(Value::Object(fields))
}

fn part(value: &Dynamic, path: &str, tensors: &mut Vec<(String, Array)>) -> Result<Value> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        tensors.push((path.to_owned(), tensor.to_host()?));
        return Ok(json!({ "$tensor": path }));
    }
    if let Some(vocabulary) = value.read_lock::<Vocabulary>() {
        return Ok(json!({ "$vocabulary": vocabulary.to_json() }));
    }
    if let Some(counts) = value.read_lock::<WordCounts>() {
        return Ok(json!({ "$words": counts.to_json() }));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut fields = serde_json::Map::new();
        for (name, value) in map.iter() {
            fields.insert(name.to_string(), part(value, &format!("{path}.{name}"), tensors)?);
        }
        return Ok(Value::Object(fields));
    }
    if let Some(list) = value.read_lock::<List>() {
        let items = list.iter().enumerate().map(|(index, item)| part(item, &format!("{path}.{index}"), tensors));
        return Ok(Value::Array(items.collect::<Result<_>>()?));
    }
    if let Some(number) = value.as_float().ok().filter(|number| !reads_back(*number)) {
        return Ok(json!({ FLOAT: format!("{number:?}") }));
    }
    cast::to_json(value).map_err(|_| {
        Error::script(format!(
            "the field `{path}` holds {}, which cannot be stored",
            traceback::type_phrase(value.type_name())
        ))
        .coded(codes::NOT_STORABLE)
        .hint(
            "keep maps, lists, numbers, texts, booleans and tensors in `this`, or define `save(path)` and `load(path)`",
        )
    })
}

/// The key under which a number stands as text that JSON has no word for, or whose last digit its reader may change.
const FLOAT: &str = "$float";

/// Returns whether a number written as JSON reads back bit for bit.
fn reads_back(number: f64) -> bool {
    let read = serde_json::Number::from_f64(number).and_then(|number| number.to_string().parse::<Value>().ok());
    read.and_then(|read| read.as_f64()).is_some_and(|read| read.to_bits() == number.to_bits())
}

fn put_together(value: &Value, tensors: &[(String, Array)]) -> Option<Dynamic> {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(path)) = fields.get("$tensor").filter(|_| fields.len() == 1) {
                let (_, array) = tensors.iter().find(|(name, _)| name == path)?;
                return Some(Dynamic::from(Tensor::Host(array.clone())));
            }
            if let Some(Value::String(number)) = fields.get(FLOAT).filter(|_| fields.len() == 1) {
                return number.parse::<f64>().ok().map(Dynamic::from);
            }
            if let Some(words) = fields.get("$vocabulary").filter(|_| fields.len() == 1) {
                return Vocabulary::from_json(words).ok().map(Dynamic::from);
            }
            if let Some(words) = fields.get("$words").filter(|_| fields.len() == 1) {
                return WordCounts::from_json(words).map(Dynamic::from);
            }
            let map: Option<Map> = fields
                .iter()
                .map(|(name, value)| Some((name.as_str().into(), put_together(value, tensors)?)))
                .collect();
            map.map(Dynamic::from)
        }
        Value::Array(items) => {
            let list: Option<List> = items.iter().map(|item| put_together(item, tensors)).collect();
            list.map(Dynamic::from)
        }
        plain => Some(cast::from_json(plain)),
    }
}
