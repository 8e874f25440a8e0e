//! Optimizers, in Keras vocabulary and to Keras's numbers: in-place updates of parameter slices.

/// One rule that turns gradients into updates.
pub trait Optimizer: Send + Sync {
    /// Returns the Keras name: `Adam`.
    fn name(&self) -> &'static str;

    /// Returns the names of the state arrays kept for each parameter, each of the parameter's length and
    /// starting at 0: `["m", "v"]`.
    fn slots(&self) -> &'static [&'static str];

    /// Updates one parameter in place. `step` counts updates from 1; `slots` are in the order of
    /// [`Optimizer::slots`].
    fn update(&self, step: u64, learning_rate: f32, parameter: &mut [f32], gradient: &[f32], slots: &mut [Vec<f32>]);
}
