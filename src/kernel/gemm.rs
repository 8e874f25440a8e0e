//! Matrix products, on views with any strides.
//!
//! Here are the views, which make products safe to call. The product itself is in `tiles`, or in `zeros` where a side is
//! full of zeros, or that of the crate `gemm` on machines without AVX2.

mod own;
mod tile;
mod tiles;
mod turn;
mod zeros;

use gemm::Parallelism;

use super::pool;

/// Products of fewer multiplications than this stay on one thread.
const WORTH_SPLITTING: usize = 300_000;

/// A matrix to read: a slice, a shape, and the distance between rows and between columns.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Creates a view of `rows` × `columns` numbers that stand row by row.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, [rows, columns], [columns, 1])
    }

    /// Creates a view with the given distances between rows and columns.
    ///
    /// # Panics
    /// The view reaches beyond the slice: an error in the kernel that asks for it.
    pub fn strided(values: &'a [f32], shape: [usize; 2], strides: [usize; 2]) -> Self {
        assert!(reach(shape, strides) <= values.len(), "a matrix beyond its slice");
        Matrix { values, shape, strides }
    }

    /// Returns the numbers of rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Returns the distances between rows and between columns.
    pub(super) fn strides(&self) -> [usize; 2] {
        self.strides
    }

    /// Returns the slice that the view is of.
    pub(super) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Returns the transposed view.
    pub fn t(self) -> Self {
        let ([rows, columns], [down, right]) = (self.shape, self.strides);
        Matrix { shape: [columns, rows], strides: [right, down], ..self }
    }
}

/// A matrix to write.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    values: &'a mut [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> MatrixMut<'a> {
    /// Creates a view of `rows` × `columns` numbers that stand row by row.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, [rows, columns], [columns, 1])
    }

    /// Creates a view with the given distances between rows and columns.
    ///
    /// # Panics
    /// The view reaches beyond the slice, or two of its numbers are the same one.
    pub fn strided(values: &'a mut [f32], shape: [usize; 2], strides: [usize; 2]) -> Self {
        assert!(reach(shape, strides) <= values.len(), "a matrix beyond its slice");
        let ([rows, columns], [down, right]) = (shape, strides);
        let apart = (right > 0 && down >= columns * right) || (down > 0 && right >= rows * down);
        assert!(rows <= 1 || columns <= 1 || apart, "a matrix that overlaps itself");
        MatrixMut { values, shape, strides }
    }
}

fn reach([rows, columns]: [usize; 2], [down, right]: [usize; 2]) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * down + (columns - 1) * right + 1 }
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// To nothing: it replaces what stands there.
    Nothing,
    /// To what stands there.
    Itself,
    /// To this row, the same for all rows.
    Row(&'a [f32]),
}

/// Writes the product `scale · a · b` to `out`, or adds it with `add`. Large products use all threads of the pool
/// that this runs in; results do not depend on their number.
///
/// # Panics
/// The shapes do not fit together: an error in the kernel that calls.
pub fn product(out: MatrixMut<'_>, add: bool, a: Matrix<'_>, b: Matrix<'_>, scale: f32) {
    product_onto(out, if add { Start::Itself } else { Start::Nothing }, a, b, scale);
}

/// Writes the product `scale · a · b` to `out`, added to what `start` says, as [`product`] does.
///
/// # Panics
/// The shapes do not fit together: an error in the kernel that calls.
pub fn product_onto(mut out: MatrixMut<'_>, start: Start<'_>, a: Matrix<'_>, b: Matrix<'_>, scale: f32) {
    let ([m, k], [b_rows, n]) = (a.shape, b.shape);
    assert!(out.shape == [m, n] && b_rows == k, "matrices {m}×{k} and {b_rows}×{n} into {:?}", out.shape);
    if let Start::Row(row) = start {
        assert!(row.len() == n, "a row of {} for {n} columns", row.len());
    }
    if !own::multiply(&mut out, start, a, b, scale) {
        elsewhere(out, start, a, b, scale);
    }
}

/// The product by the crate `gemm`.
fn elsewhere(out: MatrixMut<'_>, start: Start<'_>, a: Matrix<'_>, b: Matrix<'_>, scale: f32) {
    let ([m, k], [_, n]) = (a.shape, b.shape);
    let add = match start {
        Start::Nothing => false,
        Start::Itself => true,
        Start::Row(start) => {
            for row in 0..m {
                for (column, start) in start.iter().enumerate() {
                    out.values[row * out.strides[0] + column * out.strides[1]] = *start;
                }
            }
            true
        }
    };
    let threads = pool::threads();
    let parallel = threads > 1 && m.saturating_mul(n).saturating_mul(k) > WORTH_SPLITTING;
    let parallelism = if parallel { Parallelism::Rayon(threads) } else { Parallelism::None };
    let stride = |stride: usize| stride as isize;
    // SAFETY: every view lies inside its slice (`reach`), and `out` is borrowed mutably, so it is none of the others.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.values.as_mut_ptr(),
            stride(out.strides[1]),
            stride(out.strides[0]),
            add,
            a.values.as_ptr(),
            stride(a.strides[1]),
            stride(a.strides[0]),
            b.values.as_ptr(),
            stride(b.strides[1]),
            stride(b.strides[0]),
            1.0f32,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pool::Pool;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        let sizes = [(1, 1, 1), (3, 5, 7), (16, 33, 70), (64, 10, 129), (25, 64, 1030), (13, 48, 0), (250, 17, 5)];
        for (m, n, k) in sizes {
            let (a, b, row) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 4));
            let before = numbers(m * n, 3);
            // Either side as it is or turned, and the result, too.
            for turned in 0..8 {
                let view = |values, shape: [usize; 2], turn: bool| match turn {
                    false => Matrix::new(values, shape[0], shape[1]),
                    true => Matrix::new(values, shape[1], shape[0]).t(),
                };
                let (left, right) = (view(&a, [m, k], turned & 1 > 0), view(&b, [k, n], turned & 2 > 0));
                let at = |strides: [usize; 2], row: usize, column: usize| row * strides[0] + column * strides[1];
                let out_strides = if turned & 4 > 0 { [1, m] } else { [n, 1] };
                for start in [Start::Nothing, Start::Itself, Start::Row(&row)] {
                    for own in [true, false] {
                        let mut values = before.clone();
                        let out = MatrixMut::strided(&mut values, [m, n], out_strides);
                        match own {
                            true => product_onto(out, start, left, right, 0.5),
                            false => elsewhere(out, start, left, right, 0.5),
                        }
                        for i in 0..m {
                            for j in 0..n {
                                let product = |l: usize| {
                                    f64::from(a[at(left.strides, i, l)]) * f64::from(b[at(right.strides, l, j)])
                                };
                                let place = at(out_strides, i, j);
                                let start = match start {
                                    Start::Nothing => 0.0,
                                    Start::Itself => before[place],
                                    Start::Row(row) => row[j],
                                };
                                let expected = f64::from(start) + 0.5 * (0..k).map(product).sum::<f64>();
                                let tolerance = 1e-4 + 1e-6 * k as f64;
                                assert!((f64::from(values[place]) - expected).abs() < tolerance, "{m}×{n}×{k}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        for (m, n, k) in [(64, 128, 9216), (128, 512, 784), (64, 288, 5000), (513, 257, 129)] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let results = [1, 2, 3, 8].map(|threads| {
                let mut out = vec![0.0; m * n];
                let multiply = || {
                    product(MatrixMut::new(&mut out, m, n), false, Matrix::new(&a, m, k), Matrix::new(&b, k, n), 1.0)
                };
                Pool::new(threads).unwrap().run(multiply);
                out
            });
            assert!(results.iter().all(|result| *result == results[0]), "{m}×{n}×{k}");
        }
    }
}
