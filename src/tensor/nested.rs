//! Tensors from nested lists, and back.

use super::array::{self, each};
use super::element::{Element, Typed};
use super::{Array, Number, Tensor, axes};
use crate::error::{Error, Result};

/// A nested list of numbers, as a script or a JSON file writes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Nested {
    /// A number.
    Number(Number),
    /// A list.
    List(Vec<Nested>),
}

impl<T: Into<Number>> From<T> for Nested {
    fn from(number: T) -> Self {
        Nested::Number(number.into())
    }
}

impl<T: Into<Nested>> From<Vec<T>> for Nested {
    fn from(list: Vec<T>) -> Self {
        Nested::List(list.into_iter().map(Into::into).collect())
    }
}

impl From<Nested> for serde_json::Value {
    /// Returns the JSON of the list; NaN and infinities, which JSON does not have, become null.
    fn from(nested: Nested) -> Self {
        match nested {
            Nested::Number(Number::Int(value)) => value.into(),
            Nested::Number(Number::Float(value)) => value.into(),
            Nested::List(items) => items.into_iter().map(serde_json::Value::from).collect(),
        }
    }
}

impl Tensor {
    /// Creates a tensor from nested lists: whole numbers give i64; with any other number among them all
    /// are f32. An empty list is f32, of shape `[0]`.
    ///
    /// # Errors
    /// Lists of different lengths side by side, or numbers beside lists; the error names the place.
    pub fn from_nested(nested: &Nested) -> Result<Tensor> {
        let mut shape = Vec::new();
        let mut first = nested;
        while let Nested::List(items) = first {
            shape.push(items.len());
            match items.first() {
                Some(item) => first = item,
                None => break,
            }
        }
        let mut numbers = axes::reserve(axes::count(&shape)?)?;
        collect(nested, &shape, &mut Vec::new(), &mut numbers)?;
        let whole: Option<Vec<i64>> = numbers.iter().map(|number| number.to_i64()).collect();
        let array = match whole {
            Some(whole) if !whole.is_empty() => Array::from_i64(whole, &shape)?,
            _ => Array::from_f32(numbers.iter().map(|number| number.to_f64() as f32).collect(), &shape)?,
        };
        Ok(Tensor::Host(array))
    }

    /// Returns the elements as nested lists; of a scalar tensor, the number.
    pub fn to_array(&self) -> Result<Nested> {
        let array = self.to_host()?;
        fn nest<T: Element>(typed: &Typed<T>) -> Nested {
            fn level<T: Element>(contents: &[T], shape: &[usize]) -> Nested {
                match shape {
                    [] => contents.first().map_or(Nested::List(vec![]), |&x| Nested::Number(x.to_number())),
                    [length, inner @ ..] => {
                        let run: usize = inner.iter().product();
                        Nested::List((0..*length).map(|i| level(&contents[i * run..(i + 1) * run], inner)).collect())
                    }
                }
            }
            level(&array::slice(typed), typed.shape())
        }
        if array.size() == 0 {
            // Many empty lists may be more than the memory holds, though there are no elements.
            axes::reserve::<Nested>(array.shape().iter().take_while(|&&length| length != 0).product())?;
        }
        Ok(each!(&array, typed => nest(typed)))
    }
}

/// Appends the numbers of a list in row-major order, checking its shape.
fn collect(nested: &Nested, shape: &[usize], place: &mut Vec<usize>, numbers: &mut Vec<Number>) -> Result<()> {
    match (nested, shape) {
        (Nested::Number(number), []) => numbers.push(*number),
        (Nested::List(items), [length, inner @ ..]) if items.len() == *length => {
            for (i, item) in items.iter().enumerate() {
                place.push(i);
                collect(item, inner, place, numbers)?;
                place.pop();
            }
        }
        (found, _) => {
            let expected = match shape {
                [] => "a number".to_owned(),
                [length, ..] => format!("a list of {length}"),
            };
            let found = match found {
                Nested::Number(_) => "a number".to_owned(),
                Nested::List(items) => format!("a list of {}", items.len()),
            };
            let at: String = place.iter().map(|i| format!("[{i}]")).collect();
            return Err(Error::data(format!("ragged list: expected {expected} at {at}, as before it, found {found}"))
                .hint("every list of one level has the same length"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Dtype;

    #[test]
    fn whole_numbers_are_i64_and_any_fraction_makes_f32() {
        let whole = Tensor::from_nested(&vec![vec![1, 2], vec![3, 4]].into()).unwrap();
        assert_eq!((whole.dtype(), whole.shape()), (Dtype::I64, &[2, 2][..]));
        let mixed = Nested::List(vec![1.into(), 0.5.into()]);
        let tensor = Tensor::from_nested(&mixed).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32);
        assert_eq!(tensor.to_array().unwrap(), vec![1.0, 0.5].into());
        assert_eq!(Tensor::from_nested(&Nested::List(vec![])).unwrap().shape(), [0]);
        assert_eq!(Tensor::from_nested(&3.into()).unwrap().shape(), [0usize; 0]);
    }

    #[test]
    fn ragged_lists_are_refused_with_the_place() {
        let message = |nested: Nested| Tensor::from_nested(&nested).unwrap_err().message().to_owned();
        assert_eq!(
            message(vec![vec![vec![1, 2]], vec![vec![1]]].into()),
            "ragged list: expected a list of 2 at [1][0], as before it, found a list of 1"
        );
        assert_eq!(
            message(Nested::List(vec![1.into(), vec![2].into()])),
            "ragged list: expected a number at [1], as before it, found a list of 1"
        );
    }
}
