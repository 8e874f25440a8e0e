//! Copies groups of numbers to where a table says, and adds gradients back.

use super::pool::{self, Shared};
use crate::simd;

/// The place of zeros.
const NOWHERE: u32 = u32::MAX;

/// Returns a table as [`forward`] reads it; `None` are zeros.
pub fn places(places: &[Option<usize>]) -> Vec<u32> {
    places.iter().map(|place| place.map_or(NOWHERE, |place| place as u32)).collect()
}

/// Writes, for each of `rows` records, the groups of `width` numbers that `places` names, in order.
pub fn forward(rows: usize, width: usize, places: &[u32], x: &[f32], y: &mut [f32]) {
    let from = x.len() / rows.max(1);
    pool::rows(y, width * places.len(), y.len(), |first, y| {
        for (at, y) in y.chunks_exact_mut((width * places.len()).max(1)).enumerate() {
            copy(&x[(first + at) * from..(first + at + 1) * from], width, places, y);
        }
    });
}

/// Adds each group of the gradient to the place it was read from; numbers nobody read get 0. What stood there before
/// counts only with `add`.
pub fn backward(rows: usize, width: usize, places: &[u32], gradient: &[f32], to: &mut [f32], add: bool) {
    let (len, from) = (to.len() / rows.max(1), width * places.len());
    pool::rows(to, len, gradient.len(), |first, to| {
        if !add {
            to.fill(0.0);
        }
        for (at, to) in to.chunks_exact_mut(len.max(1)).enumerate() {
            add_back(&gradient[(first + at) * from..(first + at + 1) * from], width, places, to);
        }
    });
}

/// Adds rows of a gradient, each of `width` numbers, to the rows of a table that `ids` names.
///
/// # Panics
/// An id beyond the table: an error in the caller.
pub fn scatter(ids: &[usize], width: usize, gradient: &[f32], table: &mut [f32]) {
    // A number may stand at several places, so threads share out the columns of the table, not the ids.
    let table = Shared::new(table);
    pool::split(width.div_ceil(COLUMNS), gradient.len(), |parts| {
        let columns = parts.start * COLUMNS..(parts.end * COLUMNS).min(width);
        for (row, &id) in gradient.chunks_exact(width.max(1)).zip(ids) {
            // SAFETY: no other thread has these columns.
            let sums = unsafe { table.slice(id * width + columns.start..id * width + columns.end) };
            sums.iter_mut().zip(&row[columns.clone()]).for_each(|(sum, own)| *sum += own);
        }
    });
}

/// Threads share out the columns of a table in parts of this length: a line of the cache.
const COLUMNS: usize = 16;

simd! {
    fn copy(x: &[f32], width: usize, places: &[u32], y: &mut [f32]) {
        if width == 1 {
            for (y, place) in y.iter_mut().zip(places) {
                *y = if *place == NOWHERE { 0.0 } else { x[*place as usize] };
            }
            return;
        }
        for (y, place) in y.chunks_exact_mut(width.max(1)).zip(places) {
            match *place {
                NOWHERE => y.fill(0.0),
                place => y.copy_from_slice(&x[place as usize * width..(place as usize + 1) * width]),
            }
        }
    }

    fn add_back(gradient: &[f32], width: usize, places: &[u32], to: &mut [f32]) {
        for (gradient, place) in gradient.chunks_exact(width.max(1)).zip(places) {
            if *place != NOWHERE {
                let to = &mut to[*place as usize * width..(*place as usize + 1) * width];
                for (to, gradient) in to.iter_mut().zip(gradient) {
                    *to += gradient;
                }
            }
        }
    }
}
