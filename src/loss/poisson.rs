//! The Poisson loss, for counts.

use super::aligned::fused_or;
use super::formula::{self, EPSILON};
use super::fused::Aligned;
use super::{Loss, Reduction, rows};
use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Graph;

/// Poisson loss.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "Poisson",
    aliases: &["poisson"],
    doc: "Mean over the last axis of y_pred - y_true log(y_pred + 1e-7).",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| fused_or(Some(Aligned::Row(rows::poisson)), "poisson", arguments, poisson),
};

fn poisson(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let log = (y_pred + EPSILON)?.log()?;
    formula::mean_last(&(y_pred - (y_true * log)?)?)
}
