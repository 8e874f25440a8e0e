//! Finds calls of functions that do not exist, before a script runs: Rhai itself notices only when the call
//! is reached.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::error::{self, Error, Result, codes};
use crate::script::elsewhere;
use crate::script::host::Host;
use crate::script::manual;

/// The numbers of parameters of each function an engine knows.
pub type Known = BTreeMap<String, BTreeSet<usize>>;

/// Words of the language that are called like functions.
const WORDS: [&str; 9] = ["print", "debug", "type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn"];

/// Returns the functions that are registered with an engine.
pub fn known(engine: &rhai::Engine) -> Known {
    let mut known = Known::new();
    let all =
        engine.collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true);
    for (name, parameters) in all {
        known.entry(name).or_default().insert(parameters);
    }
    known
}

/// Returns the functions that are registered with an engine, with the types of their parameters.
pub fn signatures(engine: &rhai::Engine) -> BTreeSet<(String, String)> {
    let one = |info: rhai::FuncInfo| Some((info.metadata.name.to_string(), format!("{:?}", info.metadata.param_types)));
    engine.collect_fn_metadata(None, one, true).into_iter().collect()
}

/// Checks every call in a script, but for methods where modules are imported, which may bring some: see
/// [`super::imports`].
///
/// # Errors
/// All unknown functions at once, and calls with a number of arguments that no version takes.
pub fn check(host: &Host, ast: &AST, label: &str) -> Result<()> {
    let imports = ast.statements().iter().any(|statement| matches!(statement, Stmt::Import(..)));
    calls(host, ast, label, &|_, method| !(method && imports))
}

/// Checks the calls in a script that are picked by name and by whether they are methods.
///
/// # Errors
/// See [`check`].
pub(super) fn calls(host: &Host, ast: &AST, label: &str, picked: &dyn Fn(&str, bool) -> bool) -> Result<()> {
    let mut own: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let functions: Vec<_> = ast.iter_functions().collect();
    for function in &functions {
        own.entry(function.name).or_default().insert(function.params.len());
    }
    let variables = variables(ast);
    let mut errors = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position))) => Some((call, *position, false)),
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => Some((call, *position, true)),
            Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => Some((call, *position, false)),
            _ => None,
        };
        if let Some((call, position, method)) = call
            && picked(&call.name, method)
            && !variables.contains(call.name.as_str())
            && let Some(error) = wrong(host, call, method, &own)
        {
            errors.push(place(host, error, label, position));
        }
        true
    });
    Error::join(errors).map_or(Ok(()), Err)
}

fn wrong(host: &Host, call: &FnCallExpr, method: bool, own: &BTreeMap<&str, BTreeSet<usize>>) -> Option<Error> {
    let name = call.name.as_str();
    let plain = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if !plain || call.is_qualified() || call.op_token.is_some() || WORDS.contains(&name) || name.starts_with("anon$") {
        return None;
    }
    let arguments = call.args.len();
    let scripted = own.get(name);
    let native = host.known_functions().get(name);
    // A method's receiver is the first parameter of a native function, and `this` of a scripted one.
    let fits = scripted.is_some_and(|arities| arities.contains(&arguments))
        || native.is_some_and(|arities| arities.contains(&(arguments + usize::from(method))));
    if fits {
        return None;
    }
    if scripted.is_none() && native.is_none() {
        let names = host.known_functions().keys().map(String::as_str).chain(own.keys().copied());
        let names: Vec<&str> = names.filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_')).collect();
        let error = Error::script(format!("unknown function `{name}`")).coded(codes::UNKNOWN_FUNCTION);
        // What users of batches write: their actions as methods.
        let action = || host.sources().all().iter().any(|script| script.text.contains("dataset("));
        let action = (method && action()).then(|| {
            format!("an action, a function of a batch's script, is called by its name: `.action(\"{name}\")`")
        });
        let told = elsewhere::hint(name).map(str::to_owned).or_else(|| error::did_you_mean(name, names));
        return Some(error.maybe_hint(told).maybe_hint(action));
    }
    let given = match arguments {
        1 => "1 argument".to_owned(),
        count => format!("{count} arguments"),
    };
    let error = Error::script(format!("`{name}` cannot be called with {given}")).coded(codes::WRONG_ARGUMENTS);
    let signatures = match native {
        Some(_) => manual::signatures(host, name, ""),
        None => Vec::new(),
    };
    let own_signatures = scripted.into_iter().flatten().map(|count| format!("{name} with {count} parameters"));
    let all: Vec<String> = signatures.into_iter().chain(own_signatures).collect();
    Some(all.iter().take(4).fold(error, |error, signature| error.hint(format!("it is `{signature}`"))))
}

pub(super) fn place(host: &Host, error: Error, label: &str, position: Position) -> Error {
    match host.sources().place(label, position) {
        Some(place) => error.at(place),
        None => error,
    }
}

/// Names that may hold a function: variables, parameters, and fields of maps, whose functions are called
/// as methods.
fn variables(ast: &AST) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ast
        .iter_functions()
        .flat_map(|function| function.params.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        .collect();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => drop(names.insert(variable.0.name.to_string())),
            Some(ASTNode::Stmt(Stmt::For(parts, ..))) => drop(names.insert(parts.0.name.to_string())),
            Some(ASTNode::Expr(Expr::Map(map, ..))) => {
                names.extend(map.0.iter().map(|(name, _)| name.name.to_string()));
            }
            Some(ASTNode::Expr(Expr::Property(property, ..))) => drop(names.insert(property.2.to_string())),
            _ => (),
        }
        true
    });
    names
}
