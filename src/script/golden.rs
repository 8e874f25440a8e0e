//! Golden values: what a script test gave once, kept in a file and compared with what it gives now.

use rhai::{Array as List, Dynamic, Map};
use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::record::{Record, Records};
use crate::script::cast;
use crate::tensor::Tensor;

/// Returns a value as its file holds it: tensors with dtype and shape, tables as a list of rows.
///
/// # Errors
/// Functions and other things that are no data.
pub fn to_json(value: &Dynamic) -> Result<Json> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        let flat = tensor.reshape(&[-1])?;
        return Ok(json!({
            "dtype": tensor.dtype().name(),
            "shape": tensor.shape(),
            "values": cast::to_json(&Dynamic::from(flat))?,
        }));
    }
    if let Some(records) = value.read_lock::<Records>() {
        return records.iter().map(|record| row(&record)).collect::<Result<Vec<_>>>().map(Json::Array);
    }
    if let Some(record) = value.read_lock::<Record>() {
        return row(&record);
    }
    if let Some(list) = value.read_lock::<List>() {
        return list.iter().map(to_json).collect::<Result<Vec<_>>>().map(Json::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let fields = map.iter().map(|(name, value)| {
            let value = to_json(value).map_err(|error| error.within(format!("`{name}`")))?;
            Ok((name.to_string(), value))
        });
        return fields.collect::<Result<_>>().map(Json::Object);
    }
    // Numbers that are not finite are a text in the file.
    match value.as_float() {
        Ok(number) if !number.is_finite() => Ok(Json::from(format!("{number:?}"))),
        _ => cast::to_json(value),
    }
}

fn row(record: &Record) -> Result<Json> {
    let mut fields = serde_json::Map::new();
    for name in record.keys() {
        let value = record.get_or(name)?.map(|value| value.to_json()).transpose()?;
        fields.insert(name.to_string(), value.unwrap_or(Json::Null));
    }
    Ok(Json::Object(fields))
}

/// Returns where two values differ first, and how; numbers may differ by `tolerance`.
pub fn difference(expected: &Json, found: &Json, tolerance: f64) -> Option<String> {
    differ(expected, found, tolerance, String::new())
}

fn differ(expected: &Json, found: &Json, tolerance: f64, path: String) -> Option<String> {
    let at =
        |what: String| Some(if path.is_empty() { what } else { format!("`{}`: {what}", path.trim_start_matches('.')) });
    match (expected, found) {
        (Json::Object(left), Json::Object(right)) => {
            if let Some(name) = left.keys().find(|name| !right.contains_key(*name)) {
                return at(format!("`{name}` is missing"));
            }
            if let Some(name) = right.keys().find(|name| !left.contains_key(*name)) {
                return at(format!("`{name}` was not expected"));
            }
            left.iter().find_map(|(name, value)| differ(value, &right[name], tolerance, format!("{path}.{name}")))
        }
        (Json::Array(left), Json::Array(right)) => {
            if left.len() != right.len() {
                return at(format!("expected {} values, found {}", left.len(), right.len()));
            }
            let pairs = left.iter().zip(right).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (left, right))| differ(left, right, tolerance, format!("{path}[{index}]")))
        }
        (Json::Number(left), Json::Number(right)) => {
            let (a, b) = (left.as_f64().unwrap_or(f64::NAN), right.as_f64().unwrap_or(f64::NAN));
            // 1 and 1.0 are other values, as 1 and 2 are.
            let same = left.is_f64() == right.is_f64() && (a == b || (a - b).abs() <= tolerance);
            if same { None } else { at(format!("expected {left}, found {right}")) }
        }
        _ if expected == found => None,
        _ => at(format!("expected {}, found {}", short(expected), short(found))),
    }
}

fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// Returns the error of two values that should be equal.
///
/// # Errors
/// They are not.
pub fn check(expected: &Json, found: &Json, tolerance: f64, what: &str) -> Result<()> {
    match difference(expected, found, tolerance) {
        None => Ok(()),
        Some(difference) => Err(Error::run(format!("{what}: {difference}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let find = |left: Json, right: Json| difference(&left, &right, 1e-3).unwrap_or_default();
        assert_eq!(find(json!({"x": [1.0, 2.0]}), json!({"x": [1.0, 2.0005]})), "");
        assert_eq!(find(json!({"x": [1.0, 2.0]}), json!({"x": [1.0, 2.1]})), "`x[1]`: expected 2.0, found 2.1");
        assert_eq!(find(json!([1]), json!([1.0])), "`[0]`: expected 1, found 1.0");
        assert_eq!(find(json!({"a": 1}), json!({"b": 1})), "`a` is missing");
        assert_eq!(find(json!([1, 2]), json!([1])), "expected 2 values, found 1");
        assert_eq!(find(json!({"a": "x"}), json!({"a": null})), "`a`: expected \"x\", found null");
    }
}
