//! Columns of a batch: the border to dense numbers, picking rows, and putting chunks together.

use crate::error::{Error, Result, list};
use crate::record::{Column, Columns, DataColumns};
use crate::tensor::{Array, Dtype, Tensor, storage};

/// Returns the numbers of a column, records on axis 0: the border where a batch goes to the network.
/// `what` is what errors call the column: "inputs `x`".
///
/// # Errors
/// Ragged and text columns are refused, with what to do.
pub fn dense(column: &Column, what: &str) -> Result<Array> {
    match column {
        Column::Dense(tensor) => tensor.to_host().map_err(|error| error.within(what)),
        Column::Ragged(tensors) => {
            let first = tensors.first().map_or(&[][..], Tensor::shape);
            let message = match tensors.iter().position(|tensor| tensor.shape() != first) {
                Some(other) => {
                    let found = tensors[other].shape();
                    format!("{what}: record {other} has shape {found:?}, record 0 has shape {first:?}")
                }
                None => format!("{what}: the records were not stacked"),
            };
            Err(Error::data(message).hint("pad in the transformer"))
        }
        Column::Text(texts) => {
            let example = texts.first().map_or(String::new(), |text| {
                let start: String = text.chars().take(20).collect();
                format!(", such as {start:?}")
            });
            Err(Error::data(format!("{what}: expected numbers, found texts{example}"))
                .hint("turn texts into numbers in the transformer: class numbers, word numbers"))
        }
        Column::Texts(_) => Err(Error::data(format!("{what}: expected numbers, found lists of texts"))
            .hint("turn texts into numbers in the transformer: class numbers, word numbers")),
    }
}

/// Returns the records at these indices, in this order; an index may occur more than once.
///
/// # Errors
/// An index that is not below the number of records.
pub fn take(columns: &DataColumns, indices: &[usize]) -> Result<DataColumns> {
    if let Some(wrong) = indices.iter().find(|&&index| index >= columns.len) {
        return Err(Error::data(format!("there is no record {wrong} in a batch of {}, counted from 0", columns.len)));
    }
    let part = |part: &Columns| -> Result<Columns> {
        part.iter().map(|(name, column)| Ok((name.clone(), take_column(column, indices)?))).collect()
    };
    Ok(DataColumns {
        len: indices.len(),
        x: part(&columns.x)?,
        y: columns.y.as_ref().map(part).transpose()?,
        w: columns.w.as_ref().map(part).transpose()?,
    })
}

/// Lets go of columns: the storage of numbers that nobody else holds is used again for others.
pub(crate) fn release(columns: DataColumns) {
    let parts = [Some(columns.x), columns.y, columns.w];
    for (_, column) in parts.into_iter().flatten().flatten() {
        if let Column::Dense(Tensor::Host(array)) = column {
            storage::give(array);
        }
    }
}

fn take_column(column: &Column, indices: &[usize]) -> Result<Column> {
    fn pick<T: Clone>(items: &[T], indices: &[usize]) -> Vec<T> {
        indices.iter().filter_map(|&index| items.get(index).cloned()).collect()
    }
    Ok(match column {
        Column::Dense(tensor) => Column::Dense(tensor.to_host()?.take_rows(indices)?.into()),
        Column::Ragged(tensors) => regular(pick(tensors, indices))?,
        Column::Text(texts) => Column::Text(pick(texts, indices)),
        Column::Texts(texts) => Column::Texts(pick(texts, indices)),
    })
}

/// Returns the records of all parts, one after another. A column whose shapes differ between the parts
/// becomes ragged.
///
/// # Errors
/// No part at all; a name, outputs or sample weights that one part has and another has not; numbers
/// against texts; different dtypes.
pub fn concat(parts: &[DataColumns]) -> Result<DataColumns> {
    let first = parts.first().ok_or_else(|| Error::data("there are no batches to put together"))?;
    if parts.len() == 1 {
        return Ok(first.clone());
    }
    let optional = |what: &str, of: &dyn Fn(&DataColumns) -> Option<&Columns>| -> Result<Option<Columns>> {
        let present: Vec<&Columns> = parts.iter().filter_map(of).collect();
        match present.len() {
            0 => Ok(None),
            count if count == parts.len() => concat_part(&present, what).map(Some),
            _ => Err(Error::data(format!("some batches have {what}, others have not"))
                .hint("a loader or transformer has to give them for every record, or for none")),
        }
    };
    Ok(DataColumns {
        len: parts.iter().map(|part| part.len).sum(),
        x: optional("inputs `x`", &|part| Some(&part.x))?.unwrap_or_default(),
        y: optional("outputs `y`", &|part| part.y.as_ref())?,
        w: optional("sample weights `w`", &|part| part.w.as_ref())?,
    })
}

fn concat_part(parts: &[&Columns], what: &str) -> Result<Columns> {
    let names = |columns: &Columns| match columns.is_empty() {
        true => "none".to_owned(),
        false => list(columns.iter().map(|(name, _)| &**name)),
    };
    let mut joined = Columns::new();
    for (name, _) in parts[0] {
        let mut columns = Vec::with_capacity(parts.len());
        for part in parts {
            let found = part.iter().find(|(known, _)| known == name).filter(|_| part.len() == parts[0].len());
            let (_, column) = found.ok_or_else(|| {
                Error::data(format!("{what} differ: one batch has {}, another has {}", names(parts[0]), names(part)))
            })?;
            columns.push(column);
        }
        let column = concat_column(&columns).map_err(|error| error.within(format!("{what}: `{name}`")))?;
        joined.push((name.clone(), column));
    }
    Ok(joined)
}

fn concat_column(columns: &[&Column]) -> Result<Column> {
    let texts: Option<Vec<_>> =
        columns.iter().map(|column| if let Column::Text(texts) = column { Some(texts) } else { None }).collect();
    if let Some(texts) = texts {
        return Ok(Column::Text(texts.into_iter().flatten().cloned().collect()));
    }
    let lists: Option<Vec<_>> =
        columns.iter().map(|column| if let Column::Texts(texts) = column { Some(texts) } else { None }).collect();
    if let Some(lists) = lists {
        return Ok(Column::Texts(lists.into_iter().flatten().cloned().collect()));
    }
    let mut arrays = Vec::new();
    let mut ragged = false;
    for column in columns {
        match column {
            Column::Dense(tensor) => arrays.push(tensor.to_host()?),
            Column::Ragged(_) => ragged = true,
            _ => return Err(Error::data("one batch has numbers, another has texts")),
        }
    }
    let row = |array: &Array| array.shape().get(1..).map(<[usize]>::to_vec);
    let alike = arrays.windows(2).all(|pair| row(&pair[0]) == row(&pair[1]) && pair[0].dtype() == pair[1].dtype());
    if !ragged && alike {
        return Ok(Column::Dense(Array::concat(&arrays, 0)?.into()));
    }
    let mut tensors = Vec::new();
    for column in columns {
        match column {
            Column::Dense(tensor) => {
                let array = tensor.to_host()?;
                let len = array.shape().first().copied().unwrap_or(0);
                tensors.extend((0..len).map(|row| Tensor::from(array.row(row))));
            }
            Column::Ragged(more) => tensors.extend(more.iter().cloned()),
            _ => {}
        }
    }
    regular(tensors)
}

/// Returns tensors as a dense column when their shapes agree, else as a ragged one.
fn regular(tensors: Vec<Tensor>) -> Result<Column> {
    let dtypes: Vec<Dtype> = tensors.iter().map(Tensor::dtype).collect();
    if let Some(pair) = dtypes.windows(2).find(|pair| pair[0] != pair[1]) {
        return Err(Error::data(format!("some numbers are {}, others {}", pair[0].name(), pair[1].name()))
            .hint("give every record the same dtype: `.to_f32()`, or `.to_i64()` for class numbers"));
    }
    match tensors.windows(2).all(|pair| pair[0].shape() == pair[1].shape()) && !tensors.is_empty() {
        true => {
            let arrays = tensors.iter().map(Tensor::to_host).collect::<Result<Vec<_>>>()?;
            Ok(Column::Dense(Array::stack(&arrays)?.into()))
        }
        false => Ok(Column::Ragged(tensors)),
    }
}
