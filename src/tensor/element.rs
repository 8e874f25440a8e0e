//! The Rust types of elements, so that a loop is written once for the four dtypes.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use ndarray::{ArcArray, IxDyn};

use super::storage::{Shared, Shelf};
use super::{Array, Number};

/// An array of one element type.
pub(crate) type Typed<T> = ArcArray<T, IxDyn>;

/// A conversion that rounds towards zero, saturates, and makes NaN the integer 0.
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
    const LOWEST: Self;
    const HIGHEST: Self;

    fn wrap(array: Typed<Self>) -> Array;

    /// Returns the contents when the dtype is this one.
    fn unwrap(array: &Array) -> Option<&Typed<Self>>;

    /// Returns where storage of this type waits to be used again.
    fn shelf() -> &'static Shared<Self>;

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
    fn powf(self, exponent: Self) -> Self;
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
    i64 to f32 f64 i64;
    u8 to f32 f64 i64 u8;
}

impl Cast<u8> for i64 {
    #[inline]
    fn cast(self) -> u8 {
        // Between integers `as` would wrap around.
        self.clamp(0, 255) as u8
    }
}

macro_rules! element {
    ($type:ident, $variant:ident, $lowest:expr, $highest:expr, $bits:expr, $number:ident as $wide:ident) => {
        impl Element for $type {
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

            fn shelf() -> &'static Shared<Self> {
                static SHELF: Shared<$type> = Shared::new(Shelf::new());
                &SHELF
            }

            fn from_number(number: Number) -> Self {
                match number {
                    Number::Int(value) => value.cast(),
                    Number::Float(value) => value.cast(),
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
            fn powf(self, exponent: Self) -> Self {
                $type::powf(self, exponent)
            }
        }
    };
}

float!(f32);
float!(f64);
