//! What a run tells the person who watches it, and what it returns.

use std::path::PathBuf;
use std::time::Duration;

use crate::artifact::Saved;
use crate::service::Logs;

/// Shows a run while it goes on. The trainer never prints; the command line implements this.
pub trait Progress {
    /// Called once before the first step.
    fn run_begin(&mut self, run: &Run) {
        let _ = run;
    }

    /// Called after each step.
    fn batch(&mut self, at: &Step) {
        let _ = at;
    }

    /// Called before the validation records of an epoch are looked at.
    fn validation_begin(&mut self) {}

    /// Called after each epoch, validation included.
    fn epoch_end(&mut self, row: &EpochRow, epochs: usize) {
        let _ = (row, epochs);
    }

    /// Called once the best weights or a checkpoint stand on the disk.
    fn saved(&mut self, saved: &Saved) {
        let _ = saved;
    }

    /// Called with a line for the person, from a service or about the end of the run.
    fn message(&mut self, line: &str) {
        let _ = line;
    }

    /// Called once before the end of the run: how long training waited for its batches.
    fn waited(&mut self, time: Duration) {
        let _ = time;
    }

    /// Called once after the last epoch.
    fn run_end(&mut self, history: &History) {
        let _ = history;
    }
}

/// Shows nothing.
pub struct Quiet;

impl Progress for Quiet {}

/// What a run is, before its first step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The artifact folder.
    pub folder: PathBuf,
    /// The seed, drawn or given.
    pub seed: u64,
    /// The device that computes: `cpu`, `cuda:0`.
    pub device: String,
    /// Epochs in all.
    pub epochs: usize,
    /// The first epoch of this run, from 0; above 0 when it was resumed.
    pub first_epoch: usize,
    /// Batches of the first epoch that were done before; above 0 when the run goes on within it.
    pub first_batch: usize,
    /// Steps in each epoch.
    pub batches: usize,
    /// Updates done before; above 0 when the run was resumed.
    pub step: u64,
    /// Records in each pass over the training data.
    pub records: usize,
    /// Validation records; 0 without validation.
    pub validation_records: usize,
    /// Numbers that the optimizer trains.
    pub trainable: usize,
}

/// One step of a run.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// The batch within the epoch, from 0.
    pub batch: usize,
    /// Batches in the epoch.
    pub batches: usize,
    /// The loss of this batch alone, before the update.
    pub loss: f64,
    /// Running means of the epoch.
    pub logs: &'a Logs,
}

/// What an epoch reached.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRow {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Updates done at its end.
    pub step: u64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// Values in the order of the report, validation last.
    pub logs: Logs,
}

/// What a run reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One row for each finished epoch of this run.
    pub epochs: Vec<EpochRow>,
    /// Updates done, those before a resume included.
    pub steps: u64,
    /// Why the run ended before its last epoch.
    pub stopped: Option<String>,
    /// What is known about why, a line each: of a loss that is no number, where it came from.
    pub details: Vec<String>,
    /// Whether it ended because someone asked for it.
    pub interrupted: bool,
}

impl History {
    /// Returns a log's value in each epoch; empty for an unknown name.
    pub fn values(&self, name: &str) -> Vec<f64> {
        let value = |row: &EpochRow| row.logs.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
        self.epochs.iter().filter_map(value).collect()
    }
}
