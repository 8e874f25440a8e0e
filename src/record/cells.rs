//! The cells of one column: typed and contiguous where possible, with the missing ones marked.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Result;
use crate::record::block::{Block, RaggedBlock};
use crate::record::value::texts;
use crate::record::{ColumnType, Field, Value};
use crate::tensor::{Array, Dtype, Tensor};

/// The cells of one column.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub data: Data,
    /// One flag a row, or nothing when no cell is missing; `data` holds a placeholder there.
    nulls: Option<Arc<[bool]>>,
}

/// The values of a column, one a row.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<Arc<str>>),
    Texts(Vec<Arc<[Arc<str>]>>),
    /// Tensors of one shape, stacked on axis 0.
    Stacked(Array),
    /// Tensors of one dtype whose shapes differ.
    Ragged(Vec<Array>),
    /// Tensors of one shape that stay in their file until they are asked for.
    Mapped(Block),
    /// Tensors of different shapes that stay in their file.
    MappedRagged(RaggedBlock),
    Mixed(Vec<Value>),
}

/// A value that does not fit the type its column must have.
#[derive(Debug)]
pub(super) struct Misfit {
    pub row: usize,
    pub expected: &'static str,
    pub found: String,
}

impl Cells {
    /// Creates cells; `nulls` has one flag a row.
    pub fn new(data: Data, nulls: Vec<bool>) -> Self {
        Cells { data, nulls: nulls.contains(&true).then(|| nulls.into()) }
    }

    /// Creates cells from an array with the rows on axis 0; none is missing.
    pub fn from_array(array: Array) -> Self {
        let data = match (array.rank(), array.dtype()) {
            (1, Dtype::I64 | Dtype::U8) => Data::Int(array.as_i64().into_owned()),
            (1, Dtype::F32 | Dtype::F64) => Data::Float(array.as_f64().into_owned()),
            _ => Data::Stacked(array),
        };
        Cells { data, nulls: None }
    }

    /// Creates cells of rows in a file; single numbers are read at once, since they are looked at often.
    pub fn from_block(block: Block) -> Result<Self> {
        match block.row_shape().is_empty() {
            true => Ok(Cells::from_array(block.all()?)),
            false => Ok(Cells { data: Data::Mapped(block), nulls: None }),
        }
    }

    /// Creates cells from values: of the wanted type, or of the narrowest type that holds them all.
    ///
    /// A wanted whole number may turn out to have a fraction: the column is then of floats.
    pub fn from_values(values: Vec<Value>, wanted: Option<ColumnType>) -> Result<Self, Misfit> {
        let kind = match wanted {
            Some(kind) => widen(kind, &values)?,
            None => infer(&values),
        };
        let nulls = values.iter().map(Value::is_null).collect();
        let data = match kind {
            ColumnType::Int => Data::Int(values.iter().map(|value| int(value).unwrap_or(0)).collect()),
            ColumnType::Float => Data::Float(values.iter().map(|value| float(value).unwrap_or(f64::NAN)).collect()),
            ColumnType::Bool => Data::Bool(values.iter().map(|value| matches!(value, Value::Bool(true))).collect()),
            ColumnType::Text => {
                let mut intern = Intern::default();
                let text = |value: &Value| match value {
                    Value::Text(text) => intern.shared(text),
                    _ => intern.text(""),
                };
                Data::Text(values.iter().map(text).collect())
            }
            ColumnType::Texts => Data::Texts(
                values
                    .iter()
                    .map(|value| match value {
                        Value::List(items) => texts(items).unwrap_or_default(),
                        _ => Arc::default(),
                    })
                    .collect(),
            ),
            ColumnType::Tensor(dtype) => match tensors(&values, dtype) {
                Some(data) => data,
                None => Data::Mixed(values),
            },
            ColumnType::Mixed => Data::Mixed(values),
        };
        Ok(Cells::new(data, nulls))
    }

    /// Returns the type of the values.
    pub fn kind(&self) -> ColumnType {
        match &self.data {
            Data::Int(_) => ColumnType::Int,
            Data::Float(_) => ColumnType::Float,
            Data::Bool(_) => ColumnType::Bool,
            Data::Text(_) => ColumnType::Text,
            Data::Texts(_) => ColumnType::Texts,
            Data::Stacked(array) => ColumnType::Tensor(array.dtype()),
            Data::Ragged(arrays) => ColumnType::Tensor(arrays.first().map_or(Dtype::F32, Array::dtype)),
            Data::Mapped(block) => ColumnType::Tensor(block.dtype()),
            Data::MappedRagged(block) => ColumnType::Tensor(block.dtype()),
            Data::Mixed(_) => ColumnType::Mixed,
        }
    }

    /// Returns whether any cell is missing.
    pub fn has_nulls(&self) -> bool {
        self.nulls.is_some()
    }

    /// Returns whether the cell is missing.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.get(row).copied().unwrap_or(true))
    }

    /// Returns whether all of the `len` cells are missing.
    pub fn is_all_null(&self, len: usize) -> bool {
        (0..len).all(|row| self.is_null(row))
    }

    /// Returns a cell as a value.
    pub fn value(&self, row: usize) -> Value {
        if self.is_null(row) {
            return Value::Null;
        }
        match &self.data {
            Data::Int(cells) => Value::Int(cells[row]),
            Data::Float(cells) => Value::Float(cells[row]),
            Data::Bool(cells) => Value::Bool(cells[row]),
            Data::Text(cells) => Value::Text(cells[row].clone()),
            Data::Texts(cells) => Value::List(cells[row].iter().cloned().map(Value::Text).collect()),
            Data::Stacked(array) => Value::Tensor(Tensor::Host(array.row(row))),
            Data::Ragged(arrays) => Value::Tensor(Tensor::Host(arrays[row].clone())),
            // Reading a row fails only where the memory does not suffice for it.
            Data::Mapped(block) => block.row(row).map_or(Value::Null, Value::from),
            Data::MappedRagged(block) => block.row(row).map_or(Value::Null, Value::from),
            Data::Mixed(cells) => cells[row].clone(),
        }
    }

    /// Returns a cell that is not missing as a loader uses it; see [`Value::to_field`].
    pub fn field(&self, row: usize) -> Result<Field> {
        match &self.data {
            Data::Texts(cells) => Ok(Field::Texts(cells[row].clone())),
            _ => self.value(row).to_field(),
        }
    }
}

/// Shares the texts that repeat (class names), as long as there are few: a column of free text would
/// only fill the table.
#[derive(Default)]
pub(super) struct Intern(HashSet<Arc<str>>);

impl Intern {
    const LIMIT: usize = 1024;

    /// Returns the text, shared with an equal one when there was one.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        match self.0.get(text) {
            Some(known) => known.clone(),
            None => self.keep(Arc::from(text)),
        }
    }

    fn shared(&mut self, text: &Arc<str>) -> Arc<str> {
        match self.0.get(text) {
            Some(known) => known.clone(),
            None => self.keep(text.clone()),
        }
    }

    fn keep(&mut self, text: Arc<str>) -> Arc<str> {
        if self.0.len() < Self::LIMIT {
            self.0.insert(text.clone());
        }
        text
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(*value as i64),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

/// What occurs among values.
#[derive(Clone, Default)]
pub(super) struct Seen {
    int: bool,
    float: bool,
    bool: bool,
    text: bool,
    texts: bool,
    dtype: Option<Dtype>,
    empty_list: bool,
    other: bool,
}

impl Seen {
    /// Takes note of a value.
    pub fn note(&mut self, value: &Value) {
        match value {
            Value::Int(_) => self.int = true,
            Value::Float(_) => self.float = true,
            Value::Bool(_) => self.bool = true,
            Value::Text(_) => self.text = true,
            Value::Tensor(tensor) => self.dtype = Some(self.dtype.map_or(tensor.dtype(), |d| wider(d, tensor.dtype()))),
            // An empty list fits a column of texts and one of tensors.
            Value::List(items) if items.is_empty() => self.empty_list = true,
            Value::List(items) if texts(items).is_some() => self.texts = true,
            Value::List(_) | Value::Map(_) => self.other = true,
            Value::Null => {}
        }
    }

    /// Returns the narrowest type that holds all values.
    pub fn kind(&self) -> ColumnType {
        let empty_list = self.empty_list;
        match self {
            Seen { other: true, .. } => ColumnType::Mixed,
            Seen { int, float, bool: false, text: false, texts: false, dtype: None, .. } if !empty_list => {
                // A column without any value is of floats, the type that most columns with gaps have.
                if *int && !*float { ColumnType::Int } else { ColumnType::Float }
            }
            Seen { int: false, float: false, bool: true, text: false, texts: false, dtype: None, .. }
                if !empty_list =>
            {
                ColumnType::Bool
            }
            Seen { int: false, float: false, bool: false, text: true, texts: false, dtype: None, .. }
                if !empty_list =>
            {
                ColumnType::Text
            }
            Seen { int: false, float: false, bool: false, text: false, dtype: None, .. } => ColumnType::Texts,
            Seen { int: false, float: false, bool: false, text: false, texts: false, dtype: Some(dtype), .. } => {
                ColumnType::Tensor(*dtype)
            }
            _ => ColumnType::Mixed,
        }
    }
}

fn infer(values: &[Value]) -> ColumnType {
    let mut seen = Seen::default();
    values.iter().for_each(|value| seen.note(value));
    seen.kind()
}

/// Checks that the values fit the wanted type; returns the type they get.
fn widen(wanted: ColumnType, values: &[Value]) -> Result<ColumnType, Misfit> {
    let mut kind = wanted;
    for (row, value) in values.iter().enumerate() {
        let fits = match (wanted, value) {
            (_, Value::Null) | (ColumnType::Mixed, _) => true,
            (ColumnType::Int, Value::Int(_)) => true,
            (ColumnType::Int, Value::Float(_)) => {
                if int(value).is_none() {
                    kind = ColumnType::Float;
                }
                true
            }
            (ColumnType::Float, Value::Int(_) | Value::Float(_)) => true,
            (ColumnType::Bool, Value::Bool(_)) | (ColumnType::Text, Value::Text(_)) => true,
            (ColumnType::Texts, Value::List(items)) => texts(items).is_some(),
            (ColumnType::Tensor(_), Value::List(items)) => items.is_empty(),
            (ColumnType::Tensor(_), Value::Tensor(tensor)) => {
                if let ColumnType::Tensor(dtype) = kind {
                    kind = ColumnType::Tensor(wider(dtype, tensor.dtype()));
                }
                true
            }
            _ => false,
        };
        if !fits {
            return Err(Misfit { row, expected: wanted.describe(), found: value.describe() });
        }
    }
    Ok(kind)
}

/// Returns the dtype that holds both: u8, i64, f32, f64 from narrow to wide.
pub(super) fn wider(a: Dtype, b: Dtype) -> Dtype {
    let rank = |dtype| match dtype {
        Dtype::U8 => 0,
        Dtype::I64 => 1,
        Dtype::F32 => 2,
        Dtype::F64 => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// Returns the tensors of one dtype, stacked when their shapes agree; `None` when one cannot be had
/// on the host.
fn tensors(values: &[Value], dtype: Dtype) -> Option<Data> {
    let mut arrays = Vec::with_capacity(values.len());
    for value in values {
        arrays.push(match value {
            Value::Tensor(tensor) => Some(tensor.to_host().ok()?.cast(dtype)),
            Value::List(_) => Some(Array::from_u8(Vec::new(), &[0]).ok()?.cast(dtype)),
            _ => None,
        });
    }
    let shape = arrays.iter().flatten().next().map_or_else(|| vec![0], |array| array.shape().to_vec());
    let equal = arrays.iter().flatten().all(|array| array.shape() == shape);
    let placeholder = Array::from_u8(vec![0; shape.iter().product()], &shape).ok()?.cast(dtype);
    let arrays: Vec<Array> = arrays.into_iter().map(|array| array.unwrap_or_else(|| placeholder.clone())).collect();
    if equal && let Ok(stacked) = Array::stack(&arrays) {
        return Some(Data::Stacked(stacked));
    }
    Some(Data::Ragged(arrays))
}
