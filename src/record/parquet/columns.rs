//! From Arrow's arrays, batch by batch, to the cells of a column.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;

use crate::record::cells::{Cells, Data, Intern, Misfit};
use crate::record::{ColumnType, Name, Value};
use crate::tensor::{Array, Tensor};

/// A column that is being read.
pub(super) struct Column {
    build: Build,
    nulls: Vec<bool>,
}

enum Build {
    Int(Vec<i64>),
    /// Whole numbers without sign; floats in the end when one of them needs all 64 bits.
    Unsigned(Vec<u64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Text(Vec<Arc<str>>, Intern),
    Values(Vec<Value>),
}

impl Column {
    /// Creates a column for values of a type that `types::check` let pass.
    pub fn new(kind: &DataType) -> Self {
        let build = match kind {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Build::Int(Vec::new()),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Build::Int(Vec::new()),
            DataType::UInt64 => Build::Unsigned(Vec::new()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Build::Float(Vec::new()),
            DataType::Boolean => Build::Bool(Vec::new()),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                Build::Text(Vec::new(), Intern::default())
            }
            _ => Build::Values(Vec::new()),
        };
        Column { build, nulls: Vec::new() }
    }

    /// Adds the values of one batch.
    pub fn push(&mut self, array: &ArrayRef) {
        let rows = 0..array.len();
        match &mut self.build {
            Build::Int(values) => match array.data_type() {
                DataType::Int8 => extend::<Int8Type, _>(values, array, i64::from),
                DataType::Int16 => extend::<Int16Type, _>(values, array, i64::from),
                DataType::Int32 => extend::<Int32Type, _>(values, array, i64::from),
                DataType::UInt8 => extend::<UInt8Type, _>(values, array, i64::from),
                DataType::UInt16 => extend::<UInt16Type, _>(values, array, i64::from),
                DataType::UInt32 => extend::<UInt32Type, _>(values, array, i64::from),
                _ => extend::<Int64Type, _>(values, array, |x| x),
            },
            Build::Unsigned(values) => extend::<UInt64Type, _>(values, array, |x| x),
            Build::Float(values) => match array.data_type() {
                DataType::Float16 => extend::<Float16Type, _>(values, array, f64::from),
                DataType::Float32 => extend::<Float32Type, _>(values, array, f64::from),
                _ => extend::<Float64Type, _>(values, array, |x| x),
            },
            Build::Bool(values) => {
                if let Some(array) = array.as_boolean_opt() {
                    values.extend(rows.clone().map(|row| !array.is_null(row) && array.value(row)));
                }
            }
            Build::Text(values, intern) => {
                values.extend(rows.clone().map(|row| intern.text(text(array, row).unwrap_or_default())));
            }
            Build::Values(values) => values.extend(rows.clone().map(|row| value(array, row))),
        }
        match &self.build {
            // Not a number is what a missing number is written as where a format has no nulls.
            Build::Float(values) => {
                let from = self.nulls.len();
                self.nulls
                    .extend(rows.map(|row| array.is_null(row) || values.get(from + row).is_none_or(|x| x.is_nan())));
            }
            // Of numbered texts the number may be there, and the text missing.
            Build::Text(..) => self.nulls.extend(rows.map(|row| text(array, row).is_none())),
            _ => self.nulls.extend(rows.map(|row| array.is_null(row))),
        }
    }

    /// Returns the cells, of the wanted type when there is one.
    pub fn finish(self, wanted: Option<ColumnType>) -> Result<Cells, Misfit> {
        let Column { build, nulls } = self;
        let rows = nulls.len();
        let data = match build {
            Build::Values(values) => return Cells::from_values(values, wanted),
            Build::Int(values) => Data::Int(values),
            Build::Unsigned(values) => match values.iter().map(|&value| i64::try_from(value)).collect() {
                Ok(values) => Data::Int(values),
                Err(_) => Data::Float(values.into_iter().map(|value| value as f64).collect()),
            },
            Build::Float(values) => Data::Float(values),
            Build::Bool(values) => Data::Bool(values),
            Build::Text(values, _) => Data::Text(values),
        };
        let data = match (data, wanted) {
            (Data::Int(values), Some(ColumnType::Float)) => {
                Data::Float(values.into_iter().map(|value| value as f64).collect())
            }
            (data, _) => data,
        };
        let cells = Cells::new(data, nulls);
        match wanted {
            Some(kind) if kind != cells.kind() => {
                Cells::from_values((0..rows).map(|row| cells.value(row)).collect(), Some(kind))
            }
            _ => Ok(cells),
        }
    }
}

/// Adds numbers; where one is missing, the placeholder that the array holds there.
fn extend<A: ArrowPrimitiveType, T>(values: &mut Vec<T>, array: &ArrayRef, convert: impl Fn(A::Native) -> T) {
    if let Some(array) = array.as_primitive_opt::<A>() {
        values.extend(array.values().iter().map(|&value| convert(value)));
    }
}

/// Returns one text of an array, whichever way texts are kept there.
fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::LargeUtf8 => array.as_string_opt::<i64>().map(|array| array.value(row)),
        DataType::Utf8View => array.as_string_view_opt().map(|array| array.value(row)),
        DataType::Dictionary(..) => {
            let array = array.as_any_dictionary_opt()?;
            let key = array.keys();
            let key = number_at(key, row)?;
            (key < array.values().len()).then(|| text(array.values(), key)).flatten()
        }
        _ => array.as_string_opt::<i32>().map(|array| array.value(row)),
    }
}

/// Returns the number of a numbered text.
fn number_at(keys: &dyn arrow_array::Array, row: usize) -> Option<usize> {
    fn key<A: ArrowPrimitiveType>(keys: &dyn arrow_array::Array, row: usize) -> Option<usize>
    where
        A::Native: TryInto<usize>,
    {
        keys.as_primitive_opt::<A>().and_then(|keys| keys.value(row).try_into().ok())
    }
    match keys.data_type() {
        DataType::Int8 => key::<Int8Type>(keys, row),
        DataType::Int16 => key::<Int16Type>(keys, row),
        DataType::Int32 => key::<Int32Type>(keys, row),
        DataType::Int64 => key::<Int64Type>(keys, row),
        DataType::UInt8 => key::<UInt8Type>(keys, row),
        DataType::UInt16 => key::<UInt16Type>(keys, row),
        DataType::UInt32 => key::<UInt32Type>(keys, row),
        DataType::UInt64 => key::<UInt64Type>(keys, row),
        _ => None,
    }
}

/// Returns one value of an array.
fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) || row >= array.len() {
        return Value::Null;
    }
    fn number<A: ArrowPrimitiveType>(array: &ArrayRef, row: usize, convert: impl Fn(A::Native) -> Value) -> Value {
        array.as_primitive_opt::<A>().map_or(Value::Null, |array| convert(array.value(row)))
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean_opt().map_or(Value::Null, |array| Value::Bool(array.value(row))),
        DataType::Int8 => number::<Int8Type>(array, row, |x| Value::Int(x.into())),
        DataType::Int16 => number::<Int16Type>(array, row, |x| Value::Int(x.into())),
        DataType::Int32 => number::<Int32Type>(array, row, |x| Value::Int(x.into())),
        DataType::Int64 => number::<Int64Type>(array, row, Value::Int),
        DataType::UInt8 => number::<UInt8Type>(array, row, |x| Value::Int(x.into())),
        DataType::UInt16 => number::<UInt16Type>(array, row, |x| Value::Int(x.into())),
        DataType::UInt32 => number::<UInt32Type>(array, row, |x| Value::Int(x.into())),
        DataType::UInt64 => {
            number::<UInt64Type>(array, row, |x| i64::try_from(x).map_or(Value::Float(x as f64), Value::Int))
        }
        DataType::Float16 => number::<Float16Type>(array, row, |x| Value::Float(x.into())),
        DataType::Float32 => number::<Float32Type>(array, row, |x| Value::Float(x.into())),
        DataType::Float64 => number::<Float64Type>(array, row, Value::Float),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            text(array, row).map_or(Value::Null, Value::from)
        }
        DataType::List(_) => array.as_list_opt::<i32>().map_or(Value::Null, |array| list(&array.value(row))),
        DataType::LargeList(_) => array.as_list_opt::<i64>().map_or(Value::Null, |array| list(&array.value(row))),
        DataType::FixedSizeList(..) => {
            array.as_fixed_size_list_opt().map_or(Value::Null, |array| list(&array.value(row)))
        }
        DataType::Struct(fields) => array.as_struct_opt().map_or(Value::Null, |array| {
            let field = |(field, column): (&Arc<arrow_schema::Field>, &ArrayRef)| {
                (Name::from(field.name().as_str()), value(column, row))
            };
            Value::Map(fields.iter().zip(array.columns()).map(field).collect())
        }),
        _ => Value::Null,
    }
}

/// Returns a list as JSON would be read: nested numbers of equal lengths are a tensor, floats in f32.
fn list(items: &ArrayRef) -> Value {
    if items.is_empty() {
        return Value::List(Arc::default());
    }
    if items.null_count() == 0
        && let Some(array) = numbers(items)
    {
        return Value::Tensor(array.into());
    }
    let values: Vec<Value> = (0..items.len()).map(|row| value(items, row)).collect();
    match values.iter().map(host).collect::<Option<Vec<Array>>>() {
        Some(rows) if alike(&rows) => match Array::stack(&rows) {
            Ok(array) => Value::Tensor(array.into()),
            Err(_) => Value::List(values.into()),
        },
        _ => Value::List(values.into()),
    }
}

fn numbers(items: &ArrayRef) -> Option<Array> {
    fn all<A: ArrowPrimitiveType, T>(items: &ArrayRef, convert: impl Fn(A::Native) -> T) -> Vec<T> {
        let mut values = Vec::with_capacity(items.len());
        extend::<A, T>(&mut values, items, convert);
        values
    }
    let shape = [items.len()];
    match items.data_type() {
        DataType::UInt8 => Array::from_u8(all::<UInt8Type, _>(items, |x| x), &shape),
        DataType::Int8 => Array::from_i64(all::<Int8Type, _>(items, i64::from), &shape),
        DataType::Int16 => Array::from_i64(all::<Int16Type, _>(items, i64::from), &shape),
        DataType::Int32 => Array::from_i64(all::<Int32Type, _>(items, i64::from), &shape),
        DataType::Int64 => Array::from_i64(all::<Int64Type, _>(items, |x| x), &shape),
        DataType::UInt16 => Array::from_i64(all::<UInt16Type, _>(items, i64::from), &shape),
        DataType::UInt32 => Array::from_i64(all::<UInt32Type, _>(items, i64::from), &shape),
        DataType::Float16 => Array::from_f32(all::<Float16Type, _>(items, f32::from), &shape),
        DataType::Float32 => Array::from_f32(all::<Float32Type, _>(items, |x| x), &shape),
        DataType::Float64 => Array::from_f32(all::<Float64Type, _>(items, |x| x as f32), &shape),
        _ => return None,
    }
    .ok()
}

fn host(value: &Value) -> Option<Array> {
    match value {
        Value::Tensor(Tensor::Host(array)) => Some(array.clone()),
        _ => None,
    }
}

fn alike(rows: &[Array]) -> bool {
    rows.windows(2).all(|pair| pair[0].shape() == pair[1].shape() && pair[0].dtype() == pair[1].dtype())
}
