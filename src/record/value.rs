//! One value of a record, as a script or a JSON file writes it.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::record::{Field, Name};
use crate::tensor::{Array, Tensor};

/// The named values of one record, as a script or a file gives them.
pub type Row = Vec<(Name, Value)>;

/// One value of a record.
#[derive(Clone, Debug)]
pub enum Value {
    /// A missing value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// Numbers of any shape: nested lists of equal lengths become one of these.
    Tensor(Tensor),
    /// A list that is not a tensor: texts, lists of unequal lengths, a mixture, or nothing.
    List(Arc<[Value]>),
    /// A map, in the order it was written.
    Map(Arc<[(Name, Value)]>),
}

impl Value {
    /// Returns the value that JSON text stands for.
    ///
    /// A nested list of numbers with equal lengths becomes a tensor: i64 when every number is whole,
    /// f32 otherwise. A whole number beyond 64 bits becomes a float.
    ///
    /// ```
    /// use barrage::record::Value;
    /// let value = Value::from_json(&serde_json::json!([[1.5, 2.0], [3.0, 4.0]]));
    /// assert_eq!(value.describe(), "a tensor of shape [2, 2]");
    /// ```
    pub fn from_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(value) => Value::Int(value),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text.as_str().into()),
            Json::Array(items) => match tensor_from_json(json) {
                Some(array) => Value::Tensor(Tensor::Host(array)),
                None => Value::List(items.iter().map(Value::from_json).collect()),
            },
            Json::Object(map) => Value::Map(
                map.iter().map(|(name, value)| (Name::from(name.as_str()), Value::from_json(value))).collect(),
            ),
        }
    }

    /// Returns the value as JSON: a tensor as nested lists, f32 numbers with the digits that tell them
    /// apart, a number that JSON cannot write (infinite or not a number) as null.
    ///
    /// # Errors
    /// A tensor that cannot be brought to the host.
    pub fn to_json(&self) -> Result<Json> {
        Ok(match self {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Text(text) => Json::from(&**text),
            Value::Tensor(tensor) => array_to_json(&tensor.to_host()?),
            Value::List(items) => Json::Array(items.iter().map(Value::to_json).collect::<Result<_>>()?),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|(name, value)| Ok((name.to_string(), value.to_json()?))).collect::<Result<_>>()?,
            ),
        })
    }

    /// Returns the value as a loader uses it: numbers and lists of numbers as tensors (int i64, float
    /// f32, bool u8), texts and lists of texts as they are.
    ///
    /// # Errors
    /// Null, maps, and lists that are neither a tensor nor texts.
    pub fn to_field(&self) -> Result<Field> {
        Ok(Field::Tensor(match self {
            Value::Bool(value) => Array::from_u8(vec![u8::from(*value)], &[])?.into(),
            Value::Int(value) => Array::from_i64(vec![*value], &[])?.into(),
            Value::Float(value) => Array::from_f32(vec![*value as f32], &[])?.into(),
            Value::Tensor(tensor) => tensor.clone(),
            Value::Text(text) => return Ok(Field::Text(text.clone())),
            Value::List(items) => match texts(items) {
                Some(texts) => return Ok(Field::Texts(texts)),
                None => return Err(self.no_field()),
            },
            Value::Null | Value::Map(_) => return Err(self.no_field()),
        }))
    }

    /// Returns the value as errors show it: short, with its type.
    pub fn describe(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => format!("the number {value}"),
            Value::Float(value) => format!("the number {value:?}"),
            Value::Text(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
            Value::Text(_) => "a long text".to_owned(),
            Value::Tensor(tensor) => format!("a tensor of shape {:?}", tensor.shape()),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// Returns whether the value is missing.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn no_field(&self) -> Error {
        Error::data(format!("expected a number, a tensor, a text or a list of texts, found {}", self.describe()))
            .maybe_hint(match self {
                Value::List(_) => Some(
                    "lists of unequal lengths or mixed types have to be made equal first, in the loader".to_owned(),
                ),
                Value::Map(_) => Some("pick a value out of the map in the loader".to_owned()),
                _ => None,
            })
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.into())
    }
}

impl From<Array> for Value {
    fn from(value: Array) -> Self {
        Value::Tensor(value.into())
    }
}

impl From<Field> for Value {
    fn from(field: Field) -> Self {
        match field {
            Field::Tensor(tensor) => Value::Tensor(tensor),
            Field::Text(text) => Value::Text(text),
            Field::Texts(texts) => Value::List(texts.iter().cloned().map(Value::Text).collect()),
        }
    }
}

/// Returns the items as texts, when all of them are.
pub(super) fn texts(items: &[Value]) -> Option<Arc<[Arc<str>]>> {
    items
        .iter()
        .map(|item| match item {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// Returns the array that a non-empty nested list of numbers stands for.
fn tensor_from_json(json: &Json) -> Option<Array> {
    let shape = shape_of(json).filter(|shape| shape.first() != Some(&0))?;
    let mut numbers = Vec::with_capacity(shape.iter().product());
    flatten(json, &mut numbers);
    let whole: Option<Vec<i64>> = numbers.iter().map(|number| number.as_i64()).collect();
    match whole {
        Some(whole) if !whole.is_empty() => Array::from_i64(whole, &shape).ok(),
        _ => {
            let floats = numbers.iter().map(|number| number.as_f64().unwrap_or(f64::NAN) as f32).collect();
            Array::from_f32(floats, &shape).ok()
        }
    }
}

/// Returns the shape of a number (`[]`) or of a nested list of numbers with equal lengths.
fn shape_of(json: &Json) -> Option<Vec<usize>> {
    match json {
        Json::Number(_) => Some(Vec::new()),
        Json::Array(items) => {
            let inner = items.first().map_or(Some(Vec::new()), shape_of)?;
            let equal = items.iter().skip(1).all(|item| shape_of(item).as_ref() == Some(&inner));
            equal.then(|| std::iter::once(items.len()).chain(inner).collect())
        }
        _ => None,
    }
}

fn flatten<'a>(json: &'a Json, numbers: &mut Vec<&'a serde_json::Number>) {
    match json {
        Json::Number(number) => numbers.push(number),
        Json::Array(items) => items.iter().for_each(|item| flatten(item, numbers)),
        _ => {}
    }
}

fn array_to_json(array: &Array) -> Json {
    let numbers: Vec<Json> = match array {
        Array::F32(values) => values.iter().map(|&value| shortest(value)).collect(),
        Array::F64(values) => values.iter().map(|&value| Json::from(value)).collect(),
        Array::I64(values) => values.iter().map(|&value| Json::from(value)).collect(),
        Array::U8(values) => values.iter().map(|&value| Json::from(value)).collect(),
    };
    nest(array.shape(), &numbers)
}

/// Returns an f32 as the shortest decimal that reads back as the same f32; as an f64 it would be
/// written with digits that are not in the number (0.1 as 0.10000000149011612).
fn shortest(value: f32) -> Json {
    Json::from(value.to_string().parse::<f64>().unwrap_or(f64::from(value)))
}

fn nest(shape: &[usize], numbers: &[Json]) -> Json {
    match shape {
        [] => numbers.first().cloned().unwrap_or(Json::Null),
        [length, inner @ ..] => {
            let step = numbers.len().checked_div(*length).unwrap_or(0);
            Json::Array(
                (0..*length).map(|i| nest(inner, numbers.get(i * step..(i + 1) * step).unwrap_or(&[]))).collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_goes_in_and_comes_back() {
        for (json, description) in [
            (json!(null), "null"),
            (json!(true), "true"),
            (json!(3), "the number 3"),
            (json!(3.0), "the number 3.0"),
            (json!("a"), "the text \"a\""),
            (json!([]), "a list of 0"),
            (json!([1, 2]), "a tensor of shape [2]"),
            (json!([1, 2.5]), "a tensor of shape [2]"),
            (json!([[0.1], [2.0]]), "a tensor of shape [2, 1]"),
            (json!([[], []]), "a tensor of shape [2, 0]"),
            (json!([[1], [2, 3]]), "a list of 2"),
            (json!(["a", "b"]), "a list of 2"),
            (json!([1, "b"]), "a list of 2"),
            (json!({"b": [1, 2], "a": null}), "a map"),
        ] {
            let value = Value::from_json(&json);
            assert_eq!(value.describe(), description, "{json}");
            let back = value.to_json().unwrap();
            let plain = |json: &Json| json.to_string().replace(".0", "");
            assert_eq!(plain(&back), plain(&json));
        }
    }

    #[test]
    fn whole_lists_are_i64_and_others_f32() {
        let dtype = |json: Json| match Value::from_json(&json) {
            Value::Tensor(tensor) => tensor.dtype().name().to_owned(),
            other => other.describe(),
        };
        assert_eq!(dtype(json!([1, 2])), "i64");
        assert_eq!(dtype(json!([1, 2.0])), "f32");
        assert_eq!(dtype(json!([[], []])), "f32");
    }

    #[test]
    fn numbers_that_json_cannot_write_become_null() {
        assert_eq!(Value::Float(f64::NAN).to_json().unwrap(), json!(null));
        assert_eq!(Value::Float(f64::INFINITY).to_json().unwrap(), json!(null));
    }

    #[test]
    fn fields_are_refused_with_a_reason() {
        for (json, message) in [
            (json!(null), "expected a number, a tensor, a text or a list of texts, found null"),
            (json!({}), "expected a number, a tensor, a text or a list of texts, found a map"),
            (json!([1, "b"]), "expected a number, a tensor, a text or a list of texts, found a list of 2"),
        ] {
            assert_eq!(Value::from_json(&json).to_field().unwrap_err().message(), message);
        }
    }
}
