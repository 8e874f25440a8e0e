//! Augmentors: they change training records, freshly at every pass.

mod chain;

pub use chain::Chain;

use crate::record::Augmentor;
use crate::registry::Entry;

/// The built-in augmentors: none so far, a recipe names scripts.
pub const LIST: &[Entry<dyn Augmentor>] = &[];
