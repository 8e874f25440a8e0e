//! Constraints: what the optimizer's step may not do to weights; applied after it.
//!
//! Names, defaults and formulas are those of Keras 3 (`keras/src/constraints/constraints.py`).

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::kernel::scratch::Scratch;
use crate::registry::{Arguments, Entry, Parameter, Type};

use super::component;

/// A rule that weights are brought back to.
pub trait Constraint: Send + Sync + std::fmt::Debug {
    /// Changes values of a shape so that they keep the rule.
    fn apply(&self, values: &mut [f32], shape: &[usize]);

    /// Explains which shapes it refuses.
    ///
    /// # Errors
    /// A shape for which it has no meaning.
    fn check(&self, shape: &[usize]) -> Result<()>;
}

/// The built-in constraints.
pub static LIST: &[Entry<dyn Constraint>] = &[
    Entry {
        name: "MaxNorm",
        aliases: &["max_norm"],
        doc: "Keeps the length of vectors of weights at or below a number.",
        parameters: &[Parameter::optional("max_value", Type::Float, "2.0", "the largest length, at least 0"), AXIS],
        build: |a| {
            let high = a.within("max_value", 0.0, f64::INFINITY)? as f32;
            Ok(Box::new(Norm {
                axes: axes(a)?,
                rule: Rule::Within { low: 0.0, high, rate: 1.0 },
                norms: Scratch::default(),
            }))
        },
    },
    Entry {
        name: "NonNeg",
        aliases: &["non_neg"],
        doc: "Sets weights below 0 to 0.",
        parameters: &[],
        build: |_| Ok(Box::new(NonNegative)),
    },
    Entry {
        name: "UnitNorm",
        aliases: &["unit_norm"],
        doc: "Keeps the length of vectors of weights at 1.",
        parameters: &[AXIS],
        build: |a| Ok(Box::new(Norm { axes: axes(a)?, rule: Rule::One, norms: Scratch::default() })),
    },
    Entry {
        name: "MinMaxNorm",
        aliases: &["min_max_norm"],
        doc: "Brings the length of vectors of weights between two numbers, a part of the way in each step.",
        parameters: &[
            Parameter::optional("min_value", Type::Float, "0.0", "the smallest length, at least 0"),
            Parameter::optional("max_value", Type::Float, "1.0", "the largest length, at least `min_value`"),
            Parameter::optional("rate", Type::Float, "1.0", "the part of the way, from 0 to 1"),
            AXIS,
        ],
        build: |a| {
            let (low, high) = (a.within("min_value", 0.0, f64::INFINITY)?, a.float("max_value"));
            if high < low {
                return Err(a.refuse("max_value", format!("a number of at least `min_value`, {low}")));
            }
            let rate = a.within("rate", 0.0, 1.0)? as f32;
            Ok(Box::new(Norm {
                axes: axes(a)?,
                rule: Rule::Within { low: low as f32, high: high as f32, rate },
                norms: Scratch::default(),
            }))
        },
    },
];

const AXIS: Parameter = Parameter::optional(
    "axis",
    Type::Ints,
    "0",
    "the axes of a vector of weights, those of the inputs of one output: 0 for `Dense`, `[0, 1, 2]` for `Conv2D`",
);

/// Makes the constraint that a parameter names; null is none.
///
/// # Errors
/// Refuses unknown names and parameters.
pub fn from_value(value: &Value) -> Result<Option<Arc<dyn Constraint>>> {
    match value {
        Value::Null => Ok(None),
        value => component::make(LIST, "constraint", value).map(|made| Some(Arc::from(made))),
    }
}

fn axes(a: &Arguments) -> Result<Vec<i64>> {
    let axes: Vec<i64> = match a.value("axis") {
        Value::Array(items) => items.iter().filter_map(Value::as_i64).collect(),
        value => vec![value.as_i64().unwrap_or(0)],
    };
    match axes.is_empty() {
        true => Err(a.refuse("axis", "at least one axis")),
        false => Ok(axes),
    }
}

#[derive(Debug)]
struct NonNegative;

impl Constraint for NonNegative {
    fn apply(&self, values: &mut [f32], _: &[usize]) {
        values.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
    }

    fn check(&self, _: &[usize]) -> Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    One,
    Within { low: f32, high: f32, rate: f32 },
}

/// A rule on the length of the vectors along some axes.
#[derive(Debug)]
struct Norm {
    axes: Vec<i64>,
    rule: Rule,
    norms: Scratch<Vec<f32>>,
}

impl Norm {
    /// Returns whether a weight of so many axes has those of the vectors.
    fn fits(&self, rank: usize) -> bool {
        self.axes.iter().all(|axis| usize::try_from(counted(*axis, rank)).is_ok_and(|axis| axis < rank))
    }

    fn is_inner(&self, axis: usize, rank: usize) -> bool {
        self.axes.iter().any(|own| counted(*own, rank) == axis as i64)
    }
}

/// Returns an axis counted from the start.
fn counted(axis: i64, rank: usize) -> i64 {
    if axis < 0 { axis.saturating_add(rank as i64) } else { axis }
}

impl Constraint for Norm {
    fn apply(&self, values: &mut [f32], shape: &[usize]) {
        // Keras's epsilon, which keeps a vector of zeros what it is.
        const EPSILON: f32 = 1e-7;
        let rank = shape.len();
        if !self.fits(rank) {
            return;
        }
        // Each number belongs to the vector that the other axes count.
        let vector = |at: usize| {
            let (mut rest, mut vector, mut step) = (at, 0, 1);
            for (axis, length) in shape.iter().enumerate().rev() {
                let place = rest % length.max(&1);
                rest /= length.max(&1);
                if !self.is_inner(axis, rank) {
                    vector += place * step;
                    step *= length;
                }
            }
            vector
        };
        let others = shape.iter().enumerate().filter(|(axis, _)| !self.is_inner(*axis, rank));
        let mut norms = self.norms.lend();
        norms.clear();
        norms.resize(others.map(|(_, length)| *length).product::<usize>().max(1), 0.0);
        values.iter().enumerate().for_each(|(at, value)| norms[vector(at)] += value * value);
        for norm in norms.iter_mut() {
            let length = norm.sqrt();
            let wanted = match self.rule {
                Rule::One => 1.0,
                Rule::Within { low, high, rate } => rate * length.clamp(low, high) + (1.0 - rate) * length,
            };
            *norm = wanted / (EPSILON + length);
        }
        values.iter_mut().enumerate().for_each(|(at, value)| *value *= norms[vector(at)]);
    }

    fn check(&self, shape: &[usize]) -> Result<()> {
        match self.fits(shape.len()) {
            true => Ok(()),
            false => Err(Error::recipe(format!(
                "`axis` {:?} of the constraint is outside of a weight of shape {shape:?}",
                self.axes
            ))
            .hint("axes of a weight are counted from 0; it has no batch axis")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(value: Value, values: &[f32], shape: &[usize]) -> Vec<f32> {
        let constraint = from_value(&value).unwrap().unwrap();
        constraint.check(shape).unwrap();
        let mut values = values.to_vec();
        constraint.apply(&mut values, shape);
        values.iter().map(|value| (value * 1e4).round() / 1e4).collect()
    }

    /// The numbers are Keras 3's.
    #[test]
    fn weights_are_brought_back() {
        let w = [3.0, 0.5, 4.0, 0.0, -1.0, 0.0];
        assert_eq!(apply(json!("non_neg"), &w, &[2, 3]), [3.0, 0.5, 4.0, 0.0, 0.0, 0.0]);
        assert_eq!(apply(json!("UnitNorm"), &w, &[2, 3]), [1.0, 0.4472, 1.0, 0.0, -0.8944, 0.0]);
        assert_eq!(apply(json!("max_norm"), &w, &[2, 3]), [2.0, 0.5, 2.0, 0.0, -1.0, 0.0]);
        let along = json!({"import": "MaxNorm", "params": {"max_value": 1.0, "axis": [-1]}});
        assert_eq!(apply(along, &w, &[2, 3]), [0.5970, 0.0995, 0.7960, 0.0, -1.0, 0.0]);
        let half = json!({"import": "MinMaxNorm", "params": {"min_value": 2.0, "max_value": 3.0, "rate": 0.5}});
        assert_eq!(apply(half, &w, &[2, 3]), [3.0, 0.6972, 3.5, 0.0, -1.3944, 0.0]);
        let all = json!({"import": "UnitNorm", "params": {"axis": [0, 1, 2]}});
        assert_eq!(apply(all, &[2.0; 4], &[1, 2, 2, 1]), [0.5; 4]);
        assert_eq!(apply(json!("UnitNorm"), &[0.0; 2], &[2, 1]), [0.0; 2]);
    }

    #[test]
    fn axes_must_be_there() {
        let constraint = from_value(&json!({"import": "UnitNorm", "params": {"axis": 2}})).unwrap().unwrap();
        assert_eq!(
            constraint.check(&[3, 4]).unwrap_err().to_string(),
            "`axis` [2] of the constraint is outside of a weight of shape [3, 4]"
        );
    }
}
