//! The same elements in another shape: `reshape`, `flatten`, `transpose`, `expand`, `squeeze`, and the
//! parts that share the data: `index`, `slice`.

use ndarray::{Axis, IxDyn, Slice};

use super::array::{self, each};
use super::element::{Element, Typed};
use super::{Array, Number, Tensor, axes};
use crate::error::{Error, Result};

impl Tensor {
    /// Returns the elements, in row-major order, in another shape; one length may be -1 and follows from
    /// the others.
    ///
    /// # Errors
    /// The number of elements differs.
    pub fn reshape(&self, shape: &[isize]) -> Result<Tensor> {
        let size = self.size();
        let refused = || Error::data(format!("cannot reshape {:?} to {shape:?}: it has {size} elements", self.shape()));
        let known: Vec<usize> = shape.iter().filter_map(|&length| usize::try_from(length).ok()).collect();
        let product = axes::count(&known)?;
        let shape = match shape.len() - known.len() {
            0 => known,
            1 if shape.contains(&-1) => {
                let rest = size.checked_div(product).filter(|rest| rest * product == size);
                let rest = rest.ok_or_else(|| refused().hint("-1 must stand for a whole number"))?;
                shape.iter().map(|&length| usize::try_from(length).unwrap_or(rest)).collect()
            }
            _ => return Err(refused().hint("lengths are 0 or more; one of them may be -1")),
        };
        if axes::count(&shape)? != size {
            return Err(refused());
        }
        self.with_shape(&shape)
    }

    /// Returns all elements in one axis.
    pub fn flatten(&self) -> Result<Tensor> {
        self.with_shape(&[self.size()])
    }

    /// Returns the tensor with its axes in another order; reversed when none is given.
    ///
    /// # Errors
    /// An order that does not name every axis once.
    pub fn transpose(&self, order: Option<&[isize]>) -> Result<Tensor> {
        let rank = self.rank();
        let order: Vec<usize> = match order {
            None => (0..rank).rev().collect(),
            Some(order) => order.iter().map(|&axis| axes::axis(axis, self.shape())).collect::<Result<_>>()?,
        };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted != (0..rank).collect::<Vec<_>>() {
            return Err(Error::data(format!("`transpose` of shape {:?} needs every axis once", self.shape())));
        }
        self.permuted(&order)
    }

    /// Returns the tensor with a new axis of length 1 at `axis`; -1 puts it last.
    pub fn expand(&self, axis: isize) -> Result<Tensor> {
        let mut shape = self.shape().to_vec();
        shape.push(1);
        let axis = axes::axis(axis, &shape)?;
        axes::count(&shape)?;
        self.apply_moving(true, |array| Ok(array.raised(axis)), |graph| Ok(graph.unsqueeze(axis)?))
    }

    /// Returns the tensor without one axis of length 1, or without all of them when none is given.
    ///
    /// # Errors
    /// The axis has another length.
    pub fn squeeze(&self, axis: Option<isize>) -> Result<Tensor> {
        let shape = match axis {
            None => self.shape().iter().copied().filter(|&length| length != 1).collect(),
            Some(axis) => {
                let axis = axes::axis(axis, self.shape())?;
                if self.shape()[axis] != 1 {
                    return Err(Error::data(format!(
                        "`squeeze` removes axes of length 1; axis {axis} of {:?} has {}",
                        self.shape(),
                        self.shape()[axis]
                    )));
                }
                axes::reduced(self.shape(), &[axis], false)
            }
        };
        self.with_shape(&shape)
    }

    /// Returns what stands at a position of axis 0: a row, or of a 1-D tensor a scalar (shape `[]`).
    /// Negative positions count from the end.
    ///
    /// # Errors
    /// A position out of range, and any position of a scalar.
    pub fn index(&self, position: isize) -> Result<Tensor> {
        axes::axis(0, self.shape())
            .map_err(|_| Error::data("a scalar tensor has no positions").hint("`.item()` reads it as a number"))?;
        let place = axes::position(position, self.len()).ok_or_else(|| {
            Error::data(format!("index {position} is out of range for an axis of length {}", self.len()))
        })?;
        self.apply_moving(true, |array| Ok(array.row(place)), |graph| Ok(graph.narrow(0, place, 1)?.squeeze(0)?))
    }

    /// Returns the positions from `start` to before `end` of an axis; to its end when that is `None`.
    /// Negative positions count from the end.
    ///
    /// # Errors
    /// Positions out of range (nothing is clamped), or `start` behind `end`.
    pub fn slice(&self, axis: isize, start: isize, end: Option<isize>) -> Result<Tensor> {
        let axis = axes::axis(axis, self.shape())?;
        let length = self.shape()[axis];
        let border = |at: isize| if at == length as isize { Some(length) } else { axes::position(at, length) };
        let range = border(start).zip(end.map_or(Some(length), border)).filter(|(start, end)| start <= end);
        let Some((from, to)) = range else {
            let end = end.map_or(length as isize, |end| end);
            return Err(Error::data(format!("slice {start} to {end} is out of range for an axis of length {length}")));
        };
        self.apply_moving(
            to > from,
            |array| {
                each!(array, typed => {
                    let mut view = typed.clone();
                    view.slice_axis_inplace(Axis(axis), Slice::from(from..to));
                    Ok(view.into())
                })
            },
            |graph| Ok(graph.narrow(axis, from, to - from)?),
        )
    }

    /// Returns the only element as a number.
    ///
    /// # Errors
    /// There is not exactly one element.
    pub fn item(&self) -> Result<Number> {
        if self.size() != 1 {
            return Err(Error::data(format!(
                "`item` reads a tensor with one element; this one has shape {:?}",
                self.shape()
            ))
            .hint("`.to_array()` gives nested lists"));
        }
        let array = self.to_host()?;
        let number = each!(&array, typed => typed.iter().next().map(|&x| x.to_number()));
        number.ok_or_else(|| Error::data("`item` of an empty tensor"))
    }

    /// Returns the elements in a shape that is known to fit.
    pub(crate) fn with_shape(&self, shape: &[usize]) -> Result<Tensor> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        self.apply_moving(true, |array| array.with_shape(shape), |graph| Ok(graph.reshape(shape)?))
    }

    /// Returns the axes in a checked order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Result<Tensor> {
        if order.is_sorted() {
            return Ok(self.clone());
        }
        self.apply_moving(true, |array| Ok(array.permuted(order)), |graph| Ok(graph.permute(order)?))
    }
}

impl Array {
    /// Returns the elements, in row-major order, in another shape; shares the data when they lie in order.
    ///
    /// # Errors
    /// The number of elements differs.
    pub fn with_shape(&self, shape: &[usize]) -> Result<Array> {
        fn reshape<T: Element>(typed: &Typed<T>, shape: &[usize]) -> Result<Array> {
            let size = axes::count(shape)?;
            match array::dense(typed).into_shape_with_order(IxDyn(shape)) {
                Ok(array) => Ok(T::wrap(array)),
                Err(_) => Err(Error::data(format!("shape {shape:?} has {size} elements, found {}", typed.len()))),
            }
        }
        each!(self, typed => reshape(typed, shape))
    }

    /// Returns a view with the axes in a checked order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Array {
        each!(self, typed => typed.clone().permuted_axes(IxDyn(order)).into())
    }
}
