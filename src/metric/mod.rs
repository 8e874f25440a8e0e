//! Metrics, in Keras vocabulary and to Keras's numbers: running results, independent of the batch size.
//!
//! Built-ins stand in [`LIST`]; besides them every loss serves as a metric. [`make`] finds either, and
//! resolves `accuracy` from the shapes of labels and predictions. Metrics compute on the host: values in f32, sums in
//! f64.

mod accuracy;
mod auc;
mod confusion;
mod correlation;
mod counts;
mod f_score;
mod iou;
mod loss_metric;
mod operating_point;
mod r2_score;
mod regression;

mod built_in;
mod make;
mod mean;
mod seen;
mod state;

use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Tensor;

pub use make::{MetricTarget, make};
pub use seen::{Seen, Values};
pub use state::MetricState;

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

    /// Takes in one batch as [`Metric::update`] does, without allocating while batches have one shape; returns whether it
    /// did: what is scripted needs tensors.
    ///
    /// # Errors
    /// As [`Metric::update`].
    fn update_seen(&mut self, _: &Seen<'_>) -> Result<bool> {
        Ok(false)
    }

    /// Returns the result so far; 0 before the first batch, as Keras does. Of several results (one for each
    /// class, or each threshold) it is the mean, as in Keras's progress bar.
    ///
    /// # Errors
    /// None for built-ins; what a script raises.
    fn result(&self) -> Result<f64>;

    /// Returns all results, of a metric that has several; one otherwise.
    ///
    /// # Errors
    /// As [`Metric::result`].
    fn results(&self) -> Result<Vec<f64>> {
        Ok(vec![self.result()?])
    }

    /// Returns what it has gathered of the epoch so far, for a checkpoint within an epoch.
    ///
    /// # Errors
    /// None for built-ins; a state of a script that cannot be stored.
    fn state(&self) -> Result<MetricState>;

    /// Takes back what [`Metric::state`] gave.
    ///
    /// # Errors
    /// A state of another metric.
    fn restore(&mut self, state: &MetricState) -> Result<()>;
}

/// The built-in metrics that are not losses as well.
pub static LIST: &[Entry<dyn Metric>] = &[
    accuracy::EQUAL,
    accuracy::BINARY,
    accuracy::CATEGORICAL,
    accuracy::SPARSE,
    accuracy::TOP_K,
    accuracy::SPARSE_TOP_K,
    counts::PRECISION,
    counts::RECALL,
    counts::TRUE_POSITIVES,
    counts::TRUE_NEGATIVES,
    counts::FALSE_POSITIVES,
    counts::FALSE_NEGATIVES,
    auc::ENTRY,
    operating_point::SENSITIVITY_AT_SPECIFICITY,
    operating_point::SPECIFICITY_AT_SENSITIVITY,
    operating_point::PRECISION_AT_RECALL,
    operating_point::RECALL_AT_PRECISION,
    f_score::F1,
    f_score::F_BETA,
    regression::ROOT_MEAN_SQUARED_ERROR,
    regression::MEAN,
    regression::SUM,
    loss_metric::COSINE_SIMILARITY,
    loss_metric::LOG_COSH,
    r2_score::ENTRY,
    correlation::PEARSON,
    correlation::CONCORDANCE,
    iou::IOU,
    iou::MEAN_IOU,
    iou::BINARY,
    iou::ONE_HOT,
    iou::ONE_HOT_MEAN,
];

/// The parameter every metric has.
const NAME: Parameter = Parameter::optional(
    "name",
    Type::Text,
    "null",
    "The name it is reported under; null: its alias as written, or its class name in snake case",
);
