//! Reductions: `sum mean variance std min max any all count norm`. Axes may be negative; without axes
//! everything is reduced to a scalar of shape `[]`; `keep` leaves reduced axes with length 1.
//!
//! On the host sums run in f64 (floats) or 128 bits (integers), so a long column loses no precision.

use super::array::each;
use super::element::{Cast, Element, Typed};
use super::lanes::Lanes;
use super::{Array, Dtype, Graph, Number, Tensor, axes, graph, pair};
use crate::error::{Error, Result};

impl Tensor {
    /// Returns the sum; integers give i64.
    ///
    /// # Errors
    /// A wrong axis, or an integer sum that i64 cannot hold.
    pub fn sum(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        let over = axes::axes(axes, self.shape())?;
        self.apply(|array| array.sum(&over, keep), |x| graph::sum(x, &over, keep))
    }

    /// Returns the arithmetic mean; integers give f32.
    ///
    /// # Errors
    /// A wrong axis, or an axis of length 0.
    pub fn mean(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        self.statistic("mean", axes, keep, Array::mean, graph::mean)
    }

    /// Returns the variance of the population (divided by n, not n - 1); integers give f32.
    ///
    /// # Errors
    /// A wrong axis, or an axis of length 0.
    pub fn variance(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        self.statistic("variance", axes, keep, |x, over, keep| x.spread(over, keep, |v| v), graph::variance)
    }

    /// Returns the standard deviation of the population; where it is 0, so is its gradient. Integers give f32.
    ///
    /// # Errors
    /// A wrong axis, or an axis of length 0.
    pub fn std(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        let on_graph = |x: &Graph, over: &[usize], keep| graph::sqrt_of_squares(&graph::variance(x, over, keep)?);
        self.statistic("std", axes, keep, |x, over, keep| x.spread(over, keep, f64::sqrt), on_graph)
    }

    /// Returns the smallest element; NaN when there is one.
    ///
    /// # Errors
    /// A wrong axis, or an axis of length 0.
    pub fn min(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        let over = self.axes_with_elements("min", axes)?;
        self.apply(|array| array.extreme(&over, keep, false), |x| graph::extreme(x, &over, keep, false))
    }

    /// Returns the largest element; NaN when there is one.
    ///
    /// # Errors
    /// A wrong axis, or an axis of length 0.
    pub fn max(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        let over = self.axes_with_elements("max", axes)?;
        self.apply(|array| array.extreme(&over, keep, true), |x| graph::extreme(x, &over, keep, true))
    }

    /// Returns 1 where any element is not 0, else 0, as u8; of no elements 0.
    pub fn any(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        self.counted(axes, keep, None, |count, _| u8::from(count > 0))
    }

    /// Returns 1 where all elements are not 0, else 0, as u8; of no elements 1.
    pub fn all(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        self.counted(axes, keep, None, |count, length| u8::from(count as usize == length))
    }

    /// Returns how many elements equal `value`, or are not 0 when there is none, as i64.
    pub fn count(&self, value: Option<Number>, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        self.counted(axes, keep, value, |count, _| count)
    }

    /// Returns the Euclidean norm, the root of the sum of squares; where it is 0, so is its gradient.
    /// Integers give f32.
    pub fn norm(&self, axes: Option<&[isize]>, keep: bool) -> Result<Tensor> {
        let over = axes::axes(axes, self.shape())?;
        let tensor = self.for_statistic()?;
        tensor.apply(|array| array.norm(&over, keep), |x| graph::norm(x, &over, keep))
    }

    fn statistic(
        &self,
        name: &str,
        axes: Option<&[isize]>,
        keep: bool,
        host: impl FnOnce(&Array, &[usize], bool) -> Result<Array>,
        graph: impl FnOnce(&Graph, &[usize], bool) -> Result<Graph>,
    ) -> Result<Tensor> {
        let over = self.axes_with_elements(name, axes)?;
        self.for_statistic()?.apply(|array| host(array, &over, keep), |x| graph(x, &over, keep))
    }

    /// Integers of a graph become f32, so that Candle computes; the host reads integers as they are.
    fn for_statistic(&self) -> Result<Tensor> {
        match self {
            Tensor::Graph(_) => self.to_dtype(self.dtype().to_float()),
            Tensor::Host(_) => Ok(self.clone()),
        }
    }

    /// Checks axes, and that there is something to reduce.
    pub(crate) fn axes_with_elements(&self, name: &str, axes: Option<&[isize]>) -> Result<Vec<usize>> {
        let over = axes::axes(axes, self.shape())?;
        match over.iter().any(|&axis| self.shape()[axis] == 0) {
            true => Err(Error::data(format!("`{name}` of no elements: the shape is {:?}", self.shape()))),
            false => Ok(over),
        }
    }

    /// Counts elements equal to a value, or not 0, on the host.
    fn counted<U: Element>(
        &self,
        axes: Option<&[isize]>,
        keep: bool,
        value: Option<Number>,
        finish: impl Fn(i64, usize) -> U,
    ) -> Result<Tensor> {
        fn lanes<T: Element>(typed: &Typed<T>, over: &[usize], counts: impl Fn(T) -> bool) -> (Vec<i64>, usize) {
            let lanes = Lanes::new(typed, over);
            (lanes.fold(0i64, |n, x| n + i64::from(counts(x)), |a, b| a + b), lanes.length())
        }
        fn nonzero<T: Element>(typed: &Typed<T>, over: &[usize]) -> (Vec<i64>, usize) {
            lanes(typed, over, |x| x != T::default())
        }
        let over = axes::axes(axes, self.shape())?;
        let shape = axes::reduced(self.shape(), &over, keep);
        axes::reserve::<i64>(axes::count(&shape)?)?;
        let (counts, length) = match value {
            None => each!(&self.to_host()?, typed => nonzero(typed, &over)),
            Some(value) => {
                let equal = self.equal(value)?.to_host()?;
                lanes::<u8>(&equal.typed(), &over, |x| x != 0)
            }
        };
        let data = counts.into_iter().map(|count| finish(count, length)).collect();
        pair::back(Array::new(data, &shape)?, &[self])
    }
}

impl Array {
    fn sum(&self, over: &[usize], keep: bool) -> Result<Array> {
        fn floats<T: Element + Cast<f64>>(typed: &Typed<T>, over: &[usize]) -> Vec<f64> {
            Lanes::new(typed, over).fold(0.0, |sum, x| sum + Cast::<f64>::cast(x), |a, b| a + b)
        }
        let shape = self.reduced(over, keep)?;
        match self {
            Array::F32(typed) => Array::new(singles(floats(typed, over)), &shape),
            Array::F64(typed) => Array::new(floats(typed, over), &shape),
            Array::I64(typed) => {
                let sums = Lanes::new(typed, over).fold(0i128, |sum, x| sum + i128::from(x), |a, b| a + b);
                let fits = |sum| {
                    i64::try_from(sum).map_err(|_| {
                        Error::data(format!("integer overflow: the sum {sum} does not fit i64"))
                            .hint("sum floats: `.to_f64()`")
                    })
                };
                Array::new(sums.into_iter().map(fits).collect::<Result<Vec<_>>>()?, &shape)
            }
            Array::U8(typed) => {
                Array::new(Lanes::new(typed, over).fold(0i64, |sum, x| sum + i64::from(x), |a, b| a + b), &shape)
            }
        }
    }

    fn mean(&self, over: &[usize], keep: bool) -> Result<Array> {
        fn means<T: Element + Cast<f64>>(typed: &Typed<T>, over: &[usize]) -> Vec<f64> {
            let lanes = Lanes::new(typed, over);
            let n = lanes.length() as f64;
            let sums = lanes.fold(0.0, |sum, x| sum + Cast::<f64>::cast(x), |a, b| a + b);
            sums.into_iter().map(|sum| sum / n).collect()
        }
        self.floats(each!(self, typed => means(typed, over)), over, keep)
    }

    /// Returns the variance, or a function of it.
    fn spread(&self, over: &[usize], keep: bool, finish: fn(f64) -> f64) -> Result<Array> {
        let variances = each!(self, typed => Lanes::new(typed, over).variances());
        self.floats(variances.into_iter().map(finish).collect(), over, keep)
    }

    fn norm(&self, over: &[usize], keep: bool) -> Result<Array> {
        fn norms<T: Element + Cast<f64>>(typed: &Typed<T>, over: &[usize]) -> Vec<f64> {
            let square = |x: T| Cast::<f64>::cast(x) * Cast::<f64>::cast(x);
            let sums = Lanes::new(typed, over).fold(0.0, |sum, x| sum + square(x), |a, b| a + b);
            sums.into_iter().map(f64::sqrt).collect()
        }
        self.reduced(over, keep)?;
        self.floats(each!(self, typed => norms(typed, over)), over, keep)
    }

    fn extreme(&self, over: &[usize], keep: bool, largest: bool) -> Result<Array> {
        fn lanes<T: Element>(typed: &Typed<T>, over: &[usize], largest: bool) -> Vec<T> {
            // What is not equal to itself is NaN, and wins.
            #[allow(clippy::eq_op)]
            let larger = |a: T, x: T| if x > a || x != x { x } else { a };
            #[allow(clippy::eq_op)]
            let smaller = |a: T, x: T| if x < a || x != x { x } else { a };
            let lanes = Lanes::new(typed, over);
            if largest { lanes.fold(T::LOWEST, larger, larger) } else { lanes.fold(T::HIGHEST, smaller, smaller) }
        }
        let shape = self.reduced(over, keep)?;
        each!(self, typed => Array::new(lanes(typed, over, largest), &shape))
    }

    /// Returns the shape of a reduction, after checking that its elements have room.
    fn reduced(&self, over: &[usize], keep: bool) -> Result<Vec<usize>> {
        let shape = axes::reduced(self.shape(), over, keep);
        axes::reserve::<i128>(axes::count(&shape)?)?;
        Ok(shape)
    }

    /// Returns a statistic as an array: f64 of f64, else f32.
    fn floats(&self, values: Vec<f64>, over: &[usize], keep: bool) -> Result<Array> {
        let shape = axes::reduced(self.shape(), over, keep);
        match self.dtype().to_float() {
            Dtype::F64 => Array::new(values, &shape),
            _ => Array::new(singles(values), &shape),
        }
    }
}

fn singles(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}
