//! The standard library, as its scripts describe themselves: `//!` comments for a script, `///` comments
//! for its functions.

use crate::script::stdlib;

/// A script of the standard library.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its import path: `std.transformers.standardise`.
    pub import: String,
    /// What it is (Markdown); empty when the script does not say.
    pub text: String,
    /// Its public functions: how each is written, and its comment.
    pub functions: Vec<(String, String)>,
}

/// Returns all scripts, in the order of their list.
pub fn scripts() -> Vec<Script> {
    stdlib::names().filter_map(|name| Some(read(name, stdlib::text(name)?))).collect()
}

fn read(name: &str, source: &str) -> Script {
    let mut script =
        Script { import: format!("std.{}", name.replace('/', ".")), text: String::new(), functions: Vec::new() };
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("//!") {
            script.text.push_str(text.strip_prefix(' ').unwrap_or(text));
            script.text.push('\n');
        } else if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text.strip_prefix(' ').unwrap_or(text));
            comment.push('\n');
        } else if let Some(head) = line.strip_prefix("fn ") {
            let head = head.split('{').next().unwrap_or(head).trim();
            script.functions.push((head.to_owned(), std::mem::take(&mut comment).trim().to_owned()));
        } else {
            comment.clear();
        }
    }
    script.text = script.text.trim().to_owned();
    script
}
