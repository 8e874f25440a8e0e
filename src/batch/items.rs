//! What a batch of named components holds under one name: an item for each of its ids.

use crate::error::{Error, Result};
use crate::record::Value;
use crate::tensor::{Array, Dtype, Number, Tensor};

/// The items of one component, in the order of the batch's ids.
#[derive(Clone, Debug)]
pub enum Items {
    /// Numbers of one shape and dtype, items on axis 0.
    Dense(Array),
    /// Anything else: texts, tensors of different shapes, maps.
    Mixed(Vec<Value>),
}

impl Items {
    /// Puts items together: numbers of one shape and dtype become one array (whole numbers i64, others f32,
    /// true/false u8), anything else stays a list.
    ///
    /// ```
    /// use barrage::batch::Items;
    /// use barrage::record::Value;
    /// let items = Items::assemble(vec![Value::Int(3), Value::Float(0.5)]);
    /// assert_eq!(items.describe(), "f32 of shape [2]");
    /// ```
    pub fn assemble(values: Vec<Value>) -> Items {
        dense(&values).map_or(Items::Mixed(values), Items::Dense)
    }

    /// Returns the items of a value whose first axis, or whose list, has one entry for each item.
    ///
    /// # Errors
    /// A value that is neither a tensor with at least one axis nor a list.
    pub fn of(value: Value) -> Result<Items> {
        match value {
            Value::Tensor(tensor) if tensor.rank() > 0 => Ok(Items::Dense(tensor.to_host()?)),
            Value::List(items) => Ok(Items::assemble(items.to_vec())),
            other => Err(Error::data(format!(
                "expected a tensor with an item in each row, or a list of items, found {}",
                other.describe()
            ))),
        }
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        match self {
            Items::Dense(array) => array.len(),
            Items::Mixed(values) => values.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the item at a position: a view of the array, or a number where its items are numbers.
    ///
    /// # Errors
    /// A position past the end.
    pub fn get(&self, position: usize) -> Result<Value> {
        if position >= self.len() {
            return Err(self.out_of_range(position));
        }
        match self {
            Items::Dense(array) if array.rank() == 1 => Ok(match Tensor::from(array.row(position)).item()? {
                Number::Int(value) => Value::Int(value),
                Number::Float(value) => Value::Float(value),
            }),
            Items::Dense(array) => Ok(Value::Tensor(array.row(position).into())),
            Items::Mixed(values) => Ok(values[position].clone()),
        }
    }

    /// Writes the item at a position. Numbers take the dtype of a dense component; a list takes any value.
    ///
    /// # Errors
    /// A position past the end; in a dense component, a value of another shape or dtype.
    pub fn set(&mut self, position: usize, value: Value) -> Result<()> {
        if position >= self.len() {
            return Err(self.out_of_range(position));
        }
        match self {
            Items::Dense(array) => array.set_row(position, row(value, array)?),
            Items::Mixed(values) => {
                values[position] = value;
                Ok(())
            }
        }
    }

    /// Returns the items at these positions, in this order.
    ///
    /// # Errors
    /// A position past the end.
    pub fn take(&self, positions: &[usize]) -> Result<Items> {
        if let Some(wrong) = positions.iter().find(|&&position| position >= self.len()) {
            return Err(self.out_of_range(*wrong));
        }
        Ok(match self {
            // A run of rows is a view.
            Items::Dense(array) => match positions.windows(2).all(|pair| pair[1] == pair[0] + 1) && array.rank() > 0 {
                true => {
                    let first = positions.first().copied().unwrap_or(0) as isize;
                    let end = first + positions.len() as isize;
                    Items::Dense(Tensor::from(array.clone()).slice(0, first, Some(end))?.to_host()?)
                }
                false => Items::Dense(array.take_rows(positions)?),
            },
            Items::Mixed(values) => Items::Mixed(positions.iter().map(|&at| values[at].clone()).collect()),
        })
    }

    /// Returns the items of all parts, one after another.
    ///
    /// # Errors
    /// Memory that does not suffice.
    pub fn concat(parts: &[Items]) -> Result<Items> {
        let arrays: Option<Vec<Array>> = parts
            .iter()
            .map(|part| match part {
                Items::Dense(array) => Some(array.clone()),
                Items::Mixed(_) => None,
            })
            .collect();
        let alike = |arrays: &[Array]| {
            arrays
                .windows(2)
                .all(|pair| pair[0].shape()[1..] == pair[1].shape()[1..] && pair[0].dtype() == pair[1].dtype())
        };
        match arrays {
            Some(arrays) if !arrays.is_empty() && alike(&arrays) => Ok(Items::Dense(Array::concat(&arrays, 0)?)),
            _ => {
                let mut values = Vec::new();
                for part in parts {
                    for position in 0..part.len() {
                        values.push(part.get(position)?);
                    }
                }
                Ok(Items::assemble(values))
            }
        }
    }

    /// Returns all items as a value: a tensor, or a list.
    pub fn to_value(&self) -> Value {
        match self {
            Items::Dense(array) => Value::Tensor(array.clone().into()),
            Items::Mixed(values) => Value::List(values.clone().into()),
        }
    }

    /// Returns all items as a tensor.
    ///
    /// # Errors
    /// Items that are not numbers of one shape; the error says which.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let values = match self {
            Items::Dense(array) => return Ok(array.clone().into()),
            Items::Mixed(values) => values,
        };
        let shape = |value: &Value| match value {
            Value::Tensor(tensor) => Some(tensor.shape().to_vec()),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(Vec::new()),
            _ => None,
        };
        if let Some(at) = values.iter().position(|value| shape(value).is_none()) {
            return Err(Error::data(format!("expected numbers, found {} at position {at}", values[at].describe())));
        }
        let first = values.first().and_then(shape).unwrap_or_default();
        match values.iter().position(|value| shape(value).as_ref() != Some(&first)) {
            Some(at) => {
                let found = shape(&values[at]).unwrap_or_default();
                Err(Error::data(format!("the item at position {at} has shape {found:?}, that at 0 has {first:?}"))
                    .hint("pad, crop or resize the items to one shape first"))
            }
            None => {
                Err(Error::data("the items have several dtypes").hint("convert all of them, such as with `.to_f32()`"))
            }
        }
    }

    /// Returns what the items are, for errors and previews: `u8 of shape [64, 28, 28]`, `64 texts`.
    pub fn describe(&self) -> String {
        match self {
            Items::Dense(array) => format!("{} of shape {:?}", array.dtype().name(), array.shape()),
            Items::Mixed(values) if values.iter().all(|value| matches!(value, Value::Text(_))) => {
                format!("{} texts", values.len())
            }
            Items::Mixed(values) if values.iter().all(|value| matches!(value, Value::Tensor(_))) => {
                format!("{} tensors of different shapes", values.len())
            }
            Items::Mixed(values) => format!("{} values", values.len()),
        }
    }

    fn out_of_range(&self, position: usize) -> Error {
        Error::data(format!("position {position} is out of range: there are {} items", self.len()))
    }
}

/// Returns numbers of one shape and dtype as one array.
fn dense(values: &[Value]) -> Option<Array> {
    let count = values.len();
    match values.first()? {
        Value::Tensor(_) => {
            let arrays = values.iter().map(|value| match value {
                Value::Tensor(tensor) => tensor.to_host().ok(),
                _ => None,
            });
            let arrays: Vec<Array> = arrays.collect::<Option<_>>()?;
            Array::stack(&arrays).ok()
        }
        Value::Bool(_) => {
            let bit = |value: &Value| if let Value::Bool(bit) = value { Some(u8::from(*bit)) } else { None };
            Array::from_u8(values.iter().map(bit).collect::<Option<_>>()?, &[count]).ok()
        }
        _ => {
            let whole = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
            if let Some(whole) = values.iter().map(whole).collect::<Option<Vec<i64>>>() {
                return Array::from_i64(whole, &[count]).ok();
            }
            let float = |value: &Value| match value {
                Value::Int(number) => Some(*number as f32),
                Value::Float(number) => Some(*number as f32),
                _ => None,
            };
            Array::from_f32(values.iter().map(float).collect::<Option<_>>()?, &[count]).ok()
        }
    }
}

/// Returns a value as a row of an array; plain numbers take its dtype.
fn row(value: Value, array: &Array) -> Result<Array> {
    let number = |number: f64, whole: bool| -> Result<Array> {
        match array.dtype() {
            Dtype::I64 if !whole => Err(Error::data(format!("expected a whole number, found {number:?}"))
                .hint("the component holds whole numbers: `batch.x = batch.x.to_f32()` makes room for fractions")),
            Dtype::U8 if !whole || !(0.0..=255.0).contains(&number) => {
                Err(Error::data(format!("expected a whole number from 0 to 255, found {number:?}")))
            }
            dtype => Ok(Array::from_f64(vec![number], &[])?.cast(dtype)),
        }
    };
    match value {
        Value::Int(value) if array.dtype() == Dtype::I64 => Array::from_i64(vec![value], &[]),
        Value::Int(value) => number(value as f64, true),
        Value::Bool(value) => number(f64::from(u8::from(value)), true),
        Value::Float(value) => number(value, value.fract() == 0.0),
        Value::Tensor(tensor) => tensor.to_host(),
        other => Err(Error::data(format!("expected numbers, found {}", other.describe()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Value {
        Value::Tensor(Array::from_f32(values.to_vec(), &[values.len()]).unwrap().into())
    }

    #[test]
    fn items_of_one_kind_are_one_array_and_others_a_list() {
        for (values, description) in [
            (vec![Value::Int(1), Value::Int(2)], "i64 of shape [2]"),
            (vec![Value::Int(1), Value::Float(2.5)], "f32 of shape [2]"),
            (vec![Value::Bool(true)], "u8 of shape [1]"),
            (vec![tensor(&[1.0, 2.0]), tensor(&[3.0, 4.0])], "f32 of shape [2, 2]"),
            (vec![tensor(&[1.0, 2.0]), tensor(&[3.0])], "2 tensors of different shapes"),
            (vec!["a".into(), "b".into()], "2 texts"),
            (vec!["a".into(), Value::Null], "2 values"),
            (vec![], "0 texts"),
        ] {
            assert_eq!(Items::assemble(values).describe(), description);
        }
    }

    #[test]
    fn writes_stick_and_do_not_reach_those_who_share() {
        let mut items = Items::assemble(vec![tensor(&[1.0, 2.0]), tensor(&[3.0, 4.0])]);
        let before = items.clone();
        items.set(1, tensor(&[5.0, 6.0])).unwrap();
        assert_eq!(items.get(1).unwrap().to_json().unwrap(), serde_json::json!([5.0, 6.0]));
        assert_eq!(before.get(1).unwrap().to_json().unwrap(), serde_json::json!([3.0, 4.0]));
        assert_eq!(items.set(1, tensor(&[5.0])).unwrap_err().message(), "expected a row of shape [2], found [1]");
        assert_eq!(
            items.set(2, tensor(&[5.0])).unwrap_err().message(),
            "position 2 is out of range: there are 2 items"
        );
        let mut whole = Items::assemble(vec![Value::Int(1)]);
        assert_eq!(whole.set(0, Value::Float(0.5)).unwrap_err().message(), "expected a whole number, found 0.5");
    }

    #[test]
    fn a_view_of_the_items_is_written_back_without_copying_all() {
        let mut items = Items::Dense(Array::from_f32(vec![0.0; 8], &[4, 2]).unwrap());
        let address = |items: &Items| match items {
            Items::Dense(array) => array.row(0).as_f32().as_ptr() as usize,
            Items::Mixed(_) => 0,
        };
        let before = address(&items);
        let view = items.get(2).unwrap();
        items.set(1, view).unwrap();
        assert_eq!(address(&items), before);
    }

    #[test]
    fn parts_are_put_together() {
        let dense = Items::assemble(vec![tensor(&[1.0]), tensor(&[2.0])]);
        let ragged = Items::assemble(vec![tensor(&[1.0]), tensor(&[2.0, 3.0])]);
        assert_eq!(Items::concat(&[dense.clone(), dense.clone()]).unwrap().describe(), "f32 of shape [4, 1]");
        assert_eq!(Items::concat(&[dense.clone(), ragged]).unwrap().describe(), "4 tensors of different shapes");
        assert_eq!(dense.take(&[1, 0, 1]).unwrap().describe(), "f32 of shape [3, 1]");
        assert!(dense.take(&[2]).is_err());
        let error = Items::assemble(vec!["a".into()]).to_tensor().unwrap_err();
        assert_eq!(error.message(), "expected numbers, found the text \"a\" at position 0");
    }
}
