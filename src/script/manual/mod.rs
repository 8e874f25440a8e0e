//! The manual: one model read from the engine and from the lists of built-in components, and printers.

mod components;
mod functions;
mod page;

pub use components::{Section, sections};
pub use functions::{Example, Function, functions};
pub use page::{help, index, pages};

use crate::script::host::Host;

/// Returns the signatures of a function as scripts see them.
pub fn signatures(host: &Host, name: &str) -> Vec<String> {
    let known = functions::all(host.engine());
    known.into_iter().filter(|function| function.name == name).flat_map(|function| function.signatures).collect()
}

/// Returns the names of all functions a script may call.
pub fn function_names(host: &Host) -> Vec<String> {
    functions::names(host.engine())
}
