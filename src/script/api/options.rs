//! Options of a function: always one map, checked key by key.

use rhai::{Dynamic, Map};

use crate::error::{self, Error, codes};
use crate::record::Records;
use crate::script::api::arguments::Answer;
use crate::script::traceback::{raise, type_phrase};

/// The options of one call; what was not asked for is refused at the end.
pub struct Options {
    function: &'static str,
    map: Map,
    known: Vec<&'static str>,
}

impl Options {
    /// Starts reading the options of a function.
    pub fn new(function: &'static str, map: Map) -> Self {
        Options { function, map, known: Vec::new() }
    }

    /// Takes a value.
    pub fn take(&mut self, name: &'static str) -> Option<Dynamic> {
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_unit())
    }

    /// Takes a whole number of at least 0.
    pub fn whole(&mut self, name: &'static str) -> Answer<Option<u64>> {
        let value = self.take(name);
        self.read(name, value, "a whole number of at least 0", |value| {
            value.as_int().ok().and_then(|value| u64::try_from(value).ok())
        })
    }

    /// Takes a text.
    pub fn text(&mut self, name: &'static str) -> Answer<Option<String>> {
        let value = self.take(name);
        self.read(name, value, "a text", |value| value.clone().into_string().ok())
    }

    /// Takes a list of texts.
    pub fn texts(&mut self, name: &'static str) -> Answer<Option<Vec<String>>> {
        let value = self.take(name);
        self.read(name, value, "an array of texts", |value| {
            let list = value.read_lock::<rhai::Array>()?;
            list.iter().map(|text| text.clone().into_string().ok()).collect()
        })
    }

    /// Takes what stands between two values of a table: a character of ASCII.
    pub fn delimiter(&mut self, name: &'static str) -> Answer<Option<u8>> {
        let value = self.take(name);
        self.read(name, value, "a character such as `,`, `;` or a tab, `\"\\t\"`", |value| {
            match value.clone().into_string().ok()?.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
                _ => None,
            }
        })
    }

    /// Takes true or false.
    pub fn flag(&mut self, name: &'static str) -> Answer<Option<bool>> {
        let value = self.take(name);
        self.read(name, value, "true or false", |value| value.as_bool().ok())
    }

    /// Takes records.
    pub fn records(&mut self, name: &'static str) -> Answer<Option<Records>> {
        let value = self.take(name);
        self.read(name, value, "records", |value| value.read_lock::<Records>().map(|records| records.clone()))
    }

    fn read<T>(
        &self,
        name: &str,
        value: Option<Dynamic>,
        expected: &str,
        read: impl Fn(&Dynamic) -> Option<T>,
    ) -> Answer<Option<T>> {
        let Some(value) = value else { return Ok(None) };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(raise(
                Error::script(format!(
                    "option `{name}` of `{}`: expected {expected}, found {}",
                    self.function,
                    match value.as_int() {
                        Ok(number) => number.to_string(),
                        Err(kind) => type_phrase(kind),
                    }
                ))
                .coded(codes::WRONG_OPTION),
            )),
        }
    }

    /// Refuses what is left.
    pub fn finish(self) -> Answer<()> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => Err(raise(
                Error::script(format!("`{}` has no option `{name}`", self.function))
                    .coded(codes::WRONG_OPTION)
                    .maybe_hint(error::did_you_mean(name, self.known.iter().copied()))
                    .hint(format!("options: {}", error::list(self.known.iter().copied()))),
            )),
        }
    }
}
