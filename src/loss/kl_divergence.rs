//! The Kullback-Leibler divergence of two distributions.

use candle_core::D;

use super::aligned::fused_or;
use super::formula::{self, EPSILON};
use super::fused::Aligned;
use super::{Loss, Reduction, rows};
use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Graph;

/// Kullback-Leibler divergence.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "KLDivergence",
    aliases: &["kl_divergence", "kullback_leibler_divergence", "kld", "KLD"],
    doc: "Sum over the last axis of y_true log(y_true / y_pred), both clipped to 1e-7 … 1.",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| fused_or(Some(Aligned::Row(rows::divergence)), "kl_divergence", arguments, divergence),
};

fn divergence(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let (y_true, y_pred) = (formula::clip(y_true, EPSILON, 1.0)?, formula::clip(y_pred, EPSILON, 1.0)?);
    Ok((&y_true * (&y_true / y_pred)?.log()?)?.sum(D::Minus1)?)
}
