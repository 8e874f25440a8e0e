//! Distributions of a hyperparameter: what trials draw from, and the values that a grid takes of them.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::random::Random;

/// What values of a hyperparameter are drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Each number from `low` (included) to `high` (excluded), equally likely.
    Uniform(f64, f64),
    /// As `Uniform`, of the logarithm: each power of ten between them is as likely.
    LogUniform(f64, f64),
    /// `base` to the power of a number between `low` and `high`, equally likely.
    Power {
        /// What is raised to a power; above 0.
        base: f64,
        /// The least exponent.
        low: f64,
        /// The largest exponent.
        high: f64,
    },
    /// Each whole number from `low` to `high`, both included.
    Integers(i64, i64),
    /// Each of the values.
    Choice(Vec<Value>),
}

/// A draw of one hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// What is drawn from.
    pub of: Distribution,
    /// How many values a grid takes of it; one of at least 1.
    pub count: Option<usize>,
}

impl From<Distribution> for Draw {
    fn from(of: Distribution) -> Self {
        Draw { of, count: None }
    }
}

impl Draw {
    /// Returns a value.
    pub(super) fn value(&self, random: &mut Random) -> Value {
        match &self.of {
            Distribution::Uniform(low, high) => float(random.uniform_between(*low, *high)),
            Distribution::LogUniform(low, high) => float(random.uniform_between(low.ln(), high.ln()).exp()),
            Distribution::Power { base, low, high } => float(base.powf(random.uniform_between(*low, *high))),
            Distribution::Integers(low, high) => {
                // Bounds are checked to be in order where draws are made.
                Value::from(low.saturating_add_unsigned(random.below(high.abs_diff(*low).saturating_add(1))))
            }
            Distribution::Choice(values) => {
                values.get(random.below(values.len().max(1) as u64) as usize).cloned().unwrap_or_default()
            }
        }
    }

    /// Returns the values that a grid takes: as many as `count` says, evenly spaced, with both ends; of a count of 1 the
    /// middle, which is that of the exponents where exponents are drawn. Of whole numbers there are at most as many as lie
    /// between the ends; of a choice all values, whatever the count.
    ///
    /// # Errors
    /// Neither a choice nor a count.
    pub(super) fn grid(&self, name: &str) -> Result<Vec<Value>> {
        if let Distribution::Choice(values) = &self.of {
            return Ok(values.clone());
        }
        let count = self.count.ok_or_else(|| {
            Error::script(format!("`{name}` has no count, and a grid needs to know how many values to take of it"))
                .hint("add one: `between(0.0, 1.0, 5)` takes five values, the ends among them")
        })?;
        let at = |low: f64, high: f64, count: usize, index: usize| match count {
            1 => (low + high) / 2.0,
            _ => low + index as f64 * (high - low) / (count - 1) as f64,
        };
        let values = |value: &dyn Fn(usize) -> Value| (0..count).map(value).collect();
        Ok(match &self.of {
            Distribution::Uniform(low, high) => values(&|index| float(at(*low, *high, count, index))),
            Distribution::LogUniform(low, high) => values(&|index| float(at(low.ln(), high.ln(), count, index).exp())),
            Distribution::Power { base, low, high } => values(&|index| float(base.powf(at(*low, *high, count, index)))),
            Distribution::Integers(low, high) => {
                let count = count.min(high.abs_diff(*low).saturating_add(1).try_into().unwrap_or(usize::MAX));
                let value = |index| at(*low as f64, *high as f64, count, index).round() as i64;
                (0..count).map(|index| Value::from(value(index))).collect()
            }
            Distribution::Choice(_) => Vec::new(),
        })
    }

    /// Returns the call that makes it, as scripts write it.
    pub fn expression(&self) -> String {
        let count = self.count.map(|count| format!(", {count}")).unwrap_or_default();
        match &self.of {
            Distribution::Uniform(low, high) => format!("between({low:?}, {high:?}{count})"),
            Distribution::LogUniform(low, high) => format!("log_between({low:?}, {high:?}{count})"),
            Distribution::Power { base, low, high } => format!("hp_log({base:?}, {low:?}, {high:?}{count})"),
            Distribution::Integers(low, high) => format!("integers({low}, {high}{count})"),
            Distribution::Choice(values) => format!("choice({})", Value::from(values.clone())),
        }
    }
}

fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(of: Distribution, count: usize) -> Vec<f64> {
        let draw = Draw { of, count: Some(count) };
        draw.grid("x").unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    #[test]
    fn a_grid_of_one_is_the_middle() {
        assert_eq!(grid(Distribution::Uniform(0.0, 3.0), 1), [1.5]);
        assert_eq!(grid(Distribution::Integers(32, 256), 1), [144.0]);
        assert_eq!(grid(Distribution::Power { base: 10.0, low: -4.0, high: -1.0 }, 1), [10f64.powf(-2.5)]);
        assert_eq!(grid(Distribution::Power { base: 2.0, low: 2.0, high: 4.0 }, 1), [8.0]);
        assert!((grid(Distribution::LogUniform(1e-4, 1e-2), 1)[0] - 1e-3).abs() < 1e-15);
    }

    #[test]
    fn a_grid_has_both_ends_and_even_steps() {
        assert_eq!(grid(Distribution::Uniform(0.0, 3.0), 4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(grid(Distribution::Integers(32, 256), 3), [32.0, 144.0, 256.0]);
        // Rounded to the nearest whole number, halves away from 0.
        assert_eq!(grid(Distribution::Integers(0, 5), 3), [0.0, 3.0, 5.0]);
        // No more than there are.
        assert_eq!(grid(Distribution::Integers(1, 3), 10), [1.0, 2.0, 3.0]);
        assert_eq!(grid(Distribution::Power { base: 2.0, low: 0.0, high: 3.0 }, 4), [1.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn a_draw_without_a_count_makes_no_grid_unless_it_is_a_choice() {
        let error = Draw::from(Distribution::Uniform(0.0, 1.0)).grid("rate").unwrap_err();
        assert_eq!(error.message(), "`rate` has no count, and a grid needs to know how many values to take of it");
        let choice = Draw::from(Distribution::Choice(vec!["a".into(), 2.into()]));
        assert_eq!(choice.grid("x").unwrap(), [Value::from("a"), Value::from(2)]);
    }
}
