//! Copies of a block of a matrix, row by row, from any distances apart.

// Without vectors, products are those of the crate.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

/// The numbers of a line of the cache.
pub(super) const LINE: usize = 16;

/// Copies a block of a matrix, any distances apart, into rows that are `wide` numbers apart.
///
/// # Safety
/// All places are inside what is borrowed; on x86-64 the machine has AVX.
pub(super) unsafe fn turn(
    b: *const f32,
    [down, right]: [usize; 2],
    depth: usize,
    columns: usize,
    to: *mut f32,
    wide: usize,
) {
    /// Rows that are written together, so that they stay in the first cache.
    const TOGETHER: usize = 16;
    // SAFETY: the caller's.
    unsafe {
        if right == 1 {
            for row in 0..depth {
                std::ptr::copy_nonoverlapping(b.add(row * down), to.add(row * wide), columns);
            }
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if down == 1 {
            return turn_by_eights(b, right, depth, columns, to, wide);
        }
        for first in (0..depth).step_by(TOGETHER) {
            let end = depth.min(first + TOGETHER);
            for column in 0..columns {
                let from = b.add(column * right);
                for row in first..end {
                    *to.add(row * wide + column) = *from.add(row * down);
                }
            }
        }
    }
}

/// Copies columns that are contiguous, `right` apart, into rows of `wide` numbers: blocks of 4 rows × 8 columns in
/// registers. A line of the cache is used up at once: columns that are a power of two apart push each other out.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn turn_by_eights(b: *const f32, right: usize, depth: usize, columns: usize, to: *mut f32, wide: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's.
    unsafe {
        let (rows, whole) = (depth / 4 * 4, columns / 8 * 8);
        for first in (0..rows).step_by(LINE) {
            for column in (0..whole).step_by(8) {
                for row in (first..rows.min(first + LINE)).step_by(4) {
                    let from = b.add(column * right + row);
                    let mut block = [_mm256_setzero_ps(); 4];
                    for (at, own) in block.iter_mut().enumerate() {
                        let (low, high) = (from.add(at * right), from.add((at + 4) * right));
                        let low = _mm256_castps128_ps256(_mm_loadu_ps(low));
                        *own = _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(high));
                    }
                    let [p, q, r, s] = block;
                    let (near, far) = (_mm256_unpacklo_ps(p, q), _mm256_unpackhi_ps(p, q));
                    let (near_2, far_2) = (_mm256_unpacklo_ps(r, s), _mm256_unpackhi_ps(r, s));
                    let turned = [
                        _mm256_shuffle_ps::<0x44>(near, near_2),
                        _mm256_shuffle_ps::<0xee>(near, near_2),
                        _mm256_shuffle_ps::<0x44>(far, far_2),
                        _mm256_shuffle_ps::<0xee>(far, far_2),
                    ];
                    for (at, own) in turned.into_iter().enumerate() {
                        _mm256_storeu_ps(to.add((row + at) * wide + column), own);
                    }
                }
            }
        }
        for column in 0..columns {
            for row in if column < whole { rows } else { 0 }..depth {
                *to.add(row * wide + column) = *b.add(column * right + row);
            }
        }
    }
}
