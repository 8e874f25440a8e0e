//! Two operands made to fit: one dtype, one host, one shape.

use ndarray::{IxDyn, Zip};

use super::array;
use super::element::{Element, Typed};
use super::{Array, Dtype, Graph, Tensor, axes, convert};
use crate::error::{Error, Result};

/// Two operands on one host.
pub(crate) enum Pair {
    Host(Array, Array),
    /// On one device, broadcast to one shape, not empty.
    Graph(Graph, Graph),
}

/// Brings two tensors to one dtype and one host; the shape rule is checked here.
pub(crate) fn pair(left: &Tensor, right: &Tensor, dtype: Dtype) -> Result<Pair> {
    let shape = axes::broadcast(left.shape(), right.shape())?;
    let device = left.graph_device().or_else(|| right.graph_device());
    match device {
        Some(device) if !shape.contains(&0) && dtype.is_float() => {
            let lift = |tensor: &Tensor| -> Result<Graph> {
                let graph = convert::known(&tensor.to_graph(&device)?)?.to_dtype(dtype.candle())?;
                Ok(if graph.dims() == shape { graph } else { graph.broadcast_as(shape.as_slice())? })
            };
            Ok(Pair::Graph(lift(left)?, lift(right)?))
        }
        _ => Ok(Pair::Host(left.to_host()?.cast(dtype), right.to_host()?.cast(dtype))),
    }
}

/// Puts a result that was computed on the host where its operands were.
pub(crate) fn back(result: Array, operands: &[&Tensor]) -> Result<Tensor> {
    match operands.iter().find_map(|tensor| tensor.graph_device()) {
        Some(device) => Ok(Tensor::Graph(result.to_graph(&device)?)),
        None => Ok(Tensor::Host(result)),
    }
}

/// Applies a function to the elements of two arrays whose shapes go together.
pub(crate) fn zip<T: Element, U: Element>(
    left: &Typed<T>,
    right: &Typed<T>,
    mut f: impl FnMut(T, T) -> U,
) -> Result<Typed<U>> {
    if let (Some(a), Some(b)) = (left.as_slice(), right.as_slice()) {
        if left.shape() == right.shape() {
            return array::typed(a.iter().zip(b).map(|(&x, &y)| f(x, y)).collect(), left.shape());
        }
        // A value for each feature, or one for all: row by row.
        if left.ndim() > right.ndim() && !b.is_empty() && left.shape().ends_with(right.shape()) {
            let mut data = Vec::with_capacity(a.len());
            match b {
                [y] => data.extend(a.iter().map(|&x| f(x, *y))),
                _ => a.chunks_exact(b.len()).for_each(|row| data.extend(row.iter().zip(b).map(|(&x, &y)| f(x, y)))),
            }
            return array::typed(data, left.shape());
        }
    }
    let shape = axes::broadcast(left.shape(), right.shape())?;
    axes::count(&shape)?;
    match (left.broadcast(IxDyn(&shape)), right.broadcast(IxDyn(&shape))) {
        (Some(a), Some(b)) => Ok(Zip::from(&a).and(&b).map_collect(|&x, &y| f(x, y)).into_shared()),
        _ => Err(Error::data(format!("shapes {:?} and {:?} do not combine", left.shape(), right.shape()))),
    }
}
