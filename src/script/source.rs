//! The texts of all scripts a host has compiled, so that errors can draw their lines and a run can
//! keep what it used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::Position;

use crate::error::Place;

/// One script.
#[derive(Clone, Debug)]
pub struct Script {
    /// The name errors show: the path below the project root, or `std/…`.
    pub label: Arc<str>,
    /// The text that was compiled.
    pub text: Arc<str>,
    /// Where it was read; `None` for embedded scripts and the prompt.
    pub file: Option<PathBuf>,
}

/// Scripts by label.
#[derive(Debug, Default)]
pub struct Sources(Mutex<BTreeMap<Arc<str>, Script>>);

impl Sources {
    /// Remembers a script; a later text of the same label replaces the earlier one.
    pub fn insert(&self, script: Script) {
        self.lock().insert(script.label.clone(), script);
    }

    /// Returns the script with this label.
    pub fn get(&self, label: &str) -> Option<Script> {
        self.lock().get(label).cloned()
    }

    /// Returns all scripts, sorted by label.
    pub fn all(&self) -> Vec<Script> {
        self.lock().values().cloned().collect()
    }

    /// Returns the place of a position in a script, when both are known.
    pub fn place(&self, label: &str, position: Position) -> Option<Place> {
        let script = self.get(label)?;
        let line = position.line()?;
        Some(Place::from_line(script.label, script.text, line, position.position().unwrap_or(1)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Script>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
