//! A batch as built-in metrics see it, and how its labels, predictions and weights are brought together. Nothing here
//! allocates.

use crate::error::{Error, Result, codes};
use crate::tensor::Array;

/// A batch as built-in metrics see it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The labels.
    pub labels: Values<'a>,
    /// The predictions.
    pub predictions: Values<'a>,
    /// Sample weights: the first axes are those of the labels.
    pub weight: Option<Values<'a>>,
    /// The labels as they came, integers as integers.
    pub given: &'a Array,
}

/// Row-major numbers with their shape, the batch axis first.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The shape.
    pub shape: &'a [usize],
    /// The numbers.
    pub data: &'a [f32],
}

impl Values<'_> {
    /// Returns the number of samples: the length of the first axis; 1 for a single number.
    pub(super) fn samples(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Returns the length of the last axis; 1 for a single number.
    pub(super) fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

impl<'a> Seen<'a> {
    /// Returns labels and predictions with one shape.
    ///
    /// As in Keras, one side may lack a last axis of length 1; nothing else is adjusted.
    pub(super) fn pair(&self, metric: &str) -> Result<(Values<'a>, Values<'a>)> {
        let (mut labels, mut predictions) = (self.labels, self.predictions);
        let (label_rank, rank) = (labels.shape.len(), predictions.shape.len());
        if label_rank == rank + 1 && labels.columns() == 1 {
            fit_rank(&mut predictions.shape, &mut labels.shape);
        } else if rank == label_rank + 1 && predictions.columns() == 1 {
            fit_rank(&mut labels.shape, &mut predictions.shape);
        }
        match labels.shape == predictions.shape && !labels.shape.is_empty() {
            true => Ok((labels, predictions)),
            false => Err(misfit(metric, labels.shape, predictions.shape).hint("labels and predictions need one shape")),
        }
    }

    /// Returns class indices and scores: labels have the shape of the predictions without the last axis, or with a
    /// last axis of length 1.
    pub(super) fn indices_and_scores(&self, metric: &str) -> Result<(Values<'a>, Values<'a>)> {
        let (mut labels, predictions) = (self.labels, self.predictions);
        let wanted = predictions.shape.split_last().map_or(&[][..], |(_, front)| front);
        if labels.shape.len() == wanted.len() + 1
            && let Some((1, front)) = labels.shape.split_last()
        {
            labels.shape = front;
        }
        if wanted.is_empty() || labels.shape != wanted || predictions.columns() == 0 {
            let error = misfit(metric, labels.shape, predictions.shape);
            return Err(match labels.shape == predictions.shape {
                true => error.hint("these labels look one-hot: use the categorical metric, or give class indices"),
                false => error.hint("give one class index a prediction"),
            });
        }
        Ok((labels, predictions))
    }

    /// Returns the weights of values of a shape.
    ///
    /// The weight has the first axes of the values; trailing axes of length 1 do not count.
    pub(super) fn weights(&self, metric: &str, shape: &[usize]) -> Result<Weights<'a>> {
        let Some(weight) = self.weight else { return Ok(Weights { data: None, repeat: 1 }) };
        let mut own = weight.shape;
        while let [front @ .., 1] = own
            && !front.is_empty()
        {
            own = front;
        }
        match shape.strip_prefix(own) {
            Some(rest) => Ok(Weights { data: Some(weight.data), repeat: rest.iter().product() }),
            None => Err(Error::data(format!(
                "`{metric}`: sample weights of shape {own:?} do not fit values of shape {shape:?}"
            ))
            .maybe_hint(shape.first().map(|batch| format!("give one weight a sample: shape [{batch}]")))),
        }
    }
}

/// Weights of values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights<'a> {
    /// The weights; without any all values weigh 1.
    pub(super) data: Option<&'a [f32]>,
    /// For how many values in a row each of them stands.
    pub(super) repeat: usize,
}

impl Weights<'_> {
    /// Returns the weight of a value.
    pub(super) fn get(&self, at: usize) -> f64 {
        self.data.map_or(1.0, |data| f64::from(data[at / self.repeat]))
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

/// Gives two shapes the rank of the lower one, or of the higher where the lower is a plain list, as Keras does.
fn fit_rank<'a>(lower: &mut &'a [usize], higher: &mut &'a [usize]) {
    match (&**lower, &**higher) {
        ([own], [first, _]) if own == first => *lower = *higher,
        ([_], _) => {}
        (_, [front @ .., _]) => *higher = front,
        _ => {}
    }
}
