//! `KeySelector`: fields of a record, by name.

use serde_json::Value as Json;

use crate::error::{Error, Result, codes};
use crate::record::{
    Column, Columns, DataColumns, DataRecord, DataRecords, Field, Fields, Loader, Mode, Name, Record, gather,
    gather_list, stray_text,
};
use crate::registry::{Arguments, Entry, Parameter, Type, found};
use crate::tensor::{Array, Dtype, Tensor};

pub(super) const ENTRY: Entry<dyn Loader> = Entry {
    name: "KeySelector",
    aliases: &[],
    doc: "Selects fields of the record by name. A key gives the field's value with its shape: a number has \
          shape `[]`. A list of keys gives the values stacked on a new first axis: `[\"a\", \"b\"]` has shape \
          `[2]`, and `[\"a\"]` has shape `[1]`. Whole numbers are i64, numbers f32, a list of both f32; texts \
          stay texts, for the transformer. In the mode `score` outputs and sample weights are not read, so \
          labels may be missing.",
    parameters: &[
        Parameter::required("inputs", Type::Map, "network input → key or list of keys"),
        Parameter::required("outputs", Type::Map, "network output → key or list of keys"),
        Parameter::optional("sample_weights", Type::Map, "null", "network output → key of a number or a list"),
    ],
    build: |arguments| Ok(Box::new(KeySelector::from_arguments(arguments)?)),
};

/// Selects fields of the record by name; whole columns are gathered at once.
#[derive(Clone, Debug)]
pub struct KeySelector {
    inputs: Vec<(Name, Keys)>,
    outputs: Vec<(Name, Keys)>,
    sample_weights: Option<Vec<(Name, Keys)>>,
}

/// One key, or keys whose values are stacked.
#[derive(Clone, Debug)]
enum Keys {
    One(Name),
    List(Vec<Name>),
}

impl KeySelector {
    fn from_arguments(arguments: &Arguments) -> Result<Self> {
        let weights = |value: &Json| value.is_string();
        let keys = |value: &Json| match value {
            Json::Array(items) => !items.is_empty() && items.iter().all(Json::is_string),
            value => value.is_string(),
        };
        Ok(KeySelector {
            inputs: selection(arguments, "inputs", &keys, "a key or a list of keys")?,
            outputs: selection(arguments, "outputs", &keys, "a key or a list of keys")?,
            sample_weights: match arguments.is_null("sample_weights") {
                true => None,
                false => Some(selection(arguments, "sample_weights", &weights, "a key")?),
            },
        })
    }
}

impl Loader for KeySelector {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        let (outputs, weights) = match mode {
            Mode::Score => (None, None),
            Mode::Train | Mode::Validation => (Some(&self.outputs), self.sample_weights.as_ref()),
        };
        let columns = |selection: &Vec<(Name, Keys)>| columns(selection, records);
        let x = columns(&self.inputs)?;
        let y = outputs.map(columns).transpose()?;
        let w = weights.map(columns).transpose()?;
        if let (Some(x), Some(y), Some(w)) = (x, turn(y), turn(w)) {
            return Ok(DataRecords::Columns(DataColumns { len: records.len(), x, y, w }));
        }
        let row = |record: &Record| -> Result<DataRecord> {
            Ok(DataRecord {
                x: fields(&self.inputs, record)?,
                y: outputs.map(|selection| fields(selection, record)).transpose()?,
                w: weights.map(|selection| fields(selection, record)).transpose()?,
            })
        };
        Ok(DataRecords::Rows(records.iter().map(row).collect::<Result<_>>()?))
    }
}

/// Returns the columns of a selection, or `None` when they cannot be gathered at once.
fn columns(selection: &[(Name, Keys)], records: &[Record]) -> Result<Option<Columns>> {
    let column = |(name, keys): &(Name, Keys)| -> Result<Option<(Name, Column)>> {
        let column = match keys {
            Keys::One(key) => gather(records, key)?,
            Keys::List(keys) => gather_list(records, keys)?,
        };
        Ok(column.map(|column| (name.clone(), column)))
    };
    selection.iter().map(column).collect()
}

/// Absent outputs stand in no one's way; outputs that cannot be gathered do.
fn turn(columns: Option<Option<Columns>>) -> Option<Option<Columns>> {
    match columns {
        None => Some(None),
        Some(None) => None,
        Some(Some(columns)) => Some(Some(columns)),
    }
}

fn fields(selection: &[(Name, Keys)], record: &Record) -> Result<Fields> {
    let field = |(name, keys): &(Name, Keys)| {
        let field = match keys {
            Keys::One(key) => record.field(key),
            Keys::List(keys) => stacked(keys, record),
        };
        Ok((name.clone(), field?))
    };
    selection.iter().map(field).collect()
}

/// Returns the values of several keys on a new first axis.
fn stacked(keys: &[Name], record: &Record) -> Result<Field> {
    let fields = keys.iter().map(|key| record.field(key)).collect::<Result<Vec<_>>>()?;
    let texts: Option<Vec<_>> =
        fields.iter().map(|field| if let Field::Text(text) = field { Some(text.clone()) } else { None }).collect();
    if let Some(texts) = texts {
        return Ok(Field::Texts(texts.into()));
    }
    let mut arrays: Vec<Array> = Vec::with_capacity(fields.len());
    for (key, field) in keys.iter().zip(&fields) {
        let Field::Tensor(tensor) = field else {
            return Err(Error::data(format!(
                "keys with texts and keys with numbers cannot be stacked: `{key}` holds text"
            ))
            .coded(codes::WRONG_CELL)
            .maybe_hint(stray_text(record, key).map(|stray| format!("it is text because of {stray}")))
            .hint("give the texts an input of their own")
            .within(record.place()));
        };
        let array = tensor.to_host()?;
        if let Some(first) = arrays.first().filter(|first| first.shape() != array.shape()) {
            return Err(Error::data(format!(
                "keys with different shapes cannot be stacked: `{}` has shape {:?}, `{key}` has shape {:?}",
                keys[0],
                first.shape(),
                array.shape()
            ))
            .coded(codes::UNEVEN_BATCH)
            .hint("give each an input of its own")
            .within(record.place()));
        }
        arrays.push(array);
    }
    let dtype = arrays.iter().map(Array::dtype).max_by_key(|dtype| match dtype {
        Dtype::U8 => 0,
        Dtype::I64 => 1,
        Dtype::F32 => 2,
        Dtype::F64 => 3,
    });
    let arrays: Vec<Array> = arrays.iter().map(|array| array.cast(dtype.unwrap_or(Dtype::F32))).collect();
    Ok(Field::Tensor(Tensor::from(Array::stack(&arrays)?)))
}

fn selection(
    arguments: &Arguments,
    parameter: &str,
    accepts: &dyn Fn(&Json) -> bool,
    expected: &str,
) -> Result<Vec<(Name, Keys)>> {
    let map = arguments.value(parameter).as_object().cloned().unwrap_or_default();
    if map.is_empty() {
        return Err(arguments.refuse(parameter, format!("a map of at least one name → {expected}")));
    }
    let mut selection = Vec::with_capacity(map.len());
    for (name, value) in &map {
        if !accepts(value) {
            let component = arguments.component();
            return Err(Error::recipe(format!(
                "parameter `{parameter}` of `{component}`: expected {expected} under `{name}`, found {}",
                found(value)
            ))
            .coded(codes::PARAMETER_TYPE));
        }
        let key = |value: &Json| Name::from(value.as_str().unwrap_or(""));
        let keys = match value {
            Json::Array(items) => Keys::List(items.iter().map(key).collect()),
            value => Keys::One(key(value)),
        };
        selection.push((name.as_str().into(), keys));
    }
    Ok(selection)
}

#[cfg(test)]
mod tests;
