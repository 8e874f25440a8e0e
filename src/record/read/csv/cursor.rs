//! A place in the rows of a text table, which moves on field by field.
//!
//! Only a quote that opens a field quotes; within, two of them stand for one; what follows the closing one belongs to
//! the field. Rows end at a line feed, a carriage return, or both; empty lines are none. It is how the crate `csv` reads,
//! and the tests hold it to that; here numbers are read where they stand, without looking for their ends first.

use std::borrow::Cow;

use memchr::{memchr, memchr3};

/// Whole numbers of so many digits fit 64 bits.
const DIGITS: usize = 18;

/// A place in the rows of a text table.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    delimiter: u8,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor before the bytes `at..end` of a text, both between rows.
    pub fn new(text: &'a str, at: usize, end: usize, delimiter: u8) -> Self {
        Cursor { text, at, end: end.min(text.len()), delimiter }
    }

    /// Goes to the next row, and returns the byte where it begins.
    pub fn row(&mut self) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.at..self.end)?;
        let breaks = rest.iter().position(|byte| !matches!(byte, b'\n' | b'\r'))?;
        self.at += breaks;
        Some(self.at)
    }

    /// Takes the next field, and whether it is the last of its row.
    pub fn field(&mut self) -> (Cow<'a, str>, bool) {
        let from = self.at;
        let field = match self.byte(from) {
            Some(b'"') => self.quoted(from + 1),
            _ => {
                self.at = self.field_end(from);
                Cow::Borrowed(self.part(from, self.at))
            }
        };
        let last = self.byte(self.at) != Some(self.delimiter);
        self.at += usize::from(!last);
        (field, last)
    }

    /// Takes the next field if it is a plain number, and whether it is the last of its row. What is not taken may be a
    /// number all the same.
    pub fn float(&mut self) -> Option<(f64, bool)> {
        let bytes = self.text.as_bytes().get(self.at..self.end)?;
        let (value, length) = fast_float2::parse_partial::<f64, _>(bytes).ok()?;
        // Words such as `inf` and whole numbers that are minus zero are looked at more closely.
        if !value.is_finite() || (value == 0.0 && value.is_sign_negative()) {
            return None;
        }
        Some((value, self.pass(length)?))
    }

    /// Takes the next field if it is a plain whole number, and whether it is the last of its row.
    pub fn int(&mut self) -> Option<(i64, bool)> {
        let bytes = self.text.as_bytes().get(self.at..self.end)?;
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let mut value = 0_i64;
        let mut length = sign;
        while let Some(digit) = bytes.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            if length - sign == DIGITS {
                return None;
            }
            value = value * 10 + i64::from(digit);
            length += 1;
        }
        if length == sign {
            return None;
        }
        Some((if sign == 1 { -value } else { value }, self.pass(length)?))
    }

    /// Goes on after a field of this length if it ends there.
    fn pass(&mut self, length: usize) -> Option<bool> {
        let to = self.at + length;
        match self.byte(to) {
            Some(byte) if byte == self.delimiter => {
                self.at = to + 1;
                Some(false)
            }
            Some(b'\n' | b'\r') | None => {
                self.at = to;
                Some(true)
            }
            Some(_) => None,
        }
    }

    /// Returns a field whose text begins at a byte, after its quote.
    fn quoted(&mut self, mut from: usize) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        loop {
            let bytes = &self.text.as_bytes()[from.min(self.end)..self.end];
            let Some(quote) = memchr(b'"', bytes).map(|at| from + at) else {
                self.at = self.end;
                return text + self.part(from, self.end);
            };
            if self.byte(quote + 1) == Some(b'"') {
                text += self.part(from, quote + 1);
                from = quote + 2;
                continue;
            }
            text += self.part(from, quote);
            self.at = self.field_end(quote + 1);
            return text + self.part(quote + 1, self.at);
        }
    }

    /// Returns where an unquoted field ends.
    fn field_end(&self, from: usize) -> usize {
        let rest = self.text.as_bytes().get(from..self.end).unwrap_or(&[]);
        memchr3(self.delimiter, b'\n', b'\r', rest).map_or(self.end, |at| from + at)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied().filter(|_| at < self.end)
    }

    fn part(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }
}

/// Returns where rows from byte `start` on are cut into up to so many parts of about equal size: the first byte of each,
/// and the end of the text. A line feed within quotes is no place for a cut.
pub(super) fn cuts(text: &str, start: usize, delimiter: u8, parts: usize) -> Vec<usize> {
    let bytes = text.as_bytes();
    let find = |byte: u8, from: usize| {
        bytes.get(from..).and_then(|rest| memchr(byte, rest)).map_or(bytes.len(), |found| from + found)
    };
    let size = bytes.len().saturating_sub(start).div_ceil(parts.max(1));
    let mut cuts = vec![start];
    // Where the latest text in quotes ended, and the first quote after it.
    let (mut outside, mut quote) = (start, find(b'"', start));
    for part in 1..parts {
        let mut from = outside.max(start + part * size);
        loop {
            let feed = find(b'\n', from);
            while quote < feed {
                let opens = quote == start || [b'\n', b'\r', delimiter].contains(&bytes[quote - 1]);
                outside = if opens { closed(bytes, quote + 1) } else { quote + 1 };
                quote = find(b'"', outside);
            }
            if outside <= feed {
                cuts.push((feed + 1).min(bytes.len()));
                break;
            }
            from = outside;
        }
    }
    cuts.push(bytes.len());
    cuts.dedup();
    cuts
}

/// Returns the byte after the quote that closes a text which begins at a byte.
fn closed(bytes: &[u8], mut at: usize) -> usize {
    while let Some(quote) = bytes.get(at..).and_then(|rest| memchr(b'"', rest)) {
        at += quote + 1;
        if bytes.get(at) != Some(&b'"') {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rows from each cut to the next one, by the cursor.
    fn rows(text: &str, parts: usize) -> Vec<Vec<String>> {
        let cuts = cuts(text, 0, b',', parts);
        let mut rows = Vec::new();
        for span in cuts.windows(2) {
            let mut cursor = Cursor::new(text, span[0], span[1], b',');
            while cursor.row().is_some() {
                let mut row = Vec::new();
                loop {
                    let (field, last) = cursor.field();
                    row.push(field.into_owned());
                    if last {
                        break;
                    }
                }
                rows.push(row);
            }
        }
        rows
    }

    fn by_the_crate(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn rows_are_those_of_the_crate_however_they_are_cut(
            text in r#"([ab1.é -]{0,3}[,"\n]{0,3}\r?){0,12}"#, parts in 1_usize..6,
        ) {
            prop_assert_eq!(rows(&text, parts), by_the_crate(&text));
        }

        #[test]
        fn numbers_are_taken_only_where_the_field_is_that_number(text in r"-?\+?[0-9]{0,20}\.?[0-9]{0,3}(e-?[0-9])?[ ,x\n]?1") {
            let mut cursor = Cursor::new(&text, 0, text.len(), b',');
            let whole = cursor.clone().field();
            if let Some((value, last)) = cursor.clone().float() {
                prop_assert_eq!((value.to_bits(), last), (whole.0.parse::<f64>().unwrap().to_bits(), whole.1));
            }
            if let Some((value, last)) = cursor.int() {
                prop_assert_eq!((value, last), (whole.0.parse::<i64>().unwrap(), whole.1));
                let after = cursor.at;
                let mut cursor = Cursor::new(&text, 0, text.len(), b',');
                cursor.field();
                prop_assert_eq!(after, cursor.at);
            }
        }
    }

    #[test]
    fn a_text_is_cut_into_parts_of_about_equal_size() {
        let text = "1,2\n".repeat(100);
        assert_eq!(cuts(&text, 0, b',', 4), [0, 104, 204, 304, 400]);
        let quoted = format!("\"{}\",1\n{}", "a\n".repeat(100), "2,3\n".repeat(20));
        assert_eq!(cuts(&quoted, 0, b',', 4), [0, 205, 217, 285]);
        assert_eq!(cuts("1,\"2\n", 0, b',', 3), [0, 5]);
        assert_eq!(cuts("", 0, b',', 3), [0]);
    }
}
