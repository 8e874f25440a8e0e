//! From one host to the other, and from one dtype to another.

use candle_core::DType;

use super::array::{self, each};
use super::{Array, Device, Dtype, Graph, Tensor};
use crate::error::{Error, Result};

impl Array {
    /// Copies the array to a device, as a constant of a graph.
    pub fn to_graph(&self, device: &Device) -> Result<Graph> {
        each!(self, typed => Ok(Graph::from_slice(&array::slice(typed), typed.shape(), device)?))
    }

    /// Copies a graph tensor from any device; half precision becomes f32, other integers i64.
    pub fn from_graph(graph: &Graph) -> Result<Array> {
        let graph = known(graph)?;
        let flat = graph.flatten_all()?;
        match graph.dtype() {
            DType::F64 => Array::from_f64(flat.to_vec1()?, graph.dims()),
            DType::I64 => Array::from_i64(flat.to_vec1()?, graph.dims()),
            DType::U8 => Array::from_u8(flat.to_vec1()?, graph.dims()),
            _ => Array::from_f32(flat.to_vec1()?, graph.dims()),
        }
    }
}

impl Tensor {
    /// Returns the contents on the CPU, outside any graph; shares the data when they are there already.
    pub fn to_host(&self) -> Result<Array> {
        match self {
            Tensor::Host(array) => Ok(array.clone()),
            Tensor::Graph(graph) => Array::from_graph(graph),
        }
    }

    /// Returns the tensor as a value of a graph on a device; a graph tensor keeps its history.
    pub fn to_graph(&self, device: &Device) -> Result<Graph> {
        match self {
            Tensor::Host(array) => array.to_graph(device),
            Tensor::Graph(graph) if graph.device().same_device(device) => known(graph),
            Tensor::Graph(graph) => Ok(known(graph)?.to_device(device)?),
        }
    }

    /// Returns the tensor without its history: no gradient flows through it.
    #[must_use]
    pub fn detach(&self) -> Tensor {
        match self {
            Tensor::Host(array) => Tensor::Host(array.clone()),
            Tensor::Graph(graph) => Tensor::Graph(graph.detach()),
        }
    }

    /// Converts to f32; integers beyond 2^24 are rounded.
    pub fn to_f32(&self) -> Result<Tensor> {
        self.to_dtype(Dtype::F32)
    }

    /// Converts to f64; integers beyond 2^53 are rounded.
    pub fn to_f64(&self) -> Result<Tensor> {
        self.to_dtype(Dtype::F64)
    }

    /// Converts to i64, cutting off fractions.
    ///
    /// # Errors
    /// NaN, infinities and numbers out of range.
    pub fn to_i64(&self) -> Result<Tensor> {
        self.to_dtype(Dtype::I64)
    }

    /// Converts to u8, cutting off fractions.
    ///
    /// # Errors
    /// NaN, and numbers below 0 or above 255: nothing wraps around unseen.
    pub fn to_u8(&self) -> Result<Tensor> {
        self.to_dtype(Dtype::U8)
    }

    /// Converts to a dtype; between floats it is differentiable.
    ///
    /// # Errors
    /// A number that the dtype cannot hold.
    pub fn to_dtype(&self, dtype: Dtype) -> Result<Tensor> {
        match self {
            _ if dtype == self.dtype() => Ok(self.clone()),
            Tensor::Graph(graph) if dtype.is_float() => Ok(Tensor::Graph(known(graph)?.to_dtype(dtype.candle())?)),
            Tensor::Graph(graph) => {
                let array = checked_cast(&Array::from_graph(graph)?, dtype)?;
                Ok(Tensor::Graph(array.to_graph(graph.device())?))
            }
            Tensor::Host(array) => Ok(Tensor::Host(checked_cast(array, dtype)?)),
        }
    }

    /// Computes on the tensor's own host. The graph's way is taken for floats only: Candle has no
    /// arithmetic of integers that is safe, nor of empty tensors; those are computed on the CPU.
    pub(crate) fn apply(
        &self,
        host: impl FnOnce(&Array) -> Result<Array>,
        graph: impl FnOnce(&Graph) -> Result<Graph>,
    ) -> Result<Tensor> {
        self.apply_moving(self.dtype().is_float(), host, graph)
    }

    /// Computes on the tensor's own host, for operations that only move elements: Candle does them for
    /// any dtype, unless there is nothing to move or `native` is false.
    pub(crate) fn apply_moving(
        &self,
        native: bool,
        host: impl FnOnce(&Array) -> Result<Array>,
        graph: impl FnOnce(&Graph) -> Result<Graph>,
    ) -> Result<Tensor> {
        match self {
            Tensor::Host(array) => Ok(Tensor::Host(host(array)?)),
            Tensor::Graph(value) if native && value.elem_count() > 0 => Ok(Tensor::Graph(graph(&known(value)?)?)),
            Tensor::Graph(value) => {
                let result = host(&Array::from_graph(value)?)?;
                Ok(Tensor::Graph(result.to_graph(value.device())?))
            }
        }
    }
}

impl From<Array> for Tensor {
    fn from(array: Array) -> Tensor {
        Tensor::Host(array)
    }
}

impl From<Graph> for Tensor {
    fn from(graph: Graph) -> Tensor {
        Tensor::Graph(graph)
    }
}

/// Returns a graph tensor with one of our four dtypes.
pub(crate) fn known(graph: &Graph) -> Result<Graph> {
    let dtype = Dtype::of_graph(graph.dtype()).candle();
    if graph.dtype() == dtype { Ok(graph.clone()) } else { Ok(graph.to_dtype(dtype)?) }
}

/// Converts, refusing numbers that do not fit the new dtype.
fn checked_cast(array: &Array, dtype: Dtype) -> Result<Array> {
    // 2^63 as a float is the first number too large; -2^63 is representable.
    let range = match dtype {
        Dtype::U8 => 0.0..256.0,
        Dtype::I64 => -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0,
        _ => return Ok(array.cast(dtype)),
    };
    let misfit = match array {
        Array::F32(typed) => typed.iter().map(|&x| f64::from(x)).find(|x| !range.contains(&x.trunc())),
        Array::F64(typed) => typed.iter().copied().find(|x| !range.contains(&x.trunc())),
        Array::I64(typed) if dtype == Dtype::U8 => typed.iter().find(|x| !(0..256).contains(*x)).map(|&x| x as f64),
        _ => None,
    };
    match misfit {
        None => Ok(array.cast(dtype)),
        Some(x) if dtype == Dtype::U8 => {
            Err(Error::data(format!("u8 holds 0 to 255, found {x}")).hint("`.clip(0, 255)` first, or use `.to_i64()`"))
        }
        Some(x) => Err(Error::data(format!("i64 cannot hold {x}"))),
    }
}
