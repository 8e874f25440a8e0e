//! The manual: one model read from the engine, from the lists of built-in components and from the scripts
//! of the standard library, and printers.

mod components;
mod example;
mod functions;
mod page;
mod standard;

pub use components::{Component, Section, sections};
pub use example::{Line, examples};
pub use functions::{Function, Group, Version, all, functions};
pub use page::{help, index, pages};
pub use standard::{Script, scripts};

use crate::script::host::Host;

/// Returns the signatures of a function as scripts see them; those whose first parameter is of the type
/// that was given come first.
pub fn signatures(host: &Host, name: &str, first: &str) -> Vec<String> {
    let mut versions: Vec<Version> = functions::all(host.engine())
        .into_iter()
        .filter(|function| function.name == name)
        .flat_map(|function| function.versions)
        .collect();
    let other = |version: &Version| version.parameters.first().is_none_or(|(_, kind)| kind != first);
    versions.sort_by_key(other);
    if versions.iter().any(|version| !other(version)) {
        versions.retain(|version| !other(version));
    }
    let mut signatures: Vec<String> = versions.into_iter().map(|version| version.signature).collect();
    signatures.dedup();
    match signatures.is_empty() {
        true => functions::foreign(host.engine(), name),
        false => signatures,
    }
}

/// Returns the names of all functions a script may call.
pub fn function_names(host: &Host) -> Vec<String> {
    functions::names(host.engine())
}
