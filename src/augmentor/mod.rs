//! Built-in augmentors and the chain.
