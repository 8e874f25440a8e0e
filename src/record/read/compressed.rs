//! Compressed files: gzip and Zstandard, unpacked into memory before they are parsed.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::record::bytes::Bytes;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstandard,
}

/// Returns how a file is packed, by its ending.
pub(super) fn of(path: &Path) -> Option<Packing> {
    match path.extension()?.to_string_lossy().to_lowercase().as_str() {
        "gz" => Some(Packing::Gzip),
        "zst" => Some(Packing::Zstandard),
        _ => None,
    }
}

/// Returns the bytes as a file of this name holds them.
///
/// # Errors
/// None for bytes in memory.
pub(in crate::record) fn pack(bytes: Vec<u8>, path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Write;
    Ok(match of(path) {
        None => bytes,
        Some(Packing::Gzip) => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&bytes)?;
            encoder.finish()?
        }
        Some(Packing::Zstandard) => {
            ruzstd::encoding::compress_to_vec(&*bytes, ruzstd::encoding::CompressionLevel::Fastest)
        }
    })
}

/// Returns the name of a file without the ending of its packing.
pub(in crate::record) fn inner(path: &Path) -> std::path::PathBuf {
    of(path).map_or(path.to_owned(), |_| path.with_extension(""))
}

/// Reads a file, unpacked if its name says that it is packed.
///
/// # Errors
/// No such file; see [`unpack`].
pub(in crate::record) fn open(path: &Path, map: bool) -> Result<Bytes> {
    let bytes = Bytes::open(path, map)?;
    match of(path) {
        None => Ok(bytes),
        Some(packing) => unpack(&bytes, packing).map_err(|error| error.within(path.display().to_string())),
    }
}

/// Unpacks a file.
///
/// # Errors
/// Another format, and a file that is damaged or cut off.
pub(super) fn unpack(bytes: &[u8], packing: Packing) -> Result<Bytes> {
    let (name, magic): (_, &[u8]) = match packing {
        Packing::Gzip => ("gzip", &[0x1f, 0x8b]),
        Packing::Zstandard => ("Zstandard", &[0x28, 0xb5, 0x2f, 0xfd]),
    };
    if !bytes.starts_with(magic) {
        return Err(Error::data(format!("the file is not compressed with {name}, though its ending says so"))
            .hint("name it without the last ending if it is not compressed at all"));
    }
    let mut unpacked = Vec::new();
    let read = match packing {
        // Several members one after another are one file.
        Packing::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut unpacked).map_err(|e| e.to_string()),
        Packing::Zstandard => frames(bytes, &mut unpacked),
    };
    match read {
        Ok(_) => Ok(unpacked.into()),
        Err(reason) => Err(Error::data(format!(
            "the file is damaged or cut off: after {} unpacked bytes its {name} data does not go on ({})",
            unpacked.len(),
            reason.to_lowercase().trim_end_matches('.')
        ))
        .hint("copy, download or write it again")),
    }
}

fn frames(mut bytes: &[u8], unpacked: &mut Vec<u8>) -> Result<usize, String> {
    while !bytes.is_empty() {
        let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut bytes).map_err(|error| error.to_string())?;
        frame.read_to_end(unpacked).map_err(|error| error.to_string())?;
    }
    Ok(unpacked.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    /// `printf 'x,y\n1,2\n' | zstd` of version 1.5.4.
    const ZSTANDARD: [u8; 21] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x41, 0x00, 0x00, 0x78, 0x2c, 0x79, 0x0a, 0x31, 0x2c, 0x32, 0x0a, 0, 0, 0,
        0,
    ];

    #[test]
    fn gzip_is_unpacked_and_damage_is_told() {
        let packed = [gzip("x,y\n"), gzip("1,2\n")].concat();
        assert_eq!(&*unpack(&packed, Packing::Gzip).unwrap(), b"x,y\n1,2\n");
        let error = unpack(&packed[..packed.len() - 9], Packing::Gzip).unwrap_err();
        assert!(error.message().starts_with("the file is damaged or cut off: after"), "{error}");
        let error = unpack(b"x,y\n", Packing::Gzip).unwrap_err();
        assert_eq!(error.message(), "the file is not compressed with gzip, though its ending says so");
    }

    #[test]
    fn zstandard_is_unpacked_and_damage_is_told() {
        // Without the checksum that the header of the example announces.
        let mut packed = ZSTANDARD[..17].to_vec();
        packed[4] = 0x00;
        assert_eq!(&*unpack(&packed, Packing::Zstandard).unwrap(), b"x,y\n1,2\n");
        assert!(unpack(&packed[..12], Packing::Zstandard).is_err());
    }
}
