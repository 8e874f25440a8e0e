//! Adding elements around a tensor.

use ndarray::{IxDyn, Slice};

use super::array::each;
use super::element::{Element, Typed};
use super::{Array, Dtype, Graph, Number, Tensor, axes, convert, graph};
use crate::error::{Error, Result};

impl Tensor {
    /// Returns the tensor with elements of one value around it; `widths` has a pair for each axis: how
    /// many before, how many behind.
    ///
    /// # Errors
    /// Another number of pairs than axes, or a value that the dtype cannot hold.
    pub fn pad(&self, widths: &[(usize, usize)], value: impl Into<Number>) -> Result<Tensor> {
        let value = value.into();
        if widths.len() != self.rank() {
            return Err(Error::data(format!(
                "`pad` of shape {:?} needs {} pairs of widths, found {}",
                self.shape(),
                self.rank(),
                widths.len()
            ))
            .hint("a pair for each axis: [[before, behind], …]"));
        }
        super::create::check_number(value, self.dtype())?;
        let add = |(&length, &(before, behind)): (&usize, &(usize, usize))| {
            before.checked_add(behind).and_then(|around| around.checked_add(length))
        };
        let shape: Option<Vec<usize>> = self.shape().iter().zip(widths).map(add).collect();
        let shape = shape.ok_or_else(|| Error::data(format!("`pad` by {widths:?} is too large for the memory")))?;
        let size = axes::count(&shape)?;
        match self.dtype() {
            Dtype::U8 => axes::reserve::<u8>(size).map(drop)?,
            _ => axes::reserve::<f64>(size).map(drop)?,
        }
        self.apply(|array| array.pad(widths, value, &shape), |x| pad_graph(x, widths, value.to_f64()))
    }
}

impl Array {
    fn pad(&self, widths: &[(usize, usize)], value: Number, shape: &[usize]) -> Result<Array> {
        fn pad<T: Element>(typed: &Typed<T>, widths: &[(usize, usize)], value: T, shape: &[usize]) -> Array {
            let mut padded = ndarray::Array::from_elem(IxDyn(shape), value);
            let inner = |axis: ndarray::AxisDescription| {
                let before = widths[axis.axis.index()].0;
                Slice::from(before..before + typed.shape()[axis.axis.index()])
            };
            padded.slice_each_axis_mut(inner).assign(typed);
            T::wrap(padded.into_shared())
        }
        Ok(each!(self, typed => pad(typed, widths, Element::from_number(value), shape)))
    }
}

fn pad_graph(x: &Graph, widths: &[(usize, usize)], value: f64) -> Result<Graph> {
    let mut padded = convert::known(x)?;
    for (axis, &(before, behind)) in widths.iter().enumerate() {
        let strip = |width: usize| -> Result<Option<Graph>> {
            let mut shape = padded.dims().to_vec();
            shape[axis] = width;
            let like = graph::constant(&padded.narrow(axis, 0, 1)?, value)?;
            Ok(if width == 0 { None } else { Some(like.broadcast_as(shape)?.contiguous()?) })
        };
        let parts = [strip(before)?, Some(padded.clone()), strip(behind)?];
        let parts: Vec<Graph> = parts.into_iter().flatten().collect();
        padded = if parts.len() == 1 { padded } else { Graph::cat(&parts, axis)? };
    }
    Ok(padded)
}
