//! Files without a structure of their own: lines of text, and raw numbers whose shape the caller declares.

use std::sync::Arc;

use super::ReadResult;
use super::formats::Opened;
use crate::error::{Error, did_you_mean, list};
use crate::record::block::{Block, Layout, Stored, row_bytes};
use crate::record::cells::{Cells, Data};

/// Reads the column `text`, a record a line; line ends are not part of it.
pub(super) fn lines(source: &Opened) -> ReadResult {
    let lines: Vec<Arc<str>> = source.text()?.text.lines().map(Arc::from).collect();
    let nulls = vec![false; lines.len()];
    source.table(lines.len(), vec![("text".into(), Cells::new(Data::Text(lines), nulls))])
}

/// Reads the column `value` of declared shape and dtype.
pub(super) fn raw(source: &Opened) -> ReadResult {
    let Some(declared) = &source.options.raw else {
        return Err(source
            .broken("a raw file does not say what its numbers are")
            .hint("declare a record: `#{ format: \"raw\", shape: [28, 28], dtype: \"u8\" }`"));
    };
    let stored = Stored::parse(&declared.dtype).ok_or_else(|| {
        let names = || Stored::ALL.iter().map(|(name, _)| *name);
        Error::data(format!("unknown dtype `{}` of a raw file", declared.dtype))
            .maybe_hint(did_you_mean(&declared.dtype, names()))
            .hint(format!("dtypes: {}", list(names())))
    })?;
    let found = source.bytes.len();
    let (shape, skip) = (&declared.shape, declared.skip);
    let row = row_bytes(shape, stored).filter(|&row| row > 0);
    let rest = found.checked_sub(skip).filter(|&rest| row.is_some_and(|row| rest % row == 0));
    let (Some(row), Some(rest)) = (row, rest) else {
        return Err(source
            .broken(format!(
                "no whole records of shape {shape:?} and dtype {}: each has {} bytes, after the first {skip} the file has {}",
                declared.dtype,
                row.map_or_else(|| "no or too many".to_owned(), |row| row.to_string()),
                found.saturating_sub(skip),
            ))
            .hint("`skip` leaves out the bytes of a header"));
    };
    let len = rest / row;
    let layout = Layout { start: skip, stride: None, len, shape, stored, big_endian: false };
    source.table(len, vec![("value".into(), Cells::from_block(Block::new(source.bytes.clone(), layout)?)?)])
}
