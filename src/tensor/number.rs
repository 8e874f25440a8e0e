//! Numbers of scripts, and what an operator may stand between.

use super::Tensor;

/// A number of a script: weak, it takes the dtype of the tensor it meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
}

impl Number {
    /// Returns the number as floating point.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    /// Returns the number when it is a whole one.
    pub fn to_i64(self) -> Option<i64> {
        match self {
            Number::Int(value) => Some(value),
            Number::Float(_) => None,
        }
    }
}

/// One side of an operator: a tensor, or a number of a script.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// A tensor.
    Tensor(&'a Tensor),
    /// A weak number.
    Number(Number),
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Operand::Tensor(tensor)
    }
}

impl<T: Into<Number>> From<T> for Operand<'_> {
    fn from(number: T) -> Self {
        Operand::Number(number.into())
    }
}

macro_rules! numbers {
    ($($type:ident is $variant:ident as $wide:ident;)+) => {
        $(impl From<$type> for Number {
            fn from(value: $type) -> Number {
                Number::$variant(value as $wide)
            }
        })+
    };
}

numbers! {
    i64 is Int as i64;
    i32 is Int as i64;
    u8 is Int as i64;
    f64 is Float as f64;
    f32 is Float as f64;
}
