//! Native stations for tests: tables of arrays whose rows are loaded by the record's number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Dataset, Options, Stations};
use crate::error::Result;
use crate::random::Random;
use crate::record::{
    Augmentor, Column, DataColumns, DataRecords, Loader, Mode, Name, Record, Records, Transformer, Value,
};
use crate::registry::{self, Params};
use crate::tensor::{Array, Tensor};
use crate::transformer;

/// Gives the rows of whole columns, and counts the records it was asked for.
#[derive(Default)]
pub(crate) struct Tables {
    pub x: Vec<(Name, Column)>,
    pub y: Vec<(Name, Column)>,
    pub w: Option<Vec<(Name, Column)>>,
    pub loaded: AtomicUsize,
}

impl Tables {
    /// Creates a table of one input `x` and one output `y`.
    pub fn new(x: Array, y: Array) -> Self {
        Tables { x: vec![column("x", x)], y: vec![column("y", y)], ..Tables::default() }
    }
}

/// Returns a named dense column.
pub(crate) fn column(name: &str, array: Array) -> (Name, Column) {
    (name.into(), Column::Dense(Tensor::Host(array)))
}

/// Returns f32 numbers of a shape.
pub(crate) fn numbers(values: &[f32], shape: &[usize]) -> Array {
    Array::from_f32(values.to_vec(), shape).unwrap()
}

impl Loader for Tables {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        self.loaded.fetch_add(records.len(), Ordering::Relaxed);
        let rows: Vec<usize> = records.iter().map(Record::index).collect();
        let w = self.w.clone().filter(|_| mode != Mode::Score);
        let all = DataColumns { len: 1 << 20, x: self.x.clone(), y: Some(self.y.clone()), w };
        Ok(DataRecords::Columns(crate::batch::take(&all, &rows)?))
    }
}

/// Adds to every input a number drawn for the record.
pub(crate) struct Noise;

impl Augmentor for Noise {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        let DataRecords::Columns(mut columns) = chunk else { panic!("expected columns") };
        for (_, column) in &mut columns.x {
            let array = crate::batch::dense(column, "x")?;
            let width = array.size() / random.len();
            let mut values = array.as_f32().into_owned();
            for (row, random) in values.chunks_mut(width).zip(random) {
                let mut random = random.clone();
                row.iter_mut().for_each(|value| *value += random.normal() as f32 * 0.1);
            }
            *column = Column::Dense(Tensor::Host(Array::from_f32(values, array.shape())?));
        }
        Ok(DataRecords::Columns(columns))
    }
}

/// Returns `n` records with the field `count`, which is 1 but for the rows given.
pub(crate) fn records(n: usize, counts: &[(usize, Value)]) -> Records {
    let row = |row: usize| {
        let count = counts.iter().find(|(own, _)| *own == row).map_or(Value::Int(1), |(_, count)| count.clone());
        vec![("row".into(), Value::Int(row as i64)), ("count".into(), count)]
    };
    Records::from_rows((0..n).map(row).collect(), "table.csv").unwrap()
}

pub(crate) fn identity() -> Arc<dyn Transformer> {
    let entry = registry::find(transformer::LIST, "transformer", "IdentityTransformer").unwrap();
    Arc::from(entry.make(&Params::new()).unwrap())
}

pub(crate) fn stations(loader: Arc<dyn Loader>, augmentor: Option<Arc<dyn Augmentor>>) -> Stations {
    Stations { loader, transformer: identity(), augmentor }
}

/// Returns a dataset of `n` records in batches of 4.
pub(crate) fn dataset(n: usize, tables: Tables, mode: Mode, seed: u64, options: Options) -> Result<Dataset> {
    Dataset::new(records(n, &[]), stations(Arc::new(tables), None), mode, 4, seed, options)
}
