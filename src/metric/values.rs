//! Values of a batch on the host, and how labels, predictions and weights are brought together.

use std::borrow::Cow;

use crate::error::{Error, Result, codes};
use crate::tensor::{Array, Tensor};

/// Row-major values with their shape.
#[derive(Clone, Debug)]
pub(super) struct Values<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) data: Cow<'a, [f32]>,
}

impl<'a> Values<'a> {
    /// Reads a tensor as f32.
    pub(super) fn of(tensor: &'a Tensor) -> Result<Self> {
        match tensor {
            Tensor::Host(array) => Ok(Values { shape: array.shape().to_vec(), data: host(array) }),
            Tensor::Graph(graph) => {
                let flat = graph.detach().flatten_all()?.to_dtype(candle_core::DType::F32)?;
                Ok(Values { shape: graph.dims().to_vec(), data: Cow::Owned(flat.to_vec1()?) })
            }
        }
    }

    /// Returns the number of samples: the length of the first axis; 1 for a single number.
    pub(super) fn samples(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Returns the length of the last axis; 1 for a single number.
    pub(super) fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// Reads labels and predictions and gives them one shape.
///
/// As in Keras, one side may lack a last axis of length 1; nothing else is adjusted.
pub(super) fn pair<'a>(metric: &str, y_true: &'a Tensor, y_pred: &'a Tensor) -> Result<(Values<'a>, Values<'a>)> {
    let (mut labels, mut predictions) = (Values::of(y_true)?, Values::of(y_pred)?);
    let (label_rank, rank) = (labels.shape.len(), predictions.shape.len());
    if label_rank == rank + 1 && labels.shape.last() == Some(&1) {
        fit_rank(&mut predictions.shape, &mut labels.shape);
    } else if rank == label_rank + 1 && predictions.shape.last() == Some(&1) {
        fit_rank(&mut labels.shape, &mut predictions.shape);
    }
    match labels.shape == predictions.shape && !labels.shape.is_empty() {
        true => Ok((labels, predictions)),
        false => Err(misfit(metric, &labels.shape, &predictions.shape).hint("labels and predictions need one shape")),
    }
}

/// Reads class indices and scores: labels have the shape of the predictions without the last axis, or with a
/// last axis of length 1.
pub(super) fn indices_and_scores<'a>(
    metric: &str,
    y_true: &'a Tensor,
    y_pred: &'a Tensor,
) -> Result<(Values<'a>, Values<'a>)> {
    let (mut labels, predictions) = (Values::of(y_true)?, Values::of(y_pred)?);
    let wanted = predictions.shape.split_last().map_or(&[][..], |(_, front)| front);
    if labels.shape.len() == wanted.len() + 1 && labels.shape.last() == Some(&1) {
        labels.shape.pop();
    }
    if wanted.is_empty() || labels.shape != wanted || predictions.columns() == 0 {
        let error = misfit(metric, &labels.shape, &predictions.shape);
        return Err(match labels.shape == predictions.shape {
            true => error.hint("these labels look one-hot: use the categorical metric, or give class indices"),
            false => error.hint("give one class index a prediction"),
        });
    }
    Ok((labels, predictions))
}

/// Reads a weight for values of a shape: returns its values and for how many values in a row each one stands.
///
/// The weight has the first axes of the values; trailing axes of length 1 do not count.
pub(super) fn weight_of<'a>(metric: &str, weight: &'a Tensor, shape: &[usize]) -> Result<(Values<'a>, usize)> {
    let mut weight = Values::of(weight)?;
    while weight.shape.len() > 1 && weight.shape.last() == Some(&1) {
        weight.shape.pop();
    }
    let fits = weight.shape.len() <= shape.len() && weight.shape == shape[..weight.shape.len()];
    match fits {
        true => {
            let repeat = shape[weight.shape.len()..].iter().product();
            Ok((weight, repeat))
        }
        false => Err(Error::data(format!(
            "`{metric}`: sample weights of shape {:?} do not fit values of shape {shape:?}",
            weight.shape
        ))
        .maybe_hint(shape.first().map(|batch| format!("give one weight a sample: shape [{batch}]")))),
    }
}

/// Returns the index of the largest value; the first of equals, as numpy does.
pub(super) fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = at;
        }
    }
    best
}

/// Returns the error that labels do not fit predictions.
pub(super) fn misfit(metric: &str, labels: &[usize], predictions: &[usize]) -> Error {
    Error::data(format!("`{metric}`: labels of shape {labels:?} do not fit predictions of shape {predictions:?}"))
        .coded(codes::TARGET_SHAPE)
}

/// Gives the lower of two ranks, or expands it where it is a plain list, as Keras does.
fn fit_rank(lower: &mut Vec<usize>, higher: &mut Vec<usize>) {
    match lower.len() {
        1 => lower.push(1),
        _ => drop(higher.pop()),
    }
}

fn host(array: &Array) -> Cow<'_, [f32]> {
    match array {
        Array::F32(array) => match array.as_slice() {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(array.iter().copied().collect()),
        },
        Array::F64(array) => Cow::Owned(array.iter().map(|value| *value as f32).collect()),
        Array::I64(array) => Cow::Owned(array.iter().map(|value| *value as f32).collect()),
        Array::U8(array) => Cow::Owned(array.iter().map(|value| f32::from(*value)).collect()),
    }
}
