//! The logarithm of the hyperbolic cosine of the error: squared when small, absolute when large.

use super::aligned::fused_or;
use super::fused::Aligned;
use super::{Loss, Reduction, formula, rows};
use crate::error::Result;
use crate::registry::Entry;
use crate::tensor::Graph;

/// Log-cosh.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "LogCosh",
    aliases: &["log_cosh", "logcosh"],
    doc: "Mean over the last axis of log(cosh(y_pred - y_true)).",
    parameters: &[Reduction::PARAMETER],
    build: |arguments| fused_or(Some(Aligned::Row(rows::log_cosh)), "log_cosh", arguments, log_cosh),
};

/// log cosh x = x + softplus(-2x) - log 2, which does not overflow.
fn log_cosh(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let error = (y_pred - y_true)?;
    let value = (&error + formula::softplus(&(&error * -2.0)?)?)?;
    formula::mean_last(&(value - std::f64::consts::LN_2)?)
}
