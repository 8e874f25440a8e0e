//! Gathering columns of a chunk of records, straight from the typed cells into one buffer.

use std::sync::Arc;

use crate::error::Result;
use crate::record::cells::{Cells, Data};
use crate::record::record::missing;
use crate::record::table::Table;
use crate::record::{Column, ColumnType, Name, Record};
use crate::tensor::{Array, Tensor};

/// Returns one field of all records as a column: whole numbers i64, numbers f32, `true` and `false` u8
/// (shape `[n]`), tensors of equal shape stacked (`[n, …]`), others ragged, texts as they are.
///
/// `None` when it cannot be gathered at once: records of several tables, or a column of mixed types. The
/// caller then goes record by record ([`Record::field`]).
///
/// # Errors
/// An unknown name and missing values; the error names the record.
pub fn gather(records: &[Record], name: &str) -> Result<Option<Column>> {
    let Some((table, rows)) = one_table::<Vec<u32>>(records) else { return Ok(None) };
    let cells = table.cells(name, "field").map_err(|error| error.within(table.place(rows[0] as usize)))?;
    gather_cells(table, cells, name, &rows)
}

/// Returns several fields of all records side by side as one column `[n, names]`: i64 when all of them
/// are whole numbers (u8 when all are `true` or `false`), f32 when one is a float; lists of texts when all
/// are texts.
///
/// `None` when they cannot be gathered at once: as for [`gather`], and where a field is a tensor or
/// numbers and texts meet.
///
/// # Errors
/// An unknown name and missing values; the error names the record.
pub fn gather_list(records: &[Record], names: &[Name]) -> Result<Option<Column>> {
    let Some((table, rows)) = one_table::<Vec<u32>>(records) else { return Ok(None) };
    list(table, &rows, names)
}

fn list(table: &Table, rows: &[u32], names: &[Name]) -> Result<Option<Column>> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let cells = table.cells(name, "field").map_err(|error| error.within(table.place(rows[0] as usize)))?;
        check_present(table, cells, name, rows)?;
        columns.push(&**cells);
    }
    let shape = [rows.len(), columns.len()];
    let all = |accepted: &[ColumnType]| columns.iter().all(|cells| accepted.contains(&cells.kind()));
    Ok(if columns.is_empty() {
        None
    } else if all(&[ColumnType::Text]) {
        let text = |row: u32, cells: &&Cells| match &cells.data {
            Data::Text(texts) => texts[row as usize].clone(),
            _ => Arc::from(""),
        };
        Some(Column::Texts(rows.iter().map(|&row| columns.iter().map(|cells| text(row, cells)).collect()).collect()))
    } else if all(&[ColumnType::Bool]) {
        let array = Array::from_u8(interleave(&columns, rows, |x| x as u8, |x| x as u8), &shape)?;
        Some(Column::Dense(array.into()))
    } else if all(&[ColumnType::Int, ColumnType::Bool]) {
        let array = Array::from_i64(interleave(&columns, rows, |x| x, |x| x as i64), &shape)?;
        Some(Column::Dense(array.into()))
    } else if all(&[ColumnType::Int, ColumnType::Bool, ColumnType::Float]) {
        let array = Array::from_f32(interleave(&columns, rows, |x| x as f32, |x| x as f32), &shape)?;
        Some(Column::Dense(array.into()))
    } else {
        None
    })
}

/// One field of many records as scripts see it: numbers keep their 64 bits.
#[derive(Clone, Debug)]
pub enum Cells64 {
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Numbers with a fraction.
    Floats(Vec<f64>),
    /// `true` and `false`.
    Bools(Vec<bool>),
    /// Texts.
    Texts(Vec<Arc<str>>),
    /// Tensors of one shape, records on axis 0.
    Tensors(Array),
}

/// Returns one field of all records; `None` when it cannot be gathered at once, as for [`gather`], and for
/// lists of texts and tensors whose shapes differ.
///
/// # Errors
/// An unknown name and missing values; the error names the record.
pub fn gather_cells64(records: &[Record], name: &str) -> Result<Option<Cells64>> {
    let Some((table, rows)) = one_table::<Vec<u32>>(records) else { return Ok(None) };
    cells64(table, &rows, name)
}

fn cells64(table: &Table, rows: &[u32], name: &str) -> Result<Option<Cells64>> {
    let cells = table.cells(name, "field").map_err(|error| error.within(table.place(rows[0] as usize)))?;
    check_present(table, cells, name, rows)?;
    Ok(Some(match &cells.data {
        Data::Int(values) => Cells64::Ints(pick(values, rows)),
        Data::Float(values) => Cells64::Floats(pick(values, rows)),
        Data::Bool(values) => Cells64::Bools(pick(values, rows)),
        Data::Text(texts) => Cells64::Texts(pick(texts, rows)),
        Data::Stacked(array) => {
            let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
            Cells64::Tensors(array.take_rows(&rows)?)
        }
        Data::Mapped(block) => Cells64::Tensors(block.gather(rows.iter().map(|&row| row as usize))?),
        Data::Texts(_) | Data::Ragged(_) | Data::MappedRagged(_) | Data::Mixed(_) => return Ok(None),
    }))
}

/// Returns the value that makes a column of numbers one of texts, and its record: `"wide" in record 2 of
/// train.csv`; `None` when no value of the column reads as a number.
pub fn stray_text(record: &Record, name: &str) -> Option<String> {
    let table = record.table();
    let Data::Text(texts) = &table.cells(name, "field").ok()?.data else { return None };
    let number = |text: &Arc<str>| text.trim().parse::<f64>().is_ok();
    let stray = texts.iter().position(|text| !text.is_empty() && !number(text))?;
    texts.iter().any(number).then(|| format!("{:?} in {}", &*texts[stray], table.place(stray)))
}

/// Returns the chosen rows of one column; `None` for a column of mixed types.
pub(super) fn gather_cells(table: &Table, cells: &Cells, name: &str, rows: &[u32]) -> Result<Option<Column>> {
    check_present(table, cells, name, rows)?;
    let shape = [rows.len()];
    Ok(Some(match &cells.data {
        Data::Int(values) => Column::Dense(Array::from_i64(pick(values, rows), &shape)?.into()),
        Data::Float(values) => Column::Dense(
            Array::from_f32(rows.iter().map(|&row| values[row as usize] as f32).collect(), &shape)?.into(),
        ),
        Data::Bool(values) => Column::Dense(
            Array::from_u8(rows.iter().map(|&row| u8::from(values[row as usize])).collect(), &shape)?.into(),
        ),
        Data::Text(texts) => Column::Text(pick(texts, rows)),
        Data::Texts(texts) => Column::Texts(pick(texts, rows)),
        Data::Stacked(array) => {
            let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
            Column::Dense(array.take_rows(&rows)?.into())
        }
        Data::Mapped(block) => Column::Dense(block.gather(rows.iter().map(|&row| row as usize))?.into()),
        Data::MappedRagged(block) => {
            ragged(rows.iter().map(|&row| block.row(row as usize)).collect::<Result<Vec<_>>>()?)?
        }
        Data::Ragged(arrays) => ragged(rows.iter().map(|&row| arrays[row as usize].clone()).collect())?,
        Data::Mixed(_) => return Ok(None),
    }))
}

/// Records of one table, without a handle for each.
#[derive(Clone, Debug)]
pub struct Rows {
    table: Arc<Table>,
    rows: Arc<[u32]>,
}

impl Rows {
    /// Returns the rows of records; `None` when they are not of one table, and when there are none.
    pub fn of(records: &[Record]) -> Option<Rows> {
        let (table, rows) = one_table(records)?;
        Some(Rows { table: table.clone(), rows })
    }

    /// Returns rows one after another; `None` when they are not of one table.
    pub fn concat(parts: &[Rows]) -> Option<Rows> {
        let table = parts.first()?.table.clone();
        let one = parts.iter().all(|part| Arc::ptr_eq(&part.table, &table));
        one.then(|| Rows { table, rows: parts.iter().flat_map(|part| part.rows.iter().copied()).collect() })
    }

    /// Returns the rows at positions; those outside are left out.
    #[must_use]
    pub fn take(&self, at: &[u32]) -> Rows {
        let rows = at.iter().filter_map(|&at| self.rows.get(at as usize).copied()).collect();
        Rows { table: self.table.clone(), rows }
    }

    /// Returns the record at a position.
    pub fn record(&self, at: usize) -> Option<Record> {
        self.rows.get(at).map(|&row| Record::new(self.table.clone(), row as usize))
    }

    /// Returns all records.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.rows.iter().map(|&row| Record::new(self.table.clone(), row as usize))
    }

    /// Returns the type of a field; `None` when there is no such field.
    pub fn kind(&self, name: &str) -> Option<ColumnType> {
        self.table.cells(name, "field").ok().map(|cells| cells.kind())
    }

    /// Returns one field of all records; see [`gather_cells64`].
    ///
    /// # Errors
    /// An unknown name and missing values; the error names the record.
    pub fn cells64(&self, name: &str) -> Result<Option<Cells64>> {
        match self.rows.is_empty() {
            true => Ok(None),
            false => cells64(&self.table, &self.rows, name),
        }
    }

    /// Returns several fields of all records side by side; see [`gather_list`].
    ///
    /// # Errors
    /// An unknown name and missing values; the error names the record.
    pub fn list(&self, names: &[Name]) -> Result<Option<Column>> {
        match self.rows.is_empty() {
            true => Ok(None),
            false => list(&self.table, &self.rows, names),
        }
    }
}

/// Returns the table and the rows, when all records are of one table and within it.
fn one_table<R: FromIterator<u32>>(records: &[Record]) -> Option<(&Arc<Table>, R)> {
    let table = records.first()?.table();
    let fits = |record: &Record| Arc::ptr_eq(record.table(), table) && record.row() < table.len();
    // Two passes: with the length known, the second one allocates once and has no condition in it.
    records.iter().all(fits).then(|| (table, records.iter().map(|record| record.row() as u32).collect()))
}

fn check_present(table: &Table, cells: &Cells, name: &str, rows: &[u32]) -> Result<()> {
    if !cells.has_nulls() {
        return Ok(());
    }
    match rows.iter().find(|&&row| cells.is_null(row as usize)) {
        Some(&row) => Err(missing(table, name, row as usize)),
        None => Ok(()),
    }
}

fn pick<T: Clone>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|&row| values[row as usize].clone()).collect()
}

/// Returns the numbers of several columns, row by row.
fn interleave<T: Copy + Default>(
    columns: &[&Cells],
    rows: &[u32],
    from_int: impl Fn(i64) -> T,
    from_float: impl Fn(f64) -> T,
) -> Vec<T> {
    // Blocks of rows stay in the cache while each column is written across them.
    const BLOCK: usize = 64;
    let width = columns.len();
    let mut buffer = vec![T::default(); rows.len() * width];
    for (block, rows) in buffer.chunks_mut(BLOCK * width).zip(rows.chunks(BLOCK)) {
        for (at, cells) in columns.iter().enumerate() {
            let places = block.iter_mut().skip(at).step_by(width).zip(rows);
            match &cells.data {
                Data::Int(values) => places.for_each(|(place, &row)| *place = from_int(values[row as usize])),
                Data::Float(values) => places.for_each(|(place, &row)| *place = from_float(values[row as usize])),
                Data::Bool(values) => {
                    places.for_each(|(place, &row)| *place = from_int(i64::from(values[row as usize])))
                }
                _ => {}
            }
        }
    }
    buffer
}

/// Shapes that differ in the table may agree in the chunk.
fn ragged(arrays: Vec<Array>) -> Result<Column> {
    let equal = arrays.windows(2).all(|pair| pair[0].shape() == pair[1].shape());
    match equal && !arrays.is_empty() {
        true => Ok(Column::Dense(Array::stack(&arrays)?.into())),
        false => Ok(Column::Ragged(arrays.into_iter().map(Tensor::from).collect())),
    }
}
