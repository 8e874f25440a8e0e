//! One trial: its hyperparameters, and what it reports.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::domain::Config;
use super::halving::{Judge, Verdict};
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
    /// The config of the experiment that the trial belongs to, as it was written; null outside of one.
    pub experiment: Arc<Value>,
    /// What compares the trial with others.
    judge: Option<Arc<Judge>>,
    most_reports: Option<usize>,
    stop: Arc<AtomicBool>,
    /// Whether the trial was told that someone asked to stop: what it does then is not its result.
    cut_short: AtomicBool,
    /// Whether it was told to stop because others did better.
    is_stopped: AtomicBool,
    /// Whether it went as far as the search wants trials to go.
    is_done: AtomicBool,
    /// Why its hyperparameters make no sense.
    invalid: Mutex<Option<String>>,
    reports: Mutex<Vec<Map<String, Value>>>,
}

impl Trial {
    /// Creates a trial that has reported nothing.
    pub(super) fn new(number: usize, config: Config, seed: u64, folder: PathBuf, most_reports: Option<usize>) -> Self {
        let Config { repetition, values } = config;
        Trial {
            number,
            repetition,
            seed,
            values,
            folder,
            experiment: Arc::default(),
            judge: None,
            most_reports,
            stop: Arc::default(),
            cut_short: AtomicBool::default(),
            is_stopped: AtomicBool::default(),
            is_done: AtomicBool::default(),
            invalid: Mutex::default(),
            reports: Mutex::default(),
        }
    }

    /// Returns the trial of a search that ends when `stop` becomes true.
    #[must_use]
    pub(super) fn within(self, stop: Arc<AtomicBool>, judge: Option<Arc<Judge>>, experiment: Arc<Value>) -> Self {
        Trial { stop, judge, experiment, ..self }
    }

    /// Takes in a report: numbers, texts or truth values by name.
    ///
    /// Where trials are compared, this waits until earlier ones have come as far.
    ///
    /// # Errors
    /// A name that the hyperparameters or the table use already; a value that is a list or a map; a report without what
    /// trials are compared by.
    pub fn report(&self, values: Map<String, Value>) -> Result<()> {
        check_report(&values)?;
        if let Some(name) = values.keys().find(|name| self.values.contains_key(*name)) {
            return Err(Error::script(format!("`{name}` is a hyperparameter: a report needs another name for it")));
        }
        let measured = self.judge.as_ref().map(|judge| judge.halving().measure(&values)).transpose()?;
        let count = {
            let mut reports = self.lock();
            reports.push(values);
            reports.len() as u64
        };
        if let (Some(judge), Some((time, metric))) = (&self.judge, measured) {
            let told = match judge.report(self.number - 1, time.unwrap_or(count), metric) {
                Verdict::Continue => return Ok(()),
                Verdict::Done => &self.is_done,
                Verdict::Stop => &self.is_stopped,
                Verdict::Interrupted => &self.cut_short,
            };
            told.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes in that the hyperparameters make no sense together.
    pub fn set_invalid(&self, reason: &str) {
        self.invalid.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| reason.to_owned());
    }

    /// Returns why the hyperparameters make no sense, if the trial said so.
    pub fn invalid(&self) -> Option<String> {
        self.invalid.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether it was told to stop because others did better.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Returns what was reported, in order.
    pub fn reports(&self) -> Vec<Map<String, Value>> {
        self.lock().clone()
    }

    /// Returns whether the trial is to end: it has reported as often as it may or gone as far, others did better, or
    /// someone asked to stop.
    pub fn should_stop(&self) -> bool {
        if self.is_stopped() || self.is_done.load(Ordering::Relaxed) {
            return true;
        }
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
