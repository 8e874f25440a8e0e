//! Losses, in Keras vocabulary and to Keras's numbers.
//!
//! A loss gives a value per sample ([`Loss::per_sample`]); [`reduce`] makes one number of them; the
//! method `value` on `dyn Loss` does both. Everything is composed of differentiable tensor operations, so the same code
//! runs on any device and serves scripts and metrics; the common ones also run fused, on slices ([`Loss::fused`]). Built-ins stand in [`LIST`]: a class name with
//! Keras's function names as aliases.

mod binary_crossentropy;
mod categorical_crossentropy;
mod circle;
mod cosine_similarity;
mod ctc;
mod hinge;
mod huber;
mod kl_divergence;
mod log_cosh;
mod mean_error;
mod overlap;
mod poisson;
mod sparse_categorical_crossentropy;

mod aligned;
mod formula;
mod fused;
mod reduce;
mod rows;
mod shape;

use crate::error::Result;
use crate::registry::{self, Entry, Params};
use crate::tensor::Graph;

pub use fused::{Fused, FusedMemory};
pub use reduce::{Reduction, reduce};

/// A loss: a value for each sample, differentiable in the prediction.
pub trait Loss: Send + Sync {
    /// Returns the snake-case name under which it is reported as a metric: `mean_squared_error`.
    fn name(&self) -> &str;

    /// Returns the loss of each sample (and of each inner position: the last axis is reduced), with
    /// the shape of `y_pred` without its last axis. Labels come in any dtype.
    ///
    /// # Errors
    /// Shapes that do not fit are refused: nothing broadcasts.
    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph>;

    /// Returns which values count, as 0 and 1 in the shape and dtype of `values` (what
    /// [`Loss::per_sample`] gave); `None` when all do. Values that do not count are left out of means.
    ///
    /// # Errors
    /// Labels that are no class indices, for losses that need these.
    fn mask(&self, _y_true: &Graph, _values: &Graph) -> Result<Option<Graph>> {
        Ok(None)
    }

    /// Computes the loss of a batch and its gradient on slices, in one pass; `None` where it must be composed, as for
    /// labels that do not fit, which [`Loss::per_sample`] then refuses.
    fn fused(&self, _batch: &mut Fused<'_>) -> Option<f64> {
        None
    }

    /// Returns the reduction given by the recipe.
    fn reduction(&self) -> Reduction {
        Reduction::SumOverBatchSize
    }
}

impl dyn Loss + '_ {
    /// Returns the loss of a batch: one number, or the weighted values when the reduction is
    /// [`Reduction::None`].
    ///
    /// # Errors
    /// Shapes that do not fit are refused.
    pub fn value(&self, y_true: &Graph, y_pred: &Graph, weight: Option<&Graph>) -> Result<Graph> {
        let values = self.per_sample(y_true, y_pred)?;
        match self.mask(y_true, &values)? {
            None => reduce(&values, weight, self.reduction()),
            Some(mask) => reduce::reduce_masked(&values, weight, &mask, self.reduction()),
        }
        .map_err(|error| error.within(format!("`{}`", self.name())))
    }
}

/// The built-in losses.
pub static LIST: &[Entry<dyn Loss>] = &[
    mean_error::SQUARED,
    mean_error::ABSOLUTE,
    mean_error::ABSOLUTE_PERCENTAGE,
    mean_error::SQUARED_LOGARITHMIC,
    log_cosh::ENTRY,
    huber::ENTRY,
    poisson::ENTRY,
    kl_divergence::ENTRY,
    cosine_similarity::ENTRY,
    hinge::HINGE,
    hinge::SQUARED,
    hinge::CATEGORICAL,
    binary_crossentropy::PLAIN,
    binary_crossentropy::FOCAL,
    categorical_crossentropy::PLAIN,
    categorical_crossentropy::FOCAL,
    sparse_categorical_crossentropy::PLAIN,
    sparse_categorical_crossentropy::GENERALIZED,
    overlap::DICE,
    overlap::TVERSKY,
    circle::ENTRY,
    ctc::ENTRY,
];

/// Makes a built-in loss from its name and parameters.
///
/// # Errors
/// Unknown names and parameters are refused with the nearest ones.
pub fn make(name: &str, params: &Params) -> Result<Box<dyn Loss>> {
    registry::find(LIST, "loss", name)?.make(params)
}
