//! The fields of a row as they stand in the file, for the places of errors.

use super::dialect::Dialect;
use crate::error::{Error, Result};
use crate::record::read::File;

/// Returns the bytes of a field in the row that starts at `start`.
pub(super) fn field_span(text: &str, dialect: &Dialect, start: usize, column: usize) -> (usize, usize) {
    let fields = Fields { bytes: text.as_bytes(), delimiter: dialect.byte(), at: start, ended: false };
    fields.enumerate().find(|(at, _)| *at == column).map_or((start, start), |(_, (span, _))| span)
}

/// A quote that is never closed swallows the rest of the file as one value, which only the last row can
/// show.
pub(super) fn check_closed(file: &File, dialect: &Dialect, last: usize) -> Result<()> {
    let fields = Fields { bytes: file.text.as_bytes(), delimiter: dialect.byte(), at: last, ended: false };
    match fields.map(|((from, _), open)| (from, open)).find(|(_, open)| *open) {
        Some((from, _)) => {
            let place = file.place(from, from + 1);
            let line = place.line_column().0;
            Err(Error::data(format!("line {line} of {}: the double quote is not closed", file.name))
                .at(place)
                .hint("a double quote within a quoted text is written twice: \"say \"\"hi\"\"\""))
        }
        None => Ok(()),
    }
}

/// The fields of one row as they stand in the file: their bytes, and whether a quote was left open.
struct Fields<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    at: usize,
    ended: bool,
}

impl Iterator for Fields<'_> {
    type Item = ((usize, usize), bool);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let from = self.at;
        // Only a quote that opens a field quotes; within, two of them stand for one.
        let mut quoted = self.bytes.get(from) == Some(&b'"');
        let mut to = from + usize::from(quoted);
        while let Some(byte) = self.bytes.get(to) {
            match byte {
                b'"' if quoted && self.bytes.get(to + 1) == Some(&b'"') => to += 1,
                b'"' if quoted => quoted = false,
                b'\n' | b'\r' if !quoted => break,
                byte if !quoted && *byte == self.delimiter => break,
                _ => {}
            }
            to += 1;
        }
        self.ended = self.bytes.get(to) != Some(&self.delimiter);
        self.at = to + 1;
        Some(((from, to), quoted))
    }
}
