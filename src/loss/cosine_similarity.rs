//! The cosine of the angle between labels and predictions, negated so that smaller is better.

use super::aligned::fused_or;
use super::formula::EPSILON;
use super::fused::Aligned;
use super::{Loss, Reduction, rows, shape};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

/// Cosine similarity.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "CosineSimilarity",
    aliases: &["cosine_similarity"],
    doc: "Minus the cosine of the angle between y_true and y_pred along an axis: -1 for the same direction; 0 when \
          either is 0. As a metric the sign is turned.",
    parameters: &[Parameter::optional("axis", Type::Int, "-1", "The axis of the vectors"), Reduction::PARAMETER],
    build,
};

fn build(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let axis = arguments.int("axis");
    let fused = (axis == -1).then_some(Aligned::Row(rows::cosine));
    fused_or(fused, "cosine_similarity", arguments, move |y_true, y_pred| {
        let axis = shape::axis("cosine_similarity", axis, y_pred)?;
        let product = (unit(y_true, axis)? * unit(y_pred, axis)?)?;
        Ok(product.sum(axis)?.neg()?)
    })
}

/// Scales vectors to length 1. The squared length is kept from 0 before the root, so that the gradient of a
/// zero vector is finite.
fn unit(x: &Graph, axis: usize) -> Result<Graph> {
    let length = x.sqr()?.sum_keepdim(axis)?.maximum(EPSILON * EPSILON)?.sqrt()?;
    Ok(x.broadcast_div(&length)?)
}
