//! Putting tensors together (`stack`, `concat`) and picking rows and elements (`take`, `gather`).

use ndarray::Axis;

use super::array::{self, each};
use super::element::{Element, Typed};
use super::{Array, Device, Dtype, Graph, Tensor, axes};
use crate::error::{Error, Result};

impl Tensor {
    /// Returns the tensors as one with a new axis: n tensors of shape `[2, 3]` give `[n, 2, 3]` for axis 0.
    ///
    /// # Errors
    /// No tensors, or shapes or dtypes that differ.
    pub fn stack(tensors: &[Tensor], axis: isize) -> Result<Tensor> {
        let first = tensors.first().ok_or_else(|| Error::data("nothing to stack"))?;
        let mut shape = first.shape().to_vec();
        shape.push(1);
        let axis = axes::axis(axis, &shape)?;
        for (i, tensor) in tensors.iter().enumerate() {
            same_kind("stack", i, (tensor.shape(), tensor.dtype()), (first.shape(), first.dtype()))?;
        }
        let raised = tensors.iter().map(|tensor| tensor.expand(axis as isize)).collect::<Result<Vec<_>>>()?;
        Tensor::concat(&raised, axis as isize)
    }

    /// Returns the tensors one after the other along an axis; all other axes must agree.
    ///
    /// # Errors
    /// No tensors, or shapes or dtypes that differ.
    pub fn concat(tensors: &[Tensor], axis: isize) -> Result<Tensor> {
        let device = tensors.iter().find_map(Tensor::graph_device);
        let Some(device) = device else {
            let arrays = tensors.iter().map(Tensor::to_host).collect::<Result<Vec<_>>>()?;
            return Ok(Tensor::Host(Array::concat(&arrays, axis)?));
        };
        let axis = check_concat(tensors.iter().map(|tensor| (tensor.shape(), tensor.dtype())), axis)?;
        let graphs = tensors.iter().map(|tensor| tensor.to_graph(&device)).collect::<Result<Vec<_>>>()?;
        let full: Vec<&Graph> = graphs.iter().filter(|graph| graph.elem_count() > 0).collect();
        match full.as_slice() {
            [] => {
                let arrays = tensors.iter().map(Tensor::to_host).collect::<Result<Vec<_>>>()?;
                Ok(Tensor::Graph(Array::concat(&arrays, axis as isize)?.to_graph(&device)?))
            }
            [one] => Ok(Tensor::Graph((*one).clone())),
            many => Ok(Tensor::Graph(Graph::cat(many, axis)?)),
        }
    }

    /// Returns the slices at `indices` along an axis, in that order. `indices` may have any shape, which
    /// takes the place of the axis: `[5, 4]` taken at `[2, 3]` indices on axis 0 gives `[2, 3, 4]`.
    /// Negative indices count from the end.
    ///
    /// # Errors
    /// Indices that are not integers or out of range.
    pub fn take(&self, indices: &Tensor, axis: isize) -> Result<Tensor> {
        let axis = axes::axis(axis, self.shape())?;
        let places = places(indices, self.shape()[axis], "take")?;
        let mut shape = self.shape()[..axis].to_vec();
        shape.extend_from_slice(indices.shape());
        shape.extend_from_slice(&self.shape()[axis + 1..]);
        let picked = self.apply_moving(
            !places.is_empty(),
            |array| array.take(&places, axis),
            |graph| {
                let places = Array::from_i64(places.iter().map(|&place| place as i64).collect(), &[places.len()])?;
                Ok(graph.contiguous()?.index_select(&places.to_graph(graph.device())?, axis)?)
            },
        )?;
        if indices.shape().len() == 1 { Ok(picked) } else { picked.with_shape(&shape) }
    }

    /// Returns one element of each lane along an axis: `indices` has the tensor's shape without the axis
    /// (as class indices have), or with it, of any length there. `[B, C]` gathered at `[B]` on axis -1
    /// gives `[B]`. Negative indices count from the end.
    ///
    /// # Errors
    /// Indices that are not integers or out of range, and shapes that do not fit.
    pub fn gather(&self, indices: &Tensor, axis: isize) -> Result<Tensor> {
        let axis = axes::axis(axis, self.shape())?;
        let without = axes::reduced(self.shape(), &[axis], false);
        let mut with = indices.shape().to_vec();
        if indices.shape() == without {
            with.insert(axis, 1);
        }
        if with.len() != self.shape().len() || axes::reduced(&with, &[axis], false) != without {
            return Err(Error::data(format!(
                "`gather` on axis {axis} of shape {:?}: expected indices of shape {without:?}, found {:?}",
                self.shape(),
                indices.shape()
            ))
            .hint("`take` picks whole slices, at indices of any shape"));
        }
        let places = places(indices, self.shape()[axis], "gather")?;
        let picked = self.apply_moving(
            !places.is_empty(),
            |array| array.gather(&places, axis, &with),
            |graph| {
                let places = Array::from_i64(places.iter().map(|&place| place as i64).collect(), &with)?;
                Ok(graph.contiguous()?.gather(&places.to_graph(graph.device())?, axis)?)
            },
        )?;
        if indices.shape() == without { picked.with_shape(&without) } else { Ok(picked) }
    }
}

impl Array {
    /// Returns the arrays as rows of a new one: n arrays of shape `[2, 3]` give `[n, 2, 3]`.
    ///
    /// # Errors
    /// No arrays, or shapes or dtypes that differ.
    pub fn stack(arrays: &[Array]) -> Result<Array> {
        let first = arrays.first().ok_or_else(|| Error::data("nothing to stack"))?;
        for (i, array) in arrays.iter().enumerate() {
            same_kind("stack", i, (array.shape(), array.dtype()), (first.shape(), first.dtype()))?;
        }
        fn rows<T: Element>(first: &Typed<T>, arrays: &[Array]) -> Result<Array> {
            let mut shape = vec![arrays.len()];
            shape.extend_from_slice(first.shape());
            let mut data = axes::room(axes::count(&shape)?)?;
            for array in arrays {
                if let Some(array) = T::unwrap(array) {
                    data.extend_from_slice(&array::slice(array));
                }
            }
            Array::new(data, &shape)
        }
        each!(first, typed => rows(typed, arrays))
    }

    /// Returns the arrays one after the other along an axis; all other axes must agree.
    ///
    /// # Errors
    /// No arrays, or shapes or dtypes that differ.
    pub fn concat(arrays: &[Array], axis: isize) -> Result<Array> {
        let axis = check_concat(arrays.iter().map(|array| (array.shape(), array.dtype())), axis)?;
        fn join<T: Element>(first: &Typed<T>, arrays: &[Array], axis: usize) -> Result<Array> {
            let mut shape = first.shape().to_vec();
            shape[axis] = arrays.iter().fold(0usize, |sum, array| sum.saturating_add(array.shape()[axis]));
            let outer: usize = shape[..axis].iter().product();
            let contents: Vec<_> = arrays.iter().filter_map(T::unwrap).map(array::slice).collect();
            let mut data = axes::room(axes::count(&shape)?)?;
            for o in 0..outer {
                for part in &contents {
                    let run = part.len() / outer;
                    data.extend_from_slice(&part[o * run..(o + 1) * run]);
                }
            }
            Array::new(data, &shape)
        }
        each!(&arrays[0], typed => join(typed, arrays, axis))
    }

    /// Returns the rows (slices on axis 0) at these positions, in that order.
    ///
    /// # Errors
    /// A position past the last row, or a scalar.
    pub fn take_rows(&self, rows: &[usize]) -> Result<Array> {
        axes::axis(0, self.shape())?;
        if let Some(row) = rows.iter().find(|&&row| row >= self.len()) {
            return Err(Error::data(format!("row {row} is out of range: there are {}", self.len())));
        }
        self.take(rows, 0)
    }

    /// Writes the rows at these indices over those of `into`, in its memory; returns whether dtype, shape and indices
    /// allow it.
    pub(crate) fn take_rows_into(&self, rows: &[usize], into: &mut Array) -> bool {
        fn pick<T: Element>(array: &Typed<T>, rows: &[usize], into: &mut Typed<T>) -> bool {
            let (Some((count, shape)), Some((own, own_shape))) =
                (into.shape().split_first(), array.shape().split_first())
            else {
                return false;
            };
            let width = shape.iter().product::<usize>();
            if *count != rows.len() || shape != own_shape || width == 0 || rows.iter().any(|row| row >= own) {
                return false;
            }
            let (Some(contents), Some(into)) = (array.as_slice(), into.as_slice_mut()) else { return false };
            for (row, into) in rows.iter().zip(into.chunks_exact_mut(width)) {
                into.copy_from_slice(&contents[row * width..][..width]);
            }
            true
        }
        match (self, into) {
            (Array::F32(own), Array::F32(into)) => pick(own, rows, into),
            (Array::F64(own), Array::F64(into)) => pick(own, rows, into),
            (Array::I64(own), Array::I64(into)) => pick(own, rows, into),
            (Array::U8(own), Array::U8(into)) => pick(own, rows, into),
            _ => false,
        }
    }

    /// Returns the slices at checked places along an axis.
    pub(crate) fn take(&self, places: &[usize], axis: usize) -> Result<Array> {
        fn pick<T: Element>(array: &Typed<T>, places: &[usize], axis: usize) -> Result<Array> {
            let (outer, length, inner) = around(array.shape(), axis);
            let mut shape = array.shape().to_vec();
            shape[axis] = places.len();
            let mut data = axes::room(axes::count(&shape)?)?;
            let contents = array::slice(array);
            for o in 0..outer {
                for place in places {
                    let start = (o * length + place) * inner;
                    data.extend_from_slice(&contents[start..start + inner]);
                }
            }
            Array::new(data, &shape)
        }
        each!(self, typed => pick(typed, places, axis))
    }

    /// Returns the elements at checked places along an axis; `shape` is that of the places.
    pub(crate) fn gather(&self, places: &[usize], axis: usize, shape: &[usize]) -> Result<Array> {
        fn pick<T: Element>(array: &Typed<T>, places: &[usize], axis: usize, shape: &[usize]) -> Result<Array> {
            let (outer, length, inner) = around(array.shape(), axis);
            let contents = array::slice(array);
            let mut data = axes::room(places.len())?;
            for o in 0..outer {
                for j in 0..shape[axis] {
                    for i in 0..inner {
                        let place = places[(o * shape[axis] + j) * inner + i];
                        data.push(contents[(o * length + place) * inner + i]);
                    }
                }
            }
            Array::new(data, shape)
        }
        each!(self, typed => pick(typed, places, axis, shape))
    }

    /// Returns the array with an axis of length 1 at a checked place.
    pub(crate) fn raised(&self, axis: usize) -> Array {
        each!(self, typed => typed.clone().insert_axis(Axis(axis)).into())
    }
}

impl Tensor {
    /// Returns the device when the tensor is a value of a graph.
    pub(crate) fn graph_device(&self) -> Option<Device> {
        match self {
            Tensor::Host(_) => None,
            Tensor::Graph(graph) => Some(graph.device().clone()),
        }
    }
}

/// Returns the number of slices before, on and behind an axis.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// Reads indices and counts negative ones from the end.
fn places(indices: &Tensor, length: usize, operation: &str) -> Result<Vec<usize>> {
    if indices.dtype().is_float() {
        return Err(Error::data(format!("`{operation}` needs integer indices, found {}", indices.dtype()))
            .hint("convert them: `.to_i64()`"));
    }
    let indices = indices.to_host()?;
    let place = |&index: &i64| {
        isize::try_from(index)
            .ok()
            .and_then(|index| axes::position(index, length))
            .ok_or_else(|| Error::data(format!("index {index} is out of range for an axis of length {length}")))
    };
    indices.as_i64().iter().map(place).collect()
}

fn same_kind(what: &str, i: usize, found: (&[usize], Dtype), expected: (&[usize], Dtype)) -> Result<()> {
    if found.1 != expected.1 {
        return Err(Error::data(format!("cannot {what}: tensor 0 is {}, tensor {i} is {}", expected.1, found.1))
            .hint("convert them to one dtype, as with `.to_f32()`"));
    }
    match found.0 == expected.0 {
        true => Ok(()),
        false => Err(Error::data(format!(
            "cannot {what}: tensor 0 has shape {:?}, tensor {i} has {:?}",
            expected.0, found.0
        ))),
    }
}

/// Checks that parts fit along an axis, which is returned counted from 0.
fn check_concat<'a>(mut parts: impl Iterator<Item = (&'a [usize], Dtype)>, axis: isize) -> Result<usize> {
    let first = parts.next().ok_or_else(|| Error::data("nothing to concat"))?;
    let axis = axes::axis(axis, first.0)?;
    for (i, part) in parts.enumerate() {
        let mut shape = part.0.to_vec();
        if shape.len() == first.0.len() {
            shape[axis] = first.0[axis];
        }
        let fits = same_kind("concat", i + 1, (&shape, part.1), first);
        match shape == first.0 {
            true => fits?,
            false => same_kind("concat", i + 1, part, first)
                .map_err(|error| error.hint(format!("all axes but axis {axis} must agree")))?,
        }
    }
    Ok(axis)
}
