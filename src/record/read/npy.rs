//! Arrays of NumPy (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>): a magic text, a
//! version, the length of a header, the header as a Python dictionary, the numbers.

use super::ReadResult;
use super::formats::{Opened, refuse_pickle};
use crate::error::{Error, Result};
use crate::record::block::{Block, Layout, Stored, row_bytes};
use crate::record::bytes::Bytes;
use crate::record::cells::Cells;
use crate::tensor::{Array, Tensor};

const MAGIC: &[u8] = b"\x93NUMPY";

pub(super) fn read(source: &Opened) -> ReadResult {
    let within = |error: Error| error.within(source.name.clone());
    let (len, cells) = cells(&source.bytes, 0, source.bytes.len()).map_err(within)?;
    source.table(len, vec![("value".into(), cells)])
}

/// Returns the rows of the array whose file lies at these bytes.
///
/// # Errors
/// Anything but a whole file of an array of numbers with at least one axis.
pub(super) fn cells(bytes: &Bytes, start: usize, end: usize) -> Result<(usize, Cells)> {
    let header = Header::read(bytes.get(start..end).unwrap_or(&[]))?;
    let Some((&len, row)) = header.shape.split_first() else {
        return Err(Error::data("the array is a single number: expected records on axis 0"));
    };
    header.check(end - start)?;
    match header.fortran && !row.is_empty() {
        true => Ok((len, Cells::from_array(header.array(bytes, start)?))),
        false => Ok((len, Cells::from_block(header.block(bytes, start, len, row)?)?)),
    }
}

/// Returns the array whose file these bytes are, in the dtype nearest to its own.
///
/// # Errors
/// Anything but a whole file of an array of numbers.
pub(in crate::record) fn array(bytes: &Bytes, start: usize, end: usize) -> Result<Array> {
    let header = Header::read(bytes.get(start..end).unwrap_or(&[]))?;
    header.check(end - start)?;
    header.array(bytes, start)
}

/// What the header of an array says.
#[derive(Debug)]
struct Header {
    /// Bytes before the numbers.
    length: usize,
    stored: Stored,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Checks the length of the file.
    fn check(&self, length: usize) -> Result<()> {
        let (expected, found) = (row_bytes(&self.shape, self.stored), length.saturating_sub(self.length));
        match expected == Some(found) {
            true => Ok(()),
            false => Err(Error::data(format!(
                "the header says shape {:?} of {} bytes a number, {} bytes in all, found {found}",
                self.shape,
                self.stored.size(),
                expected.map_or_else(|| "too many".to_owned(), |bytes| bytes.to_string()),
            ))
            .hint("the file is cut off or damaged: copy, download or write it again")),
        }
    }

    fn block(&self, bytes: &Bytes, start: usize, len: usize, shape: &[usize]) -> Result<Block> {
        let start = start + self.length;
        let (stored, big_endian) = (self.stored, self.big_endian);
        Block::new(bytes.clone(), Layout { start, stride: None, len, shape, stored, big_endian })
    }

    /// Returns the whole array.
    fn array(&self, bytes: &Bytes, start: usize) -> Result<Array> {
        if !self.fortran {
            return self.block(bytes, start, 1, &self.shape)?.row(0);
        }
        // Column after column: read with the axes in reverse, and turned over.
        let reversed: Vec<usize> = self.shape.iter().rev().copied().collect();
        let whole = self.block(bytes, start, 1, &reversed)?.row(0)?;
        Ok(Tensor::from(whole).transpose(None)?.to_host()?.to_contiguous())
    }

    fn read(bytes: &[u8]) -> Result<Header> {
        if !bytes.starts_with(MAGIC) {
            let found = String::from_utf8_lossy(&bytes[..bytes.len().min(6)]).into_owned();
            return Err(match bytes {
                [0x80, 1..=5, ..] => refuse_pickle("the file"),
                _ => Error::data(format!("not an array of NumPy: expected `\\x93NUMPY` first, found {found:?}")),
            });
        }
        let cut = || Error::data(format!("the file is cut off within its header: it has {} bytes", bytes.len()));
        let (size, before) = match bytes.get(6) {
            Some(1) => (bytes.get(8..10).map(|two| usize::from(u16::from_le_bytes([two[0], two[1]]))), 10),
            Some(2 | 3) => {
                (bytes.get(8..12).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize), 12)
            }
            Some(version) => return Err(Error::data(format!("version {version} of the format is unknown"))),
            None => return Err(cut()),
        };
        let length = size.and_then(|size| size.checked_add(before)).ok_or_else(cut)?;
        let text = bytes.get(before..length).ok_or_else(cut)?;
        let text = String::from_utf8_lossy(text);
        let broken = |what: &str| Error::data(format!("the header has no {what}: {:?}", text.trim()));
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let descr = value("descr").ok_or_else(|| broken("`descr`"))?;
        let descr = match descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
            Some((descr, _)) => descr,
            None => {
                return Err(Error::data("the array has named fields").hint("save each field as an array of its own"));
            }
        };
        let fortran = value("fortran_order").ok_or_else(|| broken("`fortran_order`"))?.starts_with("True");
        let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
        let shape = shape.ok_or_else(|| broken("`shape`"))?.0;
        let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
        let shape: Vec<usize> = lengths
            .map(|length| length.parse().ok())
            .collect::<Option<_>>()
            .ok_or_else(|| broken("shape of numbers"))?;
        let (order, kind) = descr.split_at(descr.len().min(1));
        let stored = match kind {
            "b1" => Some(Stored::Bool),
            "f2" => Some(Stored::F16),
            "f4" => Some(Stored::F32),
            "f8" => Some(Stored::F64),
            _ => kind.strip_prefix(['i', 'u']).and_then(|bytes| {
                let bits = bytes.parse::<usize>().ok()?.checked_mul(8)?;
                Stored::parse(&format!("{}{bits}", &kind[..1]))
            }),
        };
        let stored = stored.ok_or_else(|| match kind.chars().next().or(order.chars().next()) {
            Some('O') => Error::data("the array holds Python objects, stored as a pickle, which is not read")
                .hint("a pickle can run any code: save an array of numbers, `array.astype(\"float32\")`"),
            Some('U' | 'S') => Error::data("the array holds texts").hint("save texts as .csv or .jsonl"),
            _ => Error::data(format!("numbers of type `{descr}` are not read"))
                .hint("save the array as float32, float64, or whole numbers of at most 64 bits"),
        })?;
        Ok(Header { length, stored, big_endian: order == ">", fortran, shape })
    }
}
