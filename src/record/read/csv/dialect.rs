//! How a table of separated values is written, where it is not the usual way.

use csv::{Reader, ReaderBuilder, StringRecord};

use crate::record::read::MISSING;

/// How a table of separated values is written: what stands between two values, whether the first line names the
/// columns, and what stands where a value is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The character between two values; default `,`, and a tab in `.tsv` files.
    pub delimiter: Option<u8>,
    /// Whether the first line names the columns; default true. Without it they are `column_0`, `column_1` …
    pub header: bool,
    /// The names of the columns, in place of those of the header.
    pub names: Option<Vec<String>>,
    /// What stands where a value is missing, an empty field included if it does; default empty, `NA`, `NaN`, `nan`,
    /// `null`.
    pub missing: Option<Vec<String>>,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect { delimiter: None, header: true, names: None, missing: None }
    }
}

impl Dialect {
    /// Creates the dialect of tab-separated files.
    pub(super) fn tabs(self) -> Self {
        Dialect { delimiter: self.delimiter.or(Some(b'\t')), ..self }
    }

    pub(super) fn byte(&self) -> u8 {
        self.delimiter.unwrap_or(b',')
    }

    pub(super) fn reader<'a>(&self, text: &'a str) -> Reader<&'a [u8]> {
        ReaderBuilder::new().delimiter(self.byte()).has_headers(self.header).from_reader(text.as_bytes())
    }

    /// Returns the names of the columns, those of the first line being `first`.
    pub(super) fn names_of(&self, first: &StringRecord) -> Vec<String> {
        match (&self.names, self.header) {
            (Some(names), _) => names.clone(),
            (None, true) => first.iter().map(|name| name.trim().to_owned()).collect(),
            (None, false) => (0..first.len()).map(|column| format!("column_{column}")).collect(),
        }
    }

    /// Returns whether a value, with nothing before and after it, stands for none.
    pub(super) fn missing(&self, value: &str) -> bool {
        match &self.missing {
            None => MISSING.contains(&value),
            Some(missing) => missing.iter().any(|missing| missing == value),
        }
    }

    /// Returns whether a plain number is always a value, as none stands for a missing one.
    pub(super) fn takes_plain_numbers(&self) -> bool {
        let number = |text: &String| fast_float2::parse::<f64, _>(text.trim()).is_ok();
        self.missing.as_ref().is_none_or(|missing| !missing.iter().any(number))
    }

    /// Returns what a header of one name suggests to be the delimiter.
    pub(super) fn suspected(&self, first: &StringRecord) -> Option<&'static str> {
        let name = first.get(0).filter(|_| first.len() == 1 && self.delimiter.is_none())?;
        [";", "\t", "|"].into_iter().find(|delimiter| name.contains(delimiter))
    }
}
