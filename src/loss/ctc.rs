//! Connectionist temporal classification: the probability of a label sequence under all its alignments with the
//! time steps (Graves et al., 2006).
//!
//! Alignments are summed by the forward and backward recursions on the host in f64; the gradient in closed form,
//! softmax minus the posterior of each class, is attached to the prediction.

use candle_core::DType;

use super::{Loss, Reduction, shape};
use crate::error::{Error, Result, codes};
use crate::registry::{Arguments, Entry};
use crate::tensor::Graph;

/// The class that stands for "no label here" and pads labels.
const BLANK: usize = 0;

/// CTC loss.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "CTC",
    aliases: &["ctc"],
    doc: "Minus the logarithm of the probability of a label sequence: labels are class indices of shape `[batch, \
          length]`, 0 is both padding and the blank; predictions are logits of shape `[batch, time, classes]`.",
    parameters: &[Reduction::PARAMETER],
    build,
};

struct Ctc {
    reduction: Reduction,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Ctc { reduction: Reduction::from(arguments)? }))
}

impl Loss for Ctc {
    fn name(&self) -> &str {
        "ctc"
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let (&[batch, length], &[samples, time, classes]) = (y_true.dims(), y_pred.dims()) else {
            return Err(misfit(y_true, y_pred));
        };
        if batch != samples || length == 0 || y_pred.elem_count() == 0 {
            return Err(misfit(y_true, y_pred));
        }
        let labels = shape::integers(self.name(), y_true)?;
        let logits: Vec<f64> = y_pred.detach().flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
        let mut losses = Vec::with_capacity(batch);
        let mut gradient = Vec::with_capacity(logits.len());
        for (row, logits) in labels.chunks_exact(length).zip(logits.chunks_exact(time * classes)) {
            let sequence = sequence(row, classes)?;
            let loss = align(&sequence, logits, classes, &mut gradient).ok_or_else(|| {
                Error::data(format!("`ctc`: {} labels cannot be aligned with {time} time steps", sequence.len()))
                    .hint("each label needs a time step, and one more between two equal labels")
            })?;
            losses.push(loss);
        }
        let constant = |values: Vec<f64>, dims: &[usize]| -> Result<Graph> {
            Ok(Graph::from_vec(values, dims, y_pred.device())?.to_dtype(y_pred.dtype())?)
        };
        let gradient = constant(gradient, &[batch, time, classes])?;
        // The difference is 0: it adds nothing but the gradient.
        let attached = ((y_pred - y_pred.detach())? * gradient)?.sum((1, 2))?;
        Ok((attached + constant(losses, &[batch])?)?)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}

/// Returns the labels of one sample without padding.
fn sequence(row: &[i64], classes: usize) -> Result<Vec<usize>> {
    let labels = row.iter().copied().filter(|&label| label != BLANK as i64);
    labels
        .map(|label| match usize::try_from(label) {
            Ok(index) if index < classes => Ok(index),
            _ => Err(Error::data(format!("`ctc`: label {label} is no class: the predictions have {classes} classes"))
                .coded(codes::NO_CLASS)
                .hint("labels go from 1 to the number of classes - 1; 0 is the blank")),
        })
        .collect()
}

/// Returns minus the logarithm of the probability of `labels` and appends its gradient by the logits of one
/// sample; `None` when the labels do not fit into the time steps.
fn align(labels: &[usize], logits: &[f64], classes: usize, gradient: &mut Vec<f64>) -> Option<f64> {
    let time = logits.len() / classes;
    // Blanks before, between and after the labels.
    let mut states = vec![BLANK];
    states.extend(labels.iter().flat_map(|&label| [label, BLANK]));
    let count = states.len();
    let may_skip = |s: usize| s >= 2 && states[s] != BLANK && states[s] != states[s - 2];

    let logs: Vec<f64> = logits
        .chunks_exact(classes)
        .flat_map(|row| {
            let total = log_sum(row);
            row.iter().map(move |logit| logit - total)
        })
        .collect();
    let at = |t: usize, s: usize| logs[t * classes + states[s]];

    // forward[t][s]: all ways to be in state s after step t; backward[t][s]: all ways to end from there.
    let mut forward = vec![f64::NEG_INFINITY; time * count];
    let mut backward = forward.clone();
    for s in 0..count.min(2) {
        forward[s] = at(0, s);
        backward[time * count - 1 - s] = 0.0;
    }
    for t in 1..time {
        for s in 0..count {
            let before = &forward[(t - 1) * count..t * count];
            let ways = [
                before[s],
                if s >= 1 { before[s - 1] } else { f64::NEG_INFINITY },
                if may_skip(s) { before[s - 2] } else { f64::NEG_INFINITY },
            ];
            forward[t * count + s] = log_sum(&ways) + at(t, s);
        }
    }
    for t in (0..time - 1).rev() {
        for s in 0..count {
            let mut ways = [f64::NEG_INFINITY; 3];
            for (step, way) in ways.iter_mut().enumerate() {
                let next = s + step;
                if next < count && (step < 2 || may_skip(next)) {
                    *way = backward[(t + 1) * count + next] + at(t + 1, next);
                }
            }
            backward[t * count + s] = log_sum(&ways);
        }
    }
    let total = log_sum(&forward[(time - 1) * count + count.saturating_sub(2)..]);
    if total == f64::NEG_INFINITY {
        return None;
    }
    for t in 0..time {
        let start = gradient.len();
        gradient.extend(logs[t * classes..(t + 1) * classes].iter().map(|log| log.exp()));
        for s in 0..count {
            gradient[start + states[s]] -= (forward[t * count + s] + backward[t * count + s] - total).exp();
        }
    }
    Some(-total)
}

fn log_sum(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match largest.is_finite() {
        true => largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln(),
        false => largest,
    }
}

fn misfit(y_true: &Graph, y_pred: &Graph) -> Error {
    Error::data(format!(
        "`ctc`: labels of shape {:?} do not fit predictions of shape {:?}",
        y_true.dims(),
        y_pred.dims()
    ))
    .hint("it needs labels `[batch, length]`, padded with 0, and logits `[batch, time, classes]`")
}
