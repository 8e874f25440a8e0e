//! Values cross between scripts and the rest of the program here, and only here.

use std::sync::Arc;

use rhai::{Array as List, Dynamic, Map};
use serde_json::{Number, Value as Json};

use crate::error::{Error, Result};
use crate::record::{DataRecord, Field, Fields, Name, Value};
use crate::registry::Params;
use crate::script::batches::Component;
use crate::script::traceback::type_phrase;
use crate::tensor::{self, Nested, Tensor};

/// Returns parameters as a script's map.
pub fn from_params(params: &Params) -> Dynamic {
    let map: Map = params.iter().map(|(name, value)| (name.as_str().into(), from_json(value))).collect();
    Dynamic::from(map)
}

/// Returns JSON as a script's value; null becomes `()`.
pub fn from_json(value: &Json) -> Dynamic {
    match value {
        Json::Null => Dynamic::UNIT,
        Json::Bool(value) => Dynamic::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Dynamic::from(int),
            None => Dynamic::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Dynamic::from(text.clone()),
        Json::Array(items) => Dynamic::from(items.iter().map(from_json).collect::<List>()),
        Json::Object(fields) => from_params(fields),
    }
}

/// Returns a script's value as JSON; tensors become nested lists.
///
/// # Errors
/// Functions, records and other things that JSON cannot hold, and numbers that are not finite.
pub fn to_json(value: &Dynamic) -> Result<Json> {
    if value.is_unit() {
        return Ok(Json::Null);
    }
    if let Ok(value) = value.as_bool() {
        return Ok(Json::Bool(value));
    }
    if let Ok(value) = value.as_int() {
        return Ok(Json::from(value));
    }
    if let Ok(value) = value.as_float() {
        let number = Number::from_f64(value).map(Json::Number);
        return number.ok_or_else(|| Error::script(format!("the number {value} cannot be written as JSON")));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Json::String(text.to_string()));
    }
    if let Some(list) = value.read_lock::<List>() {
        let items = list.iter().enumerate();
        return items.map(|(index, item)| to_json(item).map_err(|error| error.within(format!("[{index}]")))).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut fields = serde_json::Map::new();
        for (name, value) in map.iter() {
            let value = to_json(value).map_err(|error| error.within(format!("`{name}`")))?;
            fields.insert(name.to_string(), value);
        }
        return Ok(Json::Object(fields));
    }
    if value.is::<Component>() {
        return to_value(value)?.to_json();
    }
    if let Some(tensor) = value.read_lock::<Tensor>() {
        let shorten = tensor.dtype() == tensor::Dtype::F32;
        return Ok(nested_json(&tensor.to_array()?, shorten));
    }
    Err(Error::script(format!("expected numbers, texts, lists or maps, found {}", type_phrase(value.type_name()))))
}

/// Returns the parameters a script gave as a map.
///
/// # Errors
/// Anything but a map of plain values.
pub fn to_params(value: &Dynamic, what: &str) -> Result<Params> {
    match to_json(value).map_err(|error| error.within(what.to_owned()))? {
        Json::Object(fields) => Ok(fields),
        _ => Err(Error::script(format!("{what}: expected a map, found {}", type_phrase(value.type_name())))),
    }
}

/// Returns nested numbers as JSON; numbers that are not finite become null, as JSON has none. Those of an
/// f32 tensor are written with the fewest digits that read back as the same f32.
fn nested_json(nested: &Nested, shorten: bool) -> Json {
    match nested {
        Nested::Number(tensor::Number::Int(value)) => Json::from(*value),
        Nested::Number(tensor::Number::Float(value)) => {
            let short = || (*value as f32).to_string().parse().unwrap_or(*value);
            Number::from_f64(if shorten { short() } else { *value }).map_or(Json::Null, Json::Number)
        }
        Nested::List(items) => Json::Array(items.iter().map(|item| nested_json(item, shorten)).collect()),
    }
}

/// Returns the nested numbers of a script's arrays.
///
/// # Errors
/// Anything in them that is no number.
pub fn to_nested(value: &Dynamic) -> Result<Nested> {
    if let Ok(value) = value.as_int() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_float() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_bool() {
        return Ok(i64::from(value).into());
    }
    if let Some(list) = value.read_lock::<List>() {
        return list.iter().map(to_nested).collect::<Result<_>>().map(Nested::List);
    }
    let error = Error::script(format!("expected numbers, found {}", type_phrase(value.type_name())));
    Err(if value.is::<Tensor>() { error.hint("`stack` puts tensors together along a new axis") } else { error })
}

/// Returns nested numbers as a script's arrays.
pub fn from_nested(nested: &Nested) -> Dynamic {
    match nested {
        Nested::Number(tensor::Number::Int(value)) => Dynamic::from(*value),
        Nested::Number(tensor::Number::Float(value)) => Dynamic::from(*value),
        Nested::List(items) => Dynamic::from(items.iter().map(from_nested).collect::<List>()),
    }
}

/// Returns a tensor made of a script's tensor, number or nested arrays of numbers.
///
/// # Errors
/// Anything else, and arrays of unequal length.
pub fn to_tensor(value: &Dynamic) -> Result<Tensor> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return Ok(tensor.clone());
    }
    match value.read_lock::<Component>() {
        Some(component) => component.tensor(),
        None => Tensor::from_nested(&to_nested(value)?),
    }
}

/// Returns one named value of a data record.
///
/// # Errors
/// Values that are neither numbers nor text.
pub fn to_field(value: &Dynamic) -> Result<Field> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Field::Text(text.as_str().into()));
    }
    if let Some(list) = value.read_lock::<List>()
        && list.first().is_some_and(Dynamic::is_string)
    {
        let texts: Option<Vec<Arc<str>>> =
            list.iter().map(|item| item.as_immutable_string_ref().ok().map(|text| text.as_str().into())).collect();
        return texts
            .map(|texts| Field::Texts(texts.into()))
            .ok_or_else(|| Error::script("expected a list of texts, found other values among them"));
    }
    to_tensor(value)
        .map(Field::Tensor)
        .map_err(|error| error.hint("a value is a tensor, a number, nested arrays of numbers, or text"))
}

/// Returns a named value for a script.
pub fn from_field(field: Field) -> Dynamic {
    match field {
        Field::Tensor(tensor) => Dynamic::from(tensor),
        Field::Text(text) => Dynamic::from(text.to_string()),
        Field::Texts(texts) => {
            Dynamic::from(texts.iter().map(|text| Dynamic::from(text.to_string())).collect::<List>())
        }
    }
}

/// Returns named values from a script's map.
///
/// # Errors
/// Anything but a map, and values that are neither numbers nor text.
pub fn to_fields(value: Dynamic, what: &str) -> Result<Fields> {
    let kind = value.type_name();
    let map = value.try_cast::<Map>().ok_or_else(|| {
        Error::script(format!("{what}: expected a map of names and values, found {}", type_phrase(kind)))
            .hint("write `#{ name: value }` with the names of the network's inputs or outputs")
    })?;
    map.into_iter()
        .map(|(name, value)| {
            let field = to_field(&value).map_err(|error| error.within(format!("{what} `{name}`")))?;
            Ok((Name::from(name.as_str()), field))
        })
        .collect()
}

/// Returns named values as a script's map.
pub fn from_fields(fields: Fields) -> Dynamic {
    Dynamic::from(fields.into_iter().map(|(name, field)| ((*name).into(), from_field(field))).collect::<Map>())
}

/// Returns the score of a record for a script: single numbers, which `postprocess` gave, are numbers again.
pub fn from_score(score: Fields) -> Dynamic {
    let value = |field: Field| match field {
        Field::Tensor(tensor) if tensor.shape().is_empty() => match tensor.item() {
            Ok(tensor::Number::Int(value)) => Dynamic::from(value),
            Ok(tensor::Number::Float(value)) => Dynamic::from(value),
            Err(_) => Dynamic::from(tensor),
        },
        field => from_field(field),
    };
    Dynamic::from(score.into_iter().map(|(name, field)| ((*name).into(), value(field))).collect::<Map>())
}

/// Returns the data record a script wrote: `[x]`, `[x, y]`, `[x, y, w]` or `#{ x:, y:, w: }`.
///
/// # Errors
/// Anything else, unknown parts, and values that are neither numbers nor text.
pub fn to_data_record(value: Dynamic) -> Result<DataRecord> {
    const HINT: &str = "write `#{ x: #{ … }, y: #{ … } }` or `[x, y]`, with `w` for sample weights";
    if value.is_array() {
        let parts = value.into_array().unwrap_or_default();
        if parts.is_empty() || parts.len() > 3 {
            return Err(
                Error::script(format!("expected `[x, y]` or `[x, y, w]`, found a list of {}", parts.len())).hint(HINT)
            );
        }
        let mut parts = parts.into_iter();
        let x = to_fields(parts.next().unwrap_or_default(), "inputs `x`")?;
        let y = parts.next().filter(|part| !part.is_unit()).map(|part| to_fields(part, "outputs `y`")).transpose()?;
        let w = parts
            .next()
            .filter(|part| !part.is_unit())
            .map(|part| to_fields(part, "sample weights `w`"))
            .transpose()?;
        return Ok(DataRecord { x, y, w });
    }
    let kind = value.type_name();
    let Some(mut map) = value.try_cast::<Map>() else {
        return Err(Error::script(format!("expected a data record, found {}", type_phrase(kind))).hint(HINT));
    };
    let mut part = |name: &str| map.remove(name).filter(|part| !part.is_unit());
    let (x, y, w) = (part("x"), part("y"), part("w"));
    if let Some(name) = map.keys().next() {
        return Err(Error::script(format!("a data record has no part `{name}`")).hint("its parts are `x`, `y` and `w`"));
    }
    let x = x.ok_or_else(|| Error::script("the data record has no inputs `x`").hint(HINT))?;
    Ok(DataRecord {
        x: to_fields(x, "inputs `x`")?,
        y: y.map(|part| to_fields(part, "outputs `y`")).transpose()?,
        w: w.map(|part| to_fields(part, "sample weights `w`")).transpose()?,
    })
}

/// Returns a data record as the map `#{ x:, y:, w: }`, without the parts it does not have.
pub fn from_data_record(record: DataRecord) -> Dynamic {
    let mut map = Map::new();
    map.insert("x".into(), from_fields(record.x));
    if let Some(y) = record.y {
        map.insert("y".into(), from_fields(y));
    }
    if let Some(w) = record.w {
        map.insert("w".into(), from_fields(w));
    }
    Dynamic::from(map)
}

/// Returns a field of a record for a script.
pub fn from_value(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => Dynamic::from(value),
        Value::Int(value) => Dynamic::from(value),
        Value::Float(value) => Dynamic::from(value),
        Value::Text(text) => Dynamic::from(text.to_string()),
        Value::Tensor(tensor) => Dynamic::from(tensor),
        Value::List(items) => Dynamic::from(items.iter().cloned().map(from_value).collect::<List>()),
        other => other.to_json().map(|json| from_json(&json)).unwrap_or(Dynamic::UNIT),
    }
}

/// Returns a field of a record from a script's value.
///
/// # Errors
/// Functions and other things a record cannot hold.
pub fn to_value(value: &Dynamic) -> Result<Value> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return Ok(Value::Tensor(tensor.clone()));
    }
    match value.read_lock::<Component>() {
        Some(component) => Ok(component.items()?.to_value()),
        None => Ok(Value::from_json(&to_json(value)?)),
    }
}
