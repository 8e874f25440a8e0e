//! Names of inputs, outputs and columns: shared, cheap to clone.

/// A name of an input, an output, a field or a column.
pub type Name = std::sync::Arc<str>;
