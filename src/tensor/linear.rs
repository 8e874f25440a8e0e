//! Products: `matmul` and `dot`.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::array;
use super::element::{Float, Typed};
use super::{Array, Dtype, Graph, Tensor, axes, convert, graph, pair};
use crate::error::{Error, Result};

impl Tensor {
    /// Returns the matrix product: `[m, k]` with `[k, n]` gives `[m, n]`. More axes in front are batches:
    /// either both have the same, or the right side is one matrix for all. Two u8 or i64 give i64.
    ///
    /// # Errors
    /// Fewer than two axes, lengths that differ, dtypes that do not combine, integer overflow.
    pub fn matmul(&self, other: &Tensor) -> Result<Tensor> {
        let (left, right) = (self.shape(), other.shape());
        let refused =
            |hint: &str| Err(Error::data(format!("`matmul` of shapes {left:?} and {right:?}")).hint(hint.to_owned()));
        let ([front @ .., m, k], [batch @ .., k2, n]) = (left, right) else {
            return refused("both need two axes or more; `.expand(0)` makes a row of a vector, `.expand(1)` a column");
        };
        if k != k2 {
            return refused("the last axis of the left must be as long as the second to last of the right");
        }
        if !batch.is_empty() && batch != front {
            return refused("the axes before the last two must be equal, or the right side one matrix");
        }
        let dtype = match self.dtype().meet(other.dtype())? {
            Dtype::U8 => Dtype::I64,
            dtype => dtype,
        };
        let shape: Vec<usize> = front.iter().copied().chain([*m, *n]).collect();
        let empty = axes::count(&shape)? == 0 || *k == 0;
        let device = self.graph_device().or_else(|| other.graph_device());
        if let Some(device) = device.filter(|_| dtype.is_float() && !empty) {
            let lift = |tensor: &Tensor| -> Result<Graph> {
                Ok(convert::known(&tensor.to_graph(&device)?)?.to_dtype(dtype.candle())?)
            };
            return Ok(Tensor::Graph(graph::matmul(&lift(self)?, &lift(other)?)?));
        }
        // One matrix for all batches: the batches are rows of one product.
        let sizes = match batch.is_empty() {
            true => [1, front.iter().product::<usize>() * m, *k, *n],
            false => [front.iter().product(), *m, *k, *n],
        };
        let (a, b) = (self.to_host()?, other.to_host()?);
        let result = match dtype {
            Dtype::F64 => Array::new(floats::<f64>(&a.typed(), &b.typed(), sizes)?, &shape),
            Dtype::F32 => Array::new(floats::<f32>(&a.typed(), &b.typed(), sizes)?, &shape),
            _ => Array::new(integers(&a.as_i64(), &b.as_i64(), sizes)?, &shape),
        };
        pair::back(result?, &[self, other])
    }

    /// Returns the inner product of two vectors, as a scalar.
    ///
    /// # Errors
    /// Tensors that have not one axis each, or lengths that differ.
    pub fn dot(&self, other: &Tensor) -> Result<Tensor> {
        match (self.shape(), other.shape()) {
            ([a], [b]) if a == b => self.expand(0)?.matmul(&other.expand(1)?)?.with_shape(&[]),
            (left, right) => {
                Err(Error::data(format!("`dot` needs two vectors of one length, found shapes {left:?} and {right:?}"))
                    .hint("`matmul` multiplies matrices"))
            }
        }
    }
}

fn floats<T: Float>(a: &Typed<T>, b: &Typed<T>, [batches, m, k, n]: [usize; 4]) -> Result<Vec<T>> {
    let (a, b) = (array::slice(a), array::slice(b));
    let mut data: Vec<T> = axes::room(batches * m * n)?;
    data.resize(batches * m * n, T::default());
    for i in 0..if n * m == 0 { 0 } else { batches } {
        let views = (
            ArrayView2::from_shape((m, k), &a[i * m * k..(i + 1) * m * k]),
            ArrayView2::from_shape((k, n), &b[i * k * n..(i + 1) * k * n]),
            ArrayViewMut2::from_shape((m, n), &mut data[i * m * n..(i + 1) * m * n]),
        );
        if let (Ok(a), Ok(b), Ok(mut out)) = views {
            ndarray::linalg::general_mat_mul(T::ONE, &a, &b, T::default(), &mut out);
        }
    }
    Ok(data)
}

fn integers(a: &[i64], b: &[i64], [batches, m, k, n]: [usize; 4]) -> Result<Vec<i64>> {
    let mut data = axes::room(batches * m * n)?;
    for i in 0..batches {
        for row in 0..m {
            for column in 0..n {
                let product = |j: usize| i128::from(a[(i * m + row) * k + j]) * i128::from(b[(i * k + j) * n + column]);
                let sum = (0..k).try_fold(0i128, |sum, j| sum.checked_add(product(j)));
                let fits = sum.and_then(|sum| i64::try_from(sum).ok());
                data.push(fits.ok_or_else(|| {
                    Error::data("integer overflow: a sum of products does not fit i64")
                        .hint("compute with floats: `.to_f64()`")
                })?);
            }
        }
    }
    Ok(data)
}
