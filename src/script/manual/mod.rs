//! The manual: one model read from the engine, from the lists of built-in components and from the scripts
//! of the standard library, and printers.

mod components;
mod definitions;
mod example;
mod functions;
mod page;
mod standard;

pub use components::{Component, Section, sections};
pub use definitions::definitions;
pub use example::{Line, examples};
pub use functions::{Function, Group, Version, all, functions, properties, type_name};
pub use page::{help, help_on_script, index, pages};
pub use standard::{Script, script, scripts};

use crate::script::host::Host;

/// Returns the signatures of a function as scripts see them: those whose first parameter is of the type
/// that was given, if there are any.
pub fn signatures(host: &Host, name: &str, first: &str) -> Vec<String> {
    // Rhai shows a text among arguments as all the types it may have.
    let first = if first.contains("ImmutableString") { "string".to_owned() } else { functions::type_name(first) };
    let mut own: Vec<Function> = host.manual().iter().filter(|function| function.name == name).cloned().collect();
    // What is called is looked for among what can be called.
    if own.iter().any(|function| function.group != Group::Property) {
        own.retain(|function| function.group != Group::Property);
    }
    let kind = |version: &Version| version.parameters.first().map_or_else(String::new, |(_, kind)| kind.clone());
    let mut known: Vec<(String, String)> = own
        .into_iter()
        .flat_map(|function| function.versions)
        .map(|version| (kind(&version), version.signature))
        .collect();
    if known.is_empty() {
        known = functions::foreign(host.engine(), name);
    }
    if known.iter().any(|(kind, _)| *kind == first) {
        known.retain(|(kind, _)| *kind == first);
    }
    let mut signatures: Vec<String> = known.into_iter().map(|(_, signature)| signature).collect();
    signatures.dedup();
    signatures
}

/// Returns the names of all functions a script may call.
pub fn function_names(host: &Host) -> Vec<String> {
    functions::names(host.engine())
}
