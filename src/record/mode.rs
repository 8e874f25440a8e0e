//! What records are loaded for.

/// The mode of a dataset; scripts see it as `this.mode`: `"train"`, `"validation"` or `"score"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Inputs, outputs and sample weights; augmentors run.
    Train,
    /// Inputs, outputs and sample weights.
    Validation,
    /// Inputs only: outputs and weights are never touched, so labels may be missing.
    Score,
}

impl Mode {
    /// Returns the name that scripts see.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Train => "train",
            Mode::Validation => "validation",
            Mode::Score => "score",
        }
    }
}
