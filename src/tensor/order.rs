//! Order: `argmin argmax sort unique`. NaN counts as the largest and as the smallest for `argmax` and
//! `argmin`, as for `max` and `min`; in a sorted tensor it stands last.

use std::cmp::Ordering;

use super::array::{self, each};
use super::element::{Element, Typed};
use super::{Array, Dtype, Tensor, axes, elementwise, graph, pair};
use crate::error::Result;

impl Tensor {
    /// Returns the position of the first largest element along an axis as i64; without an axis, its
    /// position in the flattened tensor, as a scalar.
    ///
    /// # Errors
    /// A wrong axis, or one of length 0.
    pub fn argmax(&self, axis: Option<isize>, keep: bool) -> Result<Tensor> {
        self.position("argmax", axis, keep, true)
    }

    /// Returns the position of the first smallest element; see [`Tensor::argmax`].
    pub fn argmin(&self, axis: Option<isize>, keep: bool) -> Result<Tensor> {
        self.position("argmin", axis, keep, false)
    }

    /// Returns the elements sorted along an axis, the last when none is given; equal elements keep their
    /// order. Of a scalar, the scalar.
    pub fn sort(&self, axis: Option<isize>, descending: bool) -> Result<Tensor> {
        if self.rank() == 0 && axis.is_none() {
            return Ok(self.clone());
        }
        let axis = axes::axis(axis.unwrap_or(-1), self.shape())?;
        match self {
            Tensor::Host(array) => Ok(Tensor::Host(array.sort(axis, descending)?)),
            // Picked by their positions, elements keep their gradients.
            Tensor::Graph(_) => {
                let order = self.to_host()?.sort_positions(axis, descending)?;
                self.gather(&Tensor::Host(order), axis as isize)
            }
        }
    }

    /// Returns the positions that sort the elements along an axis, the last when none is given, as i64.
    pub fn argsort(&self, axis: Option<isize>, descending: bool) -> Result<Tensor> {
        let axis = axes::axis(axis.unwrap_or(-1), self.shape())?;
        pair::back(self.to_host()?.sort_positions(axis, descending)?, &[self])
    }

    /// Returns the different elements, sorted, in one axis.
    pub fn unique(&self) -> Result<Tensor> {
        fn unique<T: Element>(typed: &Typed<T>) -> Result<Array> {
            let mut data = array::slice(typed).into_owned();
            data.sort_by(ascending);
            data.dedup_by(|a, b| ascending(a, b) == Ordering::Equal);
            let shape = [data.len()];
            Array::new(data, &shape)
        }
        pair::back(each!(&self.to_host()?, typed => unique(typed))?, &[self])
    }

    fn position(&self, name: &str, axis: Option<isize>, keep: bool, largest: bool) -> Result<Tensor> {
        let Some(axis) = axis else {
            self.axes_with_elements(name, None)?;
            let place = self.flatten()?.position(name, Some(0), false, largest)?;
            return if keep { place.with_shape(&vec![1; self.rank()]) } else { Ok(place) };
        };
        let axis = axes::axis(axis, self.shape())?;
        self.axes_with_elements(name, Some(&[axis as isize]))?;
        let places = self.apply(
            |array| array.position(axis, largest),
            |x| Ok(graph::position(&x.detach(), axis, largest)?.to_dtype(Dtype::I64.candle())?),
        )?;
        places.with_shape(&axes::reduced(self.shape(), &[axis], keep))
    }
}

impl Array {
    /// Returns positions along an axis, which is kept with length 1.
    fn position(&self, axis: usize, largest: bool) -> Result<Array> {
        fn places<T: Element>(typed: &Typed<T>, axis: usize, largest: bool) -> Result<Array> {
            let moved = T::wrap(typed.clone()).permuted(&axes::moved_last(typed.ndim(), &[axis]));
            let contents = T::unwrap(&moved).map(array::slice).unwrap_or_default();
            let places = contents.chunks_exact(typed.shape()[axis]).map(|lane| {
                let mut best = 0;
                for (i, x) in lane.iter().enumerate() {
                    let wins = if largest { *x > lane[best] } else { *x < lane[best] };
                    if wins || (is_nan(x) && !is_nan(&lane[best])) {
                        best = i;
                    }
                }
                best as i64
            });
            Array::new(places.collect(), &axes::reduced(typed.shape(), &[axis], true))
        }
        each!(self, typed => places(typed, axis, largest))
    }

    fn sort(&self, axis: usize, descending: bool) -> Result<Array> {
        fn sort<T: Element>(typed: &Typed<T>, axis: usize, descending: bool) -> Result<Array> {
            elementwise::along(typed, axis, |lane| lane.sort_by(|a, b| order(a, b, descending)))
        }
        each!(self, typed => sort(typed, axis, descending))
    }

    fn sort_positions(&self, axis: usize, descending: bool) -> Result<Array> {
        fn positions<T: Element>(typed: &Typed<T>, axis: usize, descending: bool) -> Result<Array> {
            let order_of_axes = axes::moved_last(typed.ndim(), &[axis]);
            let moved = T::wrap(typed.clone()).permuted(&order_of_axes);
            let contents = T::unwrap(&moved).map(array::slice).unwrap_or_default();
            let mut places = Vec::with_capacity(contents.len());
            for lane in contents.chunks_exact(typed.shape()[axis].max(1)) {
                let mut lane_places: Vec<usize> = (0..lane.len()).collect();
                lane_places.sort_by(|&a, &b| order(&lane[a], &lane[b], descending));
                places.extend(lane_places.into_iter().map(|place| place as i64));
            }
            Ok(Array::new(places, moved.shape())?.permuted(&axes::inverse(&order_of_axes)))
        }
        each!(self, typed => positions(typed, axis, descending))
    }
}

/// Compares for sorting: NaN last in either direction.
fn order<T: Element>(a: &T, b: &T, descending: bool) -> Ordering {
    match descending && !is_nan(a) && !is_nan(b) {
        true => ascending(b, a),
        false => ascending(a, b),
    }
}

fn ascending<T: Element>(a: &T, b: &T) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

#[allow(clippy::eq_op)]
fn is_nan<T: Element>(x: &T) -> bool {
    x != x
}
