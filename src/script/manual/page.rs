//! Prints the manual: Markdown pages and the text of `barrage help NAME`.

use std::fmt::Write;

use crate::error;
use crate::registry::Parameter;
use crate::script::api::PAGES;
use crate::script::manual::components::{Component, Section, sections};
use crate::script::manual::functions::{Function, functions};

/// Returns all pages: file name and Markdown, the index first.
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), index())];
    for page in PAGES {
        let mut text = format!("# {}\n\n{}\n", page.title, page.intro);
        for function in functions(page) {
            text.push_str(&function_text(&function));
        }
        pages.push((format!("{}.md", page.name), text));
    }
    for section in sections() {
        pages.push((format!("{}.md", section.name), section_text(&section)));
    }
    pages
}

/// Returns the table of contents.
pub fn index() -> String {
    let mut text = "# The manual\n\nPrinted from the program itself by `barrage help --write docs/manual`; \
                    every example in it runs as a test.\n\n## Functions and types\n\n"
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
    text
}

/// Returns the help on a name: a function, a component, a page, or the nearest names.
///
/// # Errors
/// An unknown name, with the nearest ones.
pub fn help(name: &str) -> crate::Result<String> {
    let mut text = String::new();
    for page in PAGES {
        let all = functions(page);
        if page.name == name {
            let names = error::list(all.iter().map(|function| function.name.as_str()));
            let _ = write!(text, "{}\n\n{}\n\nfunctions: {names}\n", page.title, page.intro);
        }
        for function in all.iter().filter(|function| function.name == name) {
            text.push_str(function_text(function).trim_start());
        }
    }
    for section in sections() {
        if section.name == name {
            let names = error::list(section.components.iter().map(|component| component.name));
            let _ = write!(text, "{}\n\n{}\n\nbuilt in: {names}\n", section.title, section.intro);
        }
        for component in &section.components {
            // A layer's lower-case name is its function, which has its own text.
            if component.name == name || component.aliases.contains(&name) {
                text.push_str(component_text(component).trim_start());
            }
        }
    }
    if !text.is_empty() {
        return Ok(text);
    }
    let names = names();
    Err(crate::Error::script(format!("no help on `{name}`"))
        .maybe_hint(error::did_you_mean(name, names.iter().map(String::as_str)))
        .hint("`barrage help` lists the commands and the pages of the manual"))
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
    names
}

fn function_text(function: &Function) -> String {
    let mut text = format!("\n## `{}`\n\n```text\n", function.name);
    for signature in &function.signatures {
        text.push_str(signature);
        text.push('\n');
    }
    text.push_str("```\n");
    for doc in &function.docs {
        text.push('\n');
        text.push_str(&doc.replace("# Errors\n", "Errors: "));
        text.push('\n');
    }
    text
}

fn section_text(section: &Section) -> String {
    let mut text = format!("# {}\n\n{}\n", section.title, section.intro);
    if section.components.is_empty() {
        text.push_str("\nNone is built in yet: write your own, or take one of the standard library (`std.…`).\n");
    }
    for component in &section.components {
        text.push_str(&component_text(component));
    }
    text
}

fn component_text(component: &Component) -> String {
    let mut text = format!("\n## `{}`\n\n", component.name);
    if !component.aliases.is_empty() {
        let _ = write!(text, "Also: {}.\n\n", error::list(component.aliases.iter().copied()));
    }
    let _ = writeln!(text, "{}", component.doc.trim());
    if !component.parameters.is_empty() {
        text.push_str("\n| parameter | value | default | meaning |\n|---|---|---|---|\n");
    }
    for Parameter { name, kind, default, doc } in component.parameters {
        let default = default.map_or_else(|| "required".to_owned(), |default| format!("`{default}`"));
        let _ = writeln!(text, "| `{name}` | {} | {default} | {} |", kind.describe(), doc.replace('|', "\\|"));
    }
    text
}
