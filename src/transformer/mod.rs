//! Built-in transformers.
