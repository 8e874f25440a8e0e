//! Metrics, in Keras vocabulary and to Keras's numbers: running results, independent of the batch size.

use crate::error::Result;
use crate::tensor::Tensor;

/// A running result over the batches of an epoch.
pub trait Metric: Send {
    /// Returns the name under which it is reported, as Keras does: `accuracy`, `auc`.
    fn name(&self) -> &str;

    /// Forgets all batches.
    fn reset(&mut self);

    /// Takes in one batch; tensors on the host. `weight` has shape `[batch]` or more axes.
    ///
    /// # Errors
    /// Shapes that do not fit are refused.
    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()>;

    /// Returns the result so far; 0 before the first batch, as Keras does.
    fn result(&self) -> Result<f64>;
}
