//! Scripts as they describe themselves: `//!` comments for a script, `///` comments for its functions, and the
//! parameters that they declare. Those of the standard library, and those of a project.

use crate::Result;
use crate::registry::Declared;
use crate::script::declaration::Declaration;
use crate::script::host::Host;
use crate::script::stdlib;

/// A script that may be imported as a component.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its import path: `std.transformers.standardise`.
    pub import: String,
    /// What it is (Markdown); empty when the script does not say.
    pub text: String,
    /// Its public functions: how each is written, and its comment.
    pub functions: Vec<(String, String)>,
    /// Its constants, and their comments.
    pub constants: Vec<(String, String)>,
    /// The parameters it declares, with the function they are of, or `None` where they are of the whole.
    pub parameters: Vec<(Option<String>, Vec<Declared>)>,
}

/// Returns all scripts of the standard library, in the order of their list.
pub fn scripts() -> Vec<Script> {
    let host = Host::builder(".").build();
    stdlib::names()
        .filter_map(|name| {
            let import = format!("std.{}", name.replace('/', "."));
            // Every script here can be described, which a test holds; without a folder to stand in none can.
            host.as_ref().ok().and_then(|host| script(host, &import).ok())
        })
        .collect()
}

/// Returns the script that an import path names, below the project root of a host or in the standard library; of a
/// path to a function, that function alone.
///
/// # Errors
/// No such script, one that does not compile, a wrong declaration of parameters.
pub fn script(host: &Host, import: &str) -> Result<Script> {
    let (compiled, function) = host.resolve(import)?;
    // The parameters are asked for, not given: the whole script is no function's component.
    let path = import.strip_suffix(&format!(".{}", function.as_deref().unwrap_or_default())).unwrap_or(import);
    let mut script = read(import, &compiled.script.text);
    script.parameters = match host.undeclared(path)?.declaration()? {
        None => Vec::new(),
        Some(Declaration::Whole(parameters)) => vec![(None, parameters)],
        Some(Declaration::Functions(functions)) => {
            functions.into_iter().map(|(name, parameters)| (Some(name), parameters)).collect()
        }
    };
    if let Some(function) = function {
        script.parameters.retain(|(owner, _)| owner.as_ref().is_none_or(|owner| *owner == function));
        script.functions.retain(|(head, _)| head.split('(').next() == Some(&function));
    }
    Ok(script)
}

fn read(import: &str, source: &str) -> Script {
    let (text, functions, parameters) = (String::new(), Vec::new(), Vec::new());
    let mut script = Script { import: import.to_owned(), text, functions, constants: Vec::new(), parameters };
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("//!") {
            script.text.push_str(text.strip_prefix(' ').unwrap_or(text));
            script.text.push('\n');
        } else if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text.strip_prefix(' ').unwrap_or(text));
            comment.push('\n');
        } else if let Some((name, _)) = line.strip_prefix("const ").and_then(|rest| rest.split_once(['=', ' '])) {
            script.constants.push((name.trim().to_owned(), std::mem::take(&mut comment).trim().to_owned()));
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
