//! Learning-rate schedules, in Keras vocabulary: the rate as a function of the number of updates done.

use crate::error::Result;

/// A learning rate for each step.
pub trait Schedule: Send + Sync {
    /// Returns the learning rate for a step; the first update has step 0.
    fn learning_rate(&self, step: u64) -> Result<f64>;
}

/// The same rate at every step, until a service changes it.
#[derive(Clone, Copy, Debug)]
pub struct Constant(pub f64);

impl Schedule for Constant {
    fn learning_rate(&self, _step: u64) -> Result<f64> {
        Ok(self.0)
    }
}
