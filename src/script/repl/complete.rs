//! What may follow at the prompt: names, methods, fields of records and maps, files, import paths.

use std::path::Path;

use rhai::Dynamic;

use super::{COMMANDS, Session, path};
use crate::record::Record;
use crate::script::manual::{self, Group};
use crate::script::resolver;

const KEYWORDS: [&str; 16] = [
    "break", "const", "continue", "else", "false", "fn", "for", "if", "import", "let", "loop", "return", "switch",
    "this", "true", "while",
];

/// Calls whose text argument is an import path, not a file.
const PATHS: [&str; 3] = ["component(\"", "\"import\": \"", "import \""];

/// Returns where the word before the cursor starts (in bytes) and what it may become, in order.
pub fn complete(session: &Session, line: &str, cursor: usize) -> (usize, Vec<String>) {
    let before = line.get(..cursor).unwrap_or(line);
    if let Some(rest) = before.trim_start().strip_prefix(':') {
        return command(session, before, rest);
    }
    if let Some(quote) = open_text(before) {
        let start = quote + 1;
        return match PATHS.iter().any(|call| before[..start].ends_with(call)) {
            true => (start, matching(&before[start..], import_paths(session))),
            false => file(session, start, &before[start..]),
        };
    }
    let start =
        before.rfind(|c: char| !is_word(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    match before[..start].strip_suffix('.') {
        Some(receiver) => (start, matching(word, members(session, receiver))),
        None => (start, matching(word, names(session))),
    }
}

fn command(session: &Session, before: &str, rest: &str) -> (usize, Vec<String>) {
    let Some((name, _)) = rest.split_once(' ') else {
        let start = before.len() - rest.len() - 1;
        return (start, matching(&before[start..], COMMANDS.iter().map(|(name, ..)| (*name).to_owned())));
    };
    let start = before.rfind(' ').map_or(0, |space| space + 1);
    let word = &before[start..];
    match name {
        "help" | "h" | "doc" | "?" => (start, matching(word, explained(session))),
        "load" | "l" | "save" => file(session, start, word),
        _ => {
            let (inner, found) = complete(session, &before[start..], before.len() - start);
            (start + inner, found)
        }
    }
}

/// Everything that has help.
fn explained(session: &Session) -> Vec<String> {
    let functions = manual::all(session.host().engine()).into_iter().map(|function| function.name);
    let components = manual::sections();
    let components = components.iter().flat_map(|section| {
        std::iter::once(section.name).chain(section.components.iter().map(|component| component.name))
    });
    let scripts = manual::scripts().into_iter().map(|script| script.import);
    functions.chain(components.map(str::to_owned)).chain(scripts).collect()
}

/// Variables, functions and words of the language.
fn names(session: &Session) -> Vec<String> {
    let all = manual::all(session.host().engine()).into_iter();
    let functions =
        all.filter(|function| function.group == Group::Function).map(|function| format!("{}(", function.name));
    let own = session.functions.iter_functions().map(|function| format!("{}(", function.name));
    let variables = session.scope.iter_raw().map(|(name, ..)| name.to_owned());
    let modules = session.imports.iter().map(|(name, _)| format!("{name}::"));
    functions.chain(own).chain(variables).chain(modules).chain(KEYWORDS.map(str::to_owned)).collect()
}

/// Methods and properties of the value before the dot: those of its type where it is a variable, else all.
fn members(session: &Session, receiver: &str) -> Vec<String> {
    let found = path::value(&session.scope, receiver);
    let value = found.as_ref();
    let own = value.map(fields).unwrap_or_default();
    let kind = value.map(|value| session.kind(value));
    let all = manual::all(session.host().engine()).into_iter();
    let methods = all.filter(|function| matches!(function.group, Group::Method | Group::Property));
    let methods = methods.filter(|function| {
        let mut receivers = function.versions.iter().filter_map(|version| version.parameters.first());
        kind.as_ref().is_none_or(|kind| receivers.any(|(_, own)| own == kind))
    });
    let shown = |function: manual::Function| match function.group {
        Group::Method => format!("{}(", function.name),
        _ => function.name,
    };
    own.into_iter().chain(methods.map(shown)).collect()
}

/// The fields of a record, the keys of a map.
fn fields(value: &Dynamic) -> Vec<String> {
    if let Some(record) = value.read_lock::<Record>() {
        return record.keys().iter().map(|key| key.to_string()).collect();
    }
    value.as_map_ref().map(|map| map.keys().map(ToString::to_string).collect()).unwrap_or_default()
}

fn import_paths(session: &Session) -> Vec<String> {
    let built_in = manual::sections();
    let built_in = built_in.iter().flat_map(|section| section.components.iter().map(|one| one.name.to_owned()));
    built_in.chain(resolver::known_paths(session.host())).collect()
}

/// Files and folders below the project root, or from where the typed path says.
fn file(session: &Session, start: usize, typed: &str) -> (usize, Vec<String>) {
    let (folder, word) = typed.rsplit_once('/').map_or(("", typed), |(folder, word)| (folder, word));
    let entries = std::fs::read_dir(session.host().roots().root.join(Path::new(folder)));
    let shown = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let end = if entry.path().is_dir() { "/" } else { "" };
        (!name.starts_with('.')).then(|| format!("{name}{end}"))
    };
    let found = entries.into_iter().flatten().filter_map(|entry| shown(entry.ok()?));
    (start + typed.len() - word.len(), matching(word, found))
}

fn matching(word: &str, known: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = known.into_iter().filter(|name| name.starts_with(word) && is_name(name)).collect();
    found.sort();
    found.dedup();
    found
}

fn is_name(name: &str) -> bool {
    !name.starts_with('[') && !name.contains(' ')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns where the text starts that is open at the end, if one is.
fn open_text(before: &str) -> Option<usize> {
    let (mut open, mut escaped) = (None, false);
    for (at, c) in before.char_indices() {
        match (c, open) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            ('"', Some(_)) => open = None,
            ('"', None) => open = Some(at),
            _ => (),
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Host;

    fn session() -> (tempfile::TempDir, Session) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("loaders")).unwrap();
        std::fs::write(folder.path().join("loaders/iris.rhai"), "fn load(record) { record }").unwrap();
        std::fs::write(folder.path().join("iris.csv"), "a,b\n1,2\n").unwrap();
        let mut session = Session::new(Host::builder(folder.path()).build().unwrap());
        let entries = [
            "let flower = records([#{ petal: 1, sepal: 2 }])[0];",
            "let options = #{ units: 3, unique: 1 };",
            "let x = tensor([1.0]);",
            "fn halve(x) { x / 2 }",
            "let nested = #{ inner: #{ depth: 2 }, rows: records([#{ petal: 1 }]), list: [1, #{ first: 1 }] };",
        ];
        entries.iter().for_each(|entry| drop(session.eval(entry).unwrap()));
        (folder, session)
    }

    /// `|` is the cursor, at the end; expected are the first ones that are found.
    #[test]
    fn what_may_follow() {
        let (_folder, session) = session();
        let cases = [
            ("hal", 0, "halve("),
            ("flo", 0, "flower"),
            ("let y = flower.pe", 15, "petal"),
            ("options.uni", 8, "unique units"),
            ("x.argm", 2, "argmax( argmin("),
            ("1 + x.sof", 6, "softmax("),
            ("read_records(\"ir", 14, "iris.csv"),
            ("read_records(\"loaders/", 22, "iris.rhai"),
            ("component(\"loaders.", 11, "loaders.iris"),
            ("component(\"KeyS", 11, "KeySelector"),
            (":he", 0, ":help"),
            (":help KeyS", 6, "KeySelector"),
            (":type options.unit", 14, "units"),
            (":load loaders/", 14, "iris.rhai"),
            ("nested.inner.de", 13, "depth"),
            ("nested.rows[0].pe", 15, "petal"),
            ("nested.list[-1].f", 16, "first"),
            ("1 + flower.se", 11, "sepal"),
            ("x.nothing_of_this_name", 2, ""),
        ];
        for (line, start, expected) in cases {
            let (at, found) = complete(&session, line, line.len());
            let expected: Vec<&str> = expected.split_whitespace().collect();
            let found: Vec<&str> = found
                .iter()
                .map(String::as_str)
                .filter(|name| expected.contains(name) || expected.is_empty())
                .collect();
            assert_eq!((at, found), (start, expected), "{line}");
        }
        // Only what is meant: a variable of another type has no such methods.
        assert!(complete(&session, "flower.argm", 11).1.is_empty());
    }
}
