//! Tensors of many records as one array with the records on axis 0: what goes together is decided by the shapes
//! behind that axis alone.

use super::compare::spread;
use super::{Array, array, axes};
use crate::error::Result;

/// Returns the shape in which one record of each operand meets.
///
/// # Errors
/// Shapes that do not combine.
pub(crate) fn common(left: &[usize], right: &[usize]) -> Result<Vec<usize>> {
    axes::broadcast(left, right)
}

/// Returns the array with every record stretched to a shape that [`common`] gave.
///
/// # Errors
/// A shape that it cannot be stretched to.
pub(crate) fn stretched(batch: &Array, shape: &[usize]) -> Result<Array> {
    let (records, own) = batch.shape().split_first().unwrap_or((&1, &[]));
    if own == shape {
        return Ok(batch.clone());
    }
    let missing = shape.len().saturating_sub(own.len());
    let lifted: Vec<usize> =
        std::iter::once(*records).chain(std::iter::repeat_n(1, missing)).chain(own.iter().copied()).collect();
    let whole: Vec<usize> = std::iter::once(*records).chain(shape.iter().copied()).collect();
    let lifted = batch.with_shape(&lifted)?;
    array::each!(&lifted, typed => Ok(spread(typed, &whole)?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_stretched_each_on_its_own() {
        let batch = Array::from_f32(vec![1.0, 2.0], &[2]).unwrap();
        let stretched = stretched(&batch, &[3]).unwrap();
        assert_eq!(stretched.shape(), [2, 3]);
        assert_eq!(*stretched.as_f32(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(common(&[], &[2]).unwrap(), [2]);
        assert!(common(&[2], &[3]).is_err());
    }
}
