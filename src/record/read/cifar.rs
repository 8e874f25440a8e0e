//! The binary version of CIFAR (<https://www.cs.toronto.edu/~kriz/cifar.html>): each record is its label (for
//! CIFAR-100 the coarse and the fine one), then 32 by 32 red, green and blue values.

use super::ReadResult;
use super::formats::Opened;
use crate::record::Name;
use crate::record::block::{Block, Layout, Stored};
use crate::record::cells::Cells;

const SIDE: usize = 32;

pub(super) fn read_10(source: &Opened) -> ReadResult {
    read(source, &["label"], &[10])
}

pub(super) fn read_100(source: &Opened) -> ReadResult {
    read(source, &["coarse_label", "label"], &[20, 100])
}

/// Reads the columns `image` (u8, rows, columns, channels) and one for each label.
fn read(source: &Opened, labels: &[&str], classes: &[u8]) -> ReadResult {
    let bytes = &source.bytes;
    let record = labels.len() + 3 * SIDE * SIDE;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(source
            .broken(format!(
                "no whole records: each has {record} bytes, the file has {}, which leaves {}",
                bytes.len(),
                bytes.len() % record
            ))
            .hint("use the binary version, `cifar-10-binary.tar.gz`; copy or unpack it again if it is cut off"));
    }
    let len = bytes.len() / record;
    let block = |start: usize, shape: &[usize]| {
        let layout = Layout { start, stride: Some(record), len, shape, stored: Stored::U8, big_endian: false };
        Block::new(bytes.clone(), layout)
    };
    let image = block(labels.len(), &[3, SIDE, SIDE])?.ordered(&[1, 2, 0]);
    let mut columns: Vec<(Name, Cells)> = vec![("image".into(), Cells::from_block(image)?)];
    for (at, (name, &classes)) in labels.iter().zip(classes).enumerate() {
        if let Some(row) = (0..len).find(|row| bytes[row * record + at] >= classes) {
            let place = row * record + at;
            return Err(source
                .broken(format!(
                    "byte {place}, `{name}` of record {row}: expected a class from 0 to {}, found {}",
                    classes - 1,
                    bytes[place]
                ))
                .hint("the file is damaged, or of another data set"));
        }
        columns.push(((*name).into(), Cells::from_block(block(at, &[])?)?));
    }
    source.table(len, columns)
}
