//! Archives of NumPy arrays: zip files whose members are `.npy` files. Members that are not compressed
//! (`numpy.savez`) stay where they are; compressed ones are unpacked into memory.

use std::io::Read;

use super::formats::Opened;
use super::{ReadResult, npy};
use crate::error::{Error, Result};
use crate::record::bytes::Bytes;

pub(super) fn read(source: &Opened) -> ReadResult {
    let members = members(&source.bytes).map_err(|error| error.within(source.name.clone()))?;
    let mut columns = Vec::with_capacity(members.len());
    let mut first: Option<(usize, String)> = None;
    for member in members {
        let place = |error: Error| error.within(format!("`{}` of {}", member.name, source.name));
        let (bytes, start, end) = member.open(&source.bytes).map_err(place)?;
        let (len, cells) = npy::cells(&bytes, start, end).map_err(place)?;
        let name = member.name.trim_end_matches(".npy");
        match &first {
            Some((known, other)) if *known != len => {
                return Err(source
                    .broken(format!("`{other}` has {known} rows, `{name}` has {len}"))
                    .hint("all arrays of an archive are columns of the same records"));
            }
            Some(_) => {}
            None => first = Some((len, name.to_owned())),
        }
        columns.push((name.into(), cells));
    }
    match first {
        Some((len, _)) => source.table(len, columns),
        None => Err(source.broken("the archive is empty")),
    }
}

/// A member of a zip archive.
#[derive(Debug)]
struct Member {
    name: String,
    method: u16,
    packed: usize,
    size: usize,
    /// Where its own header is.
    header: usize,
}

impl Member {
    /// Returns the bytes the member lies in, and where.
    fn open(&self, archive: &Bytes) -> Result<(Bytes, usize, usize)> {
        let cut = || Error::data("the archive is cut off or damaged").hint("copy, download or write it again");
        let header = archive.get(self.header..self.header.saturating_add(30)).ok_or_else(cut)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(cut());
        }
        let start = self.header + 30 + usize::from(word(header, 26)) + usize::from(word(header, 28));
        let end = start.checked_add(self.packed).filter(|&end| end <= archive.len()).ok_or_else(cut)?;
        match self.method {
            0 => Ok((archive.clone(), start, end)),
            8 => {
                let mut unpacked = Vec::new();
                let mut decoder = flate2::read::DeflateDecoder::new(&archive[start..end]).take(self.size as u64 + 1);
                match decoder.read_to_end(&mut unpacked) {
                    Ok(size) if size == self.size => Ok((unpacked.into(), 0, size)),
                    _ => Err(cut()),
                }
            }
            method => Err(Error::data(format!("the member is compressed with method {method}, expected deflate"))
                .hint("write it with `numpy.savez` or `numpy.savez_compressed`")),
        }
    }
}

/// Returns the members of an archive in order, from the directory at its end.
fn members(bytes: &[u8]) -> Result<Vec<Member>> {
    let cut = || {
        Error::data("not a whole zip archive: the directory at its end is missing or damaged")
            .hint("copy, download or write it again")
    };
    // Before the end there may be a comment of up to 64 KiB.
    let from = bytes.len().saturating_sub(22 + 0xffff);
    let end = bytes[from..].windows(4).rposition(|four| four == b"PK\x05\x06").ok_or_else(cut)? + from;
    let end = bytes.get(end..end + 22).ok_or_else(cut)?;
    let (count, mut at) = (word(end, 10), double(end, 16));
    if count == 0xffff || at == 0xffff_ffff {
        return Err(Error::data("the archive is of the 64-bit variant of zip").hint("save the arrays as .npy files"));
    }
    let mut members = Vec::new();
    for _ in 0..count {
        let entry = bytes.get(at..at.saturating_add(46)).filter(|entry| entry.starts_with(b"PK\x01\x02"));
        let entry = entry.ok_or_else(cut)?;
        let (name, extra, comment) = (word(entry, 28), usize::from(word(entry, 30)), usize::from(word(entry, 32)));
        let text = bytes.get(at + 46..at + 46 + usize::from(name)).ok_or_else(cut)?;
        let (mut packed, mut size, mut header) = (double(entry, 20), double(entry, 24), double(entry, 42));
        let extras = bytes.get(at + 46 + usize::from(name)..at + 46 + usize::from(name) + extra).ok_or_else(cut)?;
        wide(extras, [&mut size, &mut packed, &mut header]);
        members.push(Member {
            name: String::from_utf8_lossy(text).into_owned(),
            method: word(entry, 10),
            packed,
            size,
            header,
        });
        at += 46 + usize::from(name) + extra + comment;
    }
    Ok(members)
}

/// Replaces lengths that do not fit 32 bits by those of the extra field 1.
fn wide(mut extras: &[u8], lengths: [&mut usize; 3]) {
    while extras.len() >= 4 {
        let (kind, size) = (word(extras, 0), usize::from(word(extras, 2)));
        let Some(mut data) = extras.get(4..4 + size) else { return };
        if kind == 1 {
            for length in lengths {
                if *length == 0xffff_ffff
                    && let Some((eight, rest)) = data.split_first_chunk::<8>()
                {
                    *length = usize::try_from(u64::from_le_bytes(*eight)).unwrap_or(usize::MAX);
                    data = rest;
                }
            }
            return;
        }
        extras = &extras[4 + size..];
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn double(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}
