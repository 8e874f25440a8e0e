//! Rhai's errors become ours: the cause with its line, the chain of calls, and hints.

use rhai::{Dynamic, EvalAltResult, ParseErrorType, Position};

use crate::error::{self, Error, Frame, IMPORT, Kind, codes};
use crate::script::clues;
use crate::script::elsewhere;
use crate::script::host::Host;
use crate::script::manual;
use crate::script::syntax;

/// Makes an error of ours travel through the engine unchanged.
pub fn raise(error: Error) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(error), Position::NONE))
}

impl From<Error> for Box<EvalAltResult> {
    /// Lets a native function use `?` on what this program returns.
    fn from(error: Error) -> Self {
        raise(error)
    }
}

/// Explains what a script raised; `label` is the script whose statements or function were called.
pub fn explain(host: &Host, error: EvalAltResult, label: &str) -> Error {
    explain_with(host, error, label, &|_| None)
}

/// Explains what a script raised; `fields` knows which fields a variable's map has, by the variable's name.
pub fn explain_with(
    host: &Host,
    error: EvalAltResult,
    label: &str,
    fields: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Error {
    let mut frames = Vec::new();
    let mut label = label.to_owned();
    let mut cause = error;
    loop {
        match cause {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                let function = if name.starts_with("anon$") { "closure".to_owned() } else { name };
                frames.push(Frame { function, place: host.sources().place(&label, position) });
                if !source.is_empty() {
                    label = source;
                }
                cause = *inner;
            }
            EvalAltResult::ErrorInModule(_, inner, position) => {
                frames.push(Frame { function: IMPORT.to_owned(), place: host.sources().place(&label, position) });
                cause = *inner;
            }
            other => {
                cause = other;
                break;
            }
        }
    }
    let place = host.sources().place(&label, cause.position());
    let code = code_of(&cause);
    let mut explained = cause_of(host, cause, place.as_ref(), fields);
    if let Some(code) = code.filter(|_| explained.kind() != Kind::Recipe) {
        explained = explained.coded(code);
    }
    match (explained.place(), place) {
        // What failed inside of a native function has a place of its own: the call is one step of the chain.
        (Some(known), Some(call)) if *known != call => {
            let word = call.text.get(call.span.clone()).unwrap_or("");
            let function = if word.starts_with(['"', '`']) { IMPORT.to_owned() } else { word.to_owned() };
            explained = explained.called_from(Frame { function, place: Some(call) });
        }
        (Some(_), _) => (),
        // A native function gives no place: the call of it is the place.
        (None, place) => {
            if let Some(place) = place.or_else(|| frames.last().and_then(|frame| frame.place.clone())) {
                explained = explained.without_label().at(place);
            }
        }
    }
    frames.into_iter().rev().fold(explained, Error::called_from)
}

/// Returns the code of what Rhai raised; one of our own errors may bring a better one.
fn code_of(cause: &EvalAltResult) -> Option<&'static str> {
    use EvalAltResult as E;
    Some(match cause {
        E::ErrorRuntime(value, _) if value.is::<Error>() => codes::REFUSED,
        E::ErrorRuntime(..) => codes::THROWN,
        E::ErrorParsing(..) => codes::SCRIPT_SYNTAX,
        E::ErrorVariableNotFound(..) | E::ErrorModuleNotFound(..) => codes::UNKNOWN_VARIABLE,
        E::ErrorPropertyNotFound(..) => codes::UNKNOWN_FIELD,
        E::ErrorDotExpr(message, _) if message.starts_with("No writable property") => codes::READ_ONLY,
        E::ErrorDotExpr(..) => codes::UNKNOWN_FIELD,
        E::ErrorIndexNotFound(..) | E::ErrorArrayBounds(..) | E::ErrorStringBounds(..) => codes::NOTHING_THERE,
        E::ErrorMismatchDataType(..) | E::ErrorMismatchOutputType(..) | E::ErrorIndexingType(..) => codes::WRONG_VALUE,
        E::ErrorAssignmentToConstant(..) | E::ErrorNonPureMethodCallOnConstant(..) => codes::READ_ONLY,
        E::ErrorArithmetic(..) => codes::ARITHMETIC,
        E::ErrorTooManyOperations(..)
        | E::ErrorStackOverflow(..)
        | E::ErrorDataTooLarge(..)
        | E::ErrorTooManyModules(..)
        | E::ErrorTooManyVariables(..) => codes::TOO_MUCH,
        _ => return None,
    })
}

fn cause_of(
    host: &Host,
    cause: EvalAltResult,
    place: Option<&error::Place>,
    fields: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Error {
    use EvalAltResult as E;
    match cause {
        E::ErrorRuntime(value, _) => match value.try_cast_result::<Error>() {
            Ok(error) => unset(error, place),
            Err(value) => thrown(&value),
        },
        E::ErrorSystem(_, error) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::script(error.to_string()),
        },
        E::ErrorParsing(error, _) => {
            let word = place.and_then(|place| place.text.get(place.span.clone())).unwrap_or("");
            syntax::syntax(&error, word, place)
        }
        E::ErrorVariableNotFound(name, _) => unknown_variable(&name, place),
        E::ErrorModuleNotFound(name, _) => syntax::syntax(&ParseErrorType::ModuleUndefined(name), "", place),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(host, &signature),
        E::ErrorPropertyNotFound(name, _) => missing_field(host, property(&name), place, fields),
        E::ErrorDotExpr(message, _) => match message.strip_prefix("No writable property '") {
            Some(rest) => {
                let name = rest.split('\'').next().unwrap_or(rest);
                let owner = rest.split("for type '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or("");
                unchangeable(
                    Error::script(format!("the field `{name}` of {} cannot be changed", type_phrase(owner))),
                    owner,
                )
            }
            None => missing_field(host, property(&message), place, fields),
        },
        E::ErrorIndexNotFound(index, _) => Error::script(format!("there is nothing at `{index}`")),
        E::ErrorIndexingType(kinds, _) => indexing(&kinds),
        E::ErrorMismatchDataType(expected, found, _) if found.is_empty() => {
            Error::script(format!("expected {}", type_phrase(&expected)))
        }
        E::ErrorMismatchDataType(expected, found, _) | E::ErrorMismatchOutputType(expected, found, _) => {
            let hint = (expected == "bool" && found.ends_with("Tensor"))
                .then(|| "compare numbers: `x.sum().item > 0`, or `x.any().item == 1`".to_owned());
            Error::script(format!("expected {}, found {}", type_phrase(&expected), type_phrase(&found)))
                .maybe_hint(hint)
        }
        E::ErrorArrayBounds(0, index, _) => Error::script(format!("index {index} is out of range: the array is empty")),
        E::ErrorArrayBounds(length, index, _) => {
            Error::script(format!("index {index} is out of range for an array of {length}"))
        }
        E::ErrorStringBounds(length, index, _) => {
            Error::script(format!("index {index} is out of range for a text of {length} characters"))
        }
        E::ErrorUnboundThis(_) => {
            Error::script("`this` has no value here").hint("only functions called on a component have a `this`")
        }
        E::ErrorAssignmentToConstant(name, _) => read_only(&name),
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            Error::script(format!("`{name}` would change a value that cannot be changed here")).hint(READ_ONLY)
        }
        E::ErrorArithmetic(message, _) => Error::script(lower_first(&message)),
        E::ErrorTooManyOperations(_) => {
            Error::script("the script took too many steps").hint("is there a loop without end?")
        }
        E::ErrorStackOverflow(_) => {
            Error::script("functions call each other too deeply").hint("is there a recursion without end?")
        }
        E::ErrorTerminated(..) => Error::new(Kind::Interrupted, "interrupted"),
        other => {
            let mut other = other;
            other.set_position(Position::NONE);
            Error::script(lower_first(&other.to_string()))
        }
    }
}

/// Rhai does not say which fields the map has: those of `this` and of a function's parameters are known; for
/// other maps the nearest name comes from those the scripts use.
fn missing_field(
    host: &Host,
    name: &str,
    place: Option<&error::Place>,
    fields: &dyn Fn(&str) -> Option<Vec<String>>,
) -> Error {
    let error = Error::script(format!("unknown field `{name}`"));
    let owner = place.map(clues::owner).unwrap_or_default();
    if let Some(known) = fields(owner) {
        let known = || known.iter().map(String::as_str);
        return error.maybe_hint(error::did_you_mean(name, known())).hint(match known().next() {
            Some(_) => format!("fields of `{owner}`: {}", error::list(known())),
            None => format!("`{owner}` has no fields"),
        });
    }
    let sources = host.sources().all();
    let mut names: Vec<&str> = sources.iter().flat_map(|script| clues::field_names(&script.text)).collect();
    names.sort_unstable();
    names.dedup();
    // The value may be of one of the program's own types.
    names.extend(manual::properties(host.engine()).iter().map(String::as_str));
    error.maybe_hint(error::did_you_mean(name, names)).maybe_hint(matches!(name, "y" | "w").then(|| {
        format!("in score mode there are no outputs and weights: test `this.mode != \"score\"` or `\"{name}\" in …`")
    }))
}

/// `field += value` makes a field that is not there, with nothing in it.
fn unset(error: Error, place: Option<&error::Place>) -> Error {
    let Some(place) = place.filter(|_| error.message().contains("nothing")) else { return error };
    let before = place.text.get(..place.span.start).unwrap_or("").trim_end();
    let operator = place.text.get(place.span.start..).unwrap_or("");
    let changes = ["+=", "-=", "*=", "/=", "%=", "**="].iter().any(|change| operator.starts_with(change));
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    match before.rsplit(|c: char| !word(c)).next() {
        Some(field) if changes && field.contains('.') => {
            let (owner, name) = field.rsplit_once('.').unwrap_or_default();
            error.hint(format!("`{owner}` has no field `{name}` yet"))
        }
        _ => error,
    }
}

fn unknown_variable(name: &str, place: Option<&error::Place>) -> Error {
    let error = Error::script(format!("unknown variable `{name}`"));
    let text = place.map_or("", |place| &*place.text);
    let declared = clues::declared(text);
    match declared.iter().find(|(_, known)| *known == name) {
        Some(("const", _)) => error.hint(format!("a function sees constants of its script as `global::{name}`")),
        Some(_) => error.hint("a function sees its parameters, `this`, and constants of its script as `global::NAME`"),
        None => error.maybe_hint(error::did_you_mean(name, declared.iter().map(|(_, known)| *known))),
    }
}

fn thrown(value: &Dynamic) -> Error {
    // One of the errors of `parallel`, thrown on: it keeps its cause.
    if let Some(failure) = value.read_lock::<crate::script::batches::per_item::Failure>() {
        return failure.told();
    }
    let field = |name: &str| value.read_lock::<rhai::Map>().and_then(|map| map.get(name).map(ToString::to_string));
    match field("message") {
        Some(message) => Error::script(message).maybe_hint(field("hint")),
        None => Error::script(value.to_string()),
    }
}

/// Returns the error of a change to `this`, or to a constant of this name, where nothing may change.
fn read_only(name: &str) -> Error {
    let what = if name.is_empty() { "`this`".to_owned() } else { format!("`{name}`") };
    Error::script(format!("{what} cannot be changed here")).hint(READ_ONLY)
}

const READ_ONLY: &str = "a component's state may change in `init` and `fit` only; a constant never changes";

/// `Tensor [string]` when something is read, `Tensor [i64] = i64` when it is set.
fn indexing(kinds: &str) -> Error {
    let (place, set) = match kinds.split_once(" = ") {
        Some((place, _)) => (place, true),
        None => (kinds, false),
    };
    let (owner, index) = place.trim_end_matches(']').split_once(" [").unwrap_or((place, ""));
    let error = match set {
        true => Error::script(format!("{} cannot be changed", type_phrase(owner))),
        false => Error::script(format!("{} cannot be indexed by {}", type_phrase(owner), type_phrase(index))),
    };
    match (owner, set) {
        (_, true) => unchangeable(error, owner),
        ("Tensor", false) => error.hint("`x[0]` is a row, `x[1..3]` are rows, `x[\"name\"]` needs a map"),
        ("Record", false) => error.hint("a record's fields are read by name: `record.x`, `record[\"x\"]`"),
        ("Records", false) => error.hint("`records[0]` is a record, `records.column(\"x\")` a column"),
        _ => error,
    }
}

/// Adds what to do instead of changing a value of ours.
fn unchangeable(error: Error, owner: &str) -> Error {
    match owner.rsplit("::").next().unwrap_or(owner) {
        "Record" => error.hint("`let row = record.to_map()` is a copy that can; `records.map` makes new records"),
        "Records" => error.hint("`records.map` makes new records"),
        "Tensor" => error.hint("tensors are never changed: compute a new one, for example with `where` or `reshape`"),
        _ => error,
    }
}

/// `name (types)` as Rhai gives it, or an operator, or a getter.
fn unknown_function(host: &Host, signature: &str) -> Error {
    let (name, types) = match signature.split_once(" (") {
        Some((name, types)) => (name, types.trim_end_matches(')')),
        None => (signature, ""),
    };
    let arguments: Vec<String> = types
        .split(", ")
        .filter(|kind| !kind.is_empty())
        .map(|kind| type_phrase(kind.trim_start_matches("&mut ")))
        .collect();
    let given = match arguments.len() {
        0 => "no arguments".to_owned(),
        _ => arguments.join(", "),
    };
    if !name.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_') {
        return match arguments.as_slice() {
            [left, right] => Error::script(format!("`{name}` does not work between {left} and {right}")),
            _ => Error::script(format!("`{name}` does not work on {given}")),
        }
        .coded(codes::WRONG_OPERANDS);
    }
    let name = name.rsplit("::").next().unwrap_or(name);
    if name.starts_with("anon$") {
        let count = error::counted(arguments.len(), "value");
        return Error::script(format!("a function without a name cannot be called with {given}"))
            .coded(codes::WRONG_ARGUMENTS)
            .hint(format!("it is given {count} here: its parameters stand between the bars, `|first, second| …`"));
    }
    let known = manual::signatures(host, name, types.split(", ").next().unwrap_or(""));
    if known.is_empty() {
        let sources = host.sources().all();
        let own: Vec<(&str, &str)> = sources.iter().flat_map(|script| clues::functions(&script.text)).collect();
        let mut versions = own.iter().filter(|(known, _)| *known == name).peekable();
        if versions.peek().is_some() {
            let error = Error::script(format!("`{name}` cannot be called with {given}")).coded(codes::WRONG_ARGUMENTS);
            return versions.fold(error, |error, (name, list)| error.hint(format!("it is `{name}({list})`")));
        }
        let mut names = manual::function_names(host);
        names.extend(own.iter().map(|(name, _)| (*name).to_owned()));
        return Error::script(format!("unknown function `{name}`")).coded(codes::UNKNOWN_FUNCTION).maybe_hint(
            match elsewhere::hint(name) {
                Some(hint) => Some(hint.to_owned()),
                None => error::did_you_mean(name, names.iter().map(String::as_str)),
            },
        );
    }
    let mut error = Error::script(format!("`{name}` cannot be called with {given}")).coded(codes::WRONG_ARGUMENTS);
    if types.starts_with("array") && known.iter().any(|signature| signature.contains("Tensor")) {
        error = error.hint("values that are texts, or differ in length, come as an array: make a tensor of them first");
    }
    for signature in known.iter().take(4) {
        error = error.hint(format!("it is `{signature}`"));
    }
    match known.len().saturating_sub(4) {
        0 => error,
        more => error.hint(format!("and {more} more: see `barrage help {name}`")),
    }
}

fn property(message: &str) -> &str {
    message.trim_start_matches("Unknown property '").split('\'').next().unwrap_or(message)
}

/// Returns a type's name as scripts know it, with its article.
pub fn type_phrase(name: &str) -> String {
    // Rhai shows a text among arguments as all the types it may have.
    let name = if name.contains("ImmutableString") { "string" } else { name.trim() };
    let plain = match name.rsplit("::").next().unwrap_or(name) {
        "i64" | "int" => "a whole number",
        "f64" | "float" => "a number with a fraction",
        "bool" => "true or false",
        "string" | "ImmutableString" | "String" | "&str" => "a text",
        "char" => "a character",
        "array" | "Array" => "an array",
        "map" | "Map" => "a map",
        "blob" | "Blob" => "a blob",
        "()" => "nothing",
        "Fn" | "FnPtr" => "a function",
        "Symbol" => "a Layer",
        "LoaderHandle" => "a Loader",
        "TrainerHandle" => "a Trainer",
        "range" | "Range<i64>" | "RangeInclusive<i64>" => "a range",
        "Dynamic" => "any value",
        other => {
            let other = other.trim_end_matches('>').to_owned();
            return match other.as_str() {
                // Plural.
                "Records" => other,
                // "an R N G".
                "Rng" => format!("an {other}"),
                _ if other.starts_with(['A', 'E', 'I', 'O', 'U']) => format!("an {other}"),
                _ => format!("a {other}"),
            };
        }
    };
    plain.to_owned()
}

pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // Leave words in capitals alone.
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}
