//! Initial values of weights, from the seeded generator.

use crate::random::Random;

/// Makes the initial values of a weight.
pub trait Initializer: Send + Sync + std::fmt::Debug {
    /// Returns the values in row-major order.
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32>;
}
