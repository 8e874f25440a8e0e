//! Batch loaders: a sequence of records that is read in ranges, as PEDL (later Determined) has it.
//!
//! The host chooses the ranges and shuffles above them, so that a loader is only asked for `[start, end)`. As
//! [`Records`] a loader has a row for each of its records; the built-in `BatchLoader` reads them.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::cells::{Cells, Data};
use crate::record::records::check_length;
use crate::record::table::{Origin, Table};
use crate::record::{Column, Columns, DataColumns, Name, Records};
use crate::tensor::Array;

/// Where a batch loader has its records from.
pub trait BatchSource: Send + Sync {
    /// Returns the number of records.
    fn len(&self) -> usize;

    /// Returns whether there are no records.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the records of `[start, end)`, which is within the length.
    ///
    /// # Errors
    /// Whatever reading them raises.
    fn range(&self, start: usize, end: usize) -> Result<DataColumns>;

    /// Returns the records at these places, each within the length, in this order.
    ///
    /// # Errors
    /// Whatever reading them raises.
    fn rows(&self, rows: &[usize]) -> Result<DataColumns>;
}

/// A sequence of records that is read in ranges; cheap to clone.
///
/// ```
/// use barrage::record::BatchLoader;
/// use barrage::tensor::Array;
/// let images = Array::from_u8((0..12).collect(), &[6, 2])?;
/// let labels = Array::from_i64(vec![0, 1, 2, 3, 4, 5], &[6])?;
/// let all = BatchLoader::arrays(vec![("input".into(), images)], vec![("output".into(), labels)])?;
/// let last = all.slice(4, 2)?;
/// assert_eq!((last.len(), last.get_batch(0, 2)?.len), (2, 2));
/// assert!(last.get_batch(1, 3).is_err());
/// # Ok::<(), barrage::Error>(())
/// ```
#[derive(Clone)]
pub struct BatchLoader {
    source: Arc<dyn BatchSource>,
    start: usize,
    len: usize,
}

impl BatchLoader {
    /// Creates a loader.
    pub fn new(source: Arc<dyn BatchSource>) -> BatchLoader {
        let len = source.len();
        BatchLoader { source, start: 0, len }
    }

    /// Creates a loader of arrays in memory, with the records on axis 0.
    ///
    /// # Errors
    /// No input, scalars, and arrays whose first axes differ.
    pub fn arrays(inputs: Vec<(Name, Array)>, outputs: Vec<(Name, Array)>) -> Result<BatchLoader> {
        let columns = |arrays: Vec<(Name, Array)>| -> Columns {
            arrays.into_iter().map(|(name, array)| (name, Column::Dense(array.into()))).collect()
        };
        let mut all = DataColumns { len: 0, x: columns(inputs), y: Some(columns(outputs)), w: None };
        all.len = common_length(&all)?;
        Ok(BatchLoader::new(Arc::new(Arrays(all))))
    }

    /// Returns the part that begins at `start` and has `length` records: the third argument of PEDL's
    /// `SliceBatchLoader` is a length, not an end.
    ///
    /// # Errors
    /// A part that reaches beyond the end.
    pub fn slice(&self, start: usize, length: usize) -> Result<BatchLoader> {
        match start.checked_add(length).is_some_and(|end| end <= self.len) {
            true => Ok(BatchLoader { source: self.source.clone(), start: self.start + start, len: length }),
            false => Err(Error::data(format!(
                "a slice of {length} records from {start} on reaches beyond the loader's {}",
                self.len
            ))
            .hint("the last argument is a length, not an end")),
        }
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the records of `[start, end)`; none of them when both are equal.
    ///
    /// # Errors
    /// A range that is not within 0 and the length, and whatever reading raises.
    pub fn get_batch(&self, start: usize, end: usize) -> Result<DataColumns> {
        if start > end || end > self.len {
            return Err(Error::data(format!(
                "expected a range with 0 ≤ start ≤ end ≤ {}, found {start} to {end}",
                self.len
            )));
        }
        let batch = self.source.range(self.start + start, self.start + end)?;
        match common_length(&batch)? == end - start {
            true => Ok(batch),
            false => Err(Error::data(format!(
                "expected {} records for the range {start} to {end}, found {}",
                end - start,
                batch.len
            ))),
        }
    }

    /// Returns the records at these places, in this order.
    ///
    /// # Errors
    /// As [`BatchLoader::get_batch`].
    pub fn rows(&self, rows: &[usize]) -> Result<DataColumns> {
        if let Some(row) = rows.iter().find(|&&row| row >= self.len) {
            return Err(Error::data(format!("there is no record {row}: there are {}", self.len)));
        }
        self.source.rows(&rows.iter().map(|row| self.start + row).collect::<Vec<_>>())
    }

    /// Returns a table with a row for each record, which the built-in loader `BatchLoader` reads.
    ///
    /// # Errors
    /// More records than a table can hold.
    pub fn records(&self) -> Result<Records> {
        check_length(self.len)?;
        let rows = Cells::new(Data::Int((0..self.len as i64).collect()), vec![false; self.len]);
        let table = Table::new(
            self.len,
            vec![("row".into(), Arc::new(rows))],
            Origin::Source("batch loader".into()),
            Arc::default(),
        );
        Ok(Records::from_table(table.with_batches(self.clone())))
    }
}

impl fmt::Debug for BatchLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchLoader({} records)", self.len)
    }
}

/// Returns the length of the first axis, which all values of a batch have to share.
///
/// # Errors
/// No inputs, a scalar, and lengths that differ.
pub fn common_length(batch: &DataColumns) -> Result<usize> {
    let mut first: Option<(&Name, usize)> = None;
    let parts = [Some(&batch.x), batch.y.as_ref(), batch.w.as_ref()];
    for (name, column) in parts.into_iter().flatten().flatten() {
        let len = match column {
            Column::Dense(tensor) if tensor.rank() == 0 => {
                return Err(Error::data(format!("`{name}` is a single number: expected records on axis 0")));
            }
            Column::Dense(tensor) => tensor.len(),
            Column::Ragged(tensors) => tensors.len(),
            Column::Text(texts) => texts.len(),
            Column::Texts(texts) => texts.len(),
        };
        match first {
            Some((other, known)) if known != len => {
                return Err(Error::data(format!("`{other}` has {known} records, `{name}` has {len}"))
                    .hint("the first axes of all inputs and outputs have to be equal"));
            }
            _ => first = Some((name, len)),
        }
    }
    first.map(|(_, len)| len).ok_or_else(|| Error::data("a batch needs at least one input"))
}

/// Arrays in memory.
struct Arrays(DataColumns);

impl Arrays {
    fn each(&self, len: usize, take: impl Fn(&Array) -> Result<Array>) -> Result<DataColumns> {
        let part = |columns: &Columns| -> Result<Columns> {
            let column = |(name, column): &(Name, Column)| match column {
                Column::Dense(tensor) => Ok((name.clone(), Column::Dense(take(&tensor.to_host()?)?.into()))),
                other => Ok((name.clone(), other.clone())),
            };
            columns.iter().map(column).collect()
        };
        let y = self.0.y.as_ref().map(part).transpose()?;
        Ok(DataColumns { len, x: part(&self.0.x)?, y, w: None })
    }
}

impl BatchSource for Arrays {
    fn len(&self) -> usize {
        self.0.len
    }

    fn range(&self, start: usize, end: usize) -> Result<DataColumns> {
        let slice = |array: &Array| {
            let part = crate::tensor::Tensor::from(array.clone()).slice(0, start as isize, Some(end as isize))?;
            part.to_host()
        };
        self.each(end - start, slice)
    }

    fn rows(&self, rows: &[usize]) -> Result<DataColumns> {
        self.each(rows.len(), |array| array.take_rows(rows))
    }
}
