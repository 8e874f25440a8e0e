//! Cross-entropy of yes-or-no labels, plain and focal.

use super::aligned::{aligned, fused_or};
use super::fused::Aligned;
use super::{Loss, Reduction, formula, shape};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

pub(super) const FROM_LOGITS: Parameter = Parameter::optional(
    "from_logits",
    Type::Bool,
    "false",
    "Whether predictions are logits rather than probabilities; more precise than a sigmoid or softmax before the loss",
);

pub(super) const LABEL_SMOOTHING: Parameter = Parameter::optional(
    "label_smoothing",
    Type::Float,
    "0.0",
    "The share of each label, from 0 to 1, that is spread evenly over all classes",
);

const AXIS: Parameter = Parameter::optional("axis", Type::Int, "-1", "The axis the mean is taken over");

/// Binary cross-entropy.
pub(super) const PLAIN: Entry<dyn Loss> = Entry {
    name: "BinaryCrossentropy",
    aliases: &["binary_crossentropy", "bce", "BCE"],
    doc: "Mean over an axis of -y_true log(y_pred) - (1 - y_true) log(1 - y_pred); probabilities are kept 1e-7 from 0 \
          and 1.",
    parameters: &[FROM_LOGITS, LABEL_SMOOTHING, AXIS, Reduction::PARAMETER],
    build: plain,
};

/// Binary focal cross-entropy.
pub(super) const FOCAL: Entry<dyn Loss> = Entry {
    name: "BinaryFocalCrossentropy",
    aliases: &["binary_focal_crossentropy"],
    doc: "Binary cross-entropy × (1 - p_t)^gamma, p_t the probability of the true label: easy samples count less \
          (Lin et al., 2018).",
    parameters: &[
        Parameter::optional(
            "apply_class_balancing",
            Type::Bool,
            "false",
            "Whether label 1 is weighted by alpha and label 0 by 1 - alpha",
        ),
        Parameter::optional("alpha", Type::Float, "0.25", "The weight of label 1, from 0 to 1"),
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
    let fused = along_last.then_some(Aligned::Binary { from_logits, smoothing: smoothing as f32 });
    fused_or(fused, "binary_crossentropy", arguments, move |y_true, y_pred| {
        let axis = shape::axis("binary_crossentropy", axis, y_pred)?;
        let y_true = smooth(y_true, smoothing)?;
        let values = match from_logits {
            true => (formula::softplus(y_pred)? - (y_true * y_pred)?)?,
            false => crossentropy(&y_true, y_pred)?,
        };
        Ok(values.mean(axis)?)
    })
}

fn focal(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let from_logits = arguments.bool("from_logits");
    let smoothing = arguments.within("label_smoothing", 0.0, 1.0)?;
    let axis = arguments.int("axis");
    let balance = arguments.bool("apply_class_balancing");
    let alpha = arguments.within("alpha", 0.0, 1.0)?;
    let gamma = arguments.within("gamma", 0.0, f64::INFINITY)?;
    aligned("binary_focal_crossentropy", arguments, move |y_true, y_pred| {
        let axis = shape::axis("binary_focal_crossentropy", axis, y_pred)?;
        let y_true = smooth(y_true, smoothing)?;
        let y_pred = if from_logits { formula::sigmoid(y_pred)? } else { y_pred.clone() };
        let plain = crossentropy(&y_true, &y_pred)?;
        // 1 - p_t = y_true + y_pred - 2 y_true y_pred
        let miss = ((&y_true + &y_pred)? - ((&y_true * &y_pred)? * 2.0)?)?;
        let mut values = (formula::power(&miss, gamma)? * plain)?;
        if balance {
            values = (values * y_true.affine(2.0 * alpha - 1.0, 1.0 - alpha)?)?;
        }
        Ok(values.mean(axis)?)
    })
}

fn smooth(y_true: &Graph, smoothing: f64) -> Result<Graph> {
    match smoothing {
        0.0 => Ok(y_true.clone()),
        _ => Ok(y_true.affine(1.0 - smoothing, 0.5 * smoothing)?),
    }
}

fn crossentropy(y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
    let p = formula::clip_probability(y_pred)?;
    let yes = (y_true * p.log()?)?;
    let no = (y_true.affine(-1.0, 1.0)? * p.affine(-1.0, 1.0)?.log()?)?;
    Ok((yes + no)?.neg()?)
}
