//! Reading and changing the numbers of a graph tensor where they lie.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Var};

use crate::error::{Error, Result};
use crate::tensor::{Graph, device};

/// Calls `read` with the numbers in row-major order: in place on the CPU, a copy from another device.
pub(super) fn read<T>(tensor: &Graph, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
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

/// Lets `change` edit a variable's numbers: in place on the CPU, through a copy on another device.
pub(super) fn edit(variable: &Var, change: &mut dyn FnMut(&mut [f32])) -> Result<()> {
    if variable.device().is_cpu() {
        return Ok(variable.inplace_op1(&Edit(RefCell::new(change)))?);
    }
    let mut numbers = variable.flatten_all()?.to_vec1::<f32>()?;
    change(&mut numbers);
    let changed = Graph::from_vec(numbers, variable.shape(), &device::cpu())?.to_device(variable.device())?;
    Ok(variable.set(&changed)?)
}

/// An edit as Candle wants it: an operation that writes to its argument.
struct Edit<'a>(RefCell<&'a mut dyn FnMut(&mut [f32])>);

impl InplaceOp1 for Edit<'_> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let numbers = match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(numbers), Some((start, end))) => numbers.get_mut(start..end),
            _ => None,
        };
        match numbers {
            Some(numbers) => (self.0.borrow_mut())(numbers),
            None => candle_core::bail!("only contiguous f32 weights can be updated"),
        }
        Ok(())
    }
}

/// Returns a scalar's value.
pub(super) fn scalar(tensor: &Graph) -> Result<f64> {
    match tensor.elem_count() {
        1 => read(&tensor.to_dtype(candle_core::DType::F32)?, |numbers| f64::from(numbers[0])),
        _ => Err(Error::data(format!("a loss must be one number, found shape {:?}", tensor.dims()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_seen_through_detached_tensors_and_views_are_read_in_order() {
        let tensor = Graph::new(&[[1f32, 2.0], [3.0, 4.0]], &device::cpu()).unwrap();
        let variable = Var::from_tensor(&tensor).unwrap();
        let detached = variable.as_detached_tensor();
        edit(&variable, &mut |numbers| numbers.iter_mut().for_each(|number| *number *= 10.0)).unwrap();
        assert_eq!(read(&detached.t().unwrap(), <[f32]>::to_vec).unwrap(), [10.0, 30.0, 20.0, 40.0]);
        assert_eq!(read(&tensor, <[f32]>::to_vec).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert!(scalar(&tensor).is_err());
    }
}
