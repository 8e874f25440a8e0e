//! Losses of overlapping regions, for segmentation: Dice and Tversky.
//!
//! Keras 3.15 weighs false negatives by Tversky's alpha and false positives by beta, the other way round than the paper
//! and Keras's own description (keras pull request 23333); the numbers here are those of Keras 3.15.

use super::aligned::aligned;
use super::formula::EPSILON;
use super::{Loss, Reduction, shape};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

const AXES: Parameter = Parameter::optional(
    "axis",
    Type::Ints,
    "null",
    "The axes of one region, as `[1, 2, 3]` for a loss per image; null: the whole batch is one region",
);

/// Dice loss.
pub(super) const DICE: Entry<dyn Loss> = Entry {
    name: "Dice",
    aliases: &["dice"],
    doc: "1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred) + 1e-7).",
    parameters: &[AXES, Reduction::PARAMETER],
    build: dice,
};

/// Tversky loss.
pub(super) const TVERSKY: Entry<dyn Loss> = Entry {
    name: "Tversky",
    aliases: &["tversky"],
    doc: "1 - TP / (TP + alpha FN + beta FP + 1e-7), the sums taken over probabilities (Salehi et al., 2017, with \
          alpha and beta in the roles they have in Keras 3.15).",
    parameters: &[
        Parameter::optional("alpha", Type::Float, "0.5", "The weight of false negatives"),
        Parameter::optional("beta", Type::Float, "0.5", "The weight of false positives"),
        AXES,
        Reduction::PARAMETER,
    ],
    build: tversky,
};

fn dice(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let axes = axes(arguments);
    aligned("dice", arguments, move |y_true, y_pred| {
        let total = |values: &Graph| sum("dice", values, axes.as_deref());
        let both = total(&(y_true * y_pred)?)?;
        let all = ((total(y_true)? + total(y_pred)?)? + EPSILON)?;
        Ok((both / all)?.affine(-2.0, 1.0)?)
    })
}

fn tversky(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let axes = axes(arguments);
    let (alpha, beta) = (arguments.float("alpha"), arguments.float("beta"));
    aligned("tversky", arguments, move |y_true, y_pred| {
        let total = |values: &Graph| sum("tversky", values, axes.as_deref());
        let both = total(&(y_true * y_pred)?)?;
        let false_negatives = (total(&(y_true * y_pred.affine(-1.0, 1.0)?)?)? * alpha)?;
        let false_positives = (total(&(y_true.affine(-1.0, 1.0)? * y_pred)?)? * beta)?;
        let all = (((&both + false_positives)? + false_negatives)? + EPSILON)?;
        Ok((both / all)?.affine(-1.0, 1.0)?)
    })
}

fn axes(arguments: &Arguments) -> Option<Vec<i64>> {
    let value = arguments.value("axis");
    match value.as_array() {
        Some(items) => Some(items.iter().filter_map(serde_json::Value::as_i64).collect()),
        None => value.as_i64().map(|axis| vec![axis]),
    }
}

fn sum(loss: &str, values: &Graph, axes: Option<&[i64]>) -> Result<Graph> {
    let Some(axes) = axes else { return Ok(values.sum_all()?) };
    let mut counted = axes.iter().map(|&axis| shape::axis(loss, axis, values)).collect::<Result<Vec<usize>>>()?;
    counted.sort_unstable();
    counted.dedup();
    Ok(values.sum(counted)?)
}
