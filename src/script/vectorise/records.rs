//! Fields of records, as columns straight from the table.

use rhai::ImmutableString;

use super::halt::{Halt, Outcome};
use super::value::Value;
use crate::record::{Cells64, Column, ColumnType, Name, Rows};
use crate::tensor::Tensor;

/// Returns a field of each record; `None` when it has no column form.
///
/// # Errors
/// A field that does not exist, and a missing value.
pub(super) fn field(rows: &Rows, name: &str) -> Outcome<Option<Value>> {
    if name == "row" {
        return Ok(Some(Value::ints(rows.records().map(|record| record.index() as i64).collect())));
    }
    Ok(rows.cells64(name)?.and_then(value))
}

fn value(cells: Cells64) -> Option<Value> {
    Some(match cells {
        Cells64::Ints(values) => Value::ints(values),
        Cells64::Floats(values) => Value::floats(values),
        Cells64::Bools(values) => Value::bools(values),
        Cells64::Texts(values) => Value::texts(values),
        Cells64::Tensors(array) => Value::Tensors(array),
    })
}

/// Functions of a record.
pub(super) fn call(name: &str, arguments: &[Value]) -> Outcome<Option<Value>> {
    let Some((Value::Records(rows), rest)) = arguments.split_first() else { return Ok(None) };
    match (name, rest) {
        ("gather", [Value::List(names)]) => {
            let names: Option<Vec<ImmutableString>> = names.iter().map(Value::same_text).collect();
            match names {
                Some(names) => gathered(rows, &names),
                None => Err(Halt::new("gathers fields whose names differ from record to record")),
            }
        }
        // The rows of one table have the same fields.
        ("keys", []) => {
            Ok(rows.record(0).map(|record| Value::list(record.keys().iter().map(|name| Value::text(name)).collect())))
        }
        ("get", [name, default]) => {
            let Some(name) = name.same_text() else { return Ok(None) };
            let known = rows.record(0).is_some_and(|record| record.keys().iter().any(|key| **key == *name.as_str()));
            match known {
                false => Ok(Some(default.clone())),
                // A missing value is that of its lane alone.
                true => Ok(rows.cells64(&name).ok().flatten().and_then(value)),
            }
        }
        _ => Ok(None),
    }
}

/// Returns fields as one array, as a list of them becomes where a data record is made of it; `None` unless all are whole
/// numbers or all have a fraction: a whole number among others is rounded in another way.
pub(super) fn side_by_side(rows: &Rows, names: &[Name]) -> Option<Value> {
    let kind = rows.kind(names.first()?)?;
    let numbers = matches!(kind, ColumnType::Int | ColumnType::Float);
    if !numbers || names.iter().any(|name| rows.kind(name) != Some(kind)) {
        return None;
    }
    // What is missing is for the list to find.
    match rows.list(names).ok()?? {
        Column::Dense(Tensor::Host(array)) => Some(Value::Tensors(array)),
        _ => None,
    }
}

/// Numbers side by side: i64 when all are whole, else f32. A mixture with `true` and `false` is left to the
/// function itself.
fn gathered(rows: &Rows, names: &[ImmutableString]) -> Outcome<Option<Value>> {
    let names: Vec<Name> = names.iter().map(|name| Name::from(name.as_str())).collect();
    let Some(first) = rows.record(0).filter(|_| !names.is_empty()) else { return Ok(None) };
    let kinds: Vec<Option<ColumnType>> = names.iter().map(|name| first.kind(name)).collect();
    let numbers = kinds.iter().all(|kind| matches!(kind, Some(ColumnType::Int | ColumnType::Float)));
    let bools = kinds.iter().all(|kind| matches!(kind, Some(ColumnType::Bool)));
    if !numbers && !bools {
        return Ok(None);
    }
    Ok(match rows.list(&names)? {
        Some(Column::Dense(Tensor::Host(array))) => Some(Value::Tensors(array)),
        _ => None,
    })
}
