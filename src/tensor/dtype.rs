//! Element types, and which of them two operands share.

use std::fmt;

use candle_core::DType;

use crate::error::{self, Error, Result};

/// The element types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit floating point: what networks compute in, and what a list of floats becomes.
    F32,
    /// 64-bit floating point.
    F64,
    /// 64-bit integer: class indices, counts.
    I64,
    /// 8-bit unsigned integer: pixels, and the 0 and 1 of comparisons.
    U8,
}

impl Dtype {
    /// All of them, in the order of the manual.
    pub const ALL: [Dtype; 4] = [Dtype::F32, Dtype::F64, Dtype::I64, Dtype::U8];

    /// Returns the name that scripts see: `f32`, `f64`, `i64` or `u8`.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::I64 => "i64",
            Dtype::U8 => "u8",
        }
    }

    /// Returns the element type of a name.
    ///
    /// # Errors
    /// Any other name; the long names of Keras (`float32`) are answered with the short one.
    pub fn parse(name: &str) -> Result<Dtype> {
        let long = [("float32", Dtype::F32), ("float64", Dtype::F64), ("int64", Dtype::I64), ("uint8", Dtype::U8)];
        let names = || Dtype::ALL.iter().map(|dtype| dtype.name());
        Dtype::ALL.into_iter().find(|dtype| dtype.name() == name).ok_or_else(|| {
            let hint = match long.iter().find(|(long, _)| *long == name) {
                Some((_, dtype)) => Some(format!("did you mean `{dtype}`?")),
                None => error::did_you_mean(name, names()),
            };
            Error::data(format!("unknown dtype `{name}`"))
                .maybe_hint(hint)
                .hint(format!("dtypes: {}", error::list(names())))
        })
    }

    /// Returns whether values have a fraction: f32 and f64.
    pub fn is_float(self) -> bool {
        matches!(self, Dtype::F32 | Dtype::F64)
    }

    /// Returns the number of bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F64 | Dtype::I64 => 8,
            Dtype::U8 => 1,
        }
    }

    /// Returns the float type that a function such as `exp` computes in: f64 stays, all else is f32.
    pub fn to_float(self) -> Dtype {
        if self == Dtype::F64 { Dtype::F64 } else { Dtype::F32 }
    }

    /// Returns the dtype under which Candle's are seen: half precision is read as f32, other integers
    /// as i64.
    pub(crate) fn of_graph(dtype: DType) -> Dtype {
        match dtype {
            DType::F64 => Dtype::F64,
            DType::U8 => Dtype::U8,
            DType::U32 | DType::I16 | DType::I32 | DType::I64 => Dtype::I64,
            _ => Dtype::F32,
        }
    }

    /// Returns Candle's name of the dtype.
    pub(crate) fn candle(self) -> DType {
        match self {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            Dtype::I64 => DType::I64,
            Dtype::U8 => DType::U8,
        }
    }

    /// Returns the dtype in which two tensors meet: integers give way to floats, u8 to i64.
    ///
    /// # Errors
    /// f32 with f64: one of them has to be converted by hand, or precision would be lost unseen.
    pub(crate) fn meet(self, other: Dtype) -> Result<Dtype> {
        match (self, other) {
            (a, b) if a == b => Ok(a),
            (Dtype::F32, Dtype::F64) | (Dtype::F64, Dtype::F32) => {
                Err(Error::data("an f32 and an f64 tensor do not combine")
                    .hint("convert one of them: `.to_f32()` or `.to_f64()`"))
            }
            (a, _) if a.is_float() => Ok(a),
            (_, b) if b.is_float() => Ok(b),
            _ => Ok(Dtype::I64),
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_answered_with_the_nearest() {
        for dtype in Dtype::ALL {
            assert_eq!(Dtype::parse(dtype.name()).unwrap(), dtype);
        }
        let error = Dtype::parse("float32").unwrap_err();
        assert_eq!(error.message(), "unknown dtype `float32`");
        assert_eq!(error.hints()[0], "did you mean `f32`?");
    }

    #[test]
    fn only_f32_with_f64_is_refused() {
        assert_eq!(Dtype::U8.meet(Dtype::I64).unwrap(), Dtype::I64);
        assert_eq!(Dtype::I64.meet(Dtype::F32).unwrap(), Dtype::F32);
        assert_eq!(Dtype::F64.meet(Dtype::U8).unwrap(), Dtype::F64);
        assert!(Dtype::F64.meet(Dtype::F32).is_err());
    }
}
