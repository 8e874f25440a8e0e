//! Tensors of many records as one array with the records on axis 0: what goes together is decided by the shapes
//! behind that axis alone.

use super::compare::spread;
use super::element::{Element, Typed};
use super::{Array, Number, array, axes, create};
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

/// Returns a window of every record after [`pad`](super::Tensor::pad), without making what lies outside of it: along
/// `axis` of a record from its own start on, as long as `length`, and all of the other axes. `None` when a window is
/// not within its record, or when there is nothing in it.
///
/// # Errors
/// A value that the dtype cannot hold, and windows too large for the memory.
pub(crate) fn windows(
    batch: &Array,
    widths: &[(usize, usize)],
    value: Number,
    axis: usize,
    starts: &[usize],
    length: usize,
) -> Result<Option<Array>> {
    let Some((&records, own)) = batch.shape().split_first() else { return Ok(None) };
    create::check_number(value, batch.dtype())?;
    let padded = |(&own, &(before, behind)): (&usize, &(usize, usize))| own.checked_add(before)?.checked_add(behind);
    let padded: Option<Vec<usize>> = own.iter().zip(widths).map(padded).collect();
    let Some(mut shape) = padded.filter(|padded| padded.len() == own.len() && widths.len() == own.len()) else {
        return Ok(None);
    };
    let Some(whole) = shape.get(axis).copied() else { return Ok(None) };
    let within = |&start: &usize| start.checked_add(length).is_some_and(|end| end <= whole);
    if starts.len() != records || !starts.iter().all(within) || length == 0 || batch.size() == 0 {
        return Ok(None);
    }
    shape[axis] = length;
    let size = axes::count(&shape)?;
    let mut sizes = vec![records];
    sizes.extend(&shape);
    let count = axes::count(&sizes)?;
    fn cut<T: Element>(
        typed: &Typed<T>,
        work: &mut Windows<T>,
        count: usize,
        each: usize,
        sizes: &[usize],
    ) -> Result<Array> {
        let contents = array::slice(typed);
        work.filled = axes::room(count)?;
        let source = contents.len() / sizes[0];
        for (record, start) in contents.chunks_exact(source).zip(work.starts) {
            work.record(record, *start);
        }
        debug_assert_eq!(work.filled.len(), each * sizes[0]);
        Array::new(std::mem::take(&mut work.filled), sizes)
    }
    array::each!(batch, typed => {
        let value = Element::from_number(value);
        let mut work = Windows { own, widths, shape: &shape, axis, starts, value, filled: Vec::new() };
        cut(typed, &mut work, count, size, &sizes).map(Some)
    })
}

/// Returns every record, a picture, moved as [`shift`](super::Tensor::shift) moves one: down and to the right by as many
/// places as the lists say. `None` for records that are no pictures.
///
/// # Errors
/// A value that the dtype cannot hold.
pub(crate) fn shifted(batch: &Array, down: &[isize], right: &[isize], fill: Number) -> Result<Option<Array>> {
    fn moved<T: Element>(typed: &Typed<T>, down: &[isize], right: &[isize], fill: T) -> Result<Array> {
        let shape = typed.shape().to_vec();
        let source = array::slice(typed);
        let (height, width) = (shape[1], shape[2]);
        let pixel: usize = shape[3..].iter().product();
        let line = width * pixel;
        let mut data = axes::room(source.len())?;
        for (record, (&down, &right)) in source.chunks_exact((height * line).max(1)).zip(down.iter().zip(right)) {
            let right = right.clamp(-(width as isize), width as isize);
            let (before, from) = (right.max(0) as usize * pixel, (-right).max(0) as usize * pixel);
            let kept = line - before - from;
            for row in 0..height as isize {
                let above = row.saturating_sub(down);
                if !(0..height as isize).contains(&above) {
                    data.extend(std::iter::repeat_n(fill, line));
                    continue;
                }
                let start = above as usize * line + from;
                data.extend(std::iter::repeat_n(fill, before));
                data.extend_from_slice(&record[start..start + kept]);
                data.extend(std::iter::repeat_n(fill, from));
            }
        }
        Array::new(data, &shape)
    }
    if batch.rank() < 3 || down.len() != batch.len() || right.len() != batch.len() {
        return Ok(None);
    }
    create::check_number(fill, batch.dtype())?;
    array::each!(batch, typed => moved(typed, down, right, Element::from_number(fill))).map(Some)
}

/// Windows of one element type, on the way.
struct Windows<'a, T> {
    own: &'a [usize],
    widths: &'a [(usize, usize)],
    shape: &'a [usize],
    axis: usize,
    starts: &'a [usize],
    value: T,
    filled: Vec<T>,
}

impl<T: Element> Windows<'_, T> {
    fn record(&mut self, record: &[T], start: usize) {
        self.part(record, start, 0);
    }

    /// Adds the window of a part of a record whose first axis is `at`.
    fn part(&mut self, part: &[T], start: usize, at: usize) {
        let (length, own) = (self.shape[at], self.own[at]);
        // Position 0 of the window is `offset` of the padded axis, whose elements lie from `before` on.
        let (before, offset) = (self.widths[at].0, if at == self.axis { start } else { 0 });
        let empty = before.saturating_sub(offset).min(length);
        let first = offset.saturating_sub(before).min(own);
        let filled = (length - empty).min(own - first);
        let inner: usize = self.shape[at + 1..].iter().product();
        self.fill(empty * inner);
        match at + 1 == self.shape.len() {
            true => self.filled.extend_from_slice(&part[first..first + filled]),
            false => {
                let stride: usize = self.own[at + 1..].iter().product();
                for row in part.chunks_exact(stride).skip(first).take(filled) {
                    self.part(row, start, at + 1);
                }
            }
        }
        self.fill((length - empty - filled) * inner);
    }

    fn fill(&mut self, count: usize) {
        self.filled.extend(std::iter::repeat_n(self.value, count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn windows_are_slices_of_padded_records() {
        let shape = [3, 2, 4, 3];
        let batch = Array::from_i64((1..=72).collect(), &shape).unwrap();
        let widths = [(1, 0), (2, 3), (0, 2)];
        for (axis, whole) in [(0, 3), (1, 9), (2, 5)] {
            for length in 1..=whole {
                for first in 0..=whole - length {
                    let starts = [first, whole - length, 0];
                    let found = windows(&batch, &widths, Number::Int(-1), axis, &starts, length).unwrap().unwrap();
                    for (record, &start) in starts.iter().enumerate() {
                        let padded = Tensor::Host(batch.row(record)).pad(&widths, -1).unwrap();
                        let slice = padded.slice(axis as isize, start as isize, Some((start + length) as isize));
                        assert!(
                            found.row(record).same(&slice.unwrap().to_host().unwrap()),
                            "{axis} {starts:?} {length}"
                        );
                    }
                }
            }
            let outside = windows(&batch, &widths, Number::Int(0), axis, &[0, 1, 0], whole).unwrap();
            assert!(outside.is_none());
        }
    }

    #[test]
    fn records_are_moved_as_one_alone() {
        let batch = Array::from_i64((1..=72).collect(), &[3, 3, 4, 2]).unwrap();
        for (down, right) in [([0, 1, -1], [0, -2, 3]), ([5, -3, 2], [-4, 4, 9])] {
            let found = shifted(&batch, &down, &right, Number::Int(-1)).unwrap().unwrap();
            for record in 0..3 {
                let one = Tensor::Host(batch.row(record)).shift(down[record], right[record], Number::Int(-1)).unwrap();
                assert!(found.row(record).same(&one.to_host().unwrap()), "{down:?} {right:?} {record}");
            }
        }
        assert!(shifted(&Array::from_i64(vec![1, 2], &[1, 2]).unwrap(), &[0], &[0], Number::Int(0)).unwrap().is_none());
    }

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
