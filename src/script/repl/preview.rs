//! What the prompt shows of a value: the expression that makes it while that is short, else a line for each part.

use rhai::{Array as List, Dynamic, ImmutableString, Map};

use super::show;
use crate::record::Records;
use crate::script::cast;
use crate::script::host::Host;
use crate::tensor::{Array, Tensor};

/// The longest value of several parts that stays on one line.
const LINE: usize = 100;
/// Levels of maps and arrays that are taken apart.
const DEPTH: usize = 3;
/// Parts of one map or array that are shown.
const PARTS: usize = 20;
/// Below this many points a curve tells no more than its numbers.
const POINTS: usize = 8;

/// A value as the prompt shows it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// Numbers that say more as a picture: a curve `[n]`, an image `[height, width]` or `[height, width, 1 or 3]`.
    pub picture: Option<Array>,
}

/// Returns what is shown of a value.
pub(super) fn answer(host: &Host, value: &Dynamic) -> Answer {
    // A text of several lines, such as a summary, is meant to be read.
    if let Some(text) = value.read_lock::<ImmutableString>().filter(|text| text.contains('\n')) {
        return Answer { text: text.to_string(), picture: None };
    }
    let whole = show(host, value);
    let several = value.is_map() || value.is_array();
    let text = match several && (whole.contains('\n') || whole.chars().count() > LINE) {
        true => parts(host, value, 0),
        false => whole,
    };
    Answer { text, picture: picture(value) }
}

/// Returns a line for each part of a map or an array, those of inner ones indented.
fn parts(host: &Host, value: &Dynamic, depth: usize) -> String {
    let named: Vec<(String, Dynamic)> = if let Some(map) = value.read_lock::<Map>() {
        map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    } else if let Some(list) = value.read_lock::<List>() {
        list.iter().enumerate().map(|(at, value)| (format!("[{at}]"), value.clone())).collect()
    } else {
        Vec::new()
    };
    let indent = "  ".repeat(depth);
    let mut text = String::new();
    for (name, value) in named.iter().take(PARTS) {
        let part = part(host, value, depth);
        let space = if part.starts_with('\n') { "" } else { " " };
        text.push_str(&format!("{indent}{name}:{space}{part}\n"));
    }
    if named.len() > PARTS {
        text.push_str(&format!("{indent}… {} more\n", named.len() - PARTS));
    }
    text
}

/// Returns one part: what it is, and as much of it as a line holds.
fn part(host: &Host, value: &Dynamic, depth: usize) -> String {
    let shown = show(host, value);
    let short = !shown.contains('\n') && shown.chars().count() <= LINE;
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return match short {
            true => shown,
            false => format!("Tensor {:?} {}", tensor.shape(), tensor.dtype().name()),
        };
    }
    if let Some(records) = value.read_lock::<Records>() {
        return format!(
            "{} records: {}",
            records.len(),
            crate::error::list(records.columns().iter().map(|name| &**name))
        );
    }
    if short {
        return shown;
    }
    match (value.is_map() || value.is_array()) && depth + 1 < DEPTH {
        true => format!("\n{}", parts(host, value, depth + 1).trim_end()),
        false => {
            let first: String = shown.lines().next().unwrap_or_default().chars().take(LINE - 2).collect();
            format!("{first} …")
        }
    }
}

/// Returns the numbers of a value that is better seen: an image, a curve, the losses of a history.
fn picture(value: &Dynamic) -> Option<Array> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return match *tensor.shape() {
            [length] if length >= POINTS => tensor.to_host().ok(),
            [height, width] | [height, width, 1 | 3] if height >= POINTS && width >= POINTS => tensor.to_host().ok(),
            _ => None,
        };
    }
    if let Some(list) = value.read_lock::<List>() {
        let numbers = list.len() >= POINTS && list.iter().all(|item| item.is_float());
        return numbers.then(|| cast::to_tensor(value).ok()?.to_host().ok()).flatten();
    }
    if let Some(records) = value.read_lock::<Records>() {
        let numbers = records.len() >= POINTS && records.columns().iter().any(|name| &**name == "loss");
        return numbers.then(|| records.column("loss").ok()?.to_host().ok()).flatten();
    }
    // What `train` returns.
    let map = value.read_lock::<Map>()?;
    let logs = map.get("logs")?.read_lock::<Map>()?;
    picture(logs.get("loss")?)
}
