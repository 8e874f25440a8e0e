//! Why a script was not followed: at which place, and for how long.

use std::sync::Arc;

use rhai::Position;

use crate::error::Place;
use crate::script::host::Host;

/// The outcome of following a script.
pub(in crate::script) type Outcome<T> = Result<T, Box<Halt>>;

/// A reason to interpret instead. Nothing of a halted chunk is used, so a halt is always safe: an error that a
/// record would raise is a halt, too, and interpretation finds it again with its record and line.
#[derive(Clone, Debug)]
pub(in crate::script) struct Halt {
    /// What was found, as the end of "interpreted: ".
    pub why: String,
    pub at: Position,
    /// The script, once it is known.
    pub script: Option<Arc<str>>,
}

impl Halt {
    pub fn new(why: impl Into<String>) -> Box<Halt> {
        Box::new(Halt { why: why.into(), at: Position::NONE, script: None })
    }

    pub fn at(why: impl Into<String>, at: Position) -> Box<Halt> {
        Box::new(Halt { why: why.into(), at, script: None })
    }

    /// Returns the halt with a place, unless it has one.
    pub fn or_at(mut self: Box<Self>, at: Position) -> Box<Halt> {
        if self.at.is_none() && self.script.is_none() {
            self.at = at;
        }
        self
    }

    /// Returns the halt with its script, unless it is known.
    pub fn or_in(mut self: Box<Self>, script: &Arc<str>) -> Box<Halt> {
        self.script.get_or_insert_with(|| script.clone());
        self
    }

    /// Returns where it was, when it is known.
    pub fn place(&self, host: &Host) -> Option<Place> {
        host.sources().place(self.script.as_deref()?, self.at)
    }
}

impl From<crate::error::Error> for Box<Halt> {
    fn from(error: crate::error::Error) -> Self {
        Halt::new(format!("an error of a record: {}", error.message()))
    }
}
