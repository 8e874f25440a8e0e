//! Comparisons, and choosing by their result (`where`).

use super::array::{each, map};
use super::element::{Element, Typed};
use super::pair::{self, Pair};
use super::{Array, Dtype, Graph, Number, Operand, Tensor, axes, convert, graph};
use crate::error::{Error, Result};

/// A comparison of two operands, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl Tensor {
    /// Returns 1 where the elements are equal, else 0, as u8. NaN equals nothing. An integer tensor meets
    /// a float in f64, so that large integers are told apart.
    ///
    /// # Errors
    /// Shapes or dtypes that do not combine.
    pub fn equal<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Comparison::Equal.apply(self, other)
    }

    /// Returns 1 where the elements differ, else 0; see [`Tensor::equal`].
    pub fn not_equal<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Comparison::NotEqual.apply(self, other)
    }

    /// Returns 1 where this is less, else 0; see [`Tensor::equal`].
    pub fn less<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Comparison::Less.apply(self, other)
    }

    /// Returns 1 where this is less or equal, else 0; see [`Tensor::equal`].
    pub fn less_equal<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Comparison::LessEqual.apply(self, other)
    }

    /// Returns 1 where this is greater, else 0; see [`Tensor::equal`].
    pub fn greater<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Comparison::Greater.apply(self, other)
    }

    /// Returns 1 where this is greater or equal, else 0; see [`Tensor::equal`].
    pub fn greater_equal<'a>(&'a self, other: impl Into<Operand<'a>>) -> Result<Tensor> {
        Comparison::GreaterEqual.apply(self, other)
    }

    /// Returns the elements of `yes` where this is not 0, and of `no` elsewhere; gradients flow to both.
    /// Numbers take the other side's dtype; integers with a float number give f32.
    ///
    /// # Errors
    /// Shapes or dtypes that do not combine; a number that the dtype cannot hold.
    pub fn r#where<'a>(&self, yes: impl Into<Operand<'a>>, no: impl Into<Operand<'a>>) -> Result<Tensor> {
        let (yes, no) = (yes.into(), no.into());
        let dtype = match (yes, no) {
            (Operand::Tensor(yes), Operand::Tensor(no)) => yes.dtype().meet(no.dtype())?,
            (Operand::Tensor(tensor), Operand::Number(number)) | (Operand::Number(number), Operand::Tensor(tensor)) => {
                match number {
                    Number::Float(_) => tensor.dtype().to_float(),
                    Number::Int(_) => tensor.dtype(),
                }
            }
            (Operand::Number(yes), Operand::Number(no)) => yes.dtype().meet(no.dtype())?,
        };
        let tensor = |operand: Operand| match operand {
            Operand::Tensor(tensor) => tensor.to_dtype(dtype),
            Operand::Number(number) => Tensor::full(&[], number, Some(dtype)),
        };
        self.choose(&tensor(yes)?, &tensor(no)?)
    }

    /// Returns whether shape, dtype and every bit of the contents are the same.
    pub fn same(&self, other: &Tensor) -> Result<bool> {
        if self.shape() != other.shape() || self.dtype() != other.dtype() {
            return Ok(false);
        }
        Ok(self.to_host()?.same(&other.to_host()?))
    }

    /// Returns elements of two tensors of one dtype.
    fn choose(&self, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
        let shape = axes::broadcast(self.shape(), &axes::broadcast(yes.shape(), no.shape())?)?;
        let device = [self, yes, no].into_iter().find_map(Tensor::graph_device);
        if let Some(device) = device.filter(|_| !shape.contains(&0)) {
            let lift = |tensor: &Tensor| -> Result<Graph> {
                let graph = tensor.to_graph(&device)?;
                Ok(if graph.dims() == shape { graph } else { graph.broadcast_as(shape.as_slice())? })
            };
            let condition = self.not_equal(0)?.detach();
            return Ok(Tensor::Graph(lift(&condition)?.where_cond(&lift(yes)?, &lift(no)?)?));
        }
        fn pick<T: Element>(mask: &Array, yes: &Typed<T>, no: &Array, shape: &[usize]) -> Result<Array> {
            let no = T::unwrap(no).ok_or_else(|| Error::data("`where` needs one dtype"))?;
            let (mask, yes, no) = (spread(&mask.typed::<u8>(), shape)?, spread(yes, shape)?, spread(no, shape)?);
            let pairs = yes.iter().zip(no.iter());
            let data = mask.iter().zip(pairs).map(|(&m, (&y, &n))| if m != 0 { y } else { n }).collect();
            Array::new(data, shape)
        }
        let mask = self.not_equal(0)?.to_host()?;
        let (yes_array, no_array) = (yes.to_host()?, no.to_host()?);
        let result = each!(&yes_array, typed => pick(&mask, typed, &no_array, &shape))?;
        pair::back(result, &[self, yes, no])
    }
}

impl Comparison {
    /// Applies the comparison; either side may be a number.
    ///
    /// # Errors
    /// See [`Tensor::equal`].
    pub fn apply<'a>(self, left: impl Into<Operand<'a>>, right: impl Into<Operand<'a>>) -> Result<Tensor> {
        match (left.into(), right.into()) {
            (Operand::Tensor(left), Operand::Number(right)) => self.with_number(left, right),
            (Operand::Number(left), Operand::Tensor(right)) => self.turned().with_number(right, left),
            (Operand::Number(left), Operand::Number(right)) => {
                let both = [left, right].map(|number| Tensor::full(&[], number.to_f64(), Some(Dtype::F64)));
                let [left, right] = both;
                self.with_tensor(&left?, &right?)
            }
            (Operand::Tensor(left), Operand::Tensor(right)) => self.with_tensor(left, right),
        }
    }

    fn with_tensor(self, left: &Tensor, right: &Tensor) -> Result<Tensor> {
        let met = left.dtype().meet(right.dtype())?;
        let mixed = left.dtype().is_float() != right.dtype().is_float();
        match pair::pair(left, right, if mixed { Dtype::F64 } else { met })? {
            Pair::Graph(a, b) => Ok(Tensor::Graph(self.graphs(&a.detach(), &b.detach())?)),
            Pair::Host(a, b) => {
                fn zip<T: Element>(this: Comparison, a: &Typed<T>, b: &Array) -> Result<Array> {
                    let b = T::unwrap(b).ok_or_else(|| Error::data("a comparison needs one dtype"))?;
                    Ok(Array::U8(match this {
                        Comparison::Equal => pair::zip(a, b, |x, y| u8::from(x == y)),
                        Comparison::NotEqual => pair::zip(a, b, |x, y| u8::from(x != y)),
                        Comparison::Less => pair::zip(a, b, |x, y| u8::from(x < y)),
                        Comparison::LessEqual => pair::zip(a, b, |x, y| u8::from(x <= y)),
                        Comparison::Greater => pair::zip(a, b, |x, y| u8::from(x > y)),
                        Comparison::GreaterEqual => pair::zip(a, b, |x, y| u8::from(x >= y)),
                    }?))
                }
                pair::back(each!(&a, typed => zip(self, typed, &b))?, &[left, right])
            }
        }
    }

    fn with_number(self, tensor: &Tensor, number: Number) -> Result<Tensor> {
        let dtype = match (tensor.dtype(), number) {
            (Dtype::F32, _) => Dtype::F32,
            (Dtype::F64, _) | (_, Number::Float(_)) => Dtype::F64,
            (_, Number::Int(_)) => Dtype::I64,
        };
        match tensor {
            Tensor::Graph(value) if dtype.is_float() && tensor.size() > 0 => {
                let value = convert::known(value)?.detach().to_dtype(dtype.candle())?;
                Ok(Tensor::Graph(self.graphs(&value, &graph::constant(&value, number.to_f64())?)?))
            }
            _ => {
                let array = tensor.to_host()?;
                let result = match (&array, dtype) {
                    // Masks and pixels are compared as they are when the number fits.
                    (Array::U8(typed), Dtype::I64) if u8::try_from(i64::from_number(number)).is_ok() => {
                        self.elements(typed, u8::from_number(number))
                    }
                    (_, Dtype::F32) => self.elements::<f32>(&array.typed(), f32::from_number(number)),
                    (_, Dtype::F64) => self.elements::<f64>(&array.typed(), f64::from_number(number)),
                    _ => self.elements::<i64>(&array.typed(), i64::from_number(number)),
                };
                pair::back(result, &[tensor])
            }
        }
    }

    fn elements<T: Element>(self, typed: &Typed<T>, number: T) -> Array {
        Array::U8(match self {
            Comparison::Equal => map(typed, |x| u8::from(x == number)),
            Comparison::NotEqual => map(typed, |x| u8::from(x != number)),
            Comparison::Less => map(typed, |x| u8::from(x < number)),
            Comparison::LessEqual => map(typed, |x| u8::from(x <= number)),
            Comparison::Greater => map(typed, |x| u8::from(x > number)),
            Comparison::GreaterEqual => map(typed, |x| u8::from(x >= number)),
        })
    }

    fn graphs(self, a: &Graph, b: &Graph) -> Result<Graph> {
        Ok(match self {
            Comparison::Equal => a.eq(b)?,
            Comparison::NotEqual => a.ne(b)?,
            Comparison::Less => a.lt(b)?,
            Comparison::LessEqual => a.le(b)?,
            Comparison::Greater => a.gt(b)?,
            Comparison::GreaterEqual => a.ge(b)?,
        })
    }

    /// Returns the comparison with its sides exchanged.
    fn turned(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterEqual => Comparison::LessEqual,
            even => even,
        }
    }
}

/// Returns an array stretched to a shape that the rule allows.
pub(crate) fn spread<T: Element>(typed: &Typed<T>, shape: &[usize]) -> Result<Typed<T>> {
    if typed.shape() == shape {
        return Ok(typed.clone());
    }
    axes::count(shape)?;
    match typed.broadcast(ndarray::IxDyn(shape)) {
        Some(view) => Ok(view.to_shared()),
        None => Err(Error::data(format!("shape {:?} cannot be stretched to {shape:?}", typed.shape()))),
    }
}
