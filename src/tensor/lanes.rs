//! How reductions walk an array: lanes that lie together, or rows that are folded onto each other.

use std::borrow::Cow;

use super::array;
use super::axes;
use super::element::{Cast, Element, Typed};

/// The partial results of a lane: several, so that the loop has no chain of dependent additions. Their
/// number is part of the result's bits and the same on every machine.
const PARTS: usize = 8;

/// The contents of an array, arranged for a reduction.
pub(crate) enum Lanes<'a, T: Element> {
    /// The elements that are reduced together lie together: `count` lanes of `length`.
    Together { contents: Cow<'a, [T]>, count: usize, length: usize },
    /// The leading axes are reduced: `length` rows of `count`, folded row by row.
    Rows { contents: Cow<'a, [T]>, count: usize, length: usize },
}

impl<'a, T: Element> Lanes<'a, T> {
    /// Arranges an array for a reduction over axes (sorted); copies when the axes are in between, and what
    /// does not lie in row-major order. The arrangement, and with it the order of additions, is a function of
    /// shape and axes, not of how the array lies in memory.
    pub(crate) fn new(typed: &'a Typed<T>, over: &[usize]) -> Self {
        let rank = typed.ndim();
        let length: usize = over.iter().map(|&axis| typed.shape()[axis]).product();
        let count = axes::reduced(typed.shape(), over, false).iter().product();
        let leading = over.iter().enumerate().all(|(i, &axis)| i == axis);
        let trailing = over.iter().rev().enumerate().all(|(i, &axis)| rank - 1 - i == axis);
        match () {
            () if trailing => Lanes::Together { contents: array::slice(typed), count, length },
            () if leading => Lanes::Rows { contents: array::slice(typed), count, length },
            () => {
                let view = typed.view().permuted_axes(ndarray::IxDyn(&axes::moved_last(rank, over)));
                Lanes::Together { contents: Cow::Owned(array::slice(&view).into_owned()), count, length }
            }
        }
    }

    /// Returns the length of a lane.
    pub(crate) fn length(&self) -> usize {
        match self {
            Lanes::Together { length, .. } | Lanes::Rows { length, .. } => *length,
        }
    }

    /// Folds every lane: `step` takes in an element, `join` two partial results; `start` is neutral to both.
    pub(crate) fn fold<A: Copy>(&self, start: A, step: impl Fn(A, T) -> A, join: impl Fn(A, A) -> A) -> Vec<A> {
        match self {
            Lanes::Together { contents, count, length: 0 } => {
                debug_assert!(contents.is_empty());
                vec![start; *count]
            }
            Lanes::Together { contents, length, .. } => {
                let lane = |lane: &[T]| {
                    let mut parts = [start; PARTS];
                    let chunks = lane.chunks_exact(PARTS);
                    let rest = chunks.remainder();
                    for chunk in chunks {
                        for (part, &x) in parts.iter_mut().zip(chunk) {
                            *part = step(*part, x);
                        }
                    }
                    for (part, &x) in parts.iter_mut().zip(rest) {
                        *part = step(*part, x);
                    }
                    parts.into_iter().reduce(&join).unwrap_or(start)
                };
                contents.chunks_exact(*length).map(lane).collect()
            }
            Lanes::Rows { contents, count, .. } => {
                let mut results = vec![start; *count];
                if *count > 0 {
                    for row in contents.chunks_exact(*count) {
                        for (result, &x) in results.iter_mut().zip(row) {
                            *result = step(*result, x);
                        }
                    }
                }
                results
            }
        }
    }

    /// Returns the variance of every lane, computed in f64 from distances to the lane's first element:
    /// one pass, exactly 0 for constants, and accurate however far the values are from 0.
    pub(crate) fn variances(&self) -> Vec<f64>
    where
        T: Cast<f64>,
    {
        let length = self.length();
        let n = length as f64;
        // Rounding may leave a little less than 0; unlike `max`, the comparison lets NaN through.
        let finish = |(sum, squares): (f64, f64)| match (squares - sum * sum / n) / n {
            variance if variance < 0.0 => 0.0,
            variance => variance,
        };
        match self {
            _ if length == 0 => Vec::new(),
            Lanes::Together { contents, .. } => {
                let lane = |lane: &[T]| {
                    let first: f64 = lane[0].cast();
                    let mut parts = [(0.0, 0.0); PARTS];
                    for chunk in lane.chunks(PARTS) {
                        for (part, &x) in parts.iter_mut().zip(chunk) {
                            let distance = Cast::<f64>::cast(x) - first;
                            *part = (part.0 + distance, part.1 + distance * distance);
                        }
                    }
                    finish(parts.into_iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1)))
                };
                contents.chunks_exact(length).map(lane).collect()
            }
            Lanes::Rows { contents, count, .. } => {
                let firsts: Vec<f64> = contents[..*count].iter().map(|&x| x.cast()).collect();
                let mut sums = vec![(0.0, 0.0); *count];
                if *count > 0 {
                    for row in contents.chunks_exact(*count) {
                        for ((sum, &x), first) in sums.iter_mut().zip(row).zip(&firsts) {
                            let distance = Cast::<f64>::cast(x) - first;
                            *sum = (sum.0 + distance, sum.1 + distance * distance);
                        }
                    }
                }
                sums.into_iter().map(finish).collect()
            }
        }
    }
}
