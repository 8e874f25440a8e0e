//! Broken projects. Each file of `broken/` changes the sound project in `broken/base/`, runs one
//! command, and holds the exit code and the exact message; `UPDATE=1` rewrites these two.
//!
//! A file is prose, then steps: `--- KIND ARGUMENT`, with the lines below as the step's body.
//!
//! | step | meaning |
//! |---|---|
//! | `file PATH` | writes the body |
//! | `edit PATH` | each line `old => new` changes the one place where `old` stands; `\n` breaks a line |
//! | `remove PATH`, `folder PATH` | removes a file, makes a folder |
//! | `cut PATH` | keeps as many bytes as the body says |
//! | `link PATH` | makes a symbolic link to the body |
//! | `run ARGUMENTS` | runs `barrage ARGUMENTS`, which must succeed |
//! | `leaves PATH` | allows the command to leave this folder behind |
//! | `stdin` | the command's standard input |
//! | `barrage ARGUMENTS` | the command |
//! | `exit CODE` | its exit code, with standard error as the body |
//! | `stdout` | its standard output, when there is any |

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

struct Step<'a> {
    kind: &'a str,
    argument: &'a str,
    body: String,
}

#[test]
fn broken_projects_are_refused_with_what_is_written_beside_them() {
    compare("tests/broken", 40);
}

/// The same form, for `barrage check`: right projects, and one for each kind of finding.
#[test]
fn checked_projects_are_told_what_is_written_beside_them() {
    compare("tests/check", 25);
}

fn compare(folder: &str, least: usize) {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in files(folder) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let case = fs::read_to_string(&file).unwrap();
        let Ok(fresh) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&name, &case, &mut wrong))) else {
            wrong.push(format!("{name}: the case itself is broken"));
            continue;
        };
        if fresh != case {
            match std::env::var_os("UPDATE") {
                Some(_) => fs::write(&file, &fresh).unwrap(),
                None => wrong.push(format!("{name}: found\n{fresh}")),
            }
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} complaints about {count} cases of {folder}\n\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= least || std::env::var_os("BROKEN").is_some(), "only {count} cases in {folder}");
    println!("cases of {folder}: {count}");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let wanted = std::env::var("BROKEN").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    files.retain(|path| path.to_string_lossy().contains(&wanted));
    files.sort();
    files
}

/// Runs a case and returns its text with what was found in place of what was expected.
fn run(name: &str, case: &str, wrong: &mut Vec<String>) -> String {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("project");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken/base"), &root);
    let (mut stdin, mut left) = (String::new(), Vec::new());
    for step in steps(case) {
        let path = root.join(step.argument);
        match step.kind {
            "file" => write(&path, &step.body),
            "edit" => write(&path, &edited(name, &fs::read_to_string(&path).unwrap(), &step.body)),
            "remove" => fs::remove_file(&path).unwrap(),
            "folder" => fs::create_dir_all(&path).unwrap(),
            "cut" => {
                let mut bytes = fs::read(&path).unwrap();
                bytes.truncate(step.body.trim().parse().unwrap());
                fs::write(&path, bytes).unwrap();
            }
            "link" => std::os::unix::fs::symlink(step.body.trim(), &path).unwrap(),
            "run" => {
                let output = barrage(&root, step.argument, "");
                assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            }
            "leaves" => left.push(step.argument.to_owned()),
            "stdin" => stdin = step.body,
            "barrage" => {
                let before = tree(outside.path());
                let output = barrage(&root, step.argument, &stdin);
                let after = tree(outside.path());
                let new = after.symmetric_difference(&before);
                let new: Vec<&String> =
                    new.filter(|path| !left.iter().any(|left| path.starts_with(&format!("project/{left}")))).collect();
                if !new.is_empty() {
                    wrong.push(format!("{name}: the command changed {new:?}"));
                }
                let head = case.split_once("--- exit").map_or(case, |(head, _)| head);
                let (fresh, stderr) = found(head, &output);
                // Standard output tells instead: that all is right, or the errors as JSON.
                let told = !output.stdout.is_empty();
                wrong.extend(
                    blemish(&stderr, outside.path(), told).map(|blemish| format!("{name}: {blemish}\n{stderr}")),
                );
                return fresh;
            }
            other => panic!("{name}: unknown step `{other}`"),
        }
    }
    panic!("{name}: no command");
}

/// Splits a case into its steps; what stands before the first is prose.
fn steps(case: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    for line in case.lines() {
        match (line.strip_prefix("--- "), steps.last_mut()) {
            (Some(head), _) => {
                let (kind, argument) = head.split_once(' ').unwrap_or((head, ""));
                steps.push(Step { kind, argument, body: String::new() });
            }
            (None, Some(step)) => writeln!(step.body, "{line}").unwrap(),
            (None, None) => (),
        }
    }
    steps
}

fn edited(name: &str, text: &str, edits: &str) -> String {
    edits.lines().fold(text.to_owned(), |text, edit| {
        let (old, new) = edit.split_once(" => ").unwrap_or_else(|| panic!("{name}: no ` => ` in `{edit}`"));
        let [old, new] = [old, new].map(|text| text.replace("\\n", "\n"));
        assert_eq!(text.matches(&old).count(), 1, "{name}: `{old}` must stand in one place");
        text.replace(&old, &new)
    })
}

fn barrage(root: &Path, arguments: &str, stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_barrage"))
        .args(arguments.split_whitespace())
        .current_dir(root)
        .env("XDG_STATE_HOME", root.join("../state"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns the case with what the command did, and its standard error.
fn found(head: &str, output: &Output) -> (String, String) {
    let code = output.status.code().map_or("none (killed)".to_owned(), |code| code.to_string());
    let stderr = without_times(&String::from_utf8_lossy(&output.stderr));
    let stdout = without_estimates(&String::from_utf8_lossy(&output.stdout));
    let mut fresh = format!("{head}--- exit {code}\n{stderr}");
    if !stdout.is_empty() {
        write!(fresh, "--- stdout\n{stdout}").unwrap();
    }
    (fresh, stderr)
}

/// Replaces the time a run took, and the share of it in which it waited for data.
fn without_times(text: &str) -> String {
    let line = |line: &str| match (line.find(" steps in "), line.find(" s")) {
        (Some(at), Some(_)) => {
            let rest = &line[at + " steps in ".len()..];
            let after = rest.find(" s").map_or("", |end| &rest[end..]);
            let after = match after.strip_prefix(" s, ").and_then(|after| after.split_once(" % ")) {
                Some((_, after)) => format!(" s, … % {after}"),
                None => after.to_owned(),
            };
            format!("{} steps in …{after}", &line[..at])
        }
        _ if line.starts_with("a record took ") => {
            let parts = line["a record took ".len()..]
                .split(", ")
                .map(|part| format!("… {}", part.split_once(' ').map_or(part, |(_, rest)| rest)));
            format!("a record took {}", parts.collect::<Vec<_>>().join(", "))
        }
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// Replaces what a check estimates.
pub(crate) fn without_estimates(text: &str) -> String {
    let mut lines = Vec::new();
    let mut estimates = false;
    for line in text.split('\n') {
        // Of the text, the line of times and the one that goes on with it; of the JSON, each number.
        estimates = line.starts_with("time  ") || (estimates && line.starts_with("   "));
        let seconds =
            ["first_batch", "making_a_batch", "computing_a_step", "epoch", "run", "steps_measured", "bound_by"];
        let key = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once("\": "));
        match key {
            _ if estimates => lines.push(format!("{}…", &line[..12])),
            Some((key, value)) if seconds.contains(&key) && value != "{" => {
                lines.push(line.replace(value, if value.ends_with(',') { "…," } else { "…" }));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// What no message may have: a path of the temporary folder, a name of a Rust type or of a closure, a panic.
fn blemish(stderr: &str, outside: &Path, told: bool) -> Option<String> {
    const NEVER: &[&str] = &[
        "anon$",
        "::",
        "Dynamic",
        "EvalAltResult",
        "i64",
        "f64",
        "Option<",
        "Arc<",
        "ImmutableString",
        "FnPtr",
        "panicked",
        "TensorHandle",
        "LoaderHandle",
        "TrainerHandle",
        "os error",
        "RUST_BACKTRACE",
    ];
    let real = outside.canonicalize().unwrap();
    let absolute = [outside, &real].into_iter().find(|path| stderr.contains(&*path.to_string_lossy()));
    // `global::NAME` and `module::function` are Rhai.
    let plain = stderr.replace("global::", "").replace("shapes::", "");
    match absolute {
        Some(_) => Some("an absolute path where a relative one would do".to_owned()),
        None if told => None,
        None if stderr.trim().is_empty() => Some("nothing is said".to_owned()),
        // What was interrupted is no error.
        None if !stderr.contains("error[B") && !stderr.contains("interrupted") => {
            Some("an error without a code".to_owned())
        }
        None if stderr.lines().any(|line| line.starts_with("error: ")) => Some("an error without a code".to_owned()),
        None => NEVER.iter().find(|never| plain.contains(*never)).map(|never| format!("`{never}` in the message")),
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// Returns every file and folder below a folder; links are not followed.
fn tree(root: &Path) -> BTreeSet<String> {
    let entries = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let names = entries.map(|entry| entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with("state")).collect()
}
