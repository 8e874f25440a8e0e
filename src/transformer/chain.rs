//! `Chain`: several transformers, one after another. The room of transformers knows what it is called; it is made where
//! components are put together, since its links may be scripts.

use crate::error::Error;
use crate::record::Transformer;
use crate::registry::{Entry, Parameter, Type};

pub(super) const ENTRY: Entry<dyn Transformer> = Entry {
    name: CHAIN,
    aliases: &[],
    doc: "Applies transformers one after another: each is fitted on what those before it make of the training records; \
          on scores they are undone from the last to the first. A transformer for some of the inputs is one whose \
          `inputs` names them.",
    parameters: &[Parameter::required("transformers", Type::Any, "a list of import blocks, at least one")],
    build: |_| Err(Error::recipe("a chain is made of other components").hint("name it in `dataset.transformer`")),
};

/// The name of the chain.
pub const CHAIN: &str = "Chain";
