//! IDX files, as MNIST has them (<http://yann.lecun.com/exdb/mnist/>): two zeros, the type of the numbers, the
//! number of axes, the length of each as 32 bits, then the numbers, all big-endian.

use super::ReadResult;
use super::formats::Opened;
use crate::error::{Error, Result};
use crate::record::block::{Block, Layout, Stored, row_bytes};
use crate::record::cells::Cells;

pub(super) fn read(source: &Opened) -> ReadResult {
    let block = block(source).map_err(|error| error.within(source.name.clone()))?;
    source.table(block.len(), vec![("value".into(), Cells::from_block(block)?)])
}

fn block(source: &Opened) -> Result<Block> {
    let bytes = &*source.bytes;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::data("the file is compressed").hint("let its name end in .gz, or unpack it"));
    }
    let (stored, axes) = match bytes {
        [0, 0, kind, axes, ..] => (stored(*kind), usize::from(*axes)),
        _ => (None, 0),
    };
    let Some(stored) = stored else {
        return Err(Error::data(format!(
            "not an IDX file: expected two zeros and a type from 8 to 14 in its first bytes, found {:?}",
            &bytes[..bytes.len().min(4)]
        )));
    };
    let header = 4 + 4 * axes;
    let Some(lengths) = bytes.get(4..header).filter(|_| axes > 0) else {
        return Err(Error::data(format!(
            "the file is cut off within its header: {axes} axes need {header} bytes, found {}",
            bytes.len()
        ))
        .hint("copy, download or unpack it again"));
    };
    let lengths: Vec<usize> =
        lengths.chunks_exact(4).map(|four| four.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))).collect();
    let rows = row_bytes(&lengths[1..], stored).and_then(|row| row.checked_mul(lengths[0])?.checked_add(header));
    if rows != Some(bytes.len()) {
        return Err(Error::data(format!(
            "the header says shape {lengths:?}, which is {} bytes in all, found {}",
            rows.map_or_else(|| "too many".to_owned(), |rows| rows.to_string()),
            bytes.len()
        ))
        .hint("the file is cut off or damaged: copy, download or unpack it again"));
    }
    let layout =
        Layout { start: header, stride: None, len: lengths[0], shape: &lengths[1..], stored, big_endian: true };
    Block::new(source.bytes.clone(), layout)
}

fn stored(kind: u8) -> Option<Stored> {
    Some(match kind {
        0x08 => Stored::U8,
        0x09 => Stored::I8,
        0x0b => Stored::I16,
        0x0c => Stored::I32,
        0x0d => Stored::F32,
        0x0e => Stored::F64,
        _ => return None,
    })
}
