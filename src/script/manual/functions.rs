//! The functions of the script API, read from the metadata of the engine.

use rhai::Engine;
use serde_json::Value;

use crate::script::api::Page;

/// A function as scripts see it; versions with other parameters are one function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How it is called: `tensor(values: array) -> Tensor`.
    pub signatures: Vec<String>,
    /// Its text (Markdown), one entry for each version that has one.
    pub docs: Vec<String>,
    /// How many versions have no text.
    pub undocumented: usize,
}

/// A piece of code in the manual and what its lines give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The code.
    pub code: String,
}

impl Function {
    /// Returns the examples in its text.
    pub fn examples(&self) -> Vec<Example> {
        self.docs.iter().flat_map(|doc| examples(doc)).collect()
    }
}

/// Returns the blocks of a text that are fenced as `rhai`.
pub fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut code: Option<String> = None;
    for line in text.lines() {
        match (line.trim(), &mut code) {
            ("```rhai", None) => code = Some(String::new()),
            ("```", Some(_)) => found.extend(code.take().map(|code| Example { code })),
            (_, Some(code)) => {
                code.push_str(line);
                code.push('\n');
            }
            _ => (),
        }
    }
    found
}

/// Returns the functions of one page, sorted by name.
pub fn functions(page: &Page) -> Vec<Function> {
    let mut engine = Engine::new_raw();
    (page.register)(&mut engine);
    all(&engine)
}

/// Returns all functions that were registered with an engine, without Rhai's own packages.
pub fn all(engine: &Engine) -> Vec<Function> {
    let text = engine.gen_fn_metadata_to_json(false).unwrap_or_default();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut functions: Vec<Function> = Vec::new();
    for entry in json["functions"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or_default();
        // Printing and comparing are part of every type and would only repeat themselves.
        if ["to_string", "to_debug", "sleep"].contains(&name) || name.starts_with("anon$") {
            continue;
        }
        let signature = signature(name, entry);
        let doc = doc(entry);
        let name = property(name).map_or_else(|| name.to_owned(), |property| property.to_owned());
        let at = match functions.iter().position(|function| function.name == name) {
            Some(at) => at,
            None => {
                functions.push(Function { name, signatures: Vec::new(), docs: Vec::new(), undocumented: 0 });
                functions.len() - 1
            }
        };
        let function = &mut functions[at];
        if !function.signatures.contains(&signature) {
            function.signatures.push(signature);
        }
        match doc {
            Some(doc) if !function.docs.contains(&doc) => function.docs.push(doc),
            Some(_) => (),
            None => function.undocumented += 1,
        }
    }
    for function in &mut functions {
        function.signatures.sort_by_key(String::len);
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
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

fn property(name: &str) -> Option<&str> {
    name.strip_prefix("get$")
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

fn signature(name: &str, entry: &Value) -> String {
    let result = type_name(entry["returnType"].as_str().unwrap_or("()"));
    let parameters: Vec<(&str, String)> = entry["params"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| {
            (parameter["name"].as_str().unwrap_or("value"), type_name(parameter["type"].as_str().unwrap_or("any")))
        })
        .filter(|(_, kind)| kind != "NativeCallContext")
        .collect();
    if let Some(property) = property(name) {
        let owner = parameters.first().map_or("value", |(_, kind)| kind);
        return format!("{owner}.{property} -> {result}");
    }
    if name == "index$get$" {
        let kinds: Vec<&str> = parameters.iter().map(|(_, kind)| kind.as_str()).collect();
        return format!("{}[{}] -> {result}", kinds.first().unwrap_or(&"value"), kinds.get(1).unwrap_or(&"index"));
    }
    let operator = !name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    match (operator, parameters.as_slice()) {
        (true, [(_, left), (_, right)]) => format!("{left} {name} {right} -> {result}"),
        (true, [(_, only)]) => format!("{name}{only} -> {result}"),
        _ => {
            let list: Vec<String> = parameters.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
            let result = if result == "()" { String::new() } else { format!(" -> {result}") };
            format!("{name}({}){result}", list.join(", "))
        }
    }
}

/// Returns a type as scripts know it.
fn type_name(rust: &str) -> String {
    let rust = rust.trim().trim_start_matches("&mut ").trim_start_matches('&').trim();
    // `Result<Tensor, Box<EvalAltResult>>` and what Rhai shortens it to.
    let inner = match rust.strip_prefix("Result<").or_else(|| rust.strip_prefix("RhaiResultOf<")) {
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
        "FnPtr" => "Fn",
        "LoaderHandle" => "Loader",
        "Symbol" => "Layer",
        other => other,
    }
    .to_owned()
}
