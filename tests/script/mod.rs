//! The script API: golden cases in `*.rhai`, the manual, and random calls.
//!
//! A case begins with `// --- name`. A statement that ends in `// => value` gives that value, as the script
//! prints it; one that ends in `// error: line:col message` is refused, hints following as `// hint: …`;
//! lines count from the first one of the case. Further lines of a value follow as `//  | line`. `UPDATE=1`
//! rewrites what is expected. Cases of tensors run twice: on the host, and on graph tensors.

// Clippy knows functions with `#[test]` as tests, and not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod calls;
mod hosts;
mod locks;
mod manual;
mod reads;
mod standard;

use std::fs;
use std::path::{Path, PathBuf};

use barrage::script::Host;
use barrage::script::host::Builder;
use barrage::script::repl::Session;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script")
}

/// A project of its own: the files that cases and examples read, in a folder they may write to.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = tempfile::tempdir().unwrap();
        copy(&folder().join("files"), project.path());
        Project(project)
    }

    fn host(&self) -> Builder {
        Host::builder(self.0.path()).arguments(vec!["three".to_owned(), "4".to_owned()])
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn cases_give_what_is_written_beside_them() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        let found = run(&text, |project| project.host().build().unwrap());
        count += text.matches("\n// --- ").count();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &found).unwrap();
        } else {
            wrong.extend(differences(&file, &text, &found));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("script cases: {count}");
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "rhai"));
    files.sort();
    files
}

fn differences(file: &Path, expected: &str, found: &str) -> Option<String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let (expected, found) = (blocks(expected), blocks(found));
    let mut shown = String::new();
    let mut case = "";
    for (at, left) in expected.iter().enumerate() {
        case = left.strip_prefix("// --- ").unwrap_or(case);
        match found.get(at) {
            Some(right) if left == right => (),
            right => {
                let right = right.map_or("", String::as_str);
                shown.push_str(&format!("{name}, `{case}`:\n  expected {left}\n  found    {right}\n"));
            }
        }
    }
    (!shown.is_empty()).then_some(shown)
}

/// Lines of code with what is expected of them: only that is rewritten, so two files have as many.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut().filter(|_| is_expectation(line)) {
            Some(block) => {
                block.push_str("\n           ");
                block.push_str(line);
            }
            None => blocks.push(line.to_owned()),
        }
    }
    blocks
}

fn is_expectation(line: &str) -> bool {
    line.starts_with("// hint:") || line.starts_with("//  |")
}

/// Runs all cases of a file and returns it with what they gave in place of what was expected.
fn run(text: &str, host: impl Fn(&Project) -> Host) -> String {
    let (head, cases) = text.split_once("// --- ").unwrap_or((text, ""));
    let mut found = head.to_owned();
    for case in cases.split("\n// --- ") {
        let (name, body) = case.split_once('\n').unwrap_or((case, ""));
        let project = Project::new();
        let mut session = Session::new(host(&project));
        found.push_str(&format!("// --- {name}\n"));
        found.push_str(&case_of(&mut session, &project, body));
        found.push('\n');
    }
    let mut found = found.trim_end().to_owned();
    found.push('\n');
    found
}

fn case_of(session: &mut Session, project: &Project, body: &str) -> String {
    let lines: Vec<&str> = body.lines().collect();
    let mut found = String::new();
    let mut open = String::new();
    // The session counts lines itself. Those of expectations do not count, so that places stay when a message
    // changes.
    let mut skipped = 0;
    for (at, line) in lines.iter().enumerate() {
        let code = line.split("// =>").next().unwrap().split("// error:").next().unwrap().trim_end();
        if is_expectation(line) {
            continue;
        }
        if open.is_empty() && code.trim().is_empty() {
            skipped += 1;
            found.push_str(line);
            found.push('\n');
            continue;
        }
        open.push_str(&"\n".repeat(std::mem::take(&mut skipped)));
        open.push_str(code);
        open.push('\n');
        found.push_str(code);
        let continued = lines.get(at + 1).is_some_and(|next| next.trim_start().starts_with('.'));
        if continued || Session::is_incomplete(&open) {
            found.push('\n');
            continue;
        }
        let wants_value = *line != code;
        match session.eval(&open) {
            Ok(value) if wants_value => {
                let value = value.unwrap_or_else(|| "()".to_owned());
                let mut lines = value.trim_end_matches('\n').lines();
                found.push_str(&format!(" // => {}", lines.next().unwrap_or("")));
                for line in lines {
                    found.push_str(&format!("\n//  | {line}"));
                }
            }
            Ok(_) => (),
            Err(error) => {
                let place = error.place().map_or_else(
                    || "?".to_owned(),
                    |place| {
                        let (line, column) = place.line_column();
                        format!("{line}:{column}")
                    },
                );
                found.push_str(&format!(" // error: {place} {}", shown(project, &error.to_string())));
                for hint in error.hints() {
                    found.push_str(&format!("\n// hint: {}", shown(project, hint)));
                }
            }
        }
        found = found.trim_end().to_owned();
        found.push('\n');
        open.clear();
    }
    found.push_str(&open);
    found
}

/// The project's folder has another name each time.
fn shown(project: &Project, text: &str) -> String {
    let root = project.0.path().canonicalize().unwrap();
    text.replace(&*root.to_string_lossy(), "PROJECT").replace('\n', " / ")
}
