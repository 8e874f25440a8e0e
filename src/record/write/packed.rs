//! Arrays and bytes as files, compressed where the name says so.

use std::io::Write;
use std::path::Path;

use super::NewFile;
use crate::error::{Error, Result};
use crate::record::read::compressed;
use crate::tensor::Array;

/// Returns the numbers of an array one after another, little-endian, without anything that says what they are.
pub fn raw_bytes(array: &Array) -> Vec<u8> {
    match array {
        Array::U8(_) => array.as_u8().into_owned(),
        Array::I64(_) => array.as_i64().iter().flat_map(|number| number.to_le_bytes()).collect(),
        Array::F32(_) => array.as_f32().iter().flat_map(|number| number.to_le_bytes()).collect(),
        Array::F64(_) => array.as_f64().iter().flat_map(|number| number.to_le_bytes()).collect(),
    }
}

/// Returns an array as a `.npy` file of NumPy (version 1.0 of the format).
pub fn npy_bytes(array: &Array) -> Vec<u8> {
    let descr = match array {
        Array::U8(_) => "|u1",
        Array::I64(_) => "<i8",
        Array::F32(_) => "<f4",
        Array::F64(_) => "<f8",
    };
    let shape: String = array.shape().iter().map(|length| format!("{length}, ")).collect();
    let shape = if array.rank() == 1 { shape.trim_end().to_owned() } else { shape.trim_end_matches(", ").to_owned() };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // The numbers begin at a multiple of 64 bytes; the header ends with a line break.
    let before = 10;
    let length = (before + header.len() + 1).next_multiple_of(64) - before;
    header.push_str(&" ".repeat(length - header.len() - 1));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(raw_bytes(array));
    bytes
}

/// Writes a file at once, replacing one that is there; compressed, when its name ends in `.gz` or `.zst`.
///
/// # Errors
/// Whatever the file system refuses.
pub fn write_packed(path: &Path, bytes: Vec<u8>) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::data(format!("cannot write {}: {}", path.display(), crate::record::read::reason(&error)))
    };
    let mut file = NewFile::create(path)?;
    file.write_all(&compressed::pack(bytes, path).map_err(failed)?).map_err(failed)?;
    file.keep()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{read_array, read_unpacked};

    #[test]
    fn arrays_come_back_whatever_they_are_packed_with() {
        let folder = tempfile::tempdir().unwrap();
        let numbers: Vec<f64> = (0..600).map(|at| f64::from(at % 50)).collect();
        for dtype in [crate::tensor::Dtype::U8, crate::tensor::Dtype::I64, crate::tensor::Dtype::F32] {
            for shape in [&[600][..], &[2, 300], &[1, 1, 600]] {
                let array = Array::from_f64(numbers.clone(), shape).unwrap().cast(dtype);
                for ending in ["npy", "npy.gz", "npy.zst"] {
                    let path = folder.path().join(format!("x.{ending}"));
                    write_packed(&path, npy_bytes(&array)).unwrap();
                    let found = read_array(&path, false).unwrap();
                    assert_eq!((found.shape(), found.dtype(), found.to_f64_vec()), (shape, dtype, numbers.clone()));
                }
            }
        }
        let single = Array::from_f32(vec![1.5], &[]).unwrap();
        write_packed(&folder.path().join("one.npy"), npy_bytes(&single)).unwrap();
        assert_eq!(read_array(&folder.path().join("one.npy"), false).unwrap().shape(), &[] as &[usize]);
        let path = folder.path().join("text.zst");
        write_packed(&path, b"some bytes".to_vec()).unwrap();
        assert_eq!(read_unpacked(&path).unwrap(), b"some bytes");
        assert!(std::fs::read(&path).unwrap().starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    }
}
