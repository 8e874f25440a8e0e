//! Both ways beside each other, on machines that have vectors of this kind.
#![cfg(target_arch = "x86_64")]

use super::super::{Matrix, MatrixMut, Start};
use super::*;
use crate::kernel::lanes::{Avx2, Avx512};
use crate::kernel::pool::Pool;
use crate::kernel::simd::{self, Level};
use crate::random::{Random, Stream};

/// Numbers of which a share is 0, some of these negative zeros; every third row of `width` has none else.
fn numbers(count: usize, width: usize, share: f64, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, Stream::Script, &[]);
    let mut number = |at: usize| {
        let value = random.normal() as f32;
        let nothing = random.uniform() < share || share > 0.0 && (at / width).is_multiple_of(3);
        if nothing { 0.0 * value } else { value }
    };
    (0..count).map(&mut number).collect()
}

/// A matrix, or one that is turned in memory.
fn view(values: &[f32], rows: usize, columns: usize, turned: bool) -> Matrix<'_> {
    if turned { Matrix::new(values, columns, rows).t() } else { Matrix::new(values, rows, columns) }
}

/// Checks that both ways give the same bits.
fn compare<L: Lanes>([m, n, k]: [usize; 3], share: f64) {
    let (a, b, row) = (numbers(m * k, k, share, 1), numbers(k * n, n, 0.0, 2), numbers(n, n, 0.0, 3));
    let before = numbers(m * n, n, 0.0, 4);
    for turned in 0..8 {
        let (left, right) = (view(&a, m, k, turned & 1 > 0), view(&b, k, n, turned & 2 > 0));
        let strides = if turned & 4 > 0 { [1, m] } else { [n, 1] };
        for start in [Start::Nothing, Start::Itself, Start::Row(&row)] {
            let results = [false, true].map(|lists| {
                let mut values = before.clone();
                let mut out = MatrixMut::strided(&mut values, [m, n], strides);
                let product = Product::new(&mut out, start, left, right, 0.5).unwrap();
                // SAFETY: the caller has looked for the instructions; the views are those of slices.
                unsafe { if lists { product.in_lists::<L>() } else { product.in_tiles::<L>() } }
                values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            });
            assert!(results[0] == results[1], "{m}×{n}×{k}, {share} zeros, turned {turned}, {start:?}");
        }
    }
}

#[test]
fn sums_without_zeros_are_the_same_to_the_bit() {
    let shapes = [[1, 1, 1], [3, 70, 5], [17, 128, 64], [9, 131, 700], [300, 40, 33], [30, 300, 1100], [8, 129, 65]];
    for shape in shapes {
        for share in [0.0, 0.5, 0.95, 1.0] {
            if simd::level() >= Level::Avx2 {
                compare::<Avx2>(shape, share);
            }
            if simd::level() >= Level::Avx512 {
                compare::<Avx512>(shape, share);
            }
        }
    }
}

/// Says whether zeros are left out, and returns the result.
fn multiply(shape: [usize; 3], left: &[f32], right: &[f32], threads: usize) -> (bool, Vec<f32>) {
    let [m, n, k] = shape;
    let mut values = vec![0.0; m * n];
    let mut out = MatrixMut::new(&mut values, m, n);
    let product =
        Product::new(&mut out, Start::Nothing, Matrix::new(left, m, k), Matrix::new(right, k, n), 1.0).unwrap();
    let pool = Pool::new(threads).unwrap();
    // SAFETY: the callers have looked for the instructions; the views are those of slices.
    let done = pool.run(|| unsafe { product.without_zeros::<Avx2>() });
    (done, values)
}

#[test]
fn zeros_are_left_out_of_the_side_that_has_them() {
    if simd::level() < Level::Avx2 || !wanted() {
        return;
    }
    let shape @ [m, n, k] = [96, 256, 160];
    let (full, empty) = (|len, seed| numbers(len, k, 0.0, seed), |len, seed| numbers(len, k, 0.8, seed));
    assert!(!multiply(shape, &full(m * k, 1), &full(k * n, 2), 1).0, "nothing to leave out");
    let small = [8, 256, 160];
    assert!(!multiply(small, &empty(8 * k, 1), &full(k * n, 2), 1).0, "too small to ask");
    for (left, right) in [(empty(m * k, 1), full(k * n, 2)), (full(m * k, 1), empty(k * n, 2))] {
        let (done, result) = multiply(shape, &left, &right, 1);
        assert!(done);
        assert!((2..6).all(|threads| multiply(shape, &left, &right, threads) == (true, result.clone())));
    }
}

#[test]
fn what_is_not_finite_meets_every_zero() {
    if simd::level() < Level::Avx2 {
        return;
    }
    let shape @ [m, n, k] = [96, 256, 160];
    let left = numbers(m * k, k, 0.8, 1);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 1_003, k * n - 1] {
            let mut right = numbers(k * n, n, 0.0, 2);
            right[place] = bad;
            assert!(!multiply(shape, &left, &right, 1).0, "{bad} at {place}");
            let mut out = vec![0.0; m * n];
            let (left, right) = (Matrix::new(&left, m, k), Matrix::new(&right, k, n));
            super::super::product(MatrixMut::new(&mut out, m, n), false, left, right, 1.0);
            let column = place % n;
            assert!((0..m).all(|row| !out[row * n + column].is_finite()), "{bad} at {place}");
        }
    }
}
