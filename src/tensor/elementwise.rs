//! Functions of each element: `abs exp log sqrt sigmoid tanh relu round floor clip softmax`.
//!
//! On a graph they are composed so that gradients are those of Keras and PyTorch where Candle's differ:
//! 0 at the kink of `abs` and `relu`, 1 at the borders of `clip`, and a `softmax` whose gradient is not
//! cut (candle-nn's `softmax_last_dim` has none).

use super::array::{self, each, map};
use super::element::{Element, Float, Typed};
use super::{Array, Dtype, Graph, Number, Tensor, axes, graph};
use crate::error::{Error, Result};

impl Tensor {
    /// Returns the absolute values; of i64, those that it can hold.
    ///
    /// # Errors
    /// The lowest i64.
    pub fn abs(&self) -> Result<Tensor> {
        self.apply(Array::abs, graph::abs)
    }

    /// Returns e to the power of each element; integers give f32.
    pub fn exp(&self) -> Result<Tensor> {
        self.float_map(|x| x.exp(), |x| x.exp(), |x| Ok(x.exp()?))
    }

    /// Returns the natural logarithm; of 0 minus infinity, of negative numbers NaN. Integers give f32.
    pub fn log(&self) -> Result<Tensor> {
        self.float_map(|x| x.ln(), |x| x.ln(), |x| Ok(x.log()?))
    }

    /// Returns the square root; of negative numbers NaN. Integers give f32.
    pub fn sqrt(&self) -> Result<Tensor> {
        self.float_map(|x| x.sqrt(), |x| x.sqrt(), |x| Ok(x.sqrt()?))
    }

    /// Returns 1 / (1 + e^-x); 0 and 1 far out, never NaN. Integers give f32.
    pub fn sigmoid(&self) -> Result<Tensor> {
        self.float_map(|x| 1.0 / (1.0 + (-x).exp()), |x| 1.0 / (1.0 + (-x).exp()), graph::sigmoid)
    }

    /// Returns the hyperbolic tangent. Integers give f32.
    pub fn tanh(&self) -> Result<Tensor> {
        self.float_map(|x| x.tanh(), |x| x.tanh(), |x| Ok(x.tanh()?))
    }

    /// Returns the elements, negative ones replaced by 0; NaN stays.
    pub fn relu(&self) -> Result<Tensor> {
        self.apply(|array| Ok(array.relu()), graph::relu)
    }

    /// Returns the nearest whole numbers, halves away from zero. No gradient flows through it.
    pub fn round(&self) -> Result<Tensor> {
        match self.dtype().is_float() {
            true => self.float_map(f32::round, f64::round, |x| Ok(x.round()?)),
            false => Ok(self.clone()),
        }
    }

    /// Returns the largest whole numbers not above the elements. No gradient flows through it.
    pub fn floor(&self) -> Result<Tensor> {
        match self.dtype().is_float() {
            true => self.float_map(f32::floor, f64::floor, |x| Ok(x.floor()?)),
            false => Ok(self.clone()),
        }
    }

    /// Returns the elements held between `low` and `high`; NaN stays. Integers with a float border give f32.
    ///
    /// # Errors
    /// `low` above `high`, or a border that is NaN.
    pub fn clip(&self, low: impl Into<Number>, high: impl Into<Number>) -> Result<Tensor> {
        let (low, high) = (low.into(), high.into());
        if low.to_f64().is_nan() || high.to_f64().is_nan() || low.to_f64() > high.to_f64() {
            return Err(Error::data(format!("`clip` needs low ≤ high, found {} and {}", low.to_f64(), high.to_f64())));
        }
        let whole = low.to_i64().is_some() && high.to_i64().is_some();
        if !self.dtype().is_float() && !whole {
            return self.to_f32()?.clip(low, high);
        }
        self.apply(|array| Ok(array.clip(low, high)), |x| graph::clip(x, low.to_f64(), high.to_f64()))
    }

    /// Returns e^x, divided by its sum along an axis; computed from the distance to the largest element,
    /// so that large values do not overflow. Integers give f32.
    pub fn softmax(&self, axis: isize) -> Result<Tensor> {
        let axis = axes::axis(axis, self.shape())?;
        let tensor = self.to_dtype(self.dtype().to_float())?;
        tensor.apply(|array| array.softmax(axis), |x| graph::softmax(x, axis))
    }

    /// Returns whether there is neither NaN nor an infinity in the tensor.
    pub fn is_finite(&self) -> Result<bool> {
        Ok(match self.to_host()? {
            Array::F32(typed) => array::slice(&typed).iter().all(|x| x.is_finite()),
            Array::F64(typed) => array::slice(&typed).iter().all(|x| x.is_finite()),
            _ => true,
        })
    }

    /// Applies a function of floats; integers become f32 first.
    fn float_map(
        &self,
        single: impl Fn(f32) -> f32,
        double: impl Fn(f64) -> f64,
        graph: impl FnOnce(&Graph) -> Result<Graph>,
    ) -> Result<Tensor> {
        match self {
            // Straight from the integers, without a copy as floats in between.
            Tensor::Host(Array::U8(typed)) => Ok(Tensor::Host(map(typed, |x| single(f32::from(x))).into())),
            Tensor::Host(Array::I64(typed)) => Ok(Tensor::Host(map(typed, |x| single(x as f32)).into())),
            Tensor::Graph(_) if !self.dtype().is_float() => self.to_f32()?.float_map(single, double, graph),
            _ => self.apply(
                |array| match array {
                    Array::F32(typed) => Ok(map(typed, single).into()),
                    Array::F64(typed) => Ok(map(typed, double).into()),
                    other => Ok(map(&other.typed::<f32>(), single).into()),
                },
                graph,
            ),
        }
    }
}

impl Array {
    fn abs(&self) -> Result<Array> {
        Ok(match self {
            Array::F32(typed) => map(typed, f32::abs).into(),
            Array::F64(typed) => map(typed, f64::abs).into(),
            Array::I64(typed) if typed.iter().any(|&x| x == i64::MIN) => {
                return Err(Error::data(format!(
                    "integer overflow: i64 cannot hold the absolute value of {}",
                    i64::MIN
                )));
            }
            Array::I64(typed) => map(typed, i64::abs).into(),
            Array::U8(_) => self.clone(),
        })
    }

    fn relu(&self) -> Array {
        match self {
            Array::F32(typed) => map(typed, |x| if x <= 0.0 { 0.0 } else { x }).into(),
            Array::F64(typed) => map(typed, |x| if x <= 0.0 { 0.0 } else { x }).into(),
            Array::I64(typed) => map(typed, |x| x.max(0)).into(),
            Array::U8(_) => self.clone(),
        }
    }

    fn clip(&self, low: Number, high: Number) -> Array {
        fn clip<T: Element>(typed: &Typed<T>, low: Number, high: Number) -> Array {
            let (low, high) = (T::from_number(low), T::from_number(high));
            let lift = move |x: T| if x < low { low } else { x };
            T::wrap(map(typed, |x| {
                let x = lift(x);
                if x > high { high } else { x }
            }))
        }
        each!(self, typed => clip(typed, low, high))
    }

    fn softmax(&self, axis: usize) -> Result<Array> {
        fn lanes<T: Float>(typed: &Typed<T>, axis: usize) -> Result<Array> {
            along(typed, axis, |lane: &mut [T]| {
                let largest = lane.iter().fold(T::LOWEST, |a, &x| if x > a { x } else { a });
                let mut sum = T::default();
                for x in lane.iter_mut() {
                    *x = Float::exp(*x - largest);
                    sum += *x;
                }
                for x in lane.iter_mut() {
                    *x /= sum;
                }
            })
        }
        match self {
            Array::F64(typed) => lanes(typed, axis),
            other => lanes(&other.typed::<f32>(), axis),
        }
    }
}

/// Applies a function to every lane along an axis.
pub(crate) fn along<T: Element>(typed: &Typed<T>, axis: usize, f: impl FnMut(&mut [T])) -> Result<Array> {
    let order = axes::moved_last(typed.ndim(), &[axis]);
    let moved = T::wrap(typed.clone()).permuted(&order);
    let shape = moved.shape().to_vec();
    let lane = typed.shape()[axis];
    let mut data = match T::unwrap(&moved) {
        Some(moved) => array::slice(moved).into_owned(),
        None => Vec::new(),
    };
    if lane > 0 {
        data.chunks_exact_mut(lane).for_each(f);
    }
    Ok(Array::new(data, &shape)?.permuted(&axes::inverse(&order)))
}

impl Dtype {
    /// Returns the dtype of a number's operation with a tensor of this dtype: weak numbers change integers
    /// into f32 when they have a fraction.
    pub(crate) fn with_number(self, number: Number) -> Dtype {
        match number {
            _ if self.is_float() => self,
            Number::Int(_) => Dtype::I64,
            Number::Float(_) => Dtype::F32,
        }
    }
}
