//! Hinge losses: a margin of 1 between right and wrong.

use candle_core::D;

use super::aligned::fused_or;
use super::fused::Aligned;
use super::{Loss, Reduction, formula, rows};
use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Graph;

/// Hinge.
pub(super) const HINGE: Entry<dyn Loss> = Entry {
    name: "Hinge",
    aliases: &["hinge"],
    doc: "Mean over the last axis of max(1 - y_true y_pred, 0); labels are -1 and 1, and a batch of 0 and 1 is \
          converted.",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| {
        let fused = Aligned::Hinge { squared: false };
        fused_or(Some(fused), "hinge", arguments, |y_true, y_pred| formula::mean_last(&margin(y_true, y_pred)?))
    },
};

/// Squared hinge.
pub(super) const SQUARED: Entry<dyn Loss> = Entry {
    name: "SquaredHinge",
    aliases: &["squared_hinge"],
    doc: "Mean over the last axis of max(1 - y_true y_pred, 0)²; labels as in `Hinge`.",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| {
        let squared = |y_true: &Graph, y_pred: &Graph| formula::mean_last(&margin(y_true, y_pred)?.sqr()?);
        fused_or(Some(Aligned::Hinge { squared: true }), "squared_hinge", arguments, squared)
    },
};

/// Categorical hinge.
pub(super) const CATEGORICAL: Entry<dyn Loss> = Entry {
    name: "CategoricalHinge",
    aliases: &["categorical_hinge"],
    doc: "max(neg - pos + 1, 0) over the last axis, pos = sum(y_true y_pred), neg = max((1 - y_true) y_pred); labels \
          are one-hot.",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| {
        fused_or(Some(Aligned::Row(rows::categorical_hinge)), "categorical_hinge", arguments, categorical)
    },
};

fn margin(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let binary = (y_true * (y_true - 1.0)?)?.abs()?.max_all()?.to_dtype(candle_core::DType::F32)?;
    let y_true = match binary.to_scalar::<f32>()? == 0.0 {
        true => y_true.affine(2.0, -1.0)?,
        false => y_true.clone(),
    };
    formula::at_least(&(y_true * y_pred)?.affine(-1.0, 1.0)?, 0.0)
}

fn categorical(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let right = (y_true * y_pred)?.sum(D::Minus1)?;
    let wrong = formula::max_last(&(y_true.affine(-1.0, 1.0)? * y_pred)?)?;
    formula::at_least(&((wrong - right)? + 1.0)?, 0.0)
}
