//! Prints the manual: Markdown pages and the text of `barrage help NAME`.

use std::fmt::Write;

use crate::error;
use crate::registry::{Declared, Parameter};
use crate::script::api::PAGES;
use crate::script::host::Host;
use crate::script::manual::components::{Component, Section, sections};
use crate::script::manual::functions::{Function, Group, functions};
use crate::script::manual::standard::{self, Script, scripts};

const STANDARD: &str = "Scripts that come with the program, imported like those of a project: \
    `component(\"std.transformers.standardise\")`. `barrage help std.…` prints what is written here.";

/// Returns all pages: file name and Markdown, the index first.
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), index())];
    for page in PAGES {
        let mut text = format!("# {}\n\n{}\n", page.title, page.intro);
        let all = functions(page);
        let mut group = None;
        for function in &all {
            if group != Some(function.group) {
                group = Some(function.group);
                let _ = write!(text, "\n## {}\n", heading(function.group));
            }
            let _ = write!(text, "\n### `{}`\n\n{}", function.name, function_text(function));
        }
        pages.push((format!("{}.md", page.name), text));
    }
    for section in sections() {
        pages.push((format!("{}.md", section.name), section_text(&section)));
    }
    let mut text = format!("# Standard library\n\n{STANDARD}\n");
    for script in scripts() {
        let _ = write!(text, "\n## `{}`\n\n{}", script.import, script_text(&script));
    }
    pages.push(("std.md".to_owned(), text));
    pages
}

/// Returns the table of contents.
pub fn index() -> String {
    let mut text = "# The manual\n\nPrinted from the program itself by `barrage help --write docs/manual`; \
                    every example in it runs as a test. What stands after `// =>` is what the line gives; files that examples \
                    read are those of `tests/script/files`.\n\n\
                    ## Functions and types\n\n"
        .to_owned();
    for page in PAGES {
        let _ = writeln!(text, "* [{}]({}.md)", page.title, page.name);
    }
    text.push_str("\n## Built-in components\n\n");
    for section in sections() {
        let names = error::list(section.components.iter().map(|component| component.name));
        let _ = match names.is_empty() {
            true => writeln!(text, "* [{}]({}.md)", section.title, section.name),
            false => writeln!(text, "* [{}]({}.md): {names}", section.title, section.name),
        };
    }
    let scripts = scripts();
    let names = error::list(scripts.iter().map(|script| script.import.as_str()));
    let _ = write!(text, "\n## Scripts\n\n* [Standard library](std.md): {names}\n");
    text
}

/// Returns the help on a name: a function, a component, a script of the standard library, or a page.
///
/// # Errors
/// An unknown name, with the nearest ones.
pub fn help(name: &str) -> crate::Result<String> {
    let mut parts = Vec::new();
    for page in PAGES {
        let all = functions(page);
        if page.name == name {
            let groups = [Group::Function, Group::Property, Group::Method, Group::Operator];
            let lists = groups.iter().filter_map(|group| {
                let names: Vec<&str> =
                    all.iter().filter(|function| function.group == *group).map(|one| one.name.as_str()).collect();
                let heading = heading(*group).to_lowercase();
                (!names.is_empty()).then(|| format!("{heading}: {}\n", error::list(names)))
            });
            parts.push(format!("{}\n\n{}\n\n{}", page.title, page.intro, lists.collect::<String>()));
        }
        parts.extend(all.iter().filter(|function| function.name == name).map(function_text));
    }
    for section in sections() {
        if section.name == name {
            let names = error::list(section.components.iter().map(|component| component.name));
            let names = if names.is_empty() { "nothing".to_owned() } else { names };
            parts.push(format!("{}\n\n{}\n\nbuilt in: {names}\n", section.title, section.intro));
        }
        for component in &section.components {
            if component.name == name || component.aliases.contains(&name) {
                parts.push(format!(
                    "`{}` ({})\n\n{}",
                    component.name,
                    section.title.to_lowercase(),
                    component_text(component)
                ));
            }
        }
    }
    for script in scripts() {
        if script.import == name || script.import.rsplit('.').next() == Some(name) {
            parts.push(format!("`{}`\n\n{}", script.import, script_text(&script)));
        }
    }
    if name == "std" {
        let scripts = scripts();
        let names = error::list(scripts.iter().map(|script| script.import.as_str()));
        parts.push(format!("Standard library\n\n{STANDARD}\n\nscripts: {names}\n"));
    }
    if !parts.is_empty() {
        return Ok(plain(&parts.join("\n")));
    }
    let names = names();
    Err(crate::Error::script(format!("no help on `{name}`"))
        .coded(error::codes::NO_HELP)
        .maybe_hint(error::did_you_mean(name, names.iter().map(String::as_str)))
        .hint("`barrage help` lists the commands and the pages of the manual"))
}

/// Returns the help on a script of a project, or a function in it, by its import path.
///
/// # Errors
/// No such script, one that does not compile, a wrong declaration of parameters.
pub fn help_on_script(host: &Host, path: &str) -> crate::Result<String> {
    let script = standard::script(host, path)?;
    Ok(plain(&format!("`{}`\n\n{}", script.import, script_text(&script).trim_start())))
}

/// Returns Markdown as a terminal shows it best: code is indented, without fences.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            code = !code;
        } else if code && !line.is_empty() {
            let _ = writeln!(text, "    {line}");
        } else {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// Every name that [`help`] knows.
fn names() -> Vec<String> {
    let mut names: Vec<String> = PAGES.iter().map(|page| page.name.to_owned()).collect();
    names.extend(PAGES.iter().flat_map(|page| functions(page).into_iter().map(|function| function.name)));
    for section in sections() {
        names.push(section.name.to_owned());
        for component in section.components {
            names.push(component.name.to_owned());
            names.extend(component.aliases.iter().map(|alias| (*alias).to_owned()));
        }
    }
    names.extend(scripts().into_iter().map(|script| script.import));
    names
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Function => "Functions",
        Group::Property => "Properties",
        Group::Method => "Methods",
        Group::Operator => "Operators and comparisons",
    }
}

fn function_text(function: &Function) -> String {
    let mut parts = Vec::new();
    for (signatures, text) in function.texts() {
        let text = text.replace("# Errors\n", "Errors: ");
        parts.push(format!("```text\n{}\n```\n\n{text}\n", signatures.join("\n")));
    }
    parts.join("\n")
}

fn section_text(section: &Section) -> String {
    let mut text = format!("# {}\n\n{}\n", section.title, section.intro);
    if section.components.is_empty() {
        text.push_str("\nNone is built in: write your own, or take one of the [standard library](std.md).\n");
    }
    for component in &section.components {
        let _ = write!(text, "\n## `{}`\n\n{}", component.name, component_text(component));
    }
    text
}

fn component_text(component: &Component) -> String {
    let mut text = String::new();
    if !component.aliases.is_empty() {
        let _ = write!(text, "Also: {}.\n\n", error::list(component.aliases.iter().copied()));
    }
    let _ = writeln!(text, "{}", component.doc.trim());
    if let Some(example) = &component.example {
        let _ = write!(text, "\n```rhai\n{example}\n```\n");
    }
    if !component.parameters.is_empty() {
        text.push_str(HEADER);
    }
    for Parameter { name, kind, default, doc } in component.parameters {
        let default = default.map_or_else(|| "required".to_owned(), |default| format!("`{default}`"));
        let _ = writeln!(text, "| `{name}` | {} | {default} | {} |", kind.describe(), doc.replace('|', "\\|"));
    }
    text
}

const HEADER: &str = "\n| parameter | value | default | meaning |\n|---|---|---|---|\n";

/// The table of what a script declares.
fn declared_text(parameters: &[Declared]) -> String {
    let mut text = HEADER.to_owned();
    for parameter in parameters {
        let default = match &parameter.default {
            None => "required".to_owned(),
            Some(serde_json::Value::Null) => "`()`".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let (value, doc) = (parameter.describe(), parameter.doc.replace('|', "\\|"));
        let _ = writeln!(text, "| `{}` | {value} | {default} | {doc} |", parameter.name);
    }
    text
}

fn script_text(script: &Script) -> String {
    let mut text = match script.text.is_empty() {
        true => String::new(),
        false => format!("{}\n", script.text),
    };
    for (function, parameters) in &script.parameters {
        if let Some(function) = function {
            let _ = write!(text, "\nParameters of `{function}`:\n");
        }
        match parameters.is_empty() {
            true => text.push_str("\nIt takes no parameters.\n"),
            false => text.push_str(&declared_text(parameters)),
        }
    }
    for (head, comment) in script.functions.iter().filter(|(_, comment)| !comment.is_empty()) {
        let _ = write!(text, "\n`{head}`: {comment}\n");
    }
    text
}
