//! Reading and writing the numbers of a graph tensor where they lie.

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Var};

use super::Graph;
use crate::error::{Error, Result};

/// Calls `read` with the numbers in row-major order: in place on the CPU, a copy from another device.
pub fn read<T>(tensor: &Graph, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    {
        let (storage, layout) = tensor.storage_and_layout();
        if let Storage::Cpu(CpuStorage::F32(numbers)) = &*storage {
            let start = layout.start_offset();
            if let Some(numbers) = numbers.get(start..start + layout.shape().elem_count()) {
                return Ok(read(numbers));
            }
        }
    }
    Ok(read(&tensor.flatten_all()?.to_vec1::<f32>()?))
}

/// Replaces a variable's numbers, in place on the CPU; whoever shares its memory sees the new ones.
pub fn write(variable: &Var, numbers: &[f32]) -> Result<()> {
    match variable.device().is_cpu() {
        true => Ok(variable.inplace_op1(&Write(numbers))?),
        false => Ok(variable.set(&Graph::from_slice(numbers, variable.shape(), variable.device())?)?),
    }
}

/// A write as Candle wants it: an operation that changes its argument.
struct Write<'a>(&'a [f32]);

impl InplaceOp1 for Write<'_> {
    fn name(&self) -> &'static str {
        "write"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let place = match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(numbers), Some((start, end))) => numbers.get_mut(start..end),
            _ => None,
        };
        match place.filter(|place| place.len() == self.0.len()) {
            Some(place) => place.copy_from_slice(self.0),
            None => candle_core::bail!("only contiguous f32 weights of {} numbers can be written", self.0.len()),
        }
        Ok(())
    }
}

/// Returns a scalar's value.
pub fn scalar(tensor: &Graph) -> Result<f64> {
    match tensor.elem_count() {
        1 => read(&tensor.to_dtype(candle_core::DType::F32)?, |numbers| f64::from(numbers[0])),
        _ => Err(Error::data(format!("a loss must be one number, found shape {:?}", tensor.dims()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::device;

    #[test]
    fn writes_are_seen_through_detached_tensors_and_views_are_read_in_order() {
        let tensor = Graph::new(&[[1f32, 2.0], [3.0, 4.0]], &device::cpu()).unwrap();
        let variable = Var::from_tensor(&tensor).unwrap();
        let detached = variable.as_detached_tensor();
        write(&variable, &[10.0, 20.0, 30.0, 40.0]).unwrap();
        assert_eq!(read(&detached.t().unwrap(), <[f32]>::to_vec).unwrap(), [10.0, 30.0, 20.0, 40.0]);
        assert_eq!(read(&tensor, <[f32]>::to_vec).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert!(write(&variable, &[1.0]).is_err());
        assert!(scalar(&tensor).is_err());
    }
}
