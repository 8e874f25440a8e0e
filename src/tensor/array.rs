//! Host tensors: `ndarray` arrays that share their data until one of them is written to.

use ndarray::{ArcArray, IxDyn};

use super::Dtype;

/// An array on the CPU, one variant for each dtype; cheap to clone.
#[derive(Clone, Debug)]
pub enum Array {
    /// 32-bit floating point.
    F32(ArcArray<f32, IxDyn>),
    /// 64-bit floating point.
    F64(ArcArray<f64, IxDyn>),
    /// 64-bit integer.
    I64(ArcArray<i64, IxDyn>),
    /// 8-bit unsigned integer.
    U8(ArcArray<u8, IxDyn>),
}

impl Array {
    /// Returns the length of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Array::F32(array) => array.shape(),
            Array::F64(array) => array.shape(),
            Array::I64(array) => array.shape(),
            Array::U8(array) => array.shape(),
        }
    }

    /// Returns the element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Array::F32(_) => Dtype::F32,
            Array::F64(_) => Dtype::F64,
            Array::I64(_) => Dtype::I64,
            Array::U8(_) => Dtype::U8,
        }
    }
}
