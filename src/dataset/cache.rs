//! Columns kept from epoch to epoch: loader and transformer are deterministic, so records are loaded
//! and transformed once and batches gathered from what is kept.

use crate::record::{Column, Columns, DataColumns};
use crate::tensor::{Dtype, Tensor};

/// Whether a dataset keeps loaded and transformed records in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// When they are estimated to take less than [`CACHE_BUDGET_BYTES`].
    #[default]
    Auto,
    /// Always.
    On,
    /// Never: every batch is loaded anew.
    Off,
}

/// What `Cache::Auto` may keep of one dataset: 512 MiB, small beside the memory of a machine that trains.
pub const CACHE_BUDGET_BYTES: u64 = 512 << 20;

/// The number of records loaded first, to learn what they take.
pub(super) const FIRST: usize = 64;

/// Returns the number of records loaded at a time while the cache is filled, when the first `loaded` took `bytes`:
/// many small ones, so that a call of a station costs little beside them, and few large ones.
pub(super) fn chunk(bytes: u64, loaded: usize) -> usize {
    const BYTES: u64 = 4 << 20;
    let each = (bytes / loaded.max(1) as u64).max(1);
    usize::try_from(BYTES / each).unwrap_or(usize::MAX).clamp(16, 2048)
}

impl Cache {
    /// Returns whether `len` records may be kept when the first `loaded` took `bytes`.
    pub(super) fn fits(self, bytes: u64, loaded: usize, len: usize) -> bool {
        match self {
            Cache::On => true,
            Cache::Off => false,
            Cache::Auto => {
                let estimate = u128::from(bytes) * len.max(1) as u128 / loaded.max(1) as u128;
                estimate <= u128::from(CACHE_BUDGET_BYTES)
            }
        }
    }
}

/// Returns the memory that columns take, without the overhead of allocations.
pub(super) fn bytes(columns: &DataColumns) -> u64 {
    let all = |columns: &Columns| columns.iter().map(|(_, column)| column_bytes(column)).sum::<u64>();
    all(&columns.x) + columns.y.as_ref().map_or(0, all) + columns.w.as_ref().map_or(0, all)
}

fn column_bytes(column: &Column) -> u64 {
    // A text or a small tensor of its own costs about this much beside its contents.
    const OVERHEAD: u64 = 48;
    match column {
        Column::Dense(tensor) => tensor_bytes(tensor),
        Column::Ragged(tensors) => tensors.iter().map(|tensor| OVERHEAD + tensor_bytes(tensor)).sum(),
        Column::Text(texts) => texts.iter().map(|text| OVERHEAD + text.len() as u64).sum(),
        Column::Texts(lists) => {
            lists.iter().flat_map(|list| list.iter()).map(|text| OVERHEAD + text.len() as u64).sum::<u64>()
                + OVERHEAD * lists.len() as u64
        }
    }
}

fn tensor_bytes(tensor: &Tensor) -> u64 {
    let size = match tensor.dtype() {
        Dtype::F64 | Dtype::I64 => 8,
        Dtype::F32 => 4,
        Dtype::U8 => 1,
    };
    tensor.shape().iter().product::<usize>() as u64 * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_decides() {
        assert!(Cache::Auto.fits(1 << 20, 256, 256 * 512));
        assert!(!Cache::Auto.fits(1 << 20, 256, 256 * 513));
        assert!(Cache::On.fits(u64::MAX, 1, usize::MAX));
        assert!(!Cache::Off.fits(0, 1, 1));
    }
}
