//! The circle loss, for embeddings: samples of one class close together, others apart.

use candle_core::D;

use super::{Loss, Reduction, formula, shape};
use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

/// Circle loss.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "Circle",
    aliases: &["circle"],
    doc: "Compares every pair of embeddings in the batch (Sun et al., 2020): predictions are unit vectors of shape \
          `[batch, size]`, labels class indices. Samples without both a pair of their class and one of another \
          are left out of the mean.",
    parameters: &[
        Parameter::optional("gamma", Type::Float, "80.0", "The scale; above 0"),
        Parameter::optional("margin", Type::Float, "0.4", "The relaxation, from 0 to 1"),
        Parameter::optional("remove_diagonal", Type::Bool, "true", "Whether a sample is no pair of itself"),
        Reduction::PARAMETER,
    ],
    build,
};

struct Circle {
    gamma: f64,
    margin: f64,
    remove_diagonal: bool,
    reduction: Reduction,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Circle {
        gamma: arguments.within("gamma", f64::MIN_POSITIVE, f64::INFINITY)?,
        margin: arguments.within("margin", 0.0, 1.0)?,
        remove_diagonal: arguments.bool("remove_diagonal"),
        reduction: Reduction::from(arguments)?,
    }))
}

impl Loss for Circle {
    fn name(&self) -> &str {
        "circle"
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let batch = y_pred.dims().first().copied().unwrap_or(0);
        let labels_fit = matches!(y_true.dims(), [length] | [length, 1] if *length == batch);
        if y_pred.rank() != 2 || !labels_fit || y_pred.elem_count() == 0 {
            return Err(Error::data(format!(
                "`circle`: labels of shape {:?} do not fit predictions of shape {:?}",
                y_true.dims(),
                y_pred.dims()
            ))
            .hint("it needs embeddings of shape `[batch, size]` and one class index each"));
        }
        let labels = shape::integers(self.name(), y_true)?;
        let mask = |keep: &dyn Fn(usize, usize) -> bool| -> Result<Graph> {
            let pairs = (0..batch * batch).map(|at| f32::from(u8::from(keep(at / batch, at % batch)))).collect();
            Ok(Graph::from_vec::<_, f32>(pairs, (batch, batch), y_pred.device())?.to_dtype(y_pred.dtype())?)
        };
        let positive = mask(&|i, j| labels[i] == labels[j] && !(self.remove_diagonal && i == j))?;
        let negative = mask(&|i, j| labels[i] != labels[j])?;

        let distance = y_pred.matmul(&y_pred.t()?)?.affine(-1.0, 1.0)?.maximum(0.0)?;
        let (gamma, margin) = (self.gamma, self.margin);
        let pull = ((&distance + margin)?.maximum(0.0)? * distance.affine(gamma, -gamma * margin)?)?;
        let push =
            (distance.affine(-1.0, 1.0 + margin)?.maximum(0.0)? * distance.affine(-gamma, gamma * (1.0 - margin))?)?;

        let complete = (positive.max(D::Minus1)? * negative.max(D::Minus1)?)?.ne(0.0)?;
        let total = (log_sum_exp(&pull, &positive)? + log_sum_exp(&push, &negative)?)?;
        let values = formula::softplus(&total)?;
        Ok(complete.where_cond(&values, &values.zeros_like()?)?)
    }

    fn mask(&self, _y_true: &Graph, values: &Graph) -> Result<Option<Graph>> {
        Ok(Some(values.detach().gt(0.0)?.to_dtype(values.dtype())?))
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}

/// Returns the logarithm of the sum of exponentials over the pairs of the mask; 0 for a row without pairs.
fn log_sum_exp(values: &Graph, mask: &Graph) -> Result<Graph> {
    let kept = mask.ne(0.0)?;
    let low = values.zeros_like()?.affine(0.0, -1e30)?;
    let largest = kept.where_cond(&values.detach(), &low)?.max_keepdim(D::Minus1)?;
    let shifted = values.broadcast_sub(&largest)?;
    let exponentials = kept.where_cond(&shifted, &low)?.exp()?;
    let empty = mask.max_keepdim(D::Minus1)?.affine(-1.0, 1.0)?;
    let sum = ((exponentials * mask)?.sum_keepdim(D::Minus1)? + empty)?;
    Ok((sum.log()? + largest)?.squeeze(D::Minus1)?)
}
