//! Built-in loaders.
