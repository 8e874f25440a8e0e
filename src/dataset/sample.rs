//! What the fields of records say about how they are drawn: weights, classes, lengths.

use std::collections::HashMap;

use super::Options;
use crate::error::{Error, Result};
use crate::record::{Records, Value};

/// Returns the weight of each row, when rows are drawn by weight.
///
/// # Errors
/// Two ways to draw at once, a field that does not exist or is missing, a weight that is negative or no number.
pub(super) fn weights(records: &Records, options: &Options) -> Result<Option<Vec<f64>>> {
    let given = [
        ("sample_count", options.sample_count.is_some()),
        ("balance", options.balance.is_some()),
        ("sample_probability", options.sample_probability.is_some()),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    if let [first, second, ..] = given[..] {
        return Err(Error::recipe(format!(
            "`{first}` and `{second}` exclude each other: both say how often a record is used"
        )));
    }
    if let Some(field) = &options.balance {
        return balanced(records, field).map(Some);
    }
    let Some(field) = &options.sample_probability else { return Ok(None) };
    let weight = |record: crate::record::Record| {
        let weight = record.number(field)?;
        match weight >= 0.0 && weight.is_finite() {
            true => Ok(weight),
            false => Err(Error::data(format!(
                "sample probability `{field}`: expected a number of at least 0, found {weight}"
            ))
            .within(record.place())),
        }
    };
    let weights = records.iter().map(weight).collect::<Result<Vec<f64>>>()?;
    match weights.iter().sum::<f64>() > 0.0 {
        true => Ok(Some(weights)),
        false => Err(Error::data(format!("sample probability `{field}` is 0 in every record"))
            .within(records.source().to_owned())),
    }
}

/// Weights every record by how rare the value of a field is.
fn balanced(records: &Records, field: &str) -> Result<Vec<f64>> {
    let class = |record: crate::record::Record| match record.get(field)? {
        Value::Text(text) => Ok(text.to_string()),
        value @ (Value::Int(_) | Value::Bool(_)) => Ok(value.describe()),
        other => Err(Error::data(format!(
            "balance `{field}`: expected a text, a whole number or true/false, found {}",
            other.describe()
        ))
        .within(record.place())),
    };
    let classes = records.iter().map(class).collect::<Result<Vec<String>>>()?;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for class in &classes {
        *counts.entry(class).or_default() += 1;
    }
    Ok(classes.iter().map(|class| 1.0 / counts.get(class.as_str()).copied().unwrap_or(1) as f64).collect())
}

/// Returns the length of a field of each row: a number itself, the characters of a text, the first axis of a tensor,
/// the items of a list.
///
/// # Errors
/// A field that does not exist, is missing, or has no length.
pub(super) fn lengths(records: &Records, field: Option<&str>) -> Result<Option<Vec<f64>>> {
    let Some(field) = field else { return Ok(None) };
    let length = |record: crate::record::Record| match record.get(field)? {
        Value::Int(value) => Ok(value as f64),
        Value::Float(value) => Ok(value),
        Value::Text(text) => Ok(text.chars().count() as f64),
        Value::Tensor(tensor) => Ok(tensor.len() as f64),
        Value::List(items) => Ok(items.len() as f64),
        other => {
            Err(Error::data(format!("bucket `{field}`: {} has no length", other.describe())).within(record.place()))
        }
    };
    records.iter().map(length).collect::<Result<_>>().map(Some)
}
