//! The losses whose labels have the shape of the predictions: a name, a reduction and a formula.

use super::{Fused, Loss, Reduction, fused, shape};
use crate::error::Result;
use crate::registry::Arguments;
use crate::tensor::Graph;

/// A loss of labels and predictions of one shape.
struct Aligned<F> {
    name: &'static str,
    reduction: Reduction,
    fused: Option<fused::Aligned>,
    formula: F,
}

/// Makes a loss from a formula of labels and predictions, which it gets in one shape and dtype, of rank 2 or
/// more.
pub(super) fn aligned<F>(name: &'static str, arguments: &Arguments, formula: F) -> Result<Box<dyn Loss>>
where
    F: Fn(&Graph, &Graph) -> Result<Graph> + Send + Sync + 'static,
{
    Ok(Box::new(Aligned { name, reduction: Reduction::from(arguments)?, fused: None, formula }))
}

/// Makes a loss that also runs fused.
pub(super) fn fused_or<F>(
    fused: Option<fused::Aligned>,
    name: &'static str,
    arguments: &Arguments,
    formula: F,
) -> Result<Box<dyn Loss>>
where
    F: Fn(&Graph, &Graph) -> Result<Graph> + Send + Sync + 'static,
{
    Ok(Box::new(Aligned { name, reduction: Reduction::from(arguments)?, fused, formula }))
}

impl<F> Loss for Aligned<F>
where
    F: Fn(&Graph, &Graph) -> Result<Graph> + Send + Sync,
{
    fn name(&self) -> &str {
        self.name
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let (y_true, y_pred) = shape::align(self.name, y_true, y_pred)?;
        (self.formula)(&y_true, &y_pred)
    }

    fn fused(&self, batch: &mut Fused<'_>) -> Option<f64> {
        batch.aligned(self.fused?, self.reduction)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }
}
