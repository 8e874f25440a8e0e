//! `zeros`, `ones`, `constant` and `identity`: values that nobody draws.

use crate::error::{Error, Result};
use crate::random::Random;

use super::Initializer;

/// The same number everywhere.
#[derive(Debug)]
pub(super) struct Constant(pub f32);

impl Initializer for Constant {
    fn values(&self, shape: &[usize], _: &mut Random) -> Vec<f32> {
        vec![self.0; shape.iter().product()]
    }
}

/// A number on the diagonal of a matrix.
#[derive(Debug)]
pub(super) struct Identity {
    pub gain: f32,
}

impl Initializer for Identity {
    fn values(&self, shape: &[usize], _: &mut Random) -> Vec<f32> {
        let columns = shape.last().copied().unwrap_or(0);
        let value = |at: usize| if columns > 0 && at / columns == at % columns { self.gain } else { 0.0 };
        (0..shape.iter().product()).map(value).collect()
    }

    fn check(&self, shape: &[usize]) -> Result<()> {
        match shape {
            [_, _] => Ok(()),
            _ => Err(Error::recipe(format!("`identity` fills weights of two axes, found shape {shape:?}"))
                .hint("`orthogonal` fills weights of any shape")),
        }
    }
}
