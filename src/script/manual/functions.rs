//! The functions of the script API, read from the metadata of the engine.

use std::sync::OnceLock;

use rhai::{Engine, FuncMetadata};
use serde_json::Value;

use crate::script::api::{Page, table};

/// Where a function stands on its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Called by its name alone: `zeros([2])`.
    Function,
    /// Read without parentheses: `x.shape`, `x[0]`.
    Property,
    /// Called on a value: `x.sum()`.
    Method,
    /// Written between or before values.
    Operator,
}

/// A function as scripts see it, with all its versions.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub group: Group,
    /// The ways to call it, fewest parameters first.
    pub versions: Vec<Version>,
}

/// One way to call a function.
#[derive(Clone, Debug)]
pub struct Version {
    /// How it is called: `tensor.sum(axes: int or array) -> Tensor`.
    pub signature: String,
    /// Names and types of all parameters, the receiver first.
    pub parameters: Vec<(String, String)>,
    /// Its text (Markdown); a version without one shares that of the versions before it.
    pub text: Option<String>,
}

impl Function {
    /// Returns the signatures, each once.
    pub fn signatures(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for version in &self.versions {
            if !all.contains(&version.signature.as_str()) {
                all.push(&version.signature);
            }
        }
        all
    }

    /// Returns texts with the signatures that each is about; a text is empty where one is missing.
    pub fn texts(&self) -> Vec<(Vec<&str>, &str)> {
        let mut texts: Vec<(Vec<&str>, &str)> = Vec::new();
        for version in &self.versions {
            let at = match &version.text {
                // The first versions may be those without a text.
                Some(text) => texts.iter().position(|(_, known)| known.is_empty() || known == text),
                None => texts.len().checked_sub(1),
            };
            let text = version.text.as_deref().unwrap_or("");
            let at = at.unwrap_or_else(|| {
                texts.push((Vec::new(), text));
                texts.len() - 1
            });
            if texts[at].1.is_empty() {
                texts[at].1 = text;
            }
            if !texts[at].0.contains(&version.signature.as_str()) {
                texts[at].0.push(&version.signature);
            }
        }
        texts
    }
}

/// Returns the functions of one page, by group and name.
pub fn functions(page: &Page) -> Vec<Function> {
    let mut engine = Engine::new_raw();
    (page.register)(&mut engine);
    all(&engine)
}

/// Returns the names of all properties of the program's own types, each once: the same for every engine.
pub fn properties(engine: &Engine) -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let properties = all(engine).into_iter().filter(|function| function.group == Group::Property);
        properties.map(|function| function.name).collect()
    })
}

/// Returns all functions that were registered with an engine, without Rhai's own packages.
pub fn all(engine: &Engine) -> Vec<Function> {
    let text = engine.gen_fn_metadata_to_json(false).unwrap_or_default();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut functions: Vec<Function> = Vec::new();
    for entry in json["functions"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or_default();
        let result = type_name(entry["returnType"].as_str().unwrap_or("()"));
        // Printing is part of every type and would only repeat itself.
        if ["to_string", "to_debug", "print", "debug", "sleep"].contains(&name)
            || name.starts_with("anon$")
            // What can be written is told where it is read.
            || name.starts_with("set$")
            || name == "index$set$"
            || result == table::REFUSED
        {
            continue;
        }
        let parameters = parameters(entry);
        let (group, name) = place(name, &parameters);
        let signature = signature(&name, group, &parameters, &result);
        let version = Version { signature, parameters, text: doc(entry) };
        match functions.iter_mut().find(|function| function.name == name && function.group == group) {
            Some(function) => function.versions.push(version),
            None => functions.push(Function { name, group, versions: vec![version] }),
        }
    }
    // A property may also be called as a method, which needs no second entry.
    let owner = |version: &Version| version.parameters.first().map_or_else(String::new, |(_, kind)| kind.clone());
    let properties: Vec<(String, String)> = functions
        .iter()
        .filter(|function| function.group == Group::Property)
        .flat_map(|one| one.versions.iter().map(|version| (one.name.clone(), owner(version))))
        .collect();
    for function in functions.iter_mut().filter(|function| function.group == Group::Method) {
        let Function { name, versions, .. } = function;
        versions.retain(|version| !properties.contains(&(name.clone(), owner(version))));
    }
    functions.retain(|function| !function.versions.is_empty());
    for function in &mut functions {
        // The signature last: the engine has no order of its own.
        function.versions.sort_by_cached_key(|version| {
            let signature = version.signature.clone();
            (version.parameters.len(), version.text.is_none(), signature.len(), signature)
        });
    }
    functions.sort_by(|a, b| (a.group, &a.name).cmp(&(b.group, &b.name)));
    functions
}

/// Returns the names of everything a script may call, Rhai's own packages included.
pub fn names(engine: &Engine) -> Vec<String> {
    let mut names: Vec<String> = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
    names.retain(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    names.sort();
    names.dedup();
    names
}

/// Returns the signatures of a function of Rhai's own packages, with the type of the first parameter.
pub fn foreign(engine: &Engine, name: &str) -> Vec<(String, String)> {
    let signature = |info: rhai::FuncInfo| {
        let metadata: &FuncMetadata = info.metadata;
        let plain = metadata.name == name && !metadata.params_info.iter().any(|part| part.contains(['<', '|']));
        plain.then(|| {
            let (parameters, result) =
                metadata.params_info.split_at(metadata.num_params.min(metadata.params_info.len()));
            let parameters: Vec<(String, String)> = parameters
                .iter()
                .map(|part| {
                    let (name, kind) = part.split_once(':').unwrap_or(("value", part));
                    (name.trim().to_owned(), type_name(kind))
                })
                .filter(|(_, kind)| kind != "NativeCallContext")
                .collect();
            let result = result.first().map_or_else(|| "()".to_owned(), |kind| type_name(kind));
            let first = parameters.first().map_or_else(String::new, |(_, kind)| kind.clone());
            (first, signature(name, Group::Function, &parameters, &result))
        })
    };
    let mut signatures: Vec<(String, String)> = engine.collect_fn_metadata(None, signature, true);
    // Versions for the integer types that scripts do not have.
    signatures.retain(|(_, one)| {
        !["u8", "i8", "u16", "i16", "u32", "i32", "u64", "u128", "i128", "f32"].iter().any(|kind| one.contains(kind))
    });
    signatures.sort_by_cached_key(|(_, one)| (one.len(), one.clone()));
    signatures.dedup();
    signatures
}

fn parameters(entry: &Value) -> Vec<(String, String)> {
    entry["params"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or("value").to_owned();
            (name, type_name(parameter["type"].as_str().unwrap_or("any")))
        })
        .filter(|(_, kind)| kind != "NativeCallContext")
        .collect()
}

/// Returns the group and the plain name. A first parameter named after its type makes a method.
fn place(name: &str, parameters: &[(String, String)]) -> (Group, String) {
    if let Some(property) = name.strip_prefix("get$") {
        return (Group::Property, property.to_owned());
    }
    if name == "index$get$" {
        return (Group::Property, "[ ]".to_owned());
    }
    let group = match parameters.first() {
        _ if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') => Group::Operator,
        Some((receiver, kind)) if *receiver == kind.to_lowercase() => Group::Method,
        _ => Group::Function,
    };
    (group, name.to_owned())
}

fn doc(entry: &Value) -> Option<String> {
    let comments: Vec<&str> = entry["docComments"].as_array()?.iter().filter_map(Value::as_str).collect();
    let lines: Vec<String> = comments
        .iter()
        .flat_map(|comment| comment.lines())
        .map(|line| {
            let line = line.trim_start().trim_start_matches("///");
            line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()
        })
        .collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn signature(name: &str, group: Group, parameters: &[(String, String)], result: &str) -> String {
    let kinds: Vec<&str> = parameters.iter().map(|(_, kind)| kind.as_str()).collect();
    let list = |parameters: &[(String, String)]| {
        parameters.iter().map(|(name, kind)| format!("{name}: {kind}")).collect::<Vec<_>>().join(", ")
    };
    let call = match (group, parameters) {
        (Group::Property, [(_, owner), (index, kind)]) => format!("{}[{index}: {kind}]", owner.to_lowercase()),
        (Group::Property, _) => format!("{}.{name}", kinds.first().unwrap_or(&"value").to_lowercase()),
        (Group::Operator, [_, _]) => format!("{} {name} {}", kinds[0], kinds[1]),
        (Group::Operator, _) => format!("{name}{}", kinds.first().unwrap_or(&"value")),
        (Group::Method, [(receiver, _), rest @ ..]) => format!("{receiver}.{name}({})", list(rest)),
        _ => format!("{name}({})", list(parameters)),
    };
    if result == "()" { call } else { format!("{call} -> {result}") }
}

/// Returns a type as scripts know it.
pub fn type_name(rust: &str) -> String {
    let rust = rust.trim().trim_start_matches("&mut ").trim_start_matches('&').trim();
    // `Result<Tensor, Box<EvalAltResult>>`, what Rhai shortens it to, and our own name for it.
    let wrapped = ["Result<", "RhaiResultOf<", "Answer<"].iter().find_map(|wrapper| rust.strip_prefix(wrapper));
    let inner = match wrapped {
        Some(rest) => rest.split(", Box<").next().unwrap_or(rest).trim_end_matches('>'),
        None => rust,
    };
    let last = inner.rsplit("::").next().unwrap_or(inner).trim();
    match last {
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "str" | "String" | "ImmutableString" | "string" => "string",
        "Dynamic" | "RhaiResult" | "?" | "" => "any",
        "List" | "Array" | "array" => "array",
        "Map" | "map" => "map",
        "FnPtr" => "function",
        "Num" => "number",
        "TensorOrNumber" => "Tensor or number",
        "Numbers" => "Tensor, array or number",
        "TensorOrMap" => "Tensor or map",
        "FileOrBytes" => "text or Tensor",
        "Shape" | "Axes" => "int or array",
        "Layers" => "Layer or array",
        "TensorOrLayer" => "Tensor or Layer",
        "NameOrBlock" => "string or map",
        "Source" | "Arguments" => "any",
        "Callback" => "function or string",
        "Ids" => "Index, int or array",
        "Patterns" => "string or array",
        "Shares" => "number or array",
        "LoaderHandle" => "Loader",
        "TrainerHandle" => "Trainer",
        "RunHandle" => "Run",
        "Symbol" => "Layer",
        other if other.contains("Range") => "range",
        // The engine garbles results of functions that an embedding program registers.
        other if other.contains("EvalAltResult") => "any",
        other => other,
    }
    .to_owned()
}
