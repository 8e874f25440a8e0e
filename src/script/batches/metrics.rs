//! Metrics that are gathered over the batches of a run.

use crate::error::{Error, Result};
use crate::pipeline::{Average, Confusion};

/// Metrics: what they are read from adds up over batches.
#[derive(Clone)]
pub enum Metrics {
    /// Of classes: how often each was taken for each other.
    Classes(Confusion),
    /// Of losses: their sum and number.
    Loss {
        /// The sum.
        sum: f64,
        /// How many were added.
        count: u64,
    },
    /// Of numbers: sums of the differences, their sizes and squares, and how many.
    Regression {
        /// Sum of absolute differences.
        absolute: f64,
        /// Sum of squared differences.
        squared: f64,
        /// How many numbers.
        count: u64,
    },
}

impl Metrics {
    /// Returns the metrics of both.
    ///
    /// # Errors
    /// Metrics of another kind, or of another number of classes.
    pub fn joined(self, other: &Metrics) -> Result<Metrics> {
        Ok(match (self, other) {
            (Metrics::Classes(mut own), Metrics::Classes(other)) => {
                own.add(other)?;
                Metrics::Classes(own)
            }
            (Metrics::Loss { sum, count }, Metrics::Loss { sum: more, count: others }) => {
                Metrics::Loss { sum: sum + more, count: count + others }
            }
            (
                Metrics::Regression { absolute, squared, count },
                Metrics::Regression { absolute: more, squared: squares, count: others },
            ) => Metrics::Regression { absolute: absolute + more, squared: squared + squares, count: count + others },
            _ => return Err(Error::script("metrics of different kinds do not add up")),
        })
    }

    /// Returns a value by its name.
    ///
    /// # Errors
    /// An unknown name.
    pub fn value(&self, name: &str, average: Option<Average>) -> Result<f64> {
        let unknown = |known: &[&str]| {
            Err(Error::script(format!("unknown metric `{name}`"))
                .maybe_hint(crate::error::did_you_mean(name, known.iter().copied()))
                .hint(format!("metrics: {}", crate::error::list(known.iter().copied()))))
        };
        match self {
            Metrics::Classes(confusion) => confusion.value(name, average),
            Metrics::Loss { sum, count } => match name {
                "loss" | "mean" => Ok(sum / (*count).max(1) as f64),
                _ => unknown(&["loss"]),
            },
            Metrics::Regression { absolute, squared, count } => {
                let count = (*count).max(1) as f64;
                match name {
                    "mae" => Ok(absolute / count),
                    "mse" => Ok(squared / count),
                    "rmse" => Ok((squared / count).sqrt()),
                    _ => unknown(&["mae", "mse", "rmse"]),
                }
            }
        }
    }
}
