//! Built-in loaders: they make data records of named inputs, outputs and sample weights from records.

mod key_selector;

pub use key_selector::KeySelector;

use crate::record::Loader;
use crate::registry::Entry;

/// The built-in loaders.
pub const LIST: &[Entry<dyn Loader>] = &[key_selector::ENTRY];
