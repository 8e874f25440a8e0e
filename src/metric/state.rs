//! What a metric has gathered of an epoch, as a checkpoint keeps it.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::tensor::Array;

/// What a metric has gathered: numbers for built-ins, fields and arrays for scripts.
#[derive(Clone, Debug, Default)]
pub struct MetricState {
    /// Sums and counts, in an order of the metric's own.
    pub numbers: Vec<f64>,
    /// The fields of a scripted metric; null for others.
    pub fields: Value,
    /// The tensors in these fields, by name.
    pub arrays: Vec<(String, Array)>,
}

impl MetricState {
    /// Returns the state of a metric that gathers numbers only.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        MetricState { numbers: numbers.into_iter().collect(), ..MetricState::default() }
    }

    /// Returns the numbers, of which there must be so many.
    pub(super) fn exactly<const N: usize>(&self, metric: &str) -> Result<[f64; N]> {
        self.numbers.as_slice().try_into().map_err(|_| foreign(metric))
    }

    /// Returns the numbers in rows of four.
    pub(super) fn rows(&self, metric: &str) -> Result<Vec<[f64; 4]>> {
        match self.numbers.as_chunks() {
            (rows, []) => Ok(rows.to_vec()),
            _ => Err(foreign(metric)),
        }
    }
}

/// Returns the error for a state that the metric did not make.
pub(super) fn foreign(metric: &str) -> Error {
    Error::artifact(format!("the checkpoint's state of the metric `{metric}` is of another metric"))
        .hint("resume with the metrics that the run was started with")
}
