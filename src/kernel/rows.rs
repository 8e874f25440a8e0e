//! Matrices row by row: the same row everywhere, and the sum of all rows.

use super::pool;
use crate::simd;

/// Columns that one thread adds up at a time.
const COLUMNS: usize = 64;

/// Writes a row to all rows of a matrix.
pub fn fill(values: &mut [f32], row: &[f32]) {
    if row.is_empty() {
        return;
    }
    let work = values.len();
    pool::rows(values, row.len(), work, |_, part| {
        for own in part.chunks_exact_mut(row.len()) {
            own.copy_from_slice(row);
        }
    });
}

/// Writes the sum of all rows to `total`, or adds it with `add`. Every column is added up from the first row to the
/// last, so the number of threads does not show.
pub fn sum(values: &[f32], total: &mut [f32], add: bool) {
    let width = total.len();
    if !add {
        total.fill(0.0);
    }
    pool::rows(total, COLUMNS, values.len(), |first, own| sum_columns(values, width, first * COLUMNS, own));
}

simd! {
    fn sum_columns(values: &[f32], width: usize, first: usize, total: &mut [f32]) {
        for row in values.chunks_exact(width) {
            for (total, value) in total.iter_mut().zip(&row[first..]) {
                *total += value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pool::Pool;

    #[test]
    fn rows_are_filled_and_summed() {
        for (count, width) in [(1, 1), (5, 3), (700, 130), (0, 4)] {
            let row: Vec<f32> = (0..width).map(|at| at as f32).collect();
            let mut values = vec![f32::NAN; count * width];
            fill(&mut values, &row);
            let sums = [1, 2, 3].map(|threads| {
                let mut total = vec![1.0; width];
                Pool::new(threads).unwrap().run(|| {
                    sum(&values, &mut total, true);
                });
                total
            });
            let expected: Vec<f32> = row.iter().map(|value| value * count as f32 + 1.0).collect();
            assert!(sums.iter().all(|sum| *sum == expected));
        }
    }
}
