//! Losses, in Keras vocabulary and to Keras's numbers.

use crate::error::Result;
use crate::tensor::Graph;

/// How values per sample become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The sum of value × weight, divided by the number of values (not by the sum of weights): Keras's
    /// `sum_over_batch_size`.
    SumOverBatchSize,
    /// The sum of value × weight.
    Sum,
    /// The sum of value × weight, divided by the sum of weights.
    MeanWithSampleWeight,
    /// No reduction: values per sample.
    None,
}

/// A loss: a value for each sample, differentiable in the prediction.
pub trait Loss: Send + Sync {
    /// Returns the snake-case name under which it is reported as a metric: `mean_squared_error`.
    fn name(&self) -> &str;

    /// Returns the loss of each sample (and of each inner position: the last axis is reduced), with
    /// the shape of `y_pred` without its last axis.
    ///
    /// # Errors
    /// Shapes that do not fit are refused: nothing broadcasts.
    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph>;

    /// Returns the reduction given by the recipe.
    fn reduction(&self) -> Reduction {
        Reduction::SumOverBatchSize
    }
}
