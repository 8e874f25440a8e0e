//! Cross-entropy of class indices, and its generalisation for noisy labels.

use super::binary_crossentropy::FROM_LOGITS;
use super::categorical_crossentropy::AXIS;
use super::{Fused, Loss, Reduction, formula, shape};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

/// Sparse categorical cross-entropy.
pub(super) const PLAIN: Entry<dyn Loss> = Entry {
    name: "SparseCategoricalCrossentropy",
    aliases: &["sparse_categorical_crossentropy"],
    doc: "Minus the logarithm of the probability of the true class; labels are class indices, of shape `[batch]` or \
          `[batch, 1]`. Probabilities are kept 1e-7 from 0 and 1, then divided by their sum.",
    parameters: &[
        FROM_LOGITS,
        Parameter::optional(
            "ignore_class",
            Type::Int,
            "null",
            "A label that counts nothing, such as -1 or 255 for unlabelled pixels",
        ),
        AXIS,
        Reduction::PARAMETER,
    ],
    build: plain,
};

/// Categorical generalized cross-entropy.
pub(super) const GENERALIZED: Entry<dyn Loss> = Entry {
    name: "CategoricalGeneralizedCrossEntropy",
    aliases: &["categorical_generalized_cross_entropy"],
    doc: "(1 - p^q) / q, p the predicted probability of the true class: bears wrong labels better than cross-entropy \
          (Zhang and Sabuncu, 2018). Labels are class indices.",
    parameters: &[
        Parameter::optional("q", Type::Float, "0.5", "Between 0 (cross-entropy) and 1 (absolute error), both excluded"),
        Reduction::PARAMETER,
    ],
    build: generalized,
};

struct Sparse {
    from_logits: bool,
    ignore_class: Option<i64>,
    axis: i64,
    reduction: Reduction,
}

fn plain(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Sparse {
        from_logits: arguments.bool("from_logits"),
        ignore_class: arguments.value("ignore_class").as_i64(),
        axis: arguments.int("axis"),
        reduction: Reduction::from(arguments)?,
    }))
}

impl Loss for Sparse {
    fn name(&self) -> &str {
        "sparse_categorical_crossentropy"
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let axis = shape::axis(self.name(), self.axis, y_pred)?;
        let indices = shape::class_indices(self.name(), y_true, y_pred, axis, self.ignore_class)?;
        let logs = formula::log_share(y_pred, self.from_logits, axis)?;
        let values = pick(&logs, &indices, axis)?.neg()?;
        match self.mask(y_true, &values)? {
            // Not a product: an ignored prediction may be infinite or not a number.
            Some(mask) => Ok(mask.ne(0.0)?.where_cond(&values, &values.zeros_like()?)?),
            None => Ok(values),
        }
    }

    fn mask(&self, y_true: &Graph, values: &Graph) -> Result<Option<Graph>> {
        let Some(ignored) = self.ignore_class else { return Ok(None) };
        let labels = shape::integers(self.name(), y_true)?;
        let counts: Vec<f32> = labels.into_iter().map(|label| f32::from(u8::from(label != ignored))).collect();
        Ok(Some(Graph::from_vec(counts, values.shape(), values.device())?.to_dtype(values.dtype())?))
    }

    fn fused(&self, batch: &mut Fused<'_>) -> Option<f64> {
        match (self.ignore_class, self.axis) {
            (None, -1) => batch.sparse(self.from_logits, self.reduction),
            _ => None,
        }
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}

struct Generalized {
    q: f64,
    reduction: Reduction,
}

fn generalized(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let q = arguments.float("q");
    if q <= 0.0 || q >= 1.0 {
        return Err(arguments.refuse("q", "a number between 0 and 1, both excluded"));
    }
    Ok(Box::new(Generalized { q, reduction: Reduction::from(arguments)? }))
}

impl Loss for Generalized {
    fn name(&self) -> &str {
        "categorical_generalized_cross_entropy"
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let axis = shape::axis(self.name(), -1, y_pred)?;
        let indices = shape::class_indices(self.name(), y_true, y_pred, axis, None)?;
        let p = pick(y_pred, &indices, axis)?;
        Ok(formula::power(&p, self.q)?.affine(-1.0 / self.q, 1.0 / self.q)?)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}

/// Returns the value of the true class; the class axis goes away.
fn pick(values: &Graph, indices: &Graph, axis: usize) -> Result<Graph> {
    Ok(values.contiguous()?.gather(&indices.unsqueeze(axis)?.contiguous()?, axis)?.squeeze(axis)?)
}
