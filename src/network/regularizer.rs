//! Regularizers: penalties on weights, and on the values of a layer, that join the loss.
//!
//! Names, defaults and formulas are those of Keras 3 (`keras/src/regularizers/regularizers.py`).

use std::sync::Arc;

use serde_json::Value;

use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::component;

mod orthogonal;

/// A penalty on numbers.
pub trait Regularizer: Send + Sync + std::fmt::Debug {
    /// Returns the penalty on values of a shape.
    fn value(&self, values: &[f32], shape: &[usize]) -> f64;

    /// Adds `share` times the derivative of the penalty to a gradient.
    fn add_gradient(&self, values: &[f32], shape: &[usize], share: f32, gradient: &mut [f32]);

    /// Computes the penalty by differentiable operations.
    fn compose(&self, x: &Graph) -> Result<Graph>;

    /// Returns whether it is a sum of what it makes of each number alone.
    fn is_sum(&self) -> bool {
        false
    }

    /// Explains which shapes it refuses.
    ///
    /// # Errors
    /// A shape for which it has no meaning.
    fn check(&self, _shape: &[usize]) -> Result<()> {
        Ok(())
    }
}

/// The built-in regularizers.
pub static LIST: &[Entry<dyn Regularizer>] = &[
    Entry {
        name: "L1",
        aliases: &["l1"],
        doc: "Adds l1 · Σ|w| to the loss; the derivative at 0 is 0.",
        parameters: &[Parameter::optional("l1", Type::Float, "0.01", "the factor, at least 0")],
        build: |a| Ok(Box::new(Norms { l1: factor(a, "l1")?, l2: 0.0 })),
    },
    Entry {
        name: "L2",
        aliases: &["l2"],
        doc: "Adds l2 · Σw² to the loss.",
        parameters: &[Parameter::optional("l2", Type::Float, "0.01", "the factor, at least 0")],
        build: |a| Ok(Box::new(Norms { l1: 0.0, l2: factor(a, "l2")? })),
    },
    Entry {
        name: "L1L2",
        aliases: &["l1_l2"],
        doc: "Adds l1 · Σ|w| + l2 · Σw² to the loss.",
        parameters: &[
            Parameter::optional("l1", Type::Float, "0.0", "the factor of absolute values, at least 0"),
            Parameter::optional("l2", Type::Float, "0.0", "the factor of squares, at least 0"),
        ],
        build: |a| Ok(Box::new(Norms { l1: factor(a, "l1")?, l2: factor(a, "l2")? })),
    },
    orthogonal::ENTRY,
];

/// Makes the regularizer that a parameter names; null is none.
///
/// # Errors
/// Refuses unknown names and parameters.
pub fn from_value(value: &Value) -> Result<Option<Arc<dyn Regularizer>>> {
    match value {
        Value::Null => Ok(None),
        value => component::make(LIST, "regularizer", value).map(|made| Some(Arc::from(made))),
    }
}

fn factor(a: &Arguments, name: &str) -> Result<f64> {
    a.within(name, 0.0, f64::INFINITY)
}

/// l1 · Σ|w| + l2 · Σw².
#[derive(Debug)]
struct Norms {
    l1: f64,
    l2: f64,
}

impl Regularizer for Norms {
    fn is_sum(&self) -> bool {
        true
    }

    fn value(&self, values: &[f32], _: &[usize]) -> f64 {
        let term = |value: &f32| {
            let value = f64::from(*value);
            self.l1 * value.abs() + self.l2 * value * value
        };
        values.iter().map(term).sum()
    }

    fn add_gradient(&self, values: &[f32], _: &[usize], share: f32, gradient: &mut [f32]) {
        let (l1, l2) = (self.l1 as f32 * share, 2.0 * self.l2 as f32 * share);
        for (gradient, value) in gradient.iter_mut().zip(values) {
            let sign = if *value == 0.0 { 0.0 } else { l1.copysign(*value) };
            *gradient += sign + l2 * value;
        }
    }

    fn compose(&self, x: &Graph) -> Result<Graph> {
        let sum = |x: Graph, factor: f64| x.sum_all()?.affine(factor, 0.0);
        let squares = sum(x.sqr()?, self.l2)?;
        match self.l1 == 0.0 {
            true => Ok(squares),
            // x · sign(x) with the sign as a constant: Candle's own derivative of |x| at 0 is 1.
            false => Ok(squares.add(&sum(x.mul(&x.detach().sign()?)?, self.l1)?)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use serde_json::json;

    use super::*;
    use crate::tensor::device;

    #[test]
    fn penalties_and_their_derivatives_agree_with_composition() {
        let x = [0.5f32, -1.5, 0.0, 2.0];
        for (value, penalty) in [
            (json!("l1"), 0.04),
            (json!("L2"), 0.065),
            (json!({"import": "L1L2", "params": {"l1": 0.1, "l2": 1.0}}), 6.9),
        ] {
            let regularizer = from_value(&value).unwrap().unwrap();
            assert!((regularizer.value(&x, &[4]) - penalty).abs() < 1e-9, "{value}");
            let leaf = Var::new(&x, &device::cpu()).unwrap();
            let composed = regularizer.compose(&leaf).unwrap();
            assert!((f64::from(composed.to_scalar::<f32>().unwrap()) - penalty).abs() < 1e-6, "{value}");
            let expected = composed.backward().unwrap().get(&leaf).unwrap().to_vec1::<f32>().unwrap();
            let mut found = [1.0; 4];
            regularizer.add_gradient(&x, &[4], 2.0, &mut found);
            let close = |(found, expected): (&f32, &f32)| (found - 1.0 - 2.0 * expected).abs() < 1e-6;
            assert!(found.iter().zip(&expected).all(close), "{value}: {found:?} {expected:?}");
        }
        assert!(from_value(&Value::Null).unwrap().is_none());
        let error = from_value(&json!({"import": "L2", "params": {"l2": -1.0}})).unwrap_err();
        assert_eq!(error.to_string(), "parameter `l2` of `L2`: expected a number of at least 0, found -1.0 (`L2`)");
    }
}
