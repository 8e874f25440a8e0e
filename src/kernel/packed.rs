//! Many small products with one right side, such as the steps of a recurrent layer.
//!
//! The crate `gemm` copies both sides into an order of its own at every call, which costs as much as a product of
//! 32 × 64 × 256 itself. Here the right side is copied once; the left side and the result are read and
//! written where they are. Each row of the result is summed over `k` in order, whatever rows stand beside it, so
//! results do not depend on how rows are split over threads.

use super::gemm::Matrix;
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};

/// Columns of a panel: what stands together for one `k`.
const PANEL: usize = 32;

/// The right side of a product, copied into panels of 32 columns; missing columns of the last one are 0.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    depth: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Packed {
    /// Creates one without numbers.
    pub fn new() -> Self {
        Packed::default()
    }

    /// Copies a matrix. Allocates only for a larger one than before.
    pub fn pack(&mut self, matrix: Matrix<'_>) {
        let ([depth, columns], [down, right]) = (matrix.shape(), matrix.strides());
        (self.depth, self.columns) = (depth, columns);
        self.values.clear();
        self.values.resize(columns.div_ceil(PANEL) * PANEL * depth, 0.0);
        let values = matrix.values();
        for (panel, into) in self.values.chunks_exact_mut((PANEL * depth).max(1)).enumerate() {
            let first = panel * PANEL;
            let width = PANEL.min(columns - first);
            for (row, into) in into.chunks_exact_mut(PANEL).enumerate() {
                let start = row * down + first * right;
                if right == 1 {
                    into[..width].copy_from_slice(&values[start..start + width]);
                } else {
                    into[..width].iter_mut().enumerate().for_each(|(at, into)| *into = values[start + at * right]);
                }
            }
        }
    }
}

/// Rows of numbers at a fixed distance from each other.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    values: &'a [f32],
    count: usize,
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Creates a view of `count` rows, `stride` apart; the last may end with the slice.
    pub fn new(values: &'a [f32], count: usize, stride: usize) -> Self {
        Rows { values, count, stride }
    }
}

/// Rows to write.
#[derive(Debug)]
pub struct RowsMut<'a> {
    values: &'a mut [f32],
    stride: usize,
}

impl<'a> RowsMut<'a> {
    /// Creates a view of rows that are `stride` apart.
    pub fn new(values: &'a mut [f32], stride: usize) -> Self {
        RowsMut { values, stride }
    }
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Onto<'a> {
    /// To nothing: it replaces what stands there.
    Nothing,
    /// To what stands there.
    Itself,
    /// To this row, the same for all.
    Row(&'a [f32]),
}

/// Writes `a · b` to the rows of `out`, added to what `onto` says.
///
/// # Panics
/// A row reaches beyond its slice, or rows of `out` overlap: an error in the kernel that calls.
pub fn multiply(out: RowsMut<'_>, onto: Onto<'_>, a: Rows<'_>, b: &Packed) {
    if a.count == 0 || b.columns == 0 {
        return;
    }
    assert!((a.count - 1) * a.stride + b.depth <= a.values.len(), "rows beyond their slice");
    assert!((a.count - 1) * out.stride + b.columns <= out.values.len(), "rows beyond their slice");
    assert!(a.count == 1 || out.stride >= b.columns, "rows that overlap");
    for (panel, weights) in b.values.chunks_exact((PANEL * b.depth).max(1)).enumerate() {
        let first = panel * PANEL;
        let width = PANEL.min(b.columns - first);
        let block = Block { a, weights, depth: b.depth, first, width, onto };
        #[cfg(target_arch = "x86_64")]
        match level() {
            // SAFETY: `level` has found these instructions, and the asserts above hold every row inside its slice.
            Level::Avx512 => unsafe { wide::run(&block, &mut out.values[..], out.stride) },
            // SAFETY: as above.
            Level::Avx2 => unsafe { narrow::run(&block, &mut out.values[..], out.stride) },
            Level::Baseline => plain(&block, &mut out.values[..], out.stride),
        }
        #[cfg(not(target_arch = "x86_64"))]
        plain(&block, &mut out.values[..], out.stride);
    }
}

/// One panel's part of a product.
struct Block<'a> {
    a: Rows<'a>,
    weights: &'a [f32],
    depth: usize,
    first: usize,
    width: usize,
    onto: Onto<'a>,
}

impl Block<'_> {
    /// Stores the sums of one row.
    #[inline(always)]
    fn store(&self, out: &mut [f32], stride: usize, row: usize, sums: &[f32; PANEL]) {
        let out = &mut out[row * stride + self.first..][..self.width];
        match self.onto {
            Onto::Nothing => out.copy_from_slice(&sums[..self.width]),
            Onto::Itself => match <&mut [f32; PANEL]>::try_from(&mut *out) {
                Ok(out) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                Err(_) => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
            },
            Onto::Row(start) => {
                let start = &start[self.first..][..self.width];
                out.iter_mut().zip(start).zip(sums).for_each(|((out, start), sum)| *out = start + sum);
            }
        }
    }
}

/// The reference, and what machines without AVX2 run.
fn plain(block: &Block<'_>, out: &mut [f32], stride: usize) {
    for row in 0..block.a.count {
        let a = &block.a.values[row * block.a.stride..][..block.depth];
        let mut sums = [0.0; PANEL];
        for (a, weights) in a.iter().zip(block.weights.chunks_exact(PANEL)) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += a * weight);
        }
        block.store(out, stride, row, &sums);
    }
}

/// Defines `run` for one instruction set: blocks of some rows × one panel, whose sums stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! vectorised {
    ($module:ident, $features:literal, $vector:ident, $lanes:literal, $rows:literal, $part:literal,
     $zero:ident, $load:ident, $spread:ident, $fma:ident, $store:ident, [$($rest:literal),*]) => {
        mod $module {
            use std::arch::x86_64::*;

            use super::{Block, PANEL};

            /// Vectors of a panel that one block sums at a time.
            const PART: usize = $part;

            #[target_feature(enable = $features)]
            pub(super) unsafe fn run(block: &Block<'_>, out: &mut [f32], stride: usize) {
                let mut row = 0;
                while row + $rows <= block.a.count {
                    // SAFETY: these rows exist.
                    unsafe { rows::<$rows>(block, out, stride, row) };
                    row += $rows;
                }
                // SAFETY: as above.
                match block.a.count - row {
                    $($rest => unsafe { rows::<$rest>(block, out, stride, row) },)*
                    _ => {}
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn rows<const ROWS: usize>(block: &Block<'_>, out: &mut [f32], stride: usize, first: usize) {
                let mut all = [[0.0f32; PANEL]; ROWS];
                let mut part = 0;
                while part < PANEL / $lanes {
                    let mut sums: [[$vector; PART]; ROWS] = [[$zero(); PART]; ROWS];
                    let mut weights = block.weights.as_ptr().wrapping_add(part * $lanes);
                    let a = block.a.values.as_ptr().wrapping_add(first * block.a.stride);
                    for k in 0..block.depth {
                        let mut own = [$zero(); PART];
                        for (at, own) in own.iter_mut().enumerate() {
                            // SAFETY: a panel has `depth` times 32 numbers.
                            *own = unsafe { $load(weights.wrapping_add(at * $lanes)) };
                        }
                        for (row, sums) in sums.iter_mut().enumerate() {
                            // SAFETY: each row has `depth` numbers.
                            let a = $spread(unsafe { *a.wrapping_add(row * block.a.stride + k) });
                            for (sum, own) in sums.iter_mut().zip(&own) {
                                *sum = $fma(a, *own, *sum);
                            }
                        }
                        weights = weights.wrapping_add(PANEL);
                    }
                    for (sums, all) in sums.iter().zip(&mut all) {
                        for (at, sum) in sums.iter().enumerate() {
                            // SAFETY: a row of `all` has 32 numbers.
                            unsafe { $store(all.as_mut_ptr().wrapping_add((part + at) * $lanes), *sum) };
                        }
                    }
                    part += PART;
                }
                for (row, sums) in all.iter().enumerate() {
                    block.store(out, stride, first + row, sums);
                }
            }
        }
    };
}

// 8 rows of two vectors: 16 sums, 2 weights and a number of the left side in 32 registers.
#[cfg(target_arch = "x86_64")]
vectorised!(
    wide,
    "avx512f",
    __m512,
    16,
    8,
    2,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_storeu_ps,
    [1, 2, 3, 4, 5, 6, 7]
);

// 6 rows of two vectors: 12 sums, 2 weights and a number of the left side in 16 registers.
#[cfg(target_arch = "x86_64")]
vectorised!(
    narrow,
    "avx2,fma",
    __m256,
    8,
    6,
    2,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_storeu_ps,
    [1, 2, 3, 4, 5]
);

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn products_are_those_of_the_definition_on_every_instruction_set() {
        for (rows, columns, depth) in [(1, 1, 1), (3, 5, 7), (8, 32, 4), (17, 70, 33), (13, 64, 16)] {
            let (stride, out_stride) = (depth + 3, columns + 2);
            let (a, b, before) =
                (numbers(rows * stride, 1), numbers(depth * columns, 2), numbers(rows * out_stride, 3));
            let mut packed = Packed::new();
            // Once as it is and once from its transposed order.
            let turned: Vec<f32> = (0..depth * columns).map(|at| b[at % depth * columns + at / depth]).collect();
            for matrix in [Matrix::new(&b, depth, columns), Matrix::new(&turned, columns, depth).t()] {
                packed.pack(matrix);
                for onto in [Onto::Nothing, Onto::Itself, Onto::Row(&turned)] {
                    let mut out = before.clone();
                    multiply(RowsMut::new(&mut out, out_stride), onto, Rows::new(&a, rows, stride), &packed);
                    let mut plainly = before.clone();
                    for (panel, weights) in packed.values.chunks_exact(PANEL * depth).enumerate() {
                        let (first, a) = (panel * PANEL, Rows::new(&a, rows, stride));
                        let block = Block { a, weights, depth, first, width: PANEL.min(columns - first), onto };
                        plain(&block, &mut plainly, out_stride);
                    }
                    for (at, (found, plainly)) in out.iter().zip(&plainly).enumerate() {
                        let (row, column) = (at / out_stride, at % out_stride);
                        if column >= columns {
                            assert_eq!(*found, before[at]);
                            continue;
                        }
                        let of = |k: usize| f64::from(a[row * stride + k]) * f64::from(b[k * columns + column]);
                        let start = match onto {
                            Onto::Nothing => 0.0,
                            Onto::Itself => before[at],
                            Onto::Row(start) => start[column],
                        };
                        let expected = (0..depth).map(of).sum::<f64>() + f64::from(start);
                        assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} {expected}");
                        assert!((found - plainly).abs() < 1e-4);
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_those_beside_it() {
        let (depth, columns) = (37, 45);
        let (a, b) = (numbers(19 * depth, 1), numbers(depth * columns, 2));
        let mut packed = Packed::new();
        packed.pack(Matrix::new(&b, depth, columns));
        let mut all = vec![0.0; 19 * columns];
        multiply(RowsMut::new(&mut all, columns), Onto::Nothing, Rows::new(&a, 19, depth), &packed);
        for row in 0..19 {
            let mut one = vec![0.0; columns];
            multiply(RowsMut::new(&mut one, columns), Onto::Nothing, Rows::new(&a[row * depth..], 1, depth), &packed);
            assert_eq!(one, all[row * columns..][..columns]);
        }
    }
}
