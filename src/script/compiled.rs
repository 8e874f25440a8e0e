//! A compiled script: its functions, where they stand, and what they do to `this`.

use std::collections::BTreeMap;

use rhai::{AST, Stmt};

use crate::error::{Error, Place, Result, codes};
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::writes::{self, Write};

/// A compiled script that may serve as a component.
pub struct Compiled {
    /// Its text and name.
    pub script: Script,
    pub(super) ast: AST,
    functions: Vec<Function>,
    /// Where each function assigns to `this`, if it does.
    pub(super) writes: BTreeMap<String, Write>,
}

/// A function of a script.
pub(super) struct Function {
    name: String,
    pub(super) parameters: Vec<String>,
    /// Where its name stands.
    place: Option<Place>,
}

impl Compiled {
    /// Compiles a script.
    ///
    /// # Errors
    /// Syntax errors; statements other than `const` and `import` beside the functions, since they would
    /// run whenever the component is made.
    pub fn new(host: &Host, script: Script) -> Result<Self> {
        host.sources().insert(script.clone());
        let ast = host.compile_text(&script)?;
        if let Some(statement) = ast.statements().iter().find(|statement| !is_declaration(statement)) {
            let error = Error::script(format!("`{}` runs statements, so it cannot be a component", script.label))
                .coded(codes::RUNS_STATEMENTS)
                .hint("a component's script holds functions, `const` and `import`; a recipe is another file");
            return Err(match host.sources().place(&script.label, statement.position()) {
                Some(place) => error.at(place),
                None => error,
            });
        }
        let function = |function: rhai::ScriptFnMetadata| Function {
            name: function.name.to_owned(),
            parameters: function.params.iter().map(|name| (*name).to_owned()).collect(),
            place: definition(&script, function.name, function.params.len()),
        };
        let functions = ast.iter_functions().map(function).collect();
        let writes = writes::writes(&ast);
        Ok(Compiled { script, ast, functions, writes })
    }

    /// Returns how many parameters each version of a function takes, in increasing order.
    pub fn arities(&self, name: &str) -> Vec<usize> {
        let mut arities: Vec<usize> = self.versions(name).map(|function| function.parameters.len()).collect();
        arities.sort_unstable();
        arities
    }

    /// Returns the names of the functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|function| function.name.as_str())
    }

    pub(super) fn versions(&self, name: &str) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(move |function| function.name == name)
    }

    /// Returns where a function is defined.
    pub(crate) fn defined(&self, name: &str) -> Option<Place> {
        self.versions(name).find_map(|function| function.place.clone())
    }
}

/// Finds the name in `fn NAME(`, with as many parameters.
fn definition(script: &Script, name: &str, arity: usize) -> Option<Place> {
    let text = &*script.text;
    let at = text.match_indices(name).map(|(at, _)| at).find(|&at| {
        let parameters = text[at + name.len()..].trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let count = |list: &str| list.split(',').filter(|name| !name.trim().is_empty()).count();
        let before = &text[..at];
        before.ends_with(char::is_whitespace)
            && before.trim_end().ends_with("fn")
            && parameters.is_some_and(|(list, _)| count(list) == arity)
    })?;
    Some(Place { file: script.label.clone(), text: script.text.clone(), span: at..at + name.len() })
}

fn is_declaration(statement: &Stmt) -> bool {
    match statement {
        Stmt::Import(..) | Stmt::Export(..) | Stmt::Noop(..) => true,
        Stmt::Var(_, flags, _) => flags.bits() & 1 == 1,
        _ => false,
    }
}
