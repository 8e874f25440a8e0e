//! Data records of a chunk into values, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Array as List, Dynamic};

use super::halt::{Halt, Outcome};
use super::pack;
use super::value::Value;
use crate::record::{Column, Columns, DataColumns, Field, Name};
use crate::script::cast;
use crate::tensor::Tensor;

/// Returns a chunk as a script sees a data record: `#{ x:, y:, w: }`.
pub(super) fn from_columns(chunk: &DataColumns) -> Outcome<Value> {
    let part = |columns: &Columns| -> Outcome<Value> {
        let field = |(name, column): &(Name, Column)| Ok(((**name).into(), from_column(column)?));
        Ok(Value::Map(Arc::new(columns.iter().map(field).collect::<Outcome<BTreeMap<_, _>>>()?)))
    };
    let mut parts = BTreeMap::from([("x".into(), part(&chunk.x)?)]);
    if let Some(y) = &chunk.y {
        parts.insert("y".into(), part(y)?);
    }
    if let Some(w) = &chunk.w {
        parts.insert("w".into(), part(w)?);
    }
    Ok(Value::Map(Arc::new(parts)))
}

fn from_column(column: &Column) -> Outcome<Value> {
    Ok(match column {
        Column::Dense(Tensor::Host(array)) => Value::Tensors(array.clone()),
        Column::Dense(Tensor::Graph(_)) => return Err(Halt::new("values on another device")),
        Column::Ragged(tensors) => Value::Each(Arc::new(tensors.iter().cloned().map(Dynamic::from).collect())),
        Column::Text(texts) => Value::Texts(Arc::new(texts.clone())),
        Column::Texts(lists) => match lists.first().map(|list| list.len()) {
            Some(width) if lists.iter().all(|list| list.len() == width) => {
                let element = |at: usize| Value::texts(lists.iter().map(|list| list[at].clone()).collect());
                Value::list((0..width).map(element).collect())
            }
            _ => {
                let list = |list: &Arc<[Arc<str>]>| {
                    Dynamic::from(list.iter().map(|text| Dynamic::from(text.to_string())).collect::<List>())
                };
                Value::Each(Arc::new(lists.iter().map(list).collect()))
            }
        },
    })
}

/// Returns the columns of the data records a function returned.
///
/// # Errors
/// Whatever a single record would be refused for, and records that differ in their names.
pub(super) fn to_columns(value: &Value, len: usize) -> Outcome<DataColumns> {
    let present = |part: &&Value| !matches!(part, Value::Same(value) if value.is_unit());
    let (x, y, w) = match value {
        Value::List(parts) if (1..=3).contains(&parts.len()) => {
            (parts.first(), parts.get(1).filter(present), parts.get(2).filter(present))
        }
        Value::Map(parts) => {
            if parts.keys().any(|name| !["x", "y", "w"].contains(&name.as_str())) {
                return Err(Halt::new("a data record with other parts than `x`, `y` and `w`"));
            }
            (parts.get("x").filter(present), parts.get("y").filter(present), parts.get("w").filter(present))
        }
        _ => return Err(Halt::new("what is returned is no data record, or has other parts in each record")),
    };
    let x = x.ok_or_else(|| Halt::new("a data record without inputs"))?;
    let part = |part: &Value| -> Outcome<Columns> {
        let Value::Map(fields) = part else {
            return Err(Halt::new("a part of a data record that is no map, or has other names in each record"));
        };
        fields.iter().map(|(name, value)| Ok((Name::from(name.as_str()), to_column(value, len)?))).collect()
    };
    Ok(DataColumns { len, x: part(x)?, y: y.map(part).transpose()?, w: w.map(part).transpose()? })
}

fn to_column(value: &Value, len: usize) -> Outcome<Column> {
    match value {
        Value::Tensors(array) => return Ok(Column::Dense(array.clone().into())),
        Value::Texts(texts) => return Ok(Column::Text(texts.to_vec())),
        Value::Each(values) => {
            let fields = values.iter().map(cast::to_field).collect::<crate::Result<Vec<Field>>>()?;
            return of_fields(fields);
        }
        Value::Same(one) if one.is_string() => {
            let text: Arc<str> = value.same_text().unwrap_or_default().as_str().into();
            return Ok(Column::Text(vec![text; len]));
        }
        Value::List(items)
            if matches!(items.first(), Some(Value::Texts(_))) || items.first().and_then(Value::same_text).is_some() =>
        {
            let mut lists: Vec<Vec<Arc<str>>> = vec![Vec::with_capacity(items.len()); len];
            for item in items.iter() {
                match item {
                    Value::Texts(texts) => {
                        lists.iter_mut().zip(&**texts).for_each(|(list, text)| list.push(text.clone()));
                    }
                    item => {
                        let text = item.same_text().ok_or_else(|| Halt::new("a list of texts and other values"))?;
                        let text: Arc<str> = text.as_str().into();
                        lists.iter_mut().for_each(|list| list.push(text.clone()));
                    }
                }
            }
            return Ok(Column::Texts(lists.into_iter().map(Arc::from).collect()));
        }
        _ => (),
    }
    match pack::tensor(value, len)? {
        Some(Value::Tensors(array)) => Ok(Column::Dense(array.into())),
        Some(Value::Each(values)) => {
            of_fields(values.iter().map(cast::to_field).collect::<crate::Result<Vec<Field>>>()?)
        }
        _ => Err(Halt::new("a value that is neither numbers nor text")),
    }
}

/// Returns the column of fields that differ in shape or length.
fn of_fields(fields: Vec<Field>) -> Outcome<Column> {
    let row = |field: Field| crate::record::DataRecord { x: vec![("value".into(), field)], y: None, w: None };
    let rows: Vec<_> = fields.into_iter().map(row).collect();
    let stacked = crate::batch::stack(&rows, &|at| format!("record {at}"))?;
    match stacked.x.into_iter().next() {
        Some((_, column)) => Ok(column),
        None => Err(Halt::new("no records")),
    }
}
