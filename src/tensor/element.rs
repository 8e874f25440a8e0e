//! The Rust types of elements, so that a loop is written once for the four dtypes.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use ndarray::{ArcArray, IxDyn};

use super::{Array, Dtype, Number};

/// An array of one element type.
pub(crate) type Typed<T> = ArcArray<T, IxDyn>;

/// A conversion as `as` does it: rounds towards zero, saturates, NaN becomes 0.
pub(crate) trait Cast<U> {
    fn cast(self) -> U;
}

/// An element type.
pub(crate) trait Element:
    Copy
    + Default
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + std::fmt::Debug
    + Cast<f32>
    + Cast<f64>
    + Cast<i64>
    + Cast<u8>
    + candle_core::WithDType
    + 'static
{
    const DTYPE: Dtype;
    const LOWEST: Self;
    const HIGHEST: Self;

    fn wrap(array: Typed<Self>) -> Array;

    /// Returns the contents when the dtype is this one.
    fn unwrap(array: &Array) -> Option<&Typed<Self>>;

    /// Converts a number of a script, saturating.
    fn from_number(number: Number) -> Self;

    fn to_number(self) -> Number;

    /// Returns the bits, widened: what "the same bit for bit" compares.
    fn bits(self) -> u64;
}

/// An element type with a fraction.
pub(crate) trait Float:
    Element
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Rem<Output = Self>
    + Neg<Output = Self>
{
    const ONE: Self;
    fn of(value: f64) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn tanh(self) -> Self;
    fn abs(self) -> Self;
    fn round(self) -> Self;
    fn floor(self) -> Self;
    fn powf(self, exponent: Self) -> Self;
    fn is_finite(self) -> bool;
}

macro_rules! casts {
    ($($from:ident to $($to:ident)+;)+) => {
        $($(impl Cast<$to> for $from {
            #[inline]
            fn cast(self) -> $to {
                self as $to
            }
        })+)+
    };
}

casts! {
    f32 to f32 f64 i64 u8;
    f64 to f32 f64 i64 u8;
    i64 to f32 f64 i64 u8;
    u8 to f32 f64 i64 u8;
}

macro_rules! element {
    ($type:ident, $variant:ident, $lowest:expr, $highest:expr, $bits:expr, $number:ident as $wide:ident) => {
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$variant;
            const LOWEST: Self = $lowest;
            const HIGHEST: Self = $highest;

            fn wrap(array: Typed<Self>) -> Array {
                Array::$variant(array)
            }

            fn unwrap(array: &Array) -> Option<&Typed<Self>> {
                match array {
                    Array::$variant(array) => Some(array),
                    _ => None,
                }
            }

            fn from_number(number: Number) -> Self {
                match number {
                    Number::Int(value) => value as $type,
                    Number::Float(value) => value as $type,
                }
            }

            fn to_number(self) -> Number {
                Number::$number(self as $wide)
            }

            fn bits(self) -> u64 {
                let bits: fn($type) -> u64 = $bits;
                bits(self)
            }
        }

        impl From<Typed<$type>> for Array {
            fn from(array: Typed<$type>) -> Array {
                Array::$variant(array)
            }
        }
    };
}

element!(f32, F32, f32::NEG_INFINITY, f32::INFINITY, |x| u64::from(x.to_bits()), Float as f64);
element!(f64, F64, f64::NEG_INFINITY, f64::INFINITY, |x| x.to_bits(), Float as f64);
element!(i64, I64, i64::MIN, i64::MAX, |x| x as u64, Int as i64);
element!(u8, U8, 0, u8::MAX, u64::from, Int as i64);

macro_rules! float {
    ($type:ident) => {
        impl Float for $type {
            const ONE: Self = 1.0;
            #[inline]
            fn of(value: f64) -> Self {
                value as $type
            }
            #[inline]
            fn exp(self) -> Self {
                $type::exp(self)
            }
            #[inline]
            fn ln(self) -> Self {
                $type::ln(self)
            }
            #[inline]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }
            #[inline]
            fn tanh(self) -> Self {
                $type::tanh(self)
            }
            #[inline]
            fn abs(self) -> Self {
                $type::abs(self)
            }
            #[inline]
            fn round(self) -> Self {
                $type::round(self)
            }
            #[inline]
            fn floor(self) -> Self {
                $type::floor(self)
            }
            #[inline]
            fn powf(self, exponent: Self) -> Self {
                $type::powf(self, exponent)
            }
            #[inline]
            fn is_finite(self) -> bool {
                $type::is_finite(self)
            }
        }
    };
}

float!(f32);
float!(f64);
