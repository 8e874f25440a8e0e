//! The only room that knows Rhai.
