//! Stacking the rows of a chunk into columns, natively; what does not fit together is refused with a
//! reason, never cut to fit.

use std::sync::Arc;

use crate::error::{Error, Result, codes, did_you_mean, list};
use crate::record::{Column, Columns, DataColumns, DataRecord, Field, Fields, Name};
use crate::tensor::{Array, Tensor};

/// Stacks data records on a new axis 0, name by name, in the order of the first record's names.
///
/// Tensors of one shape become a dense column, of different shapes a ragged one; texts and lists of texts
/// stay lists. `names` gives the place of the record at an index ("record 17 of train.csv") for errors.
///
/// # Errors
/// A name, outputs or sample weights that one record has and another has not; numbers where another
/// record has texts; different dtypes.
pub fn stack(records: &[DataRecord], names: &dyn Fn(usize) -> String) -> Result<DataColumns> {
    let part = |part: Part| -> Result<Option<Columns>> {
        let stacked = part.rows(records, names).and_then(|rows| rows.map(|rows| part.stack(&rows, names)).transpose());
        stacked.map_err(|error| error.coded(codes::UNEVEN_BATCH))
    };
    Ok(DataColumns {
        len: records.len(),
        x: part(Part::Inputs)?.unwrap_or_default(),
        y: part(Part::Outputs)?,
        w: part(Part::Weights)?,
    })
}

/// The parts of a data record.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Inputs,
    Outputs,
    Weights,
}

impl Part {
    /// Returns what errors call the part: "inputs `x`".
    fn name(self) -> &'static str {
        match self {
            Part::Inputs => "inputs `x`",
            Part::Outputs => "outputs `y`",
            Part::Weights => "sample weights `w`",
        }
    }

    /// Returns the part of every record, or `None` when none has it.
    fn rows<'a>(self, records: &'a [DataRecord], names: &dyn Fn(usize) -> String) -> Result<Option<Vec<&'a Fields>>> {
        let of = |record: &'a DataRecord| match self {
            Part::Inputs => Some(&record.x),
            Part::Outputs => record.y.as_ref(),
            Part::Weights => record.w.as_ref(),
        };
        let having = records.iter().position(|record| of(record).is_some());
        let lacking = records.iter().position(|record| of(record).is_none());
        match (having, lacking) {
            (Some(having), Some(lacking)) => {
                Err(Error::data(format!("{} has no {}, {} has them", names(lacking), self.name(), names(having)))
                    .hint("a loader or transformer has to give them for every record, or for none"))
            }
            _ => Ok(records.iter().map(of).collect()),
        }
        .map(|rows: Option<Vec<_>>| rows.filter(|rows| !rows.is_empty()))
    }

    fn stack(self, rows: &[&Fields], names: &dyn Fn(usize) -> String) -> Result<Columns> {
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let mut columns = Columns::with_capacity(first.len());
        for (at, (name, _)) in first.iter().enumerate() {
            if first[..at].iter().any(|(known, _)| known == name) {
                return Err(Error::data(format!("{} has {} twice: `{name}`", names(0), self.name())));
            }
            let fields: Option<Vec<&Field>> = rows.iter().map(|row| find(row, at, name)).collect();
            let fields = fields.ok_or_else(|| self.refuse_names(rows, names))?;
            let column = column(&fields, names).map_err(|error| error.within(format!("{}: `{name}`", self.name())))?;
            columns.push((name.clone(), column));
        }
        match rows.iter().all(|row| row.len() == first.len()) {
            true => Ok(columns),
            false => Err(self.refuse_names(rows, names)),
        }
    }

    /// Returns the error of the first record whose names are not those of record 0.
    fn refuse_names(self, rows: &[&Fields], names: &dyn Fn(usize) -> String) -> Error {
        let has = |row: &Fields, name: &Name| row.iter().any(|(known, _)| known == name);
        for (index, row) in rows.iter().enumerate() {
            let lacking = rows[0].iter().find(|(name, _)| !has(row, name));
            let extra = row.iter().find(|(name, _)| !has(rows[0], name));
            let (name, with, without) = match (lacking, extra) {
                (Some((name, _)), _) => (name, 0, index),
                (_, Some((name, _))) => (name, index, 0),
                _ => continue,
            };
            let others = || rows[without].iter().map(|(name, _)| &**name);
            return Error::data(format!("{}: {} has `{name}`, {} has not", self.name(), names(with), names(without)))
                .maybe_hint(did_you_mean(name, others()))
                .hint(format!(
                    "{} has {}",
                    names(without),
                    if rows[without].is_empty() { "none".to_owned() } else { list(others()) }
                ));
        }
        Error::data(format!("{}: a name is given twice", self.name()))
    }
}

/// Finds a name, usually where the first record has it.
fn find<'a>(row: &'a Fields, guess: usize, name: &Name) -> Option<&'a Field> {
    match row.get(guess) {
        Some((known, field)) if known == name => Some(field),
        _ => row.iter().find(|(known, _)| known == name).map(|(_, field)| field),
    }
}

fn column(fields: &[&Field], names: &dyn Fn(usize) -> String) -> Result<Column> {
    let kind = |field: &Field| match field {
        Field::Tensor(_) => "numbers",
        Field::Text(_) => "a text",
        Field::Texts(_) => "a list of texts",
    };
    let Some(first) = fields.first() else { return Ok(Column::Ragged(Vec::new())) };
    if let Some(other) = fields.iter().position(|field| kind(field) != kind(first)) {
        return Err(Error::data(format!(
            "{} has {}, {} has {}",
            names(other),
            kind(fields[other]),
            names(0),
            kind(first)
        ))
        .hint("a name has to hold the same in every record"));
    }
    Ok(match first {
        Field::Text(_) => Column::Text(fields.iter().filter_map(|field| text(field)).collect()),
        Field::Texts(_) => Column::Texts(fields.iter().filter_map(|field| texts(field)).collect()),
        Field::Tensor(_) => tensors(fields, names)?,
    })
}

fn tensors(fields: &[&Field], names: &dyn Fn(usize) -> String) -> Result<Column> {
    let mut arrays: Vec<Array> = Vec::with_capacity(fields.len());
    for (index, field) in fields.iter().enumerate() {
        let Field::Tensor(tensor) = field else { continue };
        let array = tensor.to_host().map_err(|error| error.within(names(index)))?;
        if let Some(first) = arrays.first().filter(|first| first.dtype() != array.dtype()) {
            let (found, expected) = (array.dtype().name(), first.dtype().name());
            return Err(Error::data(format!("{} is {found}, {} is {expected}", names(index), names(0)))
                .hint("give every record the same dtype: `.to_f32()`, or `.to_i64()` for class numbers"));
        }
        arrays.push(array);
    }
    let equal = arrays.iter().all(|array| array.shape() == arrays[0].shape());
    Ok(match equal {
        true => Column::Dense(Array::stack(&arrays)?.into()),
        false => Column::Ragged(arrays.into_iter().map(Tensor::from).collect()),
    })
}

fn text(field: &Field) -> Option<Arc<str>> {
    match field {
        Field::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn texts(field: &Field) -> Option<Arc<[Arc<str>]>> {
    match field {
        Field::Texts(texts) => Some(texts.clone()),
        _ => None,
    }
}
