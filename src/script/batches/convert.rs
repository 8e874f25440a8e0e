//! Ids, items and sources, between scripts and the rest of the program.

use std::collections::BTreeMap;

use rhai::{Array as List, Dynamic, Map};

use crate::batch::Items;
use crate::error::{Error, Result};
use crate::pipeline::{Id, Index, Source};
use crate::record::{Records, Value};
use crate::script::batches::{Collection, Component};
use crate::script::cast;
use crate::script::traceback::type_phrase;
use crate::tensor::Tensor;

/// Returns an id for a script.
pub fn from_id(id: Id) -> Dynamic {
    match id {
        Id::Number(number) => Dynamic::from(number),
        Id::Text(text) => Dynamic::from(text.to_string()),
    }
}

/// Returns an id.
///
/// # Errors
/// Anything but a whole number or a text.
pub fn to_id(value: &Dynamic) -> Result<Id> {
    if let Ok(number) = value.as_int() {
        return Ok(Id::Number(number));
    }
    match value.as_immutable_string_ref() {
        Ok(text) => Ok(Id::Text(text.as_str().into())),
        Err(found) => Err(Error::script(format!("an id is a whole number or a text, found {}", type_phrase(found)))),
    }
}

/// Returns the ids of an array, or of a tensor of whole numbers with one axis.
///
/// # Errors
/// Anything else.
pub fn to_ids(value: &Dynamic) -> Result<Vec<Id>> {
    if let Some(list) = value.read_lock::<List>() {
        return list.iter().map(to_id).collect();
    }
    let tensor = value.read_lock::<Tensor>().filter(|tensor| tensor.rank() == 1 && !tensor.dtype().is_float());
    match tensor {
        Some(tensor) => Ok(tensor.to_host()?.as_i64().iter().map(|&number| Id::Number(number)).collect()),
        None => Err(Error::script(format!("expected an array of ids, found {}", type_phrase(value.type_name())))
            .hint("ids are whole numbers or texts: `[\"a\", \"b\"]`")),
    }
}

/// Returns the items of a component: a tensor with an item in each row, or an array of items.
///
/// # Errors
/// Anything else.
pub fn to_items(value: &Dynamic) -> Result<Items> {
    if let Some(component) = value.read_lock::<Component>() {
        return component.items();
    }
    if let Some(collection) = value.read_lock::<Collection>() {
        return collection.items();
    }
    if let Some(list) = value.read_lock::<List>() {
        return Ok(Items::assemble(to_values(&list)?));
    }
    match value.read_lock::<Tensor>() {
        Some(tensor) => Items::of(Value::Tensor(tensor.clone())),
        None => Err(Error::script(format!(
            "expected a tensor with an item in each row, or an array of items, found {}",
            type_phrase(value.type_name())
        ))),
    }
}

/// Returns the values of an array.
///
/// # Errors
/// Functions and other things that are no data.
pub fn to_values(list: &List) -> Result<Vec<Value>> {
    let value =
        |(at, value): (usize, &Dynamic)| cast::to_value(value).map_err(|error| error.within(format!("position {at}")));
    list.iter().enumerate().map(value).collect()
}

/// Returns all items for a script: a tensor, or an array.
pub fn from_items(items: &Items) -> Dynamic {
    match items {
        Items::Dense(array) => Dynamic::from(Tensor::Host(array.clone())),
        Items::Mixed(values) => Dynamic::from(values.iter().cloned().map(cast::from_value).collect::<List>()),
    }
}

/// Returns a source of data: a tensor or an array with an item in each row, records, a map of items by id, or a map of
/// sources by component.
///
/// # Errors
/// Anything else.
pub fn to_source(value: &Dynamic, all: &Index) -> Result<Source> {
    if let Some(records) = value.read_lock::<Records>() {
        return Ok(Source::Table(records.clone()));
    }
    let Some(map) = value.read_lock::<Map>() else { return to_items(value).map(Source::Rows) };
    let is_id = |name: &str| all.find(&Id::Text(name.into())).is_some();
    if !map.is_empty() && map.keys().all(|name| is_id(name)) {
        let item = |(name, value): (&rhai::Identifier, &Dynamic)| {
            let value = cast::to_value(value).map_err(|error| error.within(format!("id `{name}`")))?;
            Ok((Id::Text(name.as_str().into()), value))
        };
        return Ok(Source::ById(map.iter().map(item).collect::<Result<BTreeMap<_, _>>>()?));
    }
    let part = |(name, value): (&rhai::Identifier, &Dynamic)| {
        let source = to_source(value, all).map_err(|error| error.within(format!("component `{name}`")))?;
        Ok((name.as_str().into(), source))
    };
    Ok(Source::Named(map.iter().map(part).collect::<Result<_>>()?))
}
