//! Host tensors: `ndarray` arrays that share their data until one of them is written to.

use std::borrow::Cow;

use ndarray::{ArcArray, ArrayBase, Axis, Data, IxDyn};

use super::element::{Cast, Element, Typed};
use super::{Dtype, axes, storage};
use crate::error::{Error, Result};

/// An array on the CPU, one variant for each dtype; cheap to clone. Views (a row, a slice, a transposed
/// array) share the data of the array they were made of.
#[derive(Clone, Debug)]
pub enum Array {
    /// 32-bit floating point.
    F32(ArcArray<f32, IxDyn>),
    /// 64-bit floating point.
    F64(ArcArray<f64, IxDyn>),
    /// 64-bit integer.
    I64(ArcArray<i64, IxDyn>),
    /// 8-bit unsigned integer.
    U8(ArcArray<u8, IxDyn>),
}

/// Evaluates an expression for whichever element type an array has.
macro_rules! each {
    ($array:expr, $typed:ident => $body:expr) => {
        match $array {
            $crate::tensor::Array::F32($typed) => $body,
            $crate::tensor::Array::F64($typed) => $body,
            $crate::tensor::Array::I64($typed) => $body,
            $crate::tensor::Array::U8($typed) => $body,
        }
    };
}
pub(crate) use each;

impl Array {
    /// Creates an f32 array from row-major contents.
    ///
    /// # Errors
    /// The number of values is not that of the shape.
    pub fn from_f32(data: Vec<f32>, shape: &[usize]) -> Result<Array> {
        Array::new(data, shape)
    }

    /// Creates an f64 array from row-major contents; see [`Array::from_f32`].
    pub fn from_f64(data: Vec<f64>, shape: &[usize]) -> Result<Array> {
        Array::new(data, shape)
    }

    /// Creates an i64 array from row-major contents; see [`Array::from_f32`].
    pub fn from_i64(data: Vec<i64>, shape: &[usize]) -> Result<Array> {
        Array::new(data, shape)
    }

    /// Creates a u8 array from row-major contents; see [`Array::from_f32`].
    pub fn from_u8(data: Vec<u8>, shape: &[usize]) -> Result<Array> {
        Array::new(data, shape)
    }

    /// Creates an array from row-major contents.
    pub(crate) fn new<T: Element>(data: Vec<T>, shape: &[usize]) -> Result<Array> {
        typed(data, shape).map(T::wrap)
    }

    /// Returns the length of each axis.
    pub fn shape(&self) -> &[usize] {
        each!(self, array => array.shape())
    }

    /// Returns the element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Array::F32(_) => Dtype::F32,
            Array::F64(_) => Dtype::F64,
            Array::I64(_) => Dtype::I64,
            Array::U8(_) => Dtype::U8,
        }
    }

    /// Returns the number of axes.
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// Returns the length of axis 0: the number of rows; 1 for a scalar.
    pub fn len(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }

    /// Returns whether both are the same memory, seen in the same way.
    pub fn is_one_with(&self, other: &Array) -> bool {
        let place = |array: &Array| match array {
            Array::F32(own) => own.as_ptr().cast::<u8>(),
            Array::F64(own) => own.as_ptr().cast(),
            Array::I64(own) => own.as_ptr().cast(),
            Array::U8(own) => own.as_ptr(),
        };
        let strides = |array: &Array| match array {
            Array::F32(own) => own.strides().to_vec(),
            Array::F64(own) => own.strides().to_vec(),
            Array::I64(own) => own.strides().to_vec(),
            Array::U8(own) => own.strides().to_vec(),
        };
        place(self) == place(other)
            && (self.dtype(), self.shape(), strides(self)) == (other.dtype(), other.shape(), strides(other))
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of elements.
    pub fn size(&self) -> usize {
        each!(self, array => array.len())
    }

    /// Returns the row-major contents as f32: borrowed when they are f32 and contiguous, else converted
    /// (integers beyond 2^24 are rounded).
    pub fn as_f32(&self) -> Cow<'_, [f32]> {
        self.contents()
    }

    /// Returns the row-major contents as f32 like [`Array::as_f32`], but converts into memory that is there.
    pub fn read_f32<'a>(&'a self, memory: &'a mut Vec<f32>) -> &'a [f32] {
        fn convert<T: Element + Cast<f32>>(array: &Typed<T>, memory: &mut Vec<f32>) {
            memory.clear();
            memory.extend(array.iter().map(|&value| Cast::<f32>::cast(value)));
        }
        if let Array::F32(own) = self
            && let Some(contents) = own.as_slice()
        {
            return contents;
        }
        each!(self, array => convert(array, memory));
        memory
    }

    /// Returns the row-major contents as f64; see [`Array::as_f32`].
    pub fn as_f64(&self) -> Cow<'_, [f64]> {
        self.contents()
    }

    /// Returns the row-major contents as i64; fractions are cut off, NaN becomes 0.
    pub fn as_i64(&self) -> Cow<'_, [i64]> {
        self.contents()
    }

    /// Returns the row-major contents as u8; fractions are cut off, values beyond 0 and 255 saturate.
    pub fn as_u8(&self) -> Cow<'_, [u8]> {
        self.contents()
    }

    /// Returns the row-major contents as f64.
    pub fn to_f64_vec(&self) -> Vec<f64> {
        self.as_f64().into_owned()
    }

    /// Converts to another dtype, or shares the data when it is the same. Fractions are cut off, values
    /// out of range saturate, NaN becomes the integer 0; [`super::Tensor::to_i64`] refuses those instead.
    #[must_use]
    pub fn cast(&self, dtype: Dtype) -> Array {
        match dtype {
            _ if dtype == self.dtype() => self.clone(),
            Dtype::F32 => Array::F32(self.typed()),
            Dtype::F64 => Array::F64(self.typed()),
            Dtype::I64 => Array::I64(self.typed()),
            Dtype::U8 => Array::U8(self.typed()),
        }
    }

    /// Returns row `i` as a view that shares the data. The caller keeps `i` below [`Array::len`]; past the
    /// end, or of a scalar, the row is empty, of shape `[0]`.
    #[must_use]
    pub fn row(&self, i: usize) -> Array {
        each!(self, array => {
            if array.ndim() == 0 || i >= array.shape()[0] {
                return none_like(array);
            }
            array.clone().index_axis_move(Axis(0), i).into()
        })
    }

    /// Writes row `i`. Whoever shares the data keeps the old contents: the data is copied first, unless the row
    /// given was the only other to share it.
    ///
    /// # Errors
    /// A row past the end, and a value of another shape or dtype than the rows have.
    pub fn set_row(&mut self, i: usize, row: Array) -> Result<()> {
        let shape = self.shape();
        if shape.is_empty() || i >= shape[0] {
            return Err(Error::data(format!("row {i} is out of range for shape {shape:?}")));
        }
        if row.shape() != &shape[1..] {
            return Err(Error::data(format!("expected a row of shape {:?}, found {:?}", &shape[1..], row.shape())));
        }
        fn write<T: Element>(array: &mut Typed<T>, i: usize, row: Typed<T>) {
            // A row that is a view of this very array would make the write copy all of it.
            let owned = row.to_owned();
            drop(row);
            array.index_axis_mut(Axis(0), i).assign(&owned);
        }
        let (dtype, found) = (self.dtype(), row.dtype());
        match (self, row) {
            (Array::F32(array), Array::F32(row)) => write(array, i, row),
            (Array::F64(array), Array::F64(row)) => write(array, i, row),
            (Array::I64(array), Array::I64(row)) => write(array, i, row),
            (Array::U8(array), Array::U8(row)) => write(array, i, row),
            _ => {
                return Err(Error::data(format!("expected {}, found {}", dtype.name(), found.name()))
                    .hint(format!("convert it: `.to_{}()`", dtype.name())));
            }
        }
        Ok(())
    }

    /// Returns the array with its contents in row-major order without gaps; shares the data when they are.
    #[must_use]
    pub fn to_contiguous(&self) -> Array {
        each!(self, array => dense(array).into())
    }

    /// Returns the array with data of its own, which keeps nothing else alive.
    #[must_use]
    pub fn owned(&self) -> Array {
        each!(self, array => array.to_owned().into_shared().into())
    }

    /// Returns whether shape, dtype and every bit of the contents are the same.
    pub fn same(&self, other: &Array) -> bool {
        fn bits<T: Element>(a: &Typed<T>, b: &Array) -> bool {
            let Some(b) = T::unwrap(b) else { return false };
            a.shape() == b.shape() && a.iter().zip(b.iter()).all(|(x, y)| x.bits() == y.bits())
        }
        each!(self, array => bits(array, other))
    }

    /// Returns the contents as another element type, in an array of the same shape.
    pub(crate) fn typed<T: Element>(&self) -> Typed<T>
    where
        f32: Cast<T>,
        f64: Cast<T>,
        i64: Cast<T>,
        u8: Cast<T>,
    {
        if let Some(array) = T::unwrap(self) {
            return array.clone();
        }
        each!(self, array => map(array, |x| x.cast()))
    }

    /// Returns the row-major contents as another element type.
    pub(crate) fn contents<T: Element>(&self) -> Cow<'_, [T]>
    where
        f32: Cast<T>,
        f64: Cast<T>,
        i64: Cast<T>,
        u8: Cast<T>,
    {
        if let Some(array) = T::unwrap(self) {
            return slice(array);
        }
        fn convert<S: Element + Cast<T>, T: Element>(array: &Typed<S>) -> Vec<T> {
            slice(array).iter().map(|&x| x.cast()).collect()
        }
        Cow::Owned(each!(self, array => convert(array)))
    }
}

/// Creates an array of one element type from row-major contents.
pub(crate) fn typed<T: Element>(data: Vec<T>, shape: &[usize]) -> Result<Typed<T>> {
    let expected = axes::count(shape)?;
    let found = data.len();
    match ArcArray::from_shape_vec(IxDyn(shape), data) {
        Ok(array) if found == expected => Ok(array),
        _ => Err(Error::data(format!("shape {shape:?} has {expected} elements, found {found}"))),
    }
}

/// Applies a function to every element; the layout stays.
pub(crate) fn map<T: Element, U: Element>(array: &Typed<T>, mut f: impl FnMut(T) -> U) -> Typed<U> {
    if let Some(contents) = array.as_slice()
        && let Some(mut data) = storage::take(contents.len())
    {
        data.extend(contents.iter().map(|&x| f(x)));
        if let Ok(mapped) = ArcArray::from_shape_vec(array.raw_dim(), data) {
            return mapped;
        }
    }
    array.mapv(f).into_shared()
}

/// An array to which a function is applied: in place when nobody else holds it.
pub(crate) enum Mapped<'a, T: Element> {
    Shared(&'a Typed<T>),
    Owned(ndarray::ArrayD<T>),
    Held(Typed<T>),
}

impl<T: Element> Mapped<'_, T> {
    pub fn of(array: Typed<T>) -> Self {
        match array.try_into_owned_nocopy() {
            Ok(owned) => Mapped::Owned(owned),
            Err(held) => Mapped::Held(held),
        }
    }

    /// Applies a function to every element; the layout stays.
    pub fn map(self, f: impl FnMut(T) -> T) -> Typed<T> {
        match self {
            Mapped::Shared(array) => map(array, f),
            Mapped::Held(array) => map(&array, f),
            Mapped::Owned(array) => array.mapv_into(f).into_shared(),
        }
    }
}

/// Returns the row-major contents, borrowed when they lie so in memory.
pub(crate) fn slice<T: Element, S: Data<Elem = T>>(array: &ArrayBase<S, IxDyn>) -> Cow<'_, [T]> {
    match array.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => {
            // The iterator's own fold runs whole lanes; pulling elements one by one is several times slower.
            let mut data = Vec::with_capacity(array.len());
            array.iter().for_each(|&x| data.push(x));
            Cow::Owned(data)
        }
    }
}

/// Returns the array in row-major order without gaps.
pub(crate) fn dense<T: Element>(array: &Typed<T>) -> Typed<T> {
    match array.is_standard_layout() {
        true => array.clone(),
        false => array.as_standard_layout().into_owned().into_shared(),
    }
}

fn none_like<T: Element>(_: &Typed<T>) -> Array {
    T::wrap(ArcArray::from_shape_simple_fn(IxDyn(&[0]), T::default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_borrowed_when_they_are_there() {
        let array = Array::from_f32(vec![1.0, 2.0, 3.0, 4.0], &[2, 2]).unwrap();
        assert!(matches!(array.as_f32(), Cow::Borrowed([1.0, 2.0, 3.0, 4.0])));
        let row = array.row(1);
        assert_eq!((row.shape(), row.as_f32().as_ref()), (&[2][..], &[3.0f32, 4.0][..]));
        assert_eq!(array.row(2).shape(), [0]);
        assert_eq!(array.as_i64().as_ref(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_wrong_number_of_values_is_refused() {
        let error = Array::from_i64(vec![1, 2, 3], &[2, 2]).unwrap_err();
        assert_eq!(error.message(), "shape [2, 2] has 4 elements, found 3");
        assert!(Array::from_i64(vec![], &[usize::MAX, 4]).is_err());
    }

    #[test]
    fn casts_saturate() {
        let array = Array::from_f64(vec![-1.5, 300.0, f64::NAN, 2.9], &[4]).unwrap();
        assert_eq!(array.cast(Dtype::U8).as_u8().as_ref(), [0, 255, 0, 2]);
        assert_eq!(array.cast(Dtype::I64).as_i64().as_ref(), [-1, 300, 0, 2]);
        assert_eq!(array.cast(Dtype::I64).as_u8().as_ref(), [0, 255, 0, 2]);
    }

    #[test]
    fn the_same_is_bit_for_bit() {
        let nan = Array::from_f32(vec![f32::NAN, 0.0], &[2]).unwrap();
        assert!(nan.same(&nan.clone()));
        assert!(!nan.same(&Array::from_f32(vec![f32::NAN, -0.0], &[2]).unwrap()));
        assert!(!nan.same(&nan.cast(Dtype::F64)));
    }
}
