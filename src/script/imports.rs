//! Follows `import` statements without running them: Rhai reads an imported script when the statement is reached,
//! and looks for `module::function` when the call is.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use crate::error::{self, Error, Result, codes};
use crate::script::host::Host;
use crate::script::{lint, resolver};

/// The functions that a script gives to those who import it, with their numbers of parameters.
type Exports = BTreeMap<String, BTreeSet<usize>>;

/// Checks the imports of all scripts that a host has compiled so far, and those of the scripts that these import:
/// the scripts exist and compile, and what is called in them is there.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn check(host: &Host) -> Result<()> {
    let mut checked: BTreeSet<String> = BTreeSet::new();
    let mut errors = Vec::new();
    // A script that is imported may import others, until nothing new is found.
    loop {
        let scripts = host.sources().all();
        let Some(script) = scripts.into_iter().find(|script| !checked.contains(&*script.label)) else { break };
        checked.insert(script.label.to_string());
        // What does not compile was told when it was compiled.
        if let Ok(ast) = host.engine().compile(&*script.text) {
            one(host, &ast, &script.label, &mut errors);
        }
    }
    Error::join(errors).map_or(Ok(()), Err)
}

fn one(host: &Host, ast: &AST, label: &str, errors: &mut Vec<Error>) {
    let mut modules: BTreeMap<String, Exports> = BTreeMap::new();
    // A name whose script is not known, as its path is no plain text or leads nowhere.
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    let mut calls: Vec<(String, String, usize, Position)> = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Import(parts, position))) => {
                let name = parts.1.name.to_string();
                match &parts.0 {
                    Expr::StringConstant(text, at) => match exports(host, text) {
                        Ok(found) => modules.entry(name).or_default().extend(found),
                        Err(error) => {
                            unknown.insert(name);
                            let at = if at.is_none() { *position } else { *at };
                            errors.extend(error.split().into_iter().map(|error| lint::place(host, error, label, at)));
                        }
                    },
                    _ => drop(unknown.insert(name)),
                }
            }
            Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) => {
                if let [module] = &*call.namespace.path {
                    let (module, name) = (module.name.to_string(), call.name.to_string());
                    calls.push((module, name, call.args.len(), *position));
                }
            }
            _ => {}
        }
        true
    });
    for (module, name, arguments, position) in calls {
        if let Some(exports) = modules.get(&module).filter(|_| !unknown.contains(&module))
            && let Some(error) = wrong(&module, &name, arguments, exports)
        {
            errors.push(lint::place(host, error, label, position));
        }
    }
    let imports = ast.statements().iter().any(|statement| matches!(statement, Stmt::Import(..)));
    if imports && unknown.is_empty() {
        let brought = |name: &str| modules.values().any(|exports| exports.contains_key(name));
        let left = lint::calls(host, ast, label, &|name, method| method && !brought(name));
        errors.extend(left.err().map(Error::split).into_iter().flatten());
    }
}

/// Returns what a script exports, and has it checked with the others.
fn exports(host: &Host, path: &str) -> Result<Exports> {
    let script = resolver::imported(host, path)?;
    host.sources().insert(script.clone());
    let ast = host.compile_text(&script)?;
    let mut exports = Exports::new();
    for function in ast.iter_functions().filter(|function| function.access == rhai::FnAccess::Public) {
        exports.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    Ok(exports)
}

fn wrong(module: &str, name: &str, arguments: usize, exports: &Exports) -> Option<Error> {
    let Some(arities) = exports.get(name) else {
        let names = || exports.keys().map(String::as_str);
        return Some(
            Error::script(format!("unknown function `{module}::{name}`"))
                .coded(codes::UNKNOWN_FUNCTION)
                .maybe_hint(error::did_you_mean(name, names()))
                .hint(match exports.is_empty() {
                    true => format!("`{module}` has no functions"),
                    false => format!("functions of `{module}`: {}", error::list(names())),
                }),
        );
    };
    if arities.contains(&arguments) {
        return None;
    }
    let counts: Vec<String> = arities.iter().map(ToString::to_string).collect();
    let given = if arguments == 1 { "1 argument".to_owned() } else { format!("{arguments} arguments") };
    Some(
        Error::script(format!("`{module}::{name}` cannot be called with {given}"))
            .coded(codes::WRONG_ARGUMENTS)
            .hint(format!("it takes {}", counts.join(" or "))),
    )
}
