//! How the functions of loaders, transformers and augmentors are run, for people.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, Place};

/// How a function is run.
#[derive(Clone, Debug)]
pub enum How {
    /// A native component, which has no script.
    Native,
    /// Once for a whole chunk, on columns.
    Vectorised,
    /// Record by record.
    Interpreted {
        /// The reason: "uses `switch`".
        why: String,
        /// The line that it is about.
        place: Option<Place>,
    },
}

impl How {
    /// Returns the name: `native`, `vectorised` or `interpreted`.
    pub fn name(&self) -> &'static str {
        match self {
            How::Native => "native",
            How::Vectorised => "vectorised",
            How::Interpreted { .. } => "interpreted",
        }
    }

    /// Returns why a function is interpreted, with its place.
    pub fn why(&self) -> Option<String> {
        match self {
            How::Interpreted { why, place: Some(place) } => Some(format!("{why} ({place})")),
            How::Interpreted { why, place: None } => Some(why.clone()),
            _ => None,
        }
    }
}

/// A loop over the elements of a tensor.
#[derive(Clone, Debug)]
pub struct ElementLoop {
    /// Where it reads an element.
    pub place: Place,
    /// What does the same to the whole tensor.
    pub instead: &'static str,
}

/// How one function is run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the function is: "loader", "transformer", "augmentor".
    pub slot: &'static str,
    /// The import path of its component.
    pub import: String,
    /// The function's name; empty for a native component.
    pub function: String,
    /// How it is run.
    pub how: How,
    /// Records that were followed.
    pub followed: u64,
    /// Records that were interpreted instead.
    pub interpreted: u64,
    /// Records that were followed and interpreted, and compared.
    pub compared: u64,
    /// The time that all of it took, on all threads.
    pub time: Duration,
    /// A loop over elements that costs more than it should.
    pub loops: Option<ElementLoop>,
}

impl Report {
    /// Returns the report of a native component.
    pub(crate) fn native(slot: &'static str, import: &str) -> Self {
        Report {
            slot,
            import: import.to_owned(),
            function: String::new(),
            how: How::Native,
            followed: 0,
            interpreted: 0,
            compared: 0,
            time: Duration::ZERO,
            loops: None,
        }
    }

    /// Returns the function as an import path names it: `components.flowers.load`.
    pub fn name(&self) -> String {
        match self.function.is_empty() || self.import.ends_with(&format!(".{}", self.function)) {
            true => self.import.clone(),
            false => format!("{}.{}", self.import, self.function),
        }
    }

    /// Returns the number of records that were run.
    pub fn records_in_all(&self) -> u64 {
        self.followed + self.interpreted
    }

    /// Returns the time that a record took, in millionths of a second.
    pub fn microseconds(&self) -> f64 {
        self.time.as_secs_f64() * 1e6 / self.records_in_all().max(1) as f64
    }

    /// Returns the warning about a loop over elements, if there is one.
    pub fn warning(&self) -> Option<Error> {
        let ElementLoop { place, instead } = self.loops.as_ref()?;
        let slow =
            "a loop reads a tensor element by element, which takes a hundred times as long as one operation on all";
        Some(Error::script(slow).hint(*instead).at(place.clone()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { slot, import, function, how, .. } = self;
        write!(f, "{slot} `{import}`")?;
        if !function.is_empty() && !import.ends_with(&format!(".{function}")) {
            write!(f, " `{function}`")?;
        }
        write!(f, ": {}", how.name())?;
        if let Some(why) = how.why() {
            write!(f, ", since it {why}")?;
        }
        if self.records_in_all() > 0 {
            write!(f, ", {:.2} µs a record", self.microseconds())?;
        }
        Ok(())
    }
}
