//! `glu`: one half of an axis opens and closes the other.

use crate::error::{Error, Result};
use crate::tensor::Graph;

use super::super::gradient::define;
use super::super::{Shape, show_shape};
use super::Activation;
use super::formulas::logistic;

/// The gated linear unit.
#[derive(Debug)]
pub(super) struct Glu {
    pub axis: i64,
    pub arguments: [f64; 1],
}

impl Glu {
    /// Returns the axis among those without the batch, which has an even length.
    fn axis(&self, rank: usize) -> Option<usize> {
        let counted = if self.axis < 0 { self.axis + 1 + rank as i64 } else { self.axis };
        usize::try_from(counted - 1).ok().filter(|axis| *axis < rank)
    }
}

impl Activation for Glu {
    fn name(&self) -> &'static str {
        "glu"
    }

    fn arguments(&self) -> &[f64] {
        &self.arguments
    }

    fn keeps_shape(&self) -> bool {
        false
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let axis = self.axis(input.len());
        let halved = axis.and_then(|axis| Some((axis, input[axis].filter(|length| length.is_multiple_of(2))? / 2)));
        let Some((axis, half)) = halved else {
            return Err(Error::recipe(format!(
                "`glu` needs an even length on axis {}, found shape {}",
                self.axis,
                show_shape(input)
            )));
        };
        let mut shape = input.clone();
        shape[axis] = Some(half);
        Ok(shape)
    }

    fn compose(&self, x: &Graph) -> Result<Graph> {
        let rank = x.rank().saturating_sub(1);
        let axis = self.axis(rank).map(|axis| axis + 1).filter(|axis| x.dims()[*axis].is_multiple_of(2));
        let Some(axis) = axis else {
            return Err(Error::recipe(format!(
                "`glu` needs an even length on axis {}, found {:?}",
                self.axis,
                x.dims()
            )));
        };
        let half = x.dims()[axis] / 2;
        let (a, b) = (x.narrow(axis, 0, half)?, x.narrow(axis, half, half)?.contiguous()?);
        let gate = define(&b, logistic, |_, y, g| g.mul(y)?.mul(&y.affine(-1.0, 1.0)?))?;
        Ok(a.contiguous()?.mul(&gate)?)
    }
}
