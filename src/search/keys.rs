//! Reads a map of settings key by key, and refuses what nobody asked for.

use serde_json::{Map, Value};

use crate::error::{self, Error, Result};

/// The keys of one map.
pub(super) struct Keys<'a> {
    /// How errors call the map: `searcher`.
    name: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    /// Starts reading a map.
    pub fn new(name: impl Into<String>, map: &'a Map<String, Value>) -> Self {
        Keys { name: name.into(), map, known: Vec::new() }
    }

    /// Returns the value of a key; null is none.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Returns a text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<&'a str>> {
        self.read(key, "a text", Value::as_str)
    }

    /// Returns true or false.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.read(key, "true or false", Value::as_bool)
    }

    /// Returns a finite number.
    pub fn number(&mut self, key: &'static str) -> Result<Option<f64>> {
        self.read(key, "a number", Value::as_f64)
    }

    /// Returns a whole number of at least `least`.
    pub fn whole(&mut self, key: &'static str, least: u64) -> Result<Option<u64>> {
        let expected = format!("a whole number of at least {least}");
        self.read(key, &expected, |value| value.as_u64().filter(|value| *value >= least))
    }

    /// Returns a whole number that may be negative.
    pub fn integer(&mut self, key: &'static str) -> Result<Option<i64>> {
        self.read(key, "a whole number", Value::as_i64)
    }

    /// Returns the error of a key that has to be there.
    pub fn missing(&self, key: &str) -> Error {
        Error::recipe(format!("{} has no `{key}`", self.name))
    }

    /// Refuses keys that were not asked for.
    ///
    /// # Errors
    /// Names the first, and the nearest known one.
    pub fn finish(self) -> Result<()> {
        match self.map.keys().find(|key| !self.known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Error::recipe(format!("{} has no key `{key}`", self.name))
                .maybe_hint(error::did_you_mean(key, self.known.iter().copied()))
                .hint(format!("keys: {}", error::list(self.known.iter().copied())))),
        }
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let wrong = || Error::recipe(format!("`{key}` of {}: expected {expected}, found {value}", self.name));
        read(value).map(Some).ok_or_else(wrong)
    }
}
