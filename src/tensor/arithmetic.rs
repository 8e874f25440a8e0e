//! `+ - * / %` and powers, of tensors and of numbers; the rules of dtype and shape are in the room's doc.

use super::array::{Mapped, map};
use super::element::{Element, Float, Typed};
use super::pair::{self, Pair};
use super::{Array, Dtype, Graph, Number, Operand, Tensor, graph};
use crate::error::{Error, Result};

/// An operator of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`; integers give f32.
    Div,
    /// `%`: the remainder, with the sign of the dividend.
    Rem,
    /// The first to the power of the second.
    Pow,
}

impl Tensor {
    /// Returns the sum, element by element.
    ///
    /// # Errors
    /// Shapes or dtypes that do not combine; an integer result that i64 cannot hold.
    pub fn add<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Arithmetic::Add.apply(self, other)
    }

    /// Returns the difference; see [`Tensor::add`].
    pub fn sub<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Arithmetic::Sub.apply(self, other)
    }

    /// Returns the product; see [`Tensor::add`].
    pub fn mul<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Arithmetic::Mul.apply(self, other)
    }

    /// Returns the quotient; integers give f32. Dividing by 0 gives infinity or NaN.
    pub fn div<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Arithmetic::Div.apply(self, other)
    }

    /// Returns the remainder, with the sign of the dividend.
    ///
    /// # Errors
    /// An integer divided by 0; see also [`Tensor::add`].
    pub fn rem<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Arithmetic::Rem.apply(self, other)
    }

    /// Returns the power. An integer to a whole number of 0 or more stays an integer; to a negative number
    /// or one with a fraction it gives f32.
    ///
    /// # Errors
    /// An integer to an integer tensor with a negative element; see also [`Tensor::add`].
    pub fn pow<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Arithmetic::Pow.apply(self, other)
    }

    /// Returns the elements with the other sign.
    ///
    /// # Errors
    /// The lowest i64.
    pub fn neg(&self) -> Result<Tensor> {
        match self.dtype().is_float() {
            true => self.apply(
                |array| match array {
                    Array::F64(typed) => Ok(map(typed, |x| -x).into()),
                    other => Ok(map(&other.typed::<f32>(), |x| -x).into()),
                },
                |x| Ok(x.neg()?),
            ),
            false => Arithmetic::Sub.apply(0, self),
        }
    }
}

impl Arithmetic {
    /// Returns the operator as scripts write it.
    pub fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Sub => "-",
            Arithmetic::Mul => "*",
            Arithmetic::Div => "/",
            Arithmetic::Rem => "%",
            Arithmetic::Pow => "**",
        }
    }

    /// Applies the operator; either side may be a number.
    ///
    /// # Errors
    /// See [`Tensor::add`].
    pub fn apply<'a>(self, left: impl Into<Operand<'a>>, right: impl Into<Operand<'a>>) -> Result<Tensor> {
        match (left.into(), right.into()) {
            (Operand::Tensor(left), Operand::Number(right)) => self.with_number(left, right, false),
            (Operand::Number(left), Operand::Tensor(right)) => self.with_number(right, left, true),
            (Operand::Number(left), Operand::Number(right)) => self.with_number(&Tensor::scalar(left)?, right, false),
            (Operand::Tensor(left), Operand::Tensor(right)) => self.with_tensor(left, right),
        }
    }

    /// Applies the operator to an array and a number on its right; in place when nobody else holds the array.
    ///
    /// # Errors
    /// See [`Tensor::add`].
    pub(crate) fn apply_to(self, left: Array, right: Number) -> Result<Tensor> {
        match left {
            Array::F32(typed) => Ok(Tensor::Host(self.float_number(Mapped::of(typed), right, false).into())),
            Array::F64(typed) => Ok(Tensor::Host(self.float_number(Mapped::of(typed), right, false).into())),
            left => self.with_number(&Tensor::Host(left), right, false),
        }
    }

    fn with_tensor(self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        // The everyday case, without the handles that lifting and casting take.
        if let (Tensor::Host(Array::F32(a)), Tensor::Host(Array::F32(b))) = (left, right) {
            return Ok(Tensor::Host(self.floats(a, b)?.into()));
        }
        let met = left.dtype().meet(right.dtype())?;
        let dtype = match self {
            Arithmetic::Div => met.to_float(),
            _ if met == Dtype::U8 => Dtype::I64,
            _ => met,
        };
        match pair::pair(left, right, dtype)? {
            Pair::Graph(a, b) => Ok(Tensor::Graph(self.graphs(&a, &b)?)),
            Pair::Host(a, b) => {
                let result = match dtype {
                    Dtype::F64 => self.floats::<f64>(&a.typed(), &b.typed())?.into(),
                    Dtype::F32 => self.floats::<f32>(&a.typed(), &b.typed())?.into(),
                    _ => self.integers(&a.typed(), &b.typed())?.into(),
                };
                pair::back(result, &[left, right])
            }
        }
    }

    /// Applies the operator to a tensor and a number, which stands on the left when `reversed`.
    fn with_number(self, tensor: &Tensor, number: Number, reversed: bool) -> Result<Tensor> {
        if let Tensor::Host(Array::F32(a)) = tensor {
            return Ok(Tensor::Host(self.float_number(Mapped::Shared(a), number, reversed).into()));
        }
        let negative_exponent = self == Arithmetic::Pow && !reversed && number.to_f64() < 0.0;
        let dtype = match tensor.dtype().with_number(number) {
            Dtype::I64 if self == Arithmetic::Div || negative_exponent => Dtype::F32,
            dtype => dtype,
        };
        let native = dtype.is_float() && tensor.size() > 0;
        match tensor {
            Tensor::Graph(value) if native => {
                let value = super::convert::known(value)?.to_dtype(dtype.candle())?;
                Ok(Tensor::Graph(self.graph_number(&value, number.to_f64(), reversed)?))
            }
            _ => {
                let array = tensor.to_host()?;
                let result = match dtype {
                    Dtype::F64 => self.float_number::<f64>(Mapped::of(array.typed()), number, reversed).into(),
                    Dtype::F32 => self.float_number::<f32>(Mapped::of(array.typed()), number, reversed).into(),
                    _ => {
                        let number: Typed<i64> = super::array::typed(vec![i64::from_number(number)], &[])?;
                        match reversed {
                            false => self.integers(&array.typed(), &number)?.into(),
                            true => self.integers(&number, &array.typed())?.into(),
                        }
                    }
                };
                pair::back(result, &[tensor])
            }
        }
    }

    fn floats<T: Float>(self, a: &Typed<T>, b: &Typed<T>) -> Result<Typed<T>> {
        match self {
            Arithmetic::Add => pair::zip(a, b, |x, y| x + y),
            Arithmetic::Sub => pair::zip(a, b, |x, y| x - y),
            Arithmetic::Mul => pair::zip(a, b, |x, y| x * y),
            Arithmetic::Div => pair::zip(a, b, |x, y| x / y),
            Arithmetic::Rem => pair::zip(a, b, |x, y| x % y),
            Arithmetic::Pow => pair::zip(a, b, Float::powf),
        }
    }

    fn float_number<T: Float>(self, a: Mapped<T>, number: Number, reversed: bool) -> Typed<T> {
        let n = T::from_number(number);
        match (self, reversed) {
            (Arithmetic::Add, _) => a.map(|x| x + n),
            (Arithmetic::Mul, _) => a.map(|x| x * n),
            (Arithmetic::Sub, false) => a.map(|x| x - n),
            (Arithmetic::Sub, true) => a.map(|x| n - x),
            (Arithmetic::Div, false) => a.map(|x| x / n),
            (Arithmetic::Div, true) => a.map(|x| n / x),
            (Arithmetic::Rem, false) => a.map(|x| x % n),
            (Arithmetic::Rem, true) => a.map(|x| n % x),
            (Arithmetic::Pow, false) if n == T::of(2.0) => a.map(|x| x * x),
            (Arithmetic::Pow, false) => a.map(|x| x.powf(n)),
            (Arithmetic::Pow, true) => a.map(|x| n.powf(x)),
        }
    }

    fn integers(self, a: &Typed<i64>, b: &Typed<i64>) -> Result<Typed<i64>> {
        let mut failed = None;
        let mut checked = |f: fn(i64, i64) -> Option<i64>| {
            pair::zip(a, b, |x, y| {
                f(x, y).unwrap_or_else(|| {
                    failed.get_or_insert((x, y));
                    0
                })
            })
        };
        let result = match self {
            Arithmetic::Add => checked(i64::checked_add),
            Arithmetic::Sub => checked(i64::checked_sub),
            Arithmetic::Mul => checked(i64::checked_mul),
            // The lowest i64 by -1 overflows as a quotient only; its remainder is 0.
            Arithmetic::Rem => checked(|x, y| if y == -1 { Some(0) } else { x.checked_rem(y) }),
            Arithmetic::Pow => {
                checked(|x, y| u32::try_from(y).ok().and_then(|y| x.checked_pow(y)).or_else(|| small(x, y)))
            }
            // Division of integers is of floats; it does not come here.
            Arithmetic::Div => checked(|_, _| None),
        }?;
        match failed {
            None => Ok(result),
            Some((x, 0)) if self == Arithmetic::Rem => Err(Error::data(format!("remainder of {x} by 0"))),
            Some((x, y)) if self == Arithmetic::Pow && y < 0 => {
                Err(Error::data(format!("an integer to a negative power: {x} ** {y}"))
                    .hint("convert the base: `.to_f32()`"))
            }
            Some((x, y)) => Err(Error::data(format!("integer overflow: {x} {} {y} does not fit i64", self.symbol()))
                .hint("compute with floats: `.to_f64()`")),
        }
    }

    fn graphs(self, a: &Graph, b: &Graph) -> Result<Graph> {
        Ok(match self {
            Arithmetic::Add => a.add(b)?,
            Arithmetic::Sub => a.sub(b)?,
            Arithmetic::Mul => a.mul(b)?,
            Arithmetic::Div => a.div(b)?,
            Arithmetic::Rem => graph::rem(a, b)?,
            Arithmetic::Pow => graph::pow_tensor(a, b)?,
        })
    }

    fn graph_number(self, x: &Graph, n: f64, reversed: bool) -> Result<Graph> {
        Ok(match (self, reversed) {
            (Arithmetic::Add, _) => x.affine(1.0, n)?,
            (Arithmetic::Mul, _) => x.affine(n, 0.0)?,
            (Arithmetic::Sub, false) => x.affine(1.0, -n)?,
            (Arithmetic::Sub, true) => x.affine(-1.0, n)?,
            (Arithmetic::Div, false) => x.div(&graph::constant(x, n)?)?,
            (Arithmetic::Div, true) => graph::constant(x, n)?.div(x)?,
            (Arithmetic::Rem, false) => graph::rem(x, &graph::constant(x, n)?)?,
            (Arithmetic::Rem, true) => graph::rem(&graph::constant(x, n)?, x)?,
            (Arithmetic::Pow, false) => graph::pow(x, n)?,
            (Arithmetic::Pow, true) => graph::pow_tensor(&graph::constant(x, n)?.contiguous()?, x)?,
        })
    }
}

/// Returns powers with an exponent beyond u32: only those of 0, 1 and -1 are small enough.
fn small(x: i64, y: i64) -> Option<i64> {
    match x {
        0 | 1 if y >= 0 => Some(x),
        -1 if y >= 0 => Some(if y % 2 == 0 { 1 } else { -1 }),
        _ => None,
    }
}
