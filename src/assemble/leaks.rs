//! What in the records looks like a mistake: rows in both splits, columns that tell nothing, classes that training
//! never sees.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::dataset::{Batch, Dataset};
use crate::error::{Error, Result, list, listed};
use crate::record::{Records, Value};
use crate::tensor::Dtype;

/// Rows of each split that are looked at; a check should not take longer than a first epoch.
const ROWS: usize = 20_000;

/// Finds rows in both splits, and columns with one value.
///
/// # Errors
/// A value that cannot be read.
pub fn of_records(train: &Records, validation: &Records) -> Result<Vec<Error>> {
    let looked = train.len().min(ROWS);
    let columns: Vec<Column> =
        train.columns().iter().map(|name| Column::of(train, name, looked)).collect::<Result<_>>()?;
    let mut found = Vec::new();
    found.extend(duplicates(train, validation, &columns)?);
    let constant: Vec<&str> = columns.iter().filter(|column| column.constant).map(|column| &*column.name).collect();
    if looked > 1 && !constant.is_empty() {
        let (columns, have) = if constant.len() == 1 { ("column", "has") } else { ("columns", "have") };
        let first = if looked < train.len() {
            format!("the first {looked} training records")
        } else {
            "all training records".to_owned()
        };
        found.push(
            Error::data(format!("the {columns} {} {have} the same value in {first}", listed(constant.into_iter())))
                .hint("a network learns nothing from it; a filter or a join before this may have gone wrong"),
        );
    }
    Ok(found)
}

/// What is known of a column of the training records.
struct Column {
    name: String,
    /// The same value in every row.
    constant: bool,
    /// Another text or whole number in every row: the number of a record, not what it is about.
    is_id: bool,
}

impl Column {
    fn of(records: &Records, name: &str, rows: usize) -> Result<Column> {
        let mut seen = HashSet::new();
        let (mut constant, mut is_id, mut first) = (true, rows > 1, None);
        for row in 0..rows {
            let value = records.record(row).get_or(name)?;
            is_id &= matches!(value, Some(Value::Int(_) | Value::Text(_)));
            let text = written(value.as_ref())?;
            constant &= first.get_or_insert_with(|| text.clone()) == &text;
            is_id = is_id && seen.insert(text);
            if !constant && !is_id {
                break;
            }
        }
        Ok(Column { name: name.to_owned(), constant, is_id })
    }
}

fn written(value: Option<&Value>) -> Result<String> {
    value.map_or(Ok("null".to_owned()), |value| Ok(value.to_json()?.to_string()))
}

/// Finds validation records that are training records, too, but for the columns that number them.
fn duplicates(train: &Records, validation: &Records, columns: &[Column]) -> Result<Option<Error>> {
    let compared: Vec<&str> =
        columns.iter().filter(|column| !column.is_id).map(|column| column.name.as_str()).collect();
    // With nothing but a number to tell records apart, they are all different.
    if compared.iter().all(|name| columns.iter().any(|column| column.name == *name && column.constant)) {
        return Ok(None);
    }
    let text = |records: &Records, row: usize| -> Result<String> {
        let record = records.record(row);
        let values = compared.iter().map(|name| written(record.get_or(name).ok().flatten().as_ref()));
        Ok(values.collect::<Result<Vec<_>>>()?.join("\u{1f}"))
    };
    let seen: BTreeMap<String, usize> =
        (0..train.len().min(ROWS)).rev().map(|row| Ok((text(train, row)?, row))).collect::<Result<_>>()?;
    let mut twice = Vec::new();
    let looked = validation.len().min(ROWS);
    for row in 0..looked {
        if let Some(same) = seen.get(&text(validation, row)?) {
            twice.push((row, *same));
        }
    }
    let Some((row, same)) = twice.first() else { return Ok(None) };
    let but = match columns.len() - compared.len() {
        0 => String::new(),
        _ => {
            let ids = columns.iter().filter(|column| column.is_id).map(|column| &*column.name);
            format!(", but for {}", list(ids))
        }
    };
    let records =
        if twice.len() == 1 { "records is also a training record" } else { "records are also training records" };
    Ok(Some(
        Error::data(format!("{} of {looked} validation {records}{but}", twice.len()))
            .hint(format!(
                "the first is {}, the same as {}",
                validation.record(*row).place(),
                train.record(*same).place()
            ))
            .hint("scores on records that were trained on are too good; split before records are repeated or changed"),
    ))
}

/// Finds classes that only the validation records have, in outputs of whole numbers and of one-hot rows.
///
/// # Errors
/// Whatever the stations raise.
pub fn unseen_classes(train: &Dataset, validation: Option<&Dataset>) -> Result<Vec<Error>> {
    let Some(validation) = validation else { return Ok(Vec::new()) };
    let (known, found) = (classes(train)?, classes(validation)?);
    let mut warnings = Vec::new();
    for (name, classes) in found {
        let Some(known) = known.get(&name) else { continue };
        let unseen: Vec<String> = classes.difference(known).map(ToString::to_string).collect();
        if !unseen.is_empty() {
            let (noun, are) = if unseen.len() == 1 { ("class", "is") } else { ("classes", "are") };
            warnings.push(
                Error::data(format!(
                    "output `{name}`: {noun} {} {are} in the validation records only",
                    unseen.join(", ")
                ))
                .hint("what training never shows is never predicted; split with `stratify`"),
            );
        }
    }
    Ok(warnings)
}

fn classes(data: &Dataset) -> Result<BTreeMap<String, BTreeSet<i64>>> {
    let mut classes: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let (mut epoch, mut looked) = (data.epoch(0), 0);
    for index in 0..data.batches() {
        let batch: Batch = epoch.batch(index)?;
        looked += batch.len;
        for (name, array) in batch.y.iter().flatten() {
            let found = match array.dtype() {
                Dtype::I64 | Dtype::U8 => array.cast(Dtype::I64).as_i64().to_vec(),
                _ => one_hot(array).unwrap_or_default(),
            };
            if !found.is_empty() {
                classes.entry(name.to_string()).or_default().extend(found);
            }
        }
        if looked >= ROWS {
            break;
        }
    }
    Ok(classes)
}

/// Returns the class of each row, when every row is one 1 among zeros.
fn one_hot(array: &crate::tensor::Array) -> Option<Vec<i64>> {
    let [_, width] = *array.shape() else { return None };
    if width < 2 {
        return None;
    }
    let values = array.as_f32();
    let class = |row: &[f32]| {
        let at = row.iter().position(|value| *value == 1.0)?;
        let zeros = row.iter().filter(|value| **value == 0.0).count();
        (zeros + 1 == width).then_some(at as i64)
    };
    values.chunks(width).map(class).collect()
}
