//! Random draws.

use rhai::{Array as List, Dynamic};

use crate::error::{Error, Result};
use crate::random::Random;
use crate::tensor::{Array, Tensor};

/// A random draw.
#[derive(Clone)]
pub struct Draw {
    /// What is drawn.
    pub kind: Kind,
    /// The shape of a draw; without one, it is a single value.
    pub size: Option<Vec<usize>>,
    /// A seed of its own, so that every batch draws the same.
    pub seed: Option<u64>,
}

/// What is drawn.
#[derive(Clone)]
pub enum Kind {
    /// A number from low (included) to high (excluded).
    Uniform(f64, f64),
    /// A normal draw of a mean and a deviation.
    Normal(f64, f64),
    /// A whole number from low (included) to high (excluded).
    Integers(i64, i64),
    /// One of several values, with their probabilities.
    Choice(List, Option<Vec<f64>>),
}

impl Kind {
    /// Returns one draw.
    pub fn one(&self, random: &mut Random) -> Dynamic {
        match self {
            Kind::Uniform(low, high) => Dynamic::from(random.uniform_between(*low, *high)),
            Kind::Normal(mean, deviation) => Dynamic::from(mean + deviation * random.normal()),
            Kind::Integers(low, high) => {
                Dynamic::from(low.wrapping_add(random.below(high.wrapping_sub(*low).max(0) as u64) as i64))
            }
            Kind::Choice(values, None) => {
                values.get(random.below(values.len() as u64) as usize).cloned().unwrap_or_default()
            }
            Kind::Choice(values, Some(shares)) => {
                let mut left = random.uniform() * shares.iter().sum::<f64>();
                let at = shares.iter().position(|share| {
                    left -= share;
                    left < 0.0
                });
                values.get(at.unwrap_or(values.len().saturating_sub(1))).cloned().unwrap_or_default()
            }
        }
    }

    /// Returns a tensor of draws; an array, where values are chosen.
    ///
    /// # Errors
    /// A shape that is too large.
    pub fn many(&self, random: &mut Random, size: &[usize]) -> Result<Dynamic> {
        let count = size.iter().try_fold(1usize, |all, size| all.checked_mul(*size)).filter(|count| *count <= 1 << 28);
        let count = count.ok_or_else(|| Error::script(format!("a draw of shape {size:?} is too large")))?;
        let values: List = (0..count).map(|_| self.one(random)).collect();
        Ok(match self {
            Kind::Choice(..) => Dynamic::from(values),
            Kind::Integers(..) => {
                let whole = values.iter().filter_map(|value| value.as_int().ok()).collect();
                Dynamic::from(Tensor::Host(Array::from_i64(whole, size)?))
            }
            _ => {
                let numbers =
                    values.iter().filter_map(|value| value.as_float().ok().map(|value| value as f32)).collect();
                Dynamic::from(Tensor::Host(Array::from_f32(numbers, size)?))
            }
        })
    }
}
