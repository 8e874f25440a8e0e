//! One trial: its hyperparameters, and what it reports.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A trial of a search.
#[derive(Debug)]
pub struct Trial {
    /// Its number, from 1.
    pub number: usize,
    /// Which of the repetitions of its hyperparameters it is, from 0.
    pub repetition: usize,
    /// The seed of a run that has none of its own: that of the repetition, so that trials of one repetition differ in
    /// nothing but their hyperparameters.
    pub seed: u64,
    /// The hyperparameters.
    pub values: Map<String, Value>,
    /// The folder that the trial writes to.
    pub folder: PathBuf,
    most_reports: Option<usize>,
    stop: Arc<AtomicBool>,
    /// Whether the trial was told that someone asked to stop: what it does then is not its result.
    cut_short: AtomicBool,
    reports: Mutex<Vec<Map<String, Value>>>,
}

impl Trial {
    /// Creates a trial that has reported nothing.
    pub(super) fn new(
        number: usize,
        config: super::domain::Config,
        seed: u64,
        folder: PathBuf,
        most_reports: Option<usize>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let super::domain::Config { repetition, values } = config;
        let (cut_short, reports) = (AtomicBool::default(), Mutex::default());
        Trial { number, repetition, seed, values, folder, most_reports, stop, cut_short, reports }
    }

    /// Takes in a report: numbers, texts or truth values by name.
    ///
    /// # Errors
    /// A name that the hyperparameters or the table use already; a value that is a list or a map.
    pub fn report(&self, values: Map<String, Value>) -> Result<()> {
        check_report(&values)?;
        if let Some(name) = values.keys().find(|name| self.values.contains_key(*name)) {
            return Err(Error::script(format!("`{name}` is a hyperparameter: a report needs another name for it")));
        }
        self.lock().push(values);
        Ok(())
    }

    /// Returns what was reported, in order.
    pub fn reports(&self) -> Vec<Map<String, Value>> {
        self.lock().clone()
    }

    /// Returns whether the trial is to end: it has reported as often as it may, or someone asked to stop.
    pub fn should_stop(&self) -> bool {
        if self.most_reports.is_some_and(|most| self.lock().len() >= most) {
            return true;
        }
        let asked = self.stop.load(Ordering::Relaxed);
        self.cut_short.fetch_or(asked, Ordering::Relaxed);
        asked
    }

    /// Returns whether [`Trial::should_stop`] answered yes because someone asked to stop.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Relaxed)
    }

    /// Returns where a file of the trial lies.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Map<String, Value>>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names of columns that every table of results has.
pub(super) const COLUMNS: [&str; 4] = ["trial", "repetition", "status", "error"];

/// Checks what a trial reports.
///
/// # Errors
/// See [`Trial::report`].
pub fn check_report(values: &Map<String, Value>) -> Result<()> {
    for (name, value) in values {
        if COLUMNS.contains(&name.as_str()) {
            return Err(Error::script(format!(
                "a report cannot be called `{name}`: the table of results has that column"
            )));
        }
        if value.is_array() || value.is_object() {
            return Err(Error::script(format!("`{name}`: expected a number, a text or true or false to report"))
                .hint("report the last value of a list, or its mean"));
        }
    }
    Ok(())
}
