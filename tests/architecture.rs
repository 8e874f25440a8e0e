//! Holds the tables of `docs/ARCHITECTURE.md` against the source: who may use whom, and what appears where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const DOCUMENT: &str = "docs/ARCHITECTURE.md";

/// These hold the names of the crate, and are no rooms.
const FACES: [&str; 3] = ["lib", "main", "prelude"];

/// The cells of the table under a heading (the first one after the given text), without its head.
fn table(after: &str) -> Vec<Vec<String>> {
    let document = read(DOCUMENT);
    let start = document.find(after).unwrap_or_else(|| panic!("`{after}` is not in {DOCUMENT}"));
    let rows: Vec<Vec<String>> = document[start..]
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "no table follows `{after}` in {DOCUMENT}");
    rows
}

/// The texts between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every source file that is no test, as its path and its code: without comments and test modules.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = path.to_string_lossy().replace('\\', "/");
        let test = ["/tests/", "/tests.rs", "/testing.rs"].iter().any(|part| path.contains(part));
        if path.ends_with(".rs") && !test {
            let code = code(&read(&path));
            files.push((path, code));
        }
    }
    files
}

fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        // Test modules stand at the end of a file; `mod tests;` is a file of its own.
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{')) {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

fn room(path: &str) -> &str {
    path.trim_start_matches("src/").split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// The rooms a code names after `crate::`, alone or in braces.
fn used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        match part.strip_prefix('{') {
            None => drop(names.insert(word(part))),
            Some(list) => {
                let mut depth = 0;
                let list: String = list
                    .chars()
                    .take_while(|c| {
                        depth += i32::from(*c == '{') - i32::from(*c == '}');
                        depth >= 0
                    })
                    .collect();
                depth = 0;
                for item in list.split_inclusive([',', '{', '}']) {
                    let name = word(item.trim());
                    if depth == 0 && !name.is_empty() {
                        names.insert(name);
                    }
                    depth += i32::from(item.ends_with('{')) - i32::from(item.ends_with('}'));
                }
            }
        }
    }
    names
}

#[test]
fn rooms_use_only_whom_they_may() {
    let mut allowed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in table("## Who may use whom") {
        let name = quoted(&row[0]).remove(0);
        let may = quoted(&row[2]);
        for other in may.iter().filter(|other| !allowed.contains_key(*other)) {
            wrong.push(format!("{DOCUMENT}: `{name}` may use `{other}`, which does not stand above it in the table"));
        }
        allowed.insert(name, may);
    }
    let exceptions: Vec<(String, Vec<String>)> =
        table("Exceptions, by file").iter().map(|row| (quoted(&row[0]).remove(0), quoted(&row[1]))).collect();

    let mut found = BTreeSet::new();
    for (path, code) in sources() {
        let own = room(&path);
        if FACES.contains(&own) {
            continue;
        }
        found.insert(own.to_owned());
        let Some(may) = allowed.get(own) else { continue };
        let here = exceptions.iter().find(|(file, _)| *file == path).map_or(&[][..], |(_, rooms)| rooms);
        for other in used(&code) {
            let is_room = allowed.contains_key(&other);
            if is_room && other != own && !may.contains(&other) && !here.contains(&other) {
                wrong.push(format!(
                    "{path} uses `{other}`: the room `{own}` may not\n    move what is needed to a room that both may \
                     use, or change the table in {DOCUMENT} and say why"
                ));
            }
        }
    }
    for missing in found.iter().filter(|room| !allowed.contains_key(*room)) {
        wrong.push(format!("{DOCUMENT}: the table has no row for src/{missing}; add it below the rooms it uses"));
    }
    for gone in allowed.keys().filter(|room| !found.contains(*room)) {
        wrong.push(format!("{DOCUMENT}: the table has a row for `{gone}`, which is not in src/"));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn what_belongs_to_one_place_appears_there_only() {
    let sources = sources();
    let mut wrong = Vec::new();
    for row in table("## What appears where") {
        let places = quoted(&row[1]);
        for place in &places {
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(place).exists();
            if !there {
                wrong.push(format!("{DOCUMENT}: `{place}` does not exist"));
            }
        }
        for text in quoted(&row[0]) {
            for (path, code) in &sources {
                let inside =
                    places.iter().any(|place| path == place || place.ends_with('/') && path.starts_with(place));
                if inside {
                    continue;
                }
                if let Some(line) = code.lines().find(|line| has(line, &text)) {
                    wrong.push(format!("{path} has `{text}`: {}\n    only in {}: {}", line.trim(), row[1], row[2]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Whether a line has the text as a word of its own, not as the end of a longer one.
fn has(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn uses_are_read_from_every_form() {
    let code =
        "use crate::error::{Error, Result};\nuse crate::{loss, metric::{a, b}, Result};\nlet x = crate::tensor::f();\n";
    let expected = ["Result", "error", "loss", "metric", "tensor"].map(str::to_owned);
    assert_eq!(used(code), BTreeSet::from(expected));
    assert!(has("    println!(\"\")", "println!") && !has("eprintln!()", "println!"));
}
