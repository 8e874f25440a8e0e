//! Many small products with one right side, such as the steps of a recurrent layer.
//!
//! The crate `gemm` copies both sides into an order of its own at every call, which costs as much as a product of
//! 32 × 64 × 256 itself. Here the right side is copied once; the left side and the result are read and
//! written where they are. Each row of the result is summed over `k` in order, whatever rows stand beside it, so
//! results do not depend on how rows are split over threads.

use super::buffer::Buffer;
use super::gemm::Matrix;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{Lanes, Loop, Portable};
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};

/// Columns of a panel: what stands together for one `k`.
const PANEL: usize = 32;

/// The right side of a product, copied into panels of 32 columns; missing columns of the last one are 0.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    depth: usize,
    columns: usize,
    values: Buffer,
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
        self.values.refill(columns.div_ceil(PANEL) * PANEL * depth);
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
    if let Onto::Row(row) = onto {
        assert!(row.len() >= b.columns, "a row too short");
    }
    let block = Block { a, b, onto, out: out.values.as_mut_ptr(), stride: out.stride };
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: `level` has found these instructions, and the asserts above hold every row inside its slice.
        Level::Avx512 => return unsafe { block.run::<Avx512>() },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { block.run::<Avx2>() },
        Level::Baseline => {}
    }
    // SAFETY: as above; these lanes need no instructions.
    unsafe { block.run::<Portable>() }
}

/// A product, its rows checked.
struct Block<'a> {
    a: Rows<'a>,
    b: &'a Packed,
    onto: Onto<'a>,
    out: *mut f32,
    stride: usize,
}

impl Block<'_> {
    /// # Safety
    /// The machine has the instructions, and all rows are inside what is borrowed.
    unsafe fn run<L: Lanes>(&self) {
        let (count, size) = (self.a.count, PANEL * self.b.depth);
        let tiles = count.div_ceil(L::PLACES);
        for panel in 0..self.b.columns.div_ceil(PANEL) {
            for tile in 0..tiles {
                let (first, end) = (tile * count / tiles, (tile + 1) * count / tiles);
                let own = Place { block: self, weights: self.b.values[panel * size..].as_ptr(), panel, first };
                // SAFETY: the caller's.
                unsafe {
                    match end - first {
                        12 => L::run(Tile::<12>(own)),
                        11 => L::run(Tile::<11>(own)),
                        10 => L::run(Tile::<10>(own)),
                        9 => L::run(Tile::<9>(own)),
                        8 => L::run(Tile::<8>(own)),
                        7 => L::run(Tile::<7>(own)),
                        6 => L::run(Tile::<6>(own)),
                        5 => L::run(Tile::<5>(own)),
                        4 => L::run(Tile::<4>(own)),
                        3 => L::run(Tile::<3>(own)),
                        2 => L::run(Tile::<2>(own)),
                        _ => L::run(Tile::<1>(own)),
                    }
                }
            }
        }
    }
}

/// Where a tile stands: its panel, and its first row.
struct Place<'a> {
    block: &'a Block<'a>,
    weights: *const f32,
    panel: usize,
    first: usize,
}

/// Some rows × one panel, two vectors at a time, whose sums stay in registers.
struct Tile<'a, const ROWS: usize>(Place<'a>);

impl<L: Lanes, const ROWS: usize> Loop<L> for Tile<'_, ROWS> {
    #[inline(always)]
    unsafe fn run(self) {
        let Place { block, weights, panel, first } = self.0;
        let width = PANEL.min(block.b.columns - panel * PANEL);
        for from in (0..width).step_by(2 * L::COUNT) {
            let whole = width - from >= 2 * L::COUNT;
            // Columns of both vectors.
            let left = (width - from).min(L::COUNT);
            let right = (width - from - left).min(L::COUNT);
            // SAFETY: the rows and columns exist, as `multiply` has checked; a panel has `depth` times 32 numbers.
            unsafe {
                let read = |at: *const f32| match whole {
                    true => [L::load(at), L::load(at.wrapping_add(L::COUNT))],
                    false => [L::load_part(at, left), L::load_part(at.wrapping_add(L::COUNT), right)],
                };
                let out = block.out.add(first * block.stride + panel * PANEL + from);
                let mut sums = [[L::zero(); 2]; ROWS];
                match block.onto {
                    Onto::Nothing => {}
                    Onto::Itself => {
                        for row in 0..ROWS {
                            sums[row] = read(out.add(row * block.stride));
                        }
                    }
                    Onto::Row(start) => sums = [read(start.as_ptr().add(panel * PANEL + from)); ROWS],
                }
                let mut a = block.a.values.as_ptr().add(first * block.a.stride);
                let mut weights = weights.add(from);
                for _ in 0..block.b.depth {
                    let own = [L::load(weights), L::load(weights.add(L::COUNT))];
                    for row in 0..ROWS {
                        let a = L::splat(*a.add(row * block.a.stride));
                        sums[row][0] = sums[row][0].add_product(a, own[0]);
                        sums[row][1] = sums[row][1].add_product(a, own[1]);
                    }
                    // Wrapping: after the last of them these point beyond what is read.
                    a = a.wrapping_add(1);
                    weights = weights.wrapping_add(PANEL);
                }
                for row in 0..ROWS {
                    let out = out.add(row * block.stride);
                    if whole {
                        sums[row][0].store(out);
                        sums[row][1].store(out.add(L::COUNT));
                    } else {
                        sums[row][0].store_part(out, left);
                        sums[row][1].store_part(out.wrapping_add(L::COUNT), right);
                    }
                }
            }
        }
    }
}

/// The reference.
#[cfg(test)]
fn plain(out: &mut [f32], stride: usize, onto: Onto<'_>, a: Rows<'_>, b: &Packed) {
    for (at, weights) in b.values.chunks_exact(PANEL * b.depth).enumerate() {
        for row in 0..a.count {
            for column in at * PANEL..b.columns.min((at + 1) * PANEL) {
                let out = &mut out[row * stride + column];
                let start = match onto {
                    Onto::Nothing => 0.0,
                    Onto::Itself => *out,
                    Onto::Row(start) => start[column],
                };
                let product = |k: usize| a.values[row * a.stride + k] * weights[k * PANEL + column % PANEL];
                *out = start + (0..b.depth).map(product).sum::<f32>();
            }
        }
    }
}

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
                    plain(&mut plainly, out_stride, onto, Rows::new(&a, rows, stride), &packed);
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
