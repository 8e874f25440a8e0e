//! Configs in files: `valid/` with what they resolve to, `invalid/` with what the person reads, and
//! `verdicts.txt`, a table of small changes to one config; `cases/`, `codes` and `schema` have modules of their
//! own. `UPDATE=1` rewrites the golden files.

// Clippy knows functions with `#[test]` as tests, and not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cases;
mod codes;
mod commands;
mod schema;
pub(crate) use schema::holds;

use std::fs;
use std::path::{Path, PathBuf};

use barrage::Error;
use barrage::error::draw;
use barrage::recipe::{Format, Recipe, Written};
use barrage::script::{Host, Wanted};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipe")
}

#[test]
fn valid_configs_resolve_to_what_is_written_beside_them() {
    let mut wrong = Vec::new();
    for (name, text, golden) in configs("valid") {
        let (recipe, notes) = match resolve(&name, &text) {
            Ok(resolved) => resolved,
            Err(error) => {
                wrong.push(format!("{name} was refused\n{}", draw(&error, false)));
                continue;
            }
        };
        let json = recipe.to_json();
        let (again, notes_again) = Recipe::resolve(&Written::from_value(&json)).unwrap();
        assert_eq!(again, recipe, "{name}: the resolved config means something else");
        assert_eq!(notes_again, Vec::<String>::new(), "{name}: the resolved config needs notes");
        let notes: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
        let shown = format!("{}\n{notes}", serde_json::to_string_pretty(&json).unwrap());
        wrong.extend(compare(&name, &shown, &golden));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn invalid_configs_are_refused_with_what_is_written_beside_them() {
    let mut wrong = Vec::new();
    for (name, text, golden) in configs("invalid") {
        match resolve(&name, &text) {
            Ok(_) => wrong.push(format!("{name} was accepted")),
            Err(error) => {
                assert!(every(&error).all(|error| error.place().is_some()), "{name}: no place");
                wrong.extend(compare(&name, &draw(&error, false), &golden));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each line of the table changes the valid config at its top and tells the verdict, which is the same in each
/// format. Every fragment after `->` is in one error, and there is no error more.
#[test]
fn verdicts() {
    let (mut count, mut wrong) = (0, Vec::new());
    let host = capturing();
    for (case, config, verdict) in verdict_cases() {
        let text = serde_json::to_string_pretty(&config).unwrap();
        let mut ways = vec![
            ("json", resolve("case.json", &text)),
            ("a map", Recipe::resolve(&Written::from_value(&config))),
            // JSON is YAML too.
            ("yaml, flow", resolve("case.yaml", &text)),
            ("yaml", resolve("case.yaml", &to_yaml(&config, 0))),
            ("json5", resolve("case.json5", &to_json5(&config))),
        ];
        // A script's map follows `extends`, below the project root: see `cases/`.
        let followed = config.get("extends").is_some_and(Value::is_string);
        ways.extend(to_rhai(&config).filter(|_| !followed).map(|text| ("a map of Rhai", scripted(&host, &text))));
        // TOML has no null.
        ways.extend(to_toml(&config).map(|text| ("toml", resolve("case.toml", &text))));
        for (way, resolved) in ways {
            if let Some(complaint) = judge(&verdict, &resolved) {
                wrong.push(format!("{case}\n    {way}: {complaint}"));
                break;
            }
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count} verdicts differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 150, "the table has {count} cases");
    println!("recipe verdicts: {count}");
}

/// Returns each line of the table with its config and its verdict.
fn verdict_cases() -> Vec<(String, Value, String)> {
    let table = fs::read_to_string(folder().join("verdicts.txt")).unwrap();
    let (base, cases) = table.split_once("\n---\n").unwrap();
    let base: Value = serde_json::from_str(base.trim_start_matches(|c| c != '{')).unwrap();
    let case = |case: &str| {
        let (patches, verdict) = case.split_once(" -> ").unwrap_or_else(|| panic!("no verdict: {case}"));
        let mut config = base.clone();
        patches.split(" ; ").for_each(|patch| apply(&mut config, patch.trim()));
        (case.to_owned(), config, verdict.trim().to_owned())
    };
    cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(case).collect()
}

thread_local! {
    /// What the recipe of a script's map was resolved to.
    static RESOLVED: std::cell::RefCell<Option<(Recipe, Vec<String>)>> = const { std::cell::RefCell::new(None) };
}

/// A host whose scripts do not train, but keep the recipe.
fn capturing() -> Host {
    let keep = |_: &Host, wanted: &Wanted| {
        RESOLVED.set(Some((wanted.recipe.clone(), wanted.notes.to_vec())));
        Ok(())
    };
    Host::builder(std::env::temp_dir()).instead_of_training(keep).build().unwrap()
}

/// Resolves a config that a script writes as a map.
fn scripted(host: &Host, config: &str) -> Result<(Recipe, Vec<String>), Error> {
    RESOLVED.set(None);
    let rows = "records([#{ a: 1 }])";
    let _ = host.eval(&format!("let config = {};\ntrainer(\"run\").train(config, {rows}, {rows});", config))?;
    Ok(RESOLVED.take().unwrap())
}

/// Writes a value as a script does; `None` for what a script cannot say.
fn to_rhai(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "()".to_owned(),
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| Some(format!("{key:?}: {}", to_rhai(value)?));
            format!("#{{{}}}", map.iter().map(pair).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(to_rhai).collect::<Option<Vec<_>>>()?.join(", ")),
        // Larger ones are no integers in Rhai either.
        Value::Number(number) if number.as_u64().is_some_and(|value| value > i64::MAX as u64) => return None,
        value => value.to_string(),
    })
}

/// Writes a value with what JSON5 allows beyond JSON and configs are written with: comments, commas at the end,
/// single quotes.
fn to_json5(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: String =
                map.iter().map(|(key, value)| format!("'{key}': {}, // told\n", to_json5(value))).collect();
            format!("{{{pairs}}}")
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| format!("{}, /* told */", to_json5(item))).collect::<String>())
        }
        Value::String(text) => format!("'{text}'"),
        value => value.to_string(),
    }
}

/// Writes a value in block style, texts in single quotes.
fn to_yaml(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let line = |(key, value): (&String, &Value)| format!("\n{indent}{key}: {}", to_yaml(value, depth + 1));
            map.iter().map(line).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("\n{indent}- {}", to_yaml(item, depth + 1))).collect()
        }
        Value::String(text) => format!("'{text}'"),
        value => value.to_string(),
    }
}

/// Writes a value with inline tables below the top.
fn to_toml(value: &Value) -> Option<String> {
    fn inline(value: &Value) -> Option<String> {
        Some(match value {
            Value::Null => return None,
            Value::Object(map) => {
                let pairs: Option<Vec<String>> =
                    map.iter().map(|(key, value)| Some(format!("{key:?} = {}", inline(value)?))).collect();
                format!("{{{}}}", pairs?.join(", "))
            }
            Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Option<Vec<_>>>()?.join(", ")),
            // Larger ones are no integers in TOML.
            Value::Number(number) if number.as_u64().is_some_and(|value| value > i64::MAX as u64) => return None,
            value => value.to_string(),
        })
    }
    let lines: Option<Vec<String>> =
        value.as_object()?.iter().map(|(key, value)| Some(format!("{key:?} = {}\n", inline(value)?))).collect();
    Some(lines?.concat())
}

fn judge(verdict: &str, resolved: &Result<(Recipe, Vec<String>), Error>) -> Option<String> {
    match (verdict.strip_prefix("note: "), resolved) {
        (Some(note), Ok((_, notes))) => {
            (!notes.iter().any(|found| found.contains(note))).then(|| format!("notes: {notes:?}"))
        }
        (None, Ok((_, notes))) if verdict == "ok" => (!notes.is_empty()).then(|| format!("notes: {notes:?}")),
        (None, Ok(_)) => Some("was accepted".to_owned()),
        (_, Err(error)) => {
            let messages: Vec<&str> = every(error).map(Error::message).collect();
            let fragments: Vec<&str> = verdict.split(" && ").collect();
            let told = fragments.iter().all(|fragment| messages.iter().any(|message| message.contains(fragment)));
            (verdict == "ok" || !told || fragments.len() != messages.len()).then(|| messages.join("\n    "))
        }
    }
}

/// Changes a config: `solver.epochs = 3`, `~solver.epochs`; an index at the end of a list appends.
fn apply(config: &mut Value, patch: &str) {
    let (path, value) = match patch.strip_prefix('~') {
        Some(path) => (path, None),
        None => {
            let (path, value) = patch.split_once(" = ").unwrap_or_else(|| panic!("no value: {patch}"));
            (path, Some(serde_json::from_str(value).unwrap_or_else(|cause| panic!("{patch}: {cause}"))))
        }
    };
    let keys: Vec<&str> =
        path.split(['.', '[']).map(|key| key.trim_end_matches(']')).filter(|key| !key.is_empty()).collect();
    let Some((last, way)) = keys.split_last() else {
        *config = value.unwrap();
        return;
    };
    let mut at = config;
    for key in way {
        at = match at {
            Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
            Value::Object(map) => map.entry(*key).or_insert_with(|| Value::Object(Default::default())),
            _ => panic!("no such place: {patch}"),
        };
    }
    match (at, value) {
        (Value::Object(map), Some(value)) => drop(map.insert((*last).to_owned(), value)),
        (Value::Object(map), None) => drop(map.shift_remove(*last).unwrap_or_else(|| panic!("no such key: {patch}"))),
        (Value::Array(items), Some(value)) => match last.parse::<usize>().unwrap() {
            index if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        _ => panic!("cannot change: {patch}"),
    }
}

fn resolve(name: &str, text: &str) -> Result<(Recipe, Vec<String>), Error> {
    Recipe::resolve(&Written::parse(Format::of(Path::new(name)), name, text)?)
}

fn every(error: &Error) -> impl Iterator<Item = &Error> {
    std::iter::once(error).chain(error.also())
}

/// Returns name, text and golden file of each config in a folder, sorted by name.
fn configs(kind: &str) -> Vec<(String, String, PathBuf)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder().join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending != "txt"));
    paths.sort();
    assert!(!paths.is_empty(), "no configs in {kind}");
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap(), path.with_extension("txt"))
    };
    paths.into_iter().map(read).collect()
}

fn compare(name: &str, shown: &str, golden: &Path) -> Option<String> {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(golden, shown).unwrap();
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    (shown != expected).then(|| format!("--- {name}: found\n{shown}--- expected\n{expected}"))
}
