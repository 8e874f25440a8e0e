//! Records: an ordered table of rows with typed columns, shared and never copied.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::cells::Cells;
use crate::record::concat::origin;
use crate::record::gather::gather_cells;
use crate::record::record::placed;
use crate::record::table::{BadCell, Origin, Table};
use crate::record::{Column, Name, Record, Row, Schema};
use crate::tensor::Tensor;

/// An ordered table of rows; cheap to clone: a handle of the shared table and the rows chosen from it.
///
/// ```
/// use barrage::record::{Records, Value};
/// let row = |x: f64, label: &str| vec![("x".into(), Value::from(x)), ("label".into(), Value::from(label))];
/// let records = Records::from_rows(vec![row(0.5, "a"), row(1.5, "b")], "records")?;
/// assert_eq!(records.column("x")?.shape(), [2]);
/// assert_eq!(records.head(1).len(), 1);
/// # Ok::<(), barrage::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Records {
    table: Arc<Table>,
    /// Rows of the table, or nothing when all of them are meant.
    rows: Option<Arc<[u32]>>,
    /// The file all of it, or some rows or columns of it, were read from.
    file: Option<Arc<Path>>,
    /// Whether it is all of the file, as it was read.
    whole: bool,
    /// Whether the table is all of the file, as it was read: then the records are rows of it.
    intact: bool,
}

impl Records {
    /// Creates records from rows of named values; a column for each name that occurs, missing (null)
    /// where a row does not name it. `source` is what errors call them: "record 3 of records".
    ///
    /// # Errors
    /// A row with an empty name, or with a name twice.
    pub fn from_rows(rows: Vec<Row>, source: &str) -> Result<Records> {
        check_length(rows.len())?;
        let table = Table::from_rows(rows, Origin::Source(source.into()), None)
            .map_err(|bad| Error::data(bad.what).within(format!("record {} of {source}", bad.row)))?;
        Ok(Records::from_table(table))
    }

    /// Creates records from whole columns: tensors with the records on axis 0. A tensor of shape `[n]` becomes
    /// a column of numbers (u8 as whole numbers), any other one of tensors. `source` is what errors call them.
    ///
    /// ```
    /// use barrage::record::Records;
    /// use barrage::tensor::Array;
    ///
    /// let images = Array::from_f32(vec![0.0; 2 * 28 * 28], &[2, 28, 28])?;
    /// let labels = Array::from_i64(vec![3, 7], &[2])?;
    /// let records = Records::from_columns(vec![("image".into(), images.into()), ("label".into(), labels.into())], "digits")?;
    /// assert_eq!(records.column("image")?.shape(), [2, 28, 28]);
    /// # Ok::<(), barrage::Error>(())
    /// ```
    ///
    /// # Errors
    /// No column, columns of different lengths, scalars, an empty name, and a name that is given twice.
    pub fn from_columns(columns: Vec<(Name, Tensor)>, source: &str) -> Result<Records> {
        let Some(first) = columns.first() else { return Err(Error::data("records need at least one column")) };
        let (first, len) = (first.0.clone(), first.1.len());
        check_length(len)?;
        let mut finished: Vec<(Name, Arc<Cells>)> = Vec::with_capacity(columns.len());
        for (name, tensor) in columns {
            if name.is_empty() {
                return Err(Error::data(format!("column {} has no name", finished.len() + 1)));
            }
            if finished.iter().any(|(known, _)| *known == name) {
                return Err(Error::data(format!("column `{name}` is given twice")));
            }
            if tensor.rank() == 0 {
                return Err(Error::data(format!("column `{name}` is a single number: expected records on axis 0")));
            }
            if tensor.len() != len {
                let found = tensor.len();
                return Err(Error::data(format!("column `{first}` has {len} records, column `{name}` has {found}")));
            }
            finished.push((name, Arc::new(Cells::from_array(tensor.to_host()?))));
        }
        Ok(Records::from_table(Table::new(len, finished, Origin::Source(source.into()), Arc::default())))
    }

    pub(super) fn from_table(table: Table) -> Records {
        Records { table: Arc::new(table), rows: None, file: None, whole: false, intact: false }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.table.len(), |rows| rows.len())
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a row; beyond the last one, a record whose fields are all missing.
    pub fn record(&self, index: usize) -> Record {
        let row = match &self.rows {
            Some(rows) => rows.get(index).map_or(usize::MAX, |&row| row as usize),
            None => index,
        };
        Record::new(self.table.clone(), row)
    }

    /// Returns the rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record> + '_ {
        (0..self.len()).map(|index| self.record(index))
    }

    /// Returns the rows in order.
    pub fn to_vec(&self) -> Vec<Record> {
        self.iter().collect()
    }

    /// Returns the schema of the whole table these records were chosen from.
    pub fn schema(&self) -> &Schema {
        self.table.schema()
    }

    /// Notes the file the records are all of.
    pub(super) fn of_file(mut self, path: &Path) -> Records {
        self.file = Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into());
        self.whole = true;
        self.intact = true;
        self
    }

    /// Notes the file the records are a part of.
    pub(super) fn part_of(self, path: &Path) -> Records {
        Records { whole: false, intact: false, ..self.of_file(path) }
    }

    /// Returns the absolute path of the file that the records, or the table they are some rows or columns of, were
    /// read from; `None` when they were made.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns whether the records are all of [`Records::file`], as it was read.
    pub fn is_whole_file(&self) -> bool {
        self.whole
    }

    /// Returns which records of [`Records::file`] these are, counted from 0 and as runs of neighbours: start and number.
    /// `None` where they are all of it, in order, or were changed since they were read.
    pub fn rows_of_file(&self) -> Option<Vec<(u32, u32)>> {
        let rows = self.rows.as_ref().filter(|_| self.intact && !self.whole)?;
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for &row in rows.iter() {
            match runs.last_mut() {
                Some((start, count)) if *start + *count == row => *count += 1,
                _ => runs.push((row, 1)),
            }
        }
        Some(runs)
    }

    /// Returns the records of runs of neighbours, as [`Records::rows_of_file`] tells them.
    ///
    /// # Errors
    /// A run beyond the last record.
    pub fn of_runs(&self, runs: &[(u32, u32)]) -> Result<Records> {
        let own = self.rows();
        let mut rows = Vec::new();
        for &(start, count) in runs {
            let end = start.checked_add(count).map(|end| end as usize);
            let run = end.and_then(|end| own.get(start as usize..end)).ok_or_else(|| {
                Error::data(format!("records {start} and {count} more are not among {} records", own.len()))
            })?;
            rows.extend_from_slice(run);
        }
        Ok(self.with_rows(rows.into()))
    }

    /// Returns where the records were read: a file name, or "records".
    pub fn source(&self) -> &str {
        match &self.table.origin {
            Origin::Source(source) => source,
            Origin::Rows { sources, .. } if sources.len() == 1 => &sources[0],
            Origin::Rows { .. } => "records",
        }
    }

    /// Returns the names of the columns in order.
    pub fn columns(&self) -> &[Name] {
        self.table.names()
    }

    /// Returns a column as a tensor with the records on axis 0: whole numbers i64, numbers f32, `true`
    /// and `false` as u8 of 1 and 0, tensors of equal shape in their own dtype.
    ///
    /// # Errors
    /// An unknown name, texts, tensors of different shapes, and a missing value (the first one is named).
    pub fn column(&self, name: &str) -> Result<Tensor> {
        let cells = self.table.cells(name, "column")?;
        let refused = |what: &str| Error::data(format!("column `{name}` holds {what}, not numbers"));
        match gather_cells(&self.table, cells, name, self.rows().as_slice())? {
            Some(Column::Dense(tensor)) => Ok(tensor),
            Some(Column::Text(_)) => Err(refused("texts").hint(format!("`texts(\"{name}\")` returns them as a list"))),
            Some(Column::Ragged(tensors)) => {
                let first = tensors.first().map_or(&[][..], Tensor::shape);
                let other = tensors.iter().position(|tensor| tensor.shape() != first).unwrap_or(0);
                let found = tensors.get(other).map_or(&[][..], Tensor::shape);
                Err(Error::data(format!(
                    "column `{name}` holds tensors of different shapes: {} has shape {found:?}, {} has shape {first:?}",
                    self.record(other).place(),
                    self.record(0).place(),
                ))
                .hint("go through the records one by one, and pad or cut each to one shape"))
            }
            Some(Column::Texts(_)) => Err(refused("lists of texts")),
            None => Err(refused("values of different types")),
        }
    }

    /// Returns a column of texts.
    ///
    /// # Errors
    /// An unknown name, a column that holds something else, and a missing value (the first one is named).
    pub fn texts(&self, name: &str) -> Result<Vec<Arc<str>>> {
        let cells = self.table.cells(name, "column")?;
        match gather_cells(&self.table, cells, name, self.rows().as_slice())? {
            Some(Column::Text(texts)) => Ok(texts),
            Some(Column::Dense(_)) => Err(Error::data(format!("column `{name}` holds numbers, not texts"))
                .hint(format!("`column(\"{name}\")` returns them as a tensor"))),
            _ => Err(Error::data(format!("column `{name}` holds {}, not one text a record", cells.kind()))),
        }
    }

    /// Returns records with these columns only, in this order; nothing is copied.
    ///
    /// # Errors
    /// An unknown name, and a name that is given twice.
    pub fn select<N: AsRef<str>>(&self, names: &[N]) -> Result<Records> {
        let mut columns: Vec<(Name, Arc<Cells>)> = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_ref();
            let cells = self.table.cells(name, "column")?;
            if columns.iter().any(|(known, _)| &**known == name) {
                return Err(Error::data(format!("column `{name}` is selected twice")));
            }
            columns.push((name.into(), cells.clone()));
        }
        let table = Table::new(self.table.len(), columns, self.table.origin.clone(), self.table.absent().clone());
        Ok(Records {
            table: Arc::new(table),
            rows: self.rows.clone(),
            file: self.file.clone(),
            whole: false,
            intact: false,
        })
    }

    /// Returns the columns of these records, then those of others, record by record; each record keeps the place it
    /// came from.
    ///
    /// # Errors
    /// Another number of records, and a name that both have.
    pub fn beside(&self, others: &Records) -> Result<Records> {
        if self.len() != others.len() {
            return Err(Error::data(format!("there are {} records beside {}", others.len(), self.len())));
        }
        let mut columns = Vec::new();
        for part in [self, others] {
            for (name, cells) in part.table.columns() {
                if columns.iter().any(|(known, _)| known == name) {
                    return Err(Error::data(format!("both have a column `{name}`")));
                }
                columns.push((name.clone(), part.chosen(name, cells)?));
            }
        }
        Ok(Records::from_table(Table::new(self.len(), columns, origin(std::slice::from_ref(self)), Arc::default())))
    }

    /// Returns the cells of the chosen rows.
    fn chosen(&self, name: &Name, cells: &Arc<Cells>) -> Result<Arc<Cells>> {
        let Some(rows) = &self.rows else { return Ok(cells.clone()) };
        let values = rows.iter().map(|&row| cells.value(row as usize)).collect();
        Cells::from_values(values, Some(cells.kind()))
            .map(Arc::new)
            .map_err(|misfit| Error::data(BadCell::misfit(name.clone(), misfit).what))
    }

    /// Returns the first `n` records, or all when there are fewer.
    pub fn head(&self, n: usize) -> Records {
        match &self.rows {
            _ if n >= self.len() => self.clone(),
            Some(rows) => self.with_rows(rows[..n].into()),
            None => self.with_rows((0..n as u32).collect()),
        }
    }

    /// Returns the records at these indices, in this order; an index may occur more than once.
    ///
    /// # Errors
    /// An index that is not below the number of records.
    pub fn take(&self, indices: &[usize]) -> Result<Records> {
        let rows: Option<Arc<[u32]>> = indices.iter().map(|&index| self.row(index)).collect();
        rows.map(|rows| self.with_rows(rows)).ok_or_else(|| {
            let wrong = indices.iter().find(|&&index| index >= self.len()).copied().unwrap_or(0);
            Error::data(format!("there is no record {wrong}: there are {}, counted from 0", self.len()))
        })
    }

    /// Returns the records for which `keep` says yes, in order.
    ///
    /// # Errors
    /// The first error of `keep`; it names the record.
    pub fn filter(&self, keep: &dyn Fn(&Record) -> Result<bool>) -> Result<Records> {
        let mut rows = Vec::new();
        for (row, record) in self.rows().into_iter().zip(self.iter()) {
            if keep(&record).map_err(|error| placed(error, &record))? {
                rows.push(row);
            }
        }
        Ok(self.with_rows(rows.into()))
    }

    /// Returns the rows that `change` makes of each record, as new records; types are inferred anew, and
    /// each record keeps the place it came from.
    ///
    /// # Errors
    /// The first error of `change`, and a row with a name twice; the error names the record.
    pub fn map(&self, change: &dyn Fn(&Record) -> Result<Row>) -> Result<Records> {
        let rows = self.iter().map(|record| change(&record).map_err(|error| placed(error, &record)));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let table = Table::from_rows(rows, origin(std::slice::from_ref(self)), None)
            .map_err(|BadCell { row, what, .. }| placed(Error::data(what), &self.record(row)))?;
        Ok(Records::from_table(table))
    }

    pub(super) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Returns the rows of the table, in the order of the records.
    pub(super) fn rows(&self) -> Vec<u32> {
        match &self.rows {
            Some(rows) => rows.to_vec(),
            None => (0..self.table.len() as u32).collect(),
        }
    }

    pub(super) fn with_rows(&self, rows: Arc<[u32]>) -> Records {
        Records {
            table: self.table.clone(),
            rows: Some(rows),
            file: self.file.clone(),
            whole: false,
            intact: self.intact,
        }
    }

    fn row(&self, index: usize) -> Option<u32> {
        match &self.rows {
            Some(rows) => rows.get(index).copied(),
            None => u32::try_from(index).ok().filter(|_| index < self.table.len()),
        }
    }
}

/// Rows are numbered in 32 bits, which keeps a record small and a permutation short.
pub(super) fn check_length(rows: usize) -> Result<()> {
    match u32::try_from(rows) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::data(format!("{rows} records are more than one table can hold ({})", u32::MAX))),
    }
}
