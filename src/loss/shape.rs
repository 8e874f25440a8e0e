//! Checks that labels fit predictions, before any arithmetic.

use candle_core::D;

use super::formula;
use crate::error::{Error, Result, codes};
use crate::tensor::Graph;

/// Returns labels and predictions of one shape, the labels in the dtype of the predictions.
///
/// As in Keras (`squeeze_or_expand_to_same_rank`), one side may lack a last axis of length 1; nothing else
/// is adjusted. Predictions of shape `[batch]` become `[batch, 1]`, so that every sample has its loss.
pub(super) fn align(loss: &str, y_true: &Graph, y_pred: &Graph) -> Result<(Graph, Graph)> {
    let mut labels = formula::constant(y_true, y_pred.dtype())?;
    let mut predictions = y_pred.clone();
    let (label_rank, rank) = (labels.rank(), predictions.rank());
    let ends_in_one = |tensor: &Graph| tensor.dims().last() == Some(&1);
    if label_rank == rank + 1 && ends_in_one(&labels) {
        match rank {
            1 => predictions = predictions.unsqueeze(D::Minus1)?,
            _ => labels = labels.squeeze(D::Minus1)?,
        }
    } else if rank == label_rank + 1 && ends_in_one(&predictions) {
        match label_rank {
            1 => labels = labels.unsqueeze(D::Minus1)?,
            _ => predictions = predictions.squeeze(D::Minus1)?,
        }
    }
    if labels.dims() != predictions.dims() || labels.rank() == 0 || labels.elem_count() == 0 {
        return Err(misfit(loss, y_true, y_pred));
    }
    if labels.rank() == 1 {
        return Ok((labels.unsqueeze(1)?, predictions.unsqueeze(1)?));
    }
    Ok((labels, predictions))
}

/// Returns class indices as an i64 tensor shaped like the predictions without their class axis.
///
/// A trailing axis of length 1 is dropped. Indices outside `0..classes` are refused, unless they are `ignored`:
/// these become 0.
pub(super) fn class_indices(
    loss: &str,
    y_true: &Graph,
    y_pred: &Graph,
    axis: usize,
    ignored: Option<i64>,
) -> Result<Graph> {
    let mut wanted = y_pred.dims().to_vec();
    let classes = wanted.remove(axis);
    let mut found = y_true.dims().to_vec();
    if found.len() == wanted.len() + 1 && found.last() == Some(&1) {
        found.pop();
    }
    if wanted.is_empty() || found != wanted || y_pred.elem_count() == 0 {
        let error = Error::data(format!(
            "`{loss}`: labels of shape {:?} do not fit predictions of shape {:?}",
            y_true.dims(),
            y_pred.dims()
        ))
        .coded(codes::TARGET_SHAPE);
        return Err(match y_true.dims() == y_pred.dims() && classes > 1 {
            true => error.hint("these labels look one-hot: use `categorical_crossentropy`, or give class indices"),
            false => error.hint(format!("give one class index a prediction: labels of shape {wanted:?}")),
        });
    }
    let mut indices = integers(loss, y_true)?;
    for index in &mut indices {
        if Some(*index) == ignored {
            *index = 0;
        } else if usize::try_from(*index).map_or(true, |index| index >= classes) {
            return Err(Error::data(format!(
                "`{loss}`: label {index} is no class: the predictions have {classes} classes"
            ))
            .coded(codes::NO_CLASS)
            .hint(format!("labels go from 0 to {}", classes.saturating_sub(1))));
        }
    }
    Ok(Graph::from_vec(indices, wanted, y_pred.device())?)
}

/// Returns labels as whole numbers, row-major.
pub(super) fn integers(loss: &str, y_true: &Graph) -> Result<Vec<i64>> {
    let flat = y_true.detach().flatten_all()?;
    if flat.dtype().is_int() {
        return Ok(flat.to_dtype(candle_core::DType::I64)?.to_vec1()?);
    }
    let values: Vec<f64> = flat.to_dtype(candle_core::DType::F64)?.to_vec1()?;
    let whole = |value: &f64| value.fract() == 0.0 && value.abs() < 1e15;
    match values.iter().find(|value| !whole(value)) {
        Some(value) => Err(Error::data(format!("`{loss}`: label {} is not a class index", *value as f32))
            .coded(codes::NO_CLASS)
            .hint("class indices are whole numbers: 0, 1, 2, …")),
        None => Ok(values.into_iter().map(|value| value as i64).collect()),
    }
}

/// Returns an axis counted from the front.
pub(super) fn axis(loss: &str, axis: i64, y_pred: &Graph) -> Result<usize> {
    let rank = y_pred.rank() as i64;
    let counted = if axis < 0 { axis.saturating_add(rank) } else { axis };
    match usize::try_from(counted) {
        Ok(found) if counted < rank => Ok(found),
        _ => {
            Err(Error::recipe(format!("`{loss}`: there is no axis {axis} in predictions of shape {:?}", y_pred.dims())))
        }
    }
}

fn misfit(loss: &str, y_true: &Graph, y_pred: &Graph) -> Error {
    let (labels, predictions) = (y_true.dims(), y_pred.dims());
    let error =
        Error::data(format!("`{loss}`: labels of shape {labels:?} do not fit predictions of shape {predictions:?}"))
            .coded(codes::TARGET_SHAPE);
    if y_pred.elem_count() == 0 {
        return error.hint("there is nothing to compute a loss from");
    }
    let leading = labels.strip_suffix(&[1]).unwrap_or(labels);
    match predictions.split_last() {
        Some((&classes, front)) if leading == front && classes > 1 && loss.starts_with("categorical") => {
            error.hint("use `sparse_categorical_crossentropy` for class indices, or give one-hot labels")
        }
        Some((&units, front)) if leading == front && units > 1 => {
            error.hint(format!("give labels of shape {predictions:?}, or end the network in 1 unit instead of {units}"))
        }
        _ => error.hint(format!("labels and predictions need one shape: give labels of shape {predictions:?}")),
    }
}
