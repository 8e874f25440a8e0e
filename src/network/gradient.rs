//! Operations that bring their own gradient.
//!
//! Candle differentiates each of its operations by itself. That is wrong in places (the gradient of relu at 0,
//! of a maximum with ties), not a number in others (mish), wasteful where an operand is constant (the
//! first layer's input), and several operations on the batch axis are slow. Here a value is computed by
//! Candle operations without a graph, and enters the graph as one node whose gradient is written down.
//! Both run on any device.

use std::sync::Mutex;

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, MetalStorage, Result as CandleResult,
    Shape as CandleShape, Storage,
};

use crate::error::Result;
use crate::tensor::Graph;

/// Returns `value(x)` with the gradient `backward(x, y, gradient of y)`.
///
/// `value` must end in an operation that allocates its result: a view of something else is not copied whole.
pub(super) fn define(
    x: &Graph,
    value: impl FnOnce(&Graph) -> CandleResult<Graph>,
    backward: impl Fn(&Graph, &Graph, &Graph) -> CandleResult<Graph> + Send + Sync + 'static,
) -> Result<Graph> {
    let value = value(&x.detach())?;
    match x.track_op() {
        false => Ok(value),
        true => Ok(x.apply_op1(Defined { value: Value::new(value.contiguous()?), backward })?),
    }
}

/// Returns `x · kernel + bias` for `x` of shape `[rows, in]`, kernel `[in, out]`, bias `[out]`. A kernel of bfloat16 is
/// mixed precision: products forward and backward are of bfloat16 values, sums and results have the dtype of `x`.
pub(super) fn linear(x: &Graph, kernel: &Graph, bias: Option<&Graph>) -> Result<Graph> {
    let product = x.detach().to_dtype(kernel.dtype())?.matmul(&kernel.detach())?.to_dtype(x.dtype())?;
    let value = match bias {
        None => product,
        Some(bias) => product.broadcast_add(&bias.detach())?,
    };
    match bias {
        _ if !(x.track_op() || kernel.track_op() || bias.is_some_and(Graph::track_op)) => Ok(value),
        None => Ok(x.apply_op2(kernel, Linear { value: Value::new(value) })?),
        Some(bias) => Ok(x.apply_op3(kernel, bias, Linear { value: Value::new(value) })?),
    }
}

struct Defined<F> {
    value: Value,
    backward: F,
}

impl<F: Fn(&Graph, &Graph, &Graph) -> CandleResult<Graph>> CustomOp1 for Defined<F> {
    fn name(&self) -> &'static str {
        "defined"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> CandleResult<(CpuStorage, CandleShape)> {
        self.value.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> CandleResult<(CudaStorage, CandleShape)> {
        self.value.on_cuda()
    }

    fn metal_fwd(&self, _: &MetalStorage, _: &Layout) -> CandleResult<(MetalStorage, CandleShape)> {
        self.value.on_metal()
    }

    fn bwd(&self, x: &Graph, y: &Graph, gradient: &Graph) -> CandleResult<Option<Graph>> {
        // Detached: a gradient needs no graph of its own.
        (self.backward)(&x.detach(), &y.detach(), gradient).map(Some)
    }
}

struct Linear {
    value: Value,
}

impl Linear {
    fn gradients(x: &Graph, kernel: &Graph, gradient: &Graph) -> CandleResult<(Option<Graph>, Option<Graph>)> {
        let own = gradient.to_dtype(kernel.dtype())?;
        let of_x = match x.track_op() {
            true => Some(own.matmul(&kernel.detach().t()?)?.to_dtype(x.dtype())?),
            false => None,
        };
        let of_kernel = match kernel.track_op() {
            true => Some(x.detach().to_dtype(kernel.dtype())?.t()?.matmul(&own)?),
            false => None,
        };
        Ok((of_x, of_kernel))
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> CandleResult<(CpuStorage, CandleShape)> {
        self.value.on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> CandleResult<(CudaStorage, CandleShape)> {
        self.value.on_cuda()
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> CandleResult<(MetalStorage, CandleShape)> {
        self.value.on_metal()
    }

    fn bwd(
        &self,
        x: &Graph,
        kernel: &Graph,
        _: &Graph,
        gradient: &Graph,
    ) -> CandleResult<(Option<Graph>, Option<Graph>)> {
        Self::gradients(x, kernel, gradient)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear with bias"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> CandleResult<(CpuStorage, CandleShape)> {
        self.value.on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> CandleResult<(CudaStorage, CandleShape)> {
        self.value.on_cuda()
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> CandleResult<(MetalStorage, CandleShape)> {
        self.value.on_metal()
    }

    fn bwd(
        &self,
        x: &Graph,
        kernel: &Graph,
        bias: &Graph,
        _: &Graph,
        gradient: &Graph,
    ) -> CandleResult<(Option<Graph>, Option<Graph>, Option<Graph>)> {
        let (of_x, of_kernel) = Self::gradients(x, kernel, gradient)?;
        // A product with ones: Candle's own sum over the first axis is a scalar loop with a division for each element.
        let of_bias = match bias.track_op() {
            true => {
                let ones = Graph::ones((1, gradient.dim(0)?), gradient.dtype(), gradient.device())?;
                Some(ones.matmul(gradient)?.reshape(bias.shape())?)
            }
            false => None,
        };
        Ok((of_x, of_kernel, of_bias))
    }
}

/// The value that an operation brings. It is copied into the node and dropped, so that a graph does not hold it twice.
struct Value(Mutex<Option<Graph>>);

impl Value {
    fn new(value: Graph) -> Self {
        Value(Mutex::new(Some(value)))
    }

    fn take(&self) -> CandleResult<Graph> {
        match self.0.lock().map(|mut value| value.take()) {
            Ok(Some(value)) => Ok(value),
            _ => candle_core::bail!("the value of an operation was taken twice"),
        }
    }

    fn on_cpu(&self) -> CandleResult<(CpuStorage, CandleShape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((storage.try_clone(layout)?, value.shape().clone())),
            _ => candle_core::bail!("expected a value on the CPU"),
        }
    }

    fn on_cuda(&self) -> CandleResult<(CudaStorage, CandleShape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok((storage.try_clone(layout)?, value.shape().clone())),
            _ => candle_core::bail!("expected a value on a CUDA device"),
        }
    }

    fn on_metal(&self) -> CandleResult<(MetalStorage, CandleShape)> {
        let value = self.take()?;
        let (storage, layout) = value.storage_and_layout();
        match &*storage {
            Storage::Metal(storage) => Ok((storage.try_clone(layout)?, value.shape().clone())),
            _ => candle_core::bail!("expected a value on a Metal device"),
        }
    }
}
