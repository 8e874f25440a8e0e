//! Sums over rows, split over threads by columns.

use crate::kernel::pool::{self, Shared};

/// Sums rows as long as `total`, each column in the order of the rows.
pub(super) fn sum_rows(values: &[f32], total: &mut [f32], add: bool) {
    if !add {
        total.fill(0.0);
    }
    let width = total.len();
    let total = Shared::new(total);
    pool::split(width.div_ceil(PART), values.len(), |parts| {
        let columns = parts.start * PART..(parts.end * PART).min(width);
        // SAFETY: parts do not overlap.
        add_rows(values, width, columns.start, unsafe { total.slice(columns) });
    });
}

/// Threads share out columns in parts of this length.
const PART: usize = 32;

crate::simd! {
    fn add_rows(values: &[f32], width: usize, first: usize, total: &mut [f32]) {
        for row in values.chunks_exact(width) {
            for (total, value) in total.iter_mut().zip(&row[first..]) {
                *total += value;
            }
        }
    }
}
