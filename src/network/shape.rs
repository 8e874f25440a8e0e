//! Shapes of symbolic values: how they are shown, compared and multiplied.

use crate::error::{Error, Result};

use super::Shape;

/// Returns a shape as errors show it: `[null, 4]`, where null is an axis of any length.
///
/// ```
/// assert_eq!(barrage::network::show_shape(&[None, Some(4)]), "[null, 4]");
/// ```
pub fn show_shape(shape: &[Option<usize>]) -> String {
    let axes: Vec<String> =
        shape.iter().map(|axis| axis.map_or("null".to_owned(), |length| length.to_string())).collect();
    format!("[{}]", axes.join(", "))
}

/// Returns the only input of a layer that takes one.
pub(super) fn single(inputs: &[Shape]) -> Result<&Shape> {
    match inputs {
        [shape] => Ok(shape),
        _ => Err(Error::recipe(format!("expected one input, found {}", inputs.len()))
            .hint("`Add`, `Concatenate` and the like merge several values into one")),
    }
}

/// Returns the only input, which must have `rank` axes beside the batch axis.
pub(super) fn single_of_rank<'a>(inputs: &'a [Shape], rank: usize, axes: &str) -> Result<&'a Shape> {
    let shape = single(inputs)?;
    match shape.len() == rank {
        true => Ok(shape),
        false => Err(Error::recipe(format!("expected an input of shape [{axes}], found {}", show_shape(shape)))),
    }
}

/// Returns the length of the last axis, which decides the shape of a weight.
pub(super) fn last_axis(shape: &Shape) -> Result<usize> {
    match shape.last() {
        Some(Some(length)) => Ok(*length),
        Some(None) => Err(Error::recipe(format!("expected a last axis of known length, found {}", show_shape(shape)))),
        None => Err(Error::recipe("expected an input of at least one axis beside the batch axis, found []")
            .hint("a scalar per record becomes a vector with shape [1]")),
    }
}

/// Checks that one record of this shape is not absurdly large, whatever axes of any length it has.
///
/// # Errors
/// More numbers than an index of 32 bits has.
pub(super) fn bounded(shape: &[Option<usize>]) -> Result<()> {
    let known = shape.iter().flatten().try_fold(1usize, |product, length| product.checked_mul(*length));
    match known.is_some_and(|count| count <= i32::MAX as usize) {
        true => Ok(()),
        false => Err(Error::recipe(format!("values of shape {} are too large", show_shape(shape)))
            .hint("at most 2,147,483,647 numbers for each record: check the sizes of the layer and of its input")),
    }
}

/// Returns the number of elements; `None` when an axis has any length.
pub(super) fn count(shape: &[Option<usize>]) -> Result<Option<usize>> {
    let mut product = Some(1usize);
    for axis in shape {
        product = match (product, axis) {
            (Some(product), Some(length)) => Some(
                product
                    .checked_mul(*length)
                    .ok_or_else(|| Error::recipe(format!("shape {} has too many elements", show_shape(shape))))?,
            ),
            _ => None,
        };
    }
    Ok(product)
}

/// Returns the place of an axis given as Keras does: counted with the batch axis as 0, or from the end.
/// The result counts without the batch axis.
pub(super) fn inner_axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let inner = if axis < 0 { axis + rank } else { axis - 1 };
    if (0..rank).contains(&inner) { usize::try_from(inner).ok() } else { None }
}
