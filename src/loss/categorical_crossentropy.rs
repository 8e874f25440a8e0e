//! Cross-entropy of one-hot (or soft) labels, plain and focal.

use super::aligned::{aligned, fused_or};
use super::binary_crossentropy::{FROM_LOGITS, LABEL_SMOOTHING};
use super::fused::Aligned;
use super::{Loss, Reduction, formula, shape};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

pub(super) const AXIS: Parameter = Parameter::optional("axis", Type::Int, "-1", "The axis of the classes");

/// Categorical cross-entropy.
pub(super) const PLAIN: Entry<dyn Loss> = Entry {
    name: "CategoricalCrossentropy",
    aliases: &["categorical_crossentropy"],
    doc: "Minus the sum over the classes of y_true log(y_pred); labels are one-hot. Probabilities are divided by their \
          sum and kept 1e-7 from 0 and 1.",
    parameters: &[FROM_LOGITS, LABEL_SMOOTHING, AXIS, Reduction::PARAMETER],
    build: plain,
};

/// Categorical focal cross-entropy.
pub(super) const FOCAL: Entry<dyn Loss> = Entry {
    name: "CategoricalFocalCrossentropy",
    aliases: &["categorical_focal_crossentropy"],
    doc: "Minus the sum over the classes of alpha (1 - y_pred)^gamma y_true log(y_pred): easy samples count less.",
    parameters: &[
        Parameter::optional("alpha", Type::Float, "0.25", "The weight of every class"),
        Parameter::optional("gamma", Type::Float, "2.0", "How strongly easy samples are discounted; 0 is not at all"),
        FROM_LOGITS,
        LABEL_SMOOTHING,
        AXIS,
        Reduction::PARAMETER,
    ],
    build: focal,
};

fn plain(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let from_logits = arguments.bool("from_logits");
    let smoothing = arguments.within("label_smoothing", 0.0, 1.0)?;
    let axis = arguments.int("axis");
    let along_last = axis == -1;
    let fused = along_last.then_some(Aligned::Categorical { from_logits, smoothing: smoothing as f32 });
    fused_or(fused, "categorical_crossentropy", arguments, move |y_true, y_pred| {
        let axis = shape::axis("categorical_crossentropy", axis, y_pred)?;
        let y_true = smooth(y_true, smoothing, axis)?;
        Ok((y_true * formula::log_probability(y_pred, from_logits, axis)?)?.sum(axis)?.neg()?)
    })
}

fn focal(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let from_logits = arguments.bool("from_logits");
    let smoothing = arguments.within("label_smoothing", 0.0, 1.0)?;
    let axis = arguments.int("axis");
    let alpha = arguments.float("alpha");
    let gamma = arguments.within("gamma", 0.0, f64::INFINITY)?;
    aligned("categorical_focal_crossentropy", arguments, move |y_true, y_pred| {
        let axis = shape::axis("categorical_focal_crossentropy", axis, y_pred)?;
        let y_true = smooth(y_true, smoothing, axis)?;
        let p = match from_logits {
            true => formula::log_softmax(y_pred, axis)?.exp()?,
            false => y_pred.broadcast_div(&y_pred.sum_keepdim(axis)?)?,
        };
        let p = formula::clip_probability(&p)?;
        let discount = formula::power(&p.affine(-1.0, 1.0)?, gamma)?;
        let values = ((y_true * p.log()?)? * discount)?;
        Ok((values.sum(axis)? * -alpha)?)
    })
}

fn smooth(y_true: &Graph, smoothing: f64, axis: usize) -> Result<Graph> {
    match smoothing {
        0.0 => Ok(y_true.clone()),
        _ => Ok(y_true.affine(1.0 - smoothing, smoothing / y_true.dims()[axis] as f64)?),
    }
}
