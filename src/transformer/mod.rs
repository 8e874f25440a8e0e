//! Built-in transformers: fitted on the training records, applied to every chunk, undone on scores.

mod chain;
mod identity;

pub use chain::CHAIN;
pub use identity::IdentityTransformer;

use crate::record::Transformer;
use crate::registry::Entry;

/// The built-in transformers.
pub const LIST: &[Entry<dyn Transformer>] = &[identity::ENTRY, chain::ENTRY];
