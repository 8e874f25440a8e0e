//! Tensors from nothing: `zeros`, `ones`, `full`, `range`, `one_hot`; always on the host.

use super::{Array, Dtype, Number, Tensor, axes};
use crate::error::{Error, Result};

impl Tensor {
    /// Creates a scalar tensor, of shape `[]`: a whole number is i64, any other f32.
    pub fn scalar(number: impl Into<Number>) -> Result<Tensor> {
        Tensor::full(&[], number, None)
    }

    /// Creates a tensor of zeros.
    ///
    /// # Errors
    /// A shape that the memory cannot hold.
    pub fn zeros(shape: &[usize], dtype: Dtype) -> Result<Tensor> {
        Tensor::full(shape, 0, Some(dtype))
    }

    /// Creates a tensor of ones; see [`Tensor::zeros`].
    pub fn ones(shape: &[usize], dtype: Dtype) -> Result<Tensor> {
        Tensor::full(shape, 1, Some(dtype))
    }

    /// Creates a tensor filled with a number; without a dtype a whole number gives i64, any other f32.
    ///
    /// # Errors
    /// A shape that the memory cannot hold, or a number that the dtype cannot hold.
    pub fn full(shape: &[usize], value: impl Into<Number>, dtype: Option<Dtype>) -> Result<Tensor> {
        let value = value.into();
        let dtype = dtype.unwrap_or_else(|| value.dtype());
        check_number(value, dtype)?;
        let count = axes::count(shape)?;
        let array = match dtype {
            Dtype::F32 => Array::new(filled(count, value.to_f64() as f32)?, shape),
            Dtype::F64 => Array::new(filled(count, value.to_f64())?, shape),
            Dtype::I64 => Array::new(filled(count, value.saturating_i64())?, shape),
            Dtype::U8 => Array::new(filled(count, value.saturating_i64() as u8)?, shape),
        };
        Ok(Tensor::Host(array?))
    }

    /// Creates the numbers from `start` to before `end`, `step` apart: i64 when all three are whole
    /// numbers, else f32 (each computed in f64 as start + i × step).
    ///
    /// # Errors
    /// A step of 0 or NaN; more numbers than the memory holds. A step away from `end` gives no numbers.
    pub fn range(start: impl Into<Number>, end: impl Into<Number>, step: impl Into<Number>) -> Result<Tensor> {
        let (start, end, step) = (start.into(), end.into(), step.into());
        if step.to_f64() == 0.0 {
            return Err(Error::data("`range` needs a step other than 0"));
        }
        if let (Number::Int(start), Number::Int(end), Number::Int(step)) = (start, end, step) {
            let span = i128::from(end) - i128::from(start);
            let step_wide = i128::from(step);
            let count = (span + step_wide - step_wide.signum()) / step_wide;
            let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
            let mut data = axes::room(axes::count(&[count])?)?;
            data.extend((0..count as i64).map(|i| start.wrapping_add(i.wrapping_mul(step))));
            return Ok(Tensor::Host(Array::from_i64(data, &[count])?));
        }
        let (start, end, step) = (start.to_f64(), end.to_f64(), step.to_f64());
        let count = ((end - start) / step).ceil();
        if !start.is_finite() || !count.is_finite() || !step.is_finite() {
            return Err(Error::data(format!("`range` needs finite numbers, found {start}, {end}, {step}")));
        }
        let count = count.max(0.0) as usize;
        let mut data = axes::room(axes::count(&[count])?)?;
        data.extend((0..count).map(|i| (start + i as f64 * step) as f32));
        Ok(Tensor::Host(Array::from_f32(data, &[count])?))
    }

    /// Creates f32 rows with a 1 at each index and 0 elsewhere: indices of shape `[B]` give `[B, classes]`.
    ///
    /// # Errors
    /// Indices that are not integers, or not from 0 to `classes - 1`.
    pub fn one_hot(indices: &Tensor, classes: usize) -> Result<Tensor> {
        if indices.dtype().is_float() {
            return Err(Error::data(format!("`one_hot` needs integer indices, found {}", indices.dtype()))
                .hint("convert them: `.to_i64()`"));
        }
        let mut shape = indices.shape().to_vec();
        shape.push(classes);
        let mut data = filled(axes::count(&shape)?, 0f32)?;
        let indices_on_host = indices.to_host()?;
        for (row, &index) in indices_on_host.as_i64().iter().enumerate() {
            let place = usize::try_from(index).ok().filter(|&place| place < classes);
            let place = place.ok_or_else(|| {
                Error::data(format!("`one_hot` with {classes} classes: index {index} is out of range"))
            })?;
            data[row * classes + place] = 1.0;
        }
        let hot = Tensor::Host(Array::from_f32(data, &shape)?);
        match indices.graph_device() {
            Some(device) => Ok(Tensor::Graph(hot.to_graph(&device)?)),
            None => Ok(hot),
        }
    }
}

impl Number {
    /// Returns the dtype that the number has where no tensor decides it.
    pub fn dtype(self) -> Dtype {
        match self {
            Number::Int(_) => Dtype::I64,
            Number::Float(_) => Dtype::F32,
        }
    }

    fn saturating_i64(self) -> i64 {
        match self {
            Number::Int(value) => value,
            Number::Float(value) => value as i64,
        }
    }
}

/// Refuses a number that an integer dtype cannot hold.
pub(crate) fn check_number(value: Number, dtype: Dtype) -> Result<()> {
    let fits = match (dtype, value) {
        (Dtype::F32 | Dtype::F64, _) | (Dtype::I64, Number::Int(_)) => true,
        (Dtype::U8, Number::Int(value)) => (0..256).contains(&value),
        (_, Number::Float(value)) => {
            let range = if dtype == Dtype::U8 { 0.0..256.0 } else { -9.2e18..9.2e18 };
            value.fract() == 0.0 && range.contains(&value)
        }
    };
    match fits {
        true => Ok(()),
        false => Err(Error::data(format!("{dtype} cannot hold {}", value.to_f64()))),
    }
}

fn filled<T: Clone>(count: usize, value: T) -> Result<Vec<T>> {
    let mut data = axes::reserve(count)?;
    data.resize(count, value);
    Ok(data)
}
