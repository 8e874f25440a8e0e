//! A batch as the network takes it: every column dense, its first axis the records.

use std::mem;

use crate::batch;
use crate::dataset::Pad;
use crate::error::{self, Error, Result, Subject, codes};
use crate::record::{Column, Columns, DataColumns, Name};
use crate::tensor::{Array, Number, Tensor, storage};

/// Named dense arrays in order; the first axis of each is the batch.
pub type Arrays = Vec<(Name, Array)>;

/// Data records stacked on axis 0, all of them numbers.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The number of records.
    pub len: usize,
    /// Inputs by name.
    pub x: Arrays,
    /// Outputs by name; `None` in score mode.
    pub y: Option<Arrays>,
    /// Sample weights by output name, when the loader gives any.
    pub w: Option<Arrays>,
    /// The row of each record in the table of records.
    pub rows: Vec<usize>,
    /// The rows that could not be loaded or augmented, with the reasons: others stand in their places.
    pub replaced: Vec<(usize, Error)>,
}

impl Drop for Batch {
    /// What nobody else holds of a batch becomes memory of the next ones, those of workers included.
    fn drop(&mut self) {
        let parts = [Some(mem::take(&mut self.x)), self.y.take(), self.w.take()];
        parts.into_iter().flatten().flatten().for_each(|(_, array)| storage::give(array));
    }
}

impl Batch {
    /// Creates a batch from columns; `place` names the record at a position, for errors.
    ///
    /// # Errors
    /// Text, and numbers whose shape differs from record to record.
    pub(super) fn new(
        columns: DataColumns,
        rows: Vec<usize>,
        pad: &[(Name, Pad)],
        place: &dyn Fn(usize) -> String,
    ) -> Result<Self> {
        let len = columns.len;
        let all = |columns: Columns, what: &str| -> Result<Arrays> {
            columns
                .into_iter()
                .map(|(name, column)| {
                    let column = match pad.iter().find(|(padded, _)| *padded == name) {
                        Some((_, pad)) => padded(column, *pad, &|at| format!("{what} `{name}` of {}", place(at)))?,
                        None => column,
                    };
                    Ok((name.clone(), dense(column, what, &name, len, place)?))
                })
                .collect()
        };
        Ok(Batch {
            len,
            x: all(columns.x, "input").map_err(|error| error.about(Subject::Network))?,
            y: columns.y.map(|y| all(y, "output")).transpose()?,
            w: columns.w.map(|w| all(w, "sample weight")).transpose()?,
            rows,
            replaced: Vec::new(),
        })
    }

    /// Returns the values of one name, or explains what is there instead.
    pub(crate) fn find<'a>(arrays: &'a Arrays, what: &str, name: &str) -> Result<&'a Array> {
        arrays.iter().find(|(own, _)| &**own == name).map(|(_, array)| array).ok_or_else(|| {
            let names = || arrays.iter().map(|(name, _)| &**name);
            Error::data(format!("the loader gives no {what} `{name}`"))
                .coded(codes::NAMES)
                .about(Subject::Loader)
                .maybe_hint(error::did_you_mean(name, names()))
                .hint(match arrays.is_empty() {
                    true => format!("it gives no {what}s at all"),
                    false => format!("it gives {}", error::list(names())),
                })
        })
    }
}

/// Brings the values of a column to one length of their first axis.
fn padded(column: Column, pad: Pad, place: &dyn Fn(usize) -> String) -> Result<Column> {
    let tensors = match column {
        Column::Ragged(tensors) => tensors,
        Column::Dense(tensor) if pad.length.is_some_and(|length| tensor.shape().get(1) != Some(&length)) => {
            let array = tensor.to_host()?;
            (0..array.len()).map(|row| array.row(row).into()).collect()
        }
        other => return Ok(other),
    };
    let longest = tensors.iter().map(|tensor| tensor.shape().first().copied().unwrap_or(0)).max().unwrap_or(0);
    let length = pad.length.unwrap_or(longest);
    let one = |(at, tensor): (usize, &Tensor)| {
        let Some(&own) = tensor.shape().first() else {
            return Err(Error::data(format!("{} is a single number, which has no length", place(at)))
                .hint("leave its name out of `dataset.pad`"));
        };
        let Some(missing) = length.checked_sub(own) else {
            return Err(Error::data(format!("{} has length {own}, `dataset.pad` says {length}", place(at)))
                .hint("choose a larger `length`, or cut the values in the transformer"));
        };
        let mut widths = vec![(0, 0); tensor.rank()];
        widths[0].1 = missing;
        let value = match tensor.dtype().is_float() {
            true => Number::Float(pad.value),
            false => Number::Int(pad.value as i64),
        };
        tensor.pad(&widths, value).map_err(|error| error.within(place(at)))
    };
    Ok(Column::Ragged(tensors.iter().enumerate().map(one).collect::<Result<_>>()?))
}

fn dense(column: Column, what: &str, name: &str, len: usize, place: &dyn Fn(usize) -> String) -> Result<Array> {
    let array = match column {
        Column::Dense(tensor) => tensor.to_host()?,
        // Records of a ragged column may still agree within one batch.
        Column::Ragged(tensors) => {
            if let Some(odd) = tensors.iter().position(|tensor| tensor.shape() != tensors[0].shape()) {
                return Err(Error::data(format!(
                    "{what} `{name}` has shape {:?} in {} and {:?} in {}: a batch needs one shape",
                    tensors[0].shape(),
                    place(0),
                    tensors[odd].shape(),
                    place(odd)
                ))
                .coded(codes::UNEVEN_BATCH)
                .hint("bring the values to one length in the transformer, for example with `pad`"));
            }
            let arrays: Vec<Array> = tensors.iter().map(|tensor| tensor.to_host()).collect::<Result<_>>()?;
            Array::stack(&arrays).map_err(|error| error.within(format!("{what} `{name}`")))?
        }
        text => batch::dense(&text, &format!("{what} `{name}`"))?.clone(),
    };
    match array.shape().first() {
        Some(&found) if found == len => Ok(array),
        _ => Err(Error::data(format!(
            "{what} `{name}` has shape {:?}: expected {len} records on its first axis",
            array.shape()
        ))),
    }
}
