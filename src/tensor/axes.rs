//! Axes, positions and shapes, checked: everything that could make a host panic stops here.

use super::element::Element;
use super::storage;
use crate::error::{Error, Result};

/// The most axes a tensor may have.
pub(crate) const MOST_AXES: usize = 32;

/// Returns the number of elements of a shape.
///
/// # Errors
/// A count that no memory can hold, or more than [`MOST_AXES`] axes.
pub(crate) fn count(shape: &[usize]) -> Result<usize> {
    if shape.len() > MOST_AXES {
        return Err(Error::data(format!("a tensor has at most {MOST_AXES} axes, found {}", shape.len())));
    }
    // Axes of length 0 are left out of the product: the other strides must be representable too.
    shape
        .iter()
        .filter(|&&length| length != 0)
        .try_fold(1usize, |product, &length| product.checked_mul(length))
        .filter(|&product| product <= isize::MAX as usize / 16)
        .map(|product| if shape.contains(&0) { 0 } else { product })
        .ok_or_else(|| Error::data(format!("shape {shape:?} is too large for the memory")))
}

/// Returns room for so many elements: storage that was let go of, where there is some.
///
/// # Errors
/// The memory does not suffice.
pub(crate) fn room<T: Element>(count: usize) -> Result<Vec<T>> {
    storage::take(count).map_or_else(|| reserve(count), Ok)
}

/// Returns new room for so many elements of any kind.
///
/// # Errors
/// The memory does not suffice.
pub(crate) fn reserve<T>(count: usize) -> Result<Vec<T>> {
    let mut data = Vec::new();
    data.try_reserve_exact(count).map_err(|_| Error::data(format!("{count} elements are too many for the memory")))?;
    Ok(data)
}

/// Returns the axis from 0; negative counts from the last.
pub(crate) fn axis(axis: isize, shape: &[usize]) -> Result<usize> {
    position(axis, shape.len()).ok_or_else(|| {
        let error = Error::data(format!("axis {axis} is out of range for shape {shape:?}"));
        match shape.len() {
            0 => error.hint("a scalar has no axes"),
            n => error.hint(format!("axes go from 0 to {}, or from -{n} to -1 counted from the last", n - 1)),
        }
    })
}

/// Returns the axes from 0, sorted; all of them when none are given.
///
/// # Errors
/// An axis out of range or given twice.
pub(crate) fn axes(axes: Option<&[isize]>, shape: &[usize]) -> Result<Vec<usize>> {
    let Some(given) = axes else { return Ok((0..shape.len()).collect()) };
    let mut axes = given.iter().map(|&one| axis(one, shape)).collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    match axes.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::data(format!("axis {} is given twice in {given:?}", pair[0]))),
        None => Ok(axes),
    }
}

/// Returns a position from 0; negative counts from the end; `None` when out of range.
pub(crate) fn position(index: isize, length: usize) -> Option<usize> {
    let from_end = || length.checked_sub(index.unsigned_abs());
    let at = if index < 0 { from_end()? } else { index as usize };
    (at < length).then_some(at)
}

/// Returns the shape after a reduction over `axes` (sorted).
pub(crate) fn reduced(shape: &[usize], axes: &[usize], keep: bool) -> Vec<usize> {
    let length = |axis: usize| if axes.contains(&axis) { keep.then_some(1) } else { Some(shape[axis]) };
    (0..shape.len()).filter_map(length).collect()
}

/// Returns the order of axes that puts `axes` (sorted) last.
pub(crate) fn moved_last(rank: usize, axes: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect()
}

/// Returns the order of axes that undoes `order`.
pub(crate) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        inverse[from] = to;
    }
    inverse
}

/// Returns the common shape of two operands of an elementwise operation; the rule is in the room's doc.
///
/// # Errors
/// Shapes that do not go together, with what to write instead.
pub(crate) fn broadcast(left: &[usize], right: &[usize]) -> Result<Vec<usize>> {
    if left == right {
        return Ok(left.to_vec());
    }
    let (long, short) = if left.len() >= right.len() { (left, right) } else { (right, left) };
    if long.len() > short.len() {
        return match long.ends_with(short) {
            true => Ok(long.to_vec()),
            false => Err(refusal(left, right).hint(
                "the shorter shape must equal the last axes of the longer one; `.expand(axis)` adds an axis of length 1, `.reshape` gives any shape",
            )),
        };
    }
    let fits = |axis: usize| left[axis] == right[axis] || (axis > 0 && (left[axis] == 1 || right[axis] == 1));
    match (0..left.len()).all(fits) {
        true => Ok(left.iter().zip(right).map(|(&a, &b)| if a == 1 { b } else { a }).collect()),
        false if left.first() != right.first() && (left.first() == Some(&1) || right.first() == Some(&1)) => {
            Err(refusal(left, right)
                .hint("axis 0 is never stretched; `.squeeze(0)` makes one row a value for every row"))
        }
        false => {
            Err(refusal(left, right).hint("an axis of length 1 is stretched, except axis 0; others must be equal"))
        }
    }
}

fn refusal(left: &[usize], right: &[usize]) -> Error {
    Error::data(format!("shapes {left:?} and {right:?} do not combine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_combine_by_the_stated_rule_only() {
        for (left, right, expected) in [
            (&[2, 3][..], &[2, 3][..], Some(&[2, 3][..])),
            (&[2, 3], &[], Some(&[2, 3])),
            (&[3], &[2, 3], Some(&[2, 3])),
            (&[2, 3], &[2, 1], Some(&[2, 3])),
            (&[2, 1, 3], &[2, 4, 1], Some(&[2, 4, 3])),
            (&[2, 3], &[1, 3], None),
            (&[4], &[1], None),
            (&[4, 1], &[4], None),
            (&[2, 3], &[2], None),
            (&[2, 3], &[3, 2], None),
            (&[2, 3, 4], &[1, 4], None),
            (&[0, 3], &[3], Some(&[0, 3])),
        ] {
            assert_eq!(broadcast(left, right).ok().as_deref(), expected, "{left:?} {right:?}");
            assert_eq!(broadcast(right, left).ok().as_deref(), expected, "{right:?} {left:?}");
        }
        let error = broadcast(&[2, 3], &[1, 3]).unwrap_err();
        assert_eq!(error.message(), "shapes [2, 3] and [1, 3] do not combine");
        assert_eq!(error.hints(), ["axis 0 is never stretched; `.squeeze(0)` makes one row a value for every row"]);
    }

    #[test]
    fn axes_and_positions_count_from_either_end() {
        assert_eq!(axis(-1, &[2, 3]).unwrap(), 1);
        assert_eq!(axes(Some(&[-1, 0]), &[2, 3]).unwrap(), [0, 1]);
        assert!(axes(Some(&[1, -1]), &[2, 3]).is_err());
        assert!(axis(isize::MIN, &[2, 3]).is_err());
        assert!(axis(0, &[]).is_err());
        assert_eq!(position(-3, 3), Some(0));
        assert_eq!(position(3, 3), None);
    }

    #[test]
    fn a_shape_too_large_is_refused() {
        assert!(count(&[usize::MAX, 2]).is_err());
        assert!(count(&[usize::MAX, 2, 0]).is_err());
        assert!(count(&[1; 33]).is_err());
        assert_eq!(count(&[5, 0]).unwrap(), 0);
        assert_eq!(count(&[]).unwrap(), 1);
    }
}
