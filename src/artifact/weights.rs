//! Named arrays as safetensors files: readable by any library of that format, and never executed.
//!
//! The format sorts arrays by dtype and name; the order of the network is kept in the metadata, under
//! one key, so that the same arrays always give the same bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;

use ndarray::{ArcArray, IxDyn};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View};
use serde::{Deserialize, Serialize};

use super::file;
use crate::error::{Error, Result, codes};
use crate::tensor::Array;

/// Arrays by name, in the order of the network.
pub type Named = Vec<(String, Array)>;

/// Writes named arrays to a safetensors file, atomically.
///
/// # Errors
/// A name that occurs twice, and whatever the disk says; the error names the path.
pub fn save(path: &Path, arrays: &[(String, Array)]) -> Result<()> {
    file::write_atomic(path, &encode(arrays).map_err(|error| error.within(path.display().to_string()))?)
}

/// Loads named arrays from a safetensors file, in the order they were saved in (in a file that something
/// else wrote: in the order of the file).
///
/// # Errors
/// A missing, foreign or truncated file, and dtypes other than float32, float64, int64 and uint8.
pub fn load(path: &Path) -> Result<Named> {
    decode(&file::read(path)?, &path.display().to_string()).map_err(|error| error.coded(codes::DAMAGED))
}

/// Returns the arrays of a file in the order a network expects.
///
/// # Errors
/// Lists all names that are missing or too many and all shapes that differ; `what` is the file or
/// component in the message.
pub fn arrange(found: Named, expected: &[(String, Vec<usize>)], what: &str) -> Result<Vec<Array>> {
    let mut by_name: HashMap<String, Array> = found.iter().cloned().collect();
    let mut arrays = Vec::with_capacity(expected.len());
    let mut missing = Vec::new();
    let mut shapes = Vec::new();
    for (name, shape) in expected {
        match by_name.remove(name) {
            None => missing.push(name.as_str()),
            Some(array) if array.shape() != shape => {
                shapes.push(format!("`{name}` has shape {:?}, the network expects {shape:?}", array.shape()));
            }
            Some(array) => arrays.push(array),
        }
    }
    // The order of the file, not of the map.
    let extra: Vec<&str> =
        found.iter().map(|(name, _)| name.as_str()).filter(|name| by_name.contains_key(*name)).collect();
    if missing.is_empty() && shapes.is_empty() && extra.is_empty() {
        return Ok(arrays);
    }
    let mut error =
        Error::artifact(format!("the weights in `{what}` are not those of this network")).coded(codes::DAMAGED);
    if !missing.is_empty() {
        error = error.hint(format!("missing: {}", crate::error::list(missing)));
    }
    if !extra.is_empty() {
        error = error.hint(format!("too many: {}", crate::error::list(extra)));
    }
    Err(shapes.into_iter().fold(error, Error::hint))
}

/// What is kept in the file beside the arrays.
#[derive(Serialize, Deserialize)]
struct Metadata {
    format: u32,
    names: Vec<String>,
}

const KEY: &str = "barrage";
const FORMAT: u32 = 1;

/// Returns the bytes of a safetensors file.
///
/// # Errors
/// A name that occurs twice.
pub fn encode(arrays: &[(String, Array)]) -> Result<Vec<u8>> {
    let mut names = HashSet::new();
    if let Some((name, _)) = arrays.iter().find(|(name, _)| !names.insert(name.as_str()) || name == "__metadata__") {
        return Err(Error::artifact(format!("the name `{name}` occurs twice or is reserved")));
    }
    let names = arrays.iter().map(|(name, _)| name.clone()).collect();
    let metadata = serde_json::to_string(&Metadata { format: FORMAT, names }).unwrap_or_default();
    let views = arrays.iter().map(|(name, array)| (name.as_str(), Bytes(array)));
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), metadata)])))
        .map_err(|error| Error::artifact(format!("the arrays cannot be written: {error}")))
}

/// Reads the bytes of a safetensors file; `what` is the file in the message.
pub fn decode(bytes: &[u8], what: &str) -> Result<Named> {
    let damaged = |error| broken(bytes, what, &error);
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let own = header.metadata().as_ref().and_then(|map| map.get(KEY));
    let names = match own.and_then(|text| serde_json::from_str::<Metadata>(text).ok()) {
        Some(own) if own.format != FORMAT => {
            return Err(Error::artifact(format!("`{what}` has format {}, this program reads {FORMAT}", own.format))
                .hint("it was written by a newer version"));
        }
        Some(own) if own.names.len() == tensors.len() => own.names,
        Some(_) => return Err(Error::artifact(format!("`{what}` does not hold the arrays it lists"))),
        None => header.offset_keys(),
    };
    let mut arrays = Vec::with_capacity(names.len());
    for name in names {
        let view = tensors
            .tensor(&name)
            .map_err(|_| Error::artifact(format!("`{what}` lists the array `{name}` and does not hold it")))?;
        let array = match view.dtype() {
            Dtype::F32 => numbers(view.data(), view.shape(), f32::from_le_bytes).map(Array::F32),
            Dtype::F64 => numbers(view.data(), view.shape(), f64::from_le_bytes).map(Array::F64),
            Dtype::I64 => numbers(view.data(), view.shape(), i64::from_le_bytes).map(Array::I64),
            Dtype::U8 => numbers(view.data(), view.shape(), u8::from_le_bytes).map(Array::U8),
            // Half precision is how other programs keep weights; here they are computed with as float32.
            Dtype::F16 => numbers(view.data(), view.shape(), half).map(Array::F32),
            Dtype::BF16 => numbers(view.data(), view.shape(), brain).map(Array::F32),
            other => {
                return Err(Error::artifact(format!("array `{name}` of `{what}` has the dtype {other}"))
                    .hint("supported: F32, F64, F16, BF16, I64, U8"));
            }
        };
        arrays.push((name, array.map_err(|error| error.within(what.to_owned()))?));
    }
    Ok(arrays)
}

/// Says what is wrong with a file that is no safetensors file, or no longer one.
fn broken(bytes: &[u8], what: &str, error: &dyn std::fmt::Display) -> Error {
    let length = bytes.first_chunk::<8>().map(|first| u64::from_le_bytes(*first));
    let header_is_whole = length.is_some_and(|length| length <= (bytes.len() as u64).saturating_sub(8));
    let message = match bytes.get(8) {
        Some(b'{') if !header_is_whole => format!("`{what}` is truncated after {} bytes", bytes.len()),
        Some(b'{') => format!("`{what}` is truncated or damaged: {error}"),
        None => format!("`{what}` is truncated: it has {} bytes", bytes.len()),
        _ => format!("`{what}` is not a safetensors file"),
    };
    Error::artifact(message)
}

fn numbers<T: Clone, const N: usize>(
    bytes: &[u8],
    shape: &[usize],
    read: fn([u8; N]) -> T,
) -> Result<ArcArray<T, IxDyn>> {
    let values = bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect();
    ArcArray::from_shape_vec(IxDyn(shape), values)
        .map_err(|_| Error::artifact(format!("{} bytes do not fill shape {shape:?}", bytes.len())))
}

/// A number of 16 bits whose upper half of a float32 it is.
fn brain(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

/// A number of IEEE's half precision: sign, 5 bits of exponent, 10 of fraction.
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    let (exponent, fraction) = (bits >> 10 & 31, bits & 1023);
    let magnitude = match exponent {
        0 => fraction as f32 * 2f32.powi(-24),
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// An array as the safetensors crate wants to see it.
struct Bytes<'a>(&'a Array);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        match self.0 {
            Array::F32(_) => Dtype::F32,
            Array::F64(_) => Dtype::F64,
            Array::I64(_) => Dtype::I64,
            Array::U8(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.0 {
            Array::F32(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Array::F64(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Array::I64(array) => array.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Array::U8(array) => array.iter().copied().collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self.0 {
            Array::F32(array) => array.len() * size_of::<f32>(),
            Array::F64(array) => array.len() * size_of::<f64>(),
            Array::I64(array) => array.len() * size_of::<i64>(),
            Array::U8(array) => array.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Named {
        let f32s = ArcArray::from_shape_vec(IxDyn(&[2, 3]), vec![1.5, -0.0, f32::NAN, 4.0, 5.0, f32::MIN_POSITIVE]);
        let f64s = ArcArray::from_shape_vec(IxDyn(&[2]), vec![0.1, f64::INFINITY]);
        let i64s = ArcArray::from_shape_vec(IxDyn(&[]), vec![i64::MIN]);
        let u8s = ArcArray::from_shape_vec(IxDyn(&[0, 4]), vec![]);
        vec![
            ("z/kernel".to_owned(), Array::F32(f32s.unwrap().reversed_axes().to_shared())),
            ("a/steps".to_owned(), Array::I64(i64s.unwrap())),
            ("m/pixels".to_owned(), Array::U8(u8s.unwrap())),
            ("b/total".to_owned(), Array::F64(f64s.unwrap())),
        ]
    }

    #[test]
    fn arrays_come_back_in_order_and_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let arrays = sample();
        save(&path, &arrays).unwrap();
        let loaded = load(&path).unwrap();
        assert_eq!(loaded.len(), arrays.len());
        for ((name, array), (found_name, found)) in arrays.iter().zip(&loaded) {
            assert_eq!(name, found_name);
            assert_eq!(array.shape(), found.shape());
            assert_eq!(array.dtype(), found.dtype());
            assert_eq!(Bytes(array).data(), Bytes(found).data());
        }
        assert_eq!(encode(&arrays).unwrap(), encode(&loaded).unwrap());
        assert_eq!(load(&path).unwrap()[0].1.shape(), [3, 2]);
        save(&path, &[]).unwrap();
        assert!(load(&path).unwrap().is_empty());
    }

    #[test]
    fn truncated_files_are_refused_at_every_length() {
        let bytes = encode(&sample()).unwrap();
        for length in 0..bytes.len() {
            let error = decode(&bytes[..length], "model.safetensors").unwrap_err();
            assert!(error.message().starts_with("`model.safetensors` is truncated"), "{length}: {error}");
        }
    }

    #[test]
    fn foreign_files_are_refused() {
        for bytes in
            [&b"\x89HDF\r\n\x1a\n and so on"[..], b"PK\x03\x04 an archive of some kind", b"epoch,loss\n0,1.5\n"]
        {
            assert_eq!(decode(bytes, "m").unwrap_err().message(), "`m` is not a safetensors file");
        }
        let short = safetensors::tensor::TensorView::new(Dtype::I16, vec![1], &[0, 0]).unwrap();
        let bytes = safetensors::serialize([("w", short)], None).unwrap();
        assert_eq!(decode(&bytes, "m").unwrap_err().message(), "array `w` of `m` has the dtype I16");
        let single = safetensors::tensor::TensorView::new(Dtype::F32, vec![1], &[0, 0, 128, 63]).unwrap();
        let bytes = safetensors::serialize([("w", single)], None).unwrap();
        assert!(matches!(&decode(&bytes, "m").unwrap()[0].1, Array::F32(one) if one[[0]] == 1.0));
    }

    #[test]
    fn half_precision_is_read_as_float32() {
        let cases: [(u16, f32); 8] = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x8000, -0.0),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, expected) in cases {
            assert_eq!(half(bits.to_le_bytes()).to_bits(), expected.to_bits(), "{bits:x}");
        }
        assert!(half(0x7e00u16.to_le_bytes()).is_nan());
        assert_eq!(brain(0xbfc0u16.to_le_bytes()), -1.5);
        let view = safetensors::tensor::TensorView::new(Dtype::F16, vec![1], &[0, 0x3c]).unwrap();
        let bytes = safetensors::serialize([("w", view)], None).unwrap();
        assert!(matches!(&decode(&bytes, "m").unwrap()[0].1, Array::F32(one) if one[[0]] == 1.0));
    }

    #[test]
    fn names_that_occur_twice_are_refused() {
        let mut arrays = sample();
        arrays[1].0 = "z/kernel".to_owned();
        assert_eq!(encode(&arrays).unwrap_err().message(), "the name `z/kernel` occurs twice or is reserved");
    }

    #[test]
    fn a_network_is_told_what_differs() {
        let expected = |names: &[(&str, &[usize])]| -> Vec<(String, Vec<usize>)> {
            names.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
        };
        let own: &[(&str, &[usize])] =
            &[("b/total", &[2]), ("z/kernel", &[3, 2]), ("a/steps", &[]), ("m/pixels", &[0, 4])];
        let arranged = arrange(sample(), &expected(own), "m").unwrap();
        assert_eq!(arranged.iter().map(Array::shape).collect::<Vec<_>>(), [&[2][..], &[3, 2], &[], &[0, 4]]);

        let other: &[(&str, &[usize])] = &[("z/kernel", &[2, 3]), ("c/bias", &[1]), ("a/steps", &[])];
        let error = arrange(sample(), &expected(other), "m").unwrap_err();
        assert_eq!(error.message(), "the weights in `m` are not those of this network");
        assert_eq!(
            error.hints(),
            [
                "missing: `c/bias`",
                "too many: `m/pixels`, `b/total`",
                "`z/kernel` has shape [3, 2], the network expects [2, 3]",
            ]
        );
    }
}
