//! Built-in loaders: they make data records of named inputs, outputs and sample weights from records.

mod batch_loader;
mod key_selector;

pub use batch_loader::BatchLoader;
pub use key_selector::KeySelector;

use crate::record::Loader;
use crate::registry::Entry;

/// The built-in loaders.
pub const LIST: &[Entry<dyn Loader>] = &[key_selector::ENTRY, batch_loader::ENTRY];
