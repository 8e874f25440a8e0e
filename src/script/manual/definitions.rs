//! Prints the functions of scripts as a definition file of Rhai (`.d.rhai`), which editors complete and explain from.

use std::fmt::Write;

use super::functions::{Function, Group, Version, functions};
use super::standard::{self, Script};
use crate::script::api::PAGES;

const HEAD: &str = "// Everything that scripts of Barrage can call, for editors that know Rhai. Printed by \
    `barrage help --definitions`.\n// A parameter that takes more than one type is shown as `?`; the signature in the comment says \
    which.\n\nmodule static;\n";

/// Returns the definitions of all functions and types, and of the modules of the standard library.
pub fn definitions() -> String {
    let mut text = HEAD.to_owned();
    for page in PAGES {
        let _ = write!(text, "\n// # {}\n//\n", page.title);
        for line in page.intro.lines() {
            let _ = writeln!(text, "{}", format!("// {line}").trim_end());
        }
        for function in functions(page) {
            text.push_str(&function_text(&function));
        }
    }
    text.push_str("\n// # Standard library\n");
    text.push_str(&modules());
    text
}

fn function_text(function: &Function) -> String {
    let mut text = String::new();
    let mut doc = "";
    for version in &function.versions {
        doc = version.text.as_deref().unwrap_or(doc);
        text.push('\n');
        text.push_str(&comment(&format!("`{}`\n\n{doc}", version.signature), ""));
        text.push_str(&definition(function, version));
    }
    text
}

/// Returns one line of definition.
fn definition(function: &Function, version: &Version) -> String {
    let result = version.signature.rsplit_once(" -> ").map_or("()", |(_, result)| result);
    let kinds: Vec<String> = version.parameters.iter().map(|(_, kind)| kind_of(kind)).collect();
    let named = || {
        let one = |((name, _), kind): (&(String, String), &String)| format!("{}: {kind}", name.trim_start_matches('_'));
        version.parameters.iter().zip(&kinds).map(one).collect::<Vec<_>>().join(", ")
    };
    let head = match function.group {
        Group::Operator => format!("op {}({})", function.name, kinds.join(", ")),
        Group::Property if function.name == "[ ]" => format!("fn index$get$({})", named()),
        Group::Property => format!("fn get {}({})", function.name, named()),
        Group::Function | Group::Method => format!("fn {}({})", function.name, named()),
    };
    format!("{head} -> {};\n", kind_of(result))
}

/// Returns a type as definitions write it; several types are one that is not known.
fn kind_of(kind: &str) -> String {
    match kind {
        "any" | "number" => "?".to_owned(),
        "string" => "String".to_owned(),
        "array" => "Array".to_owned(),
        "map" => "Map".to_owned(),
        kind if kind.contains(' ') => "?".to_owned(),
        kind => kind.to_owned(),
    }
}

fn comment(text: &str, indent: &str) -> String {
    text.trim().lines().map(|line| format!("{}\n", format!("{indent}/// {line}").trim_end())).collect()
}

/// Returns the standard library as modules in modules.
fn modules() -> String {
    let mut text = String::new();
    let mut open: Vec<String> = Vec::new();
    for script in standard::scripts() {
        let path: Vec<&str> = script.import.split('.').collect();
        let (name, folders) = path.split_last().map_or(("", &[][..]), |(name, folders)| (*name, folders));
        let same = open.iter().zip(folders).take_while(|(own, folder)| own == *folder).count();
        while open.len() > same {
            open.pop();
            let _ = writeln!(text, "{}}}", "    ".repeat(open.len()));
        }
        for folder in &folders[same..] {
            let _ = writeln!(text, "\n{}module {folder} {{", "    ".repeat(open.len()));
            open.push((*folder).to_owned());
        }
        text.push_str(&module(name, &script, &"    ".repeat(open.len())));
    }
    while let Some(_folder) = open.pop() {
        let _ = writeln!(text, "{}}}", "    ".repeat(open.len()));
    }
    text
}

fn module(name: &str, script: &Script, indent: &str) -> String {
    let inner = format!("{indent}    ");
    let mut text = format!("\n{}{indent}module {name} {{\n", comment(&script.text, indent));
    for (constant, doc) in &script.constants {
        let _ = write!(text, "{}{inner}const {constant}: ?;\n\n", comment(doc, &inner));
    }
    for (head, doc) in &script.functions {
        let (name, parameters) = head.split_once('(').unwrap_or((head, ")"));
        let parameters: Vec<String> = parameters
            .trim_end_matches(')')
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| format!("{name}: ?"))
            .collect();
        let _ = write!(text, "{}{inner}fn {name}({}) -> ?;\n\n", comment(doc, &inner), parameters.join(", "));
    }
    format!("{}\n{indent}}}\n", text.trim_end())
}
