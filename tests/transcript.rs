//! Documents whose commands and files are run: the README, the tutorial, a first-time user's way with each template.
//!
//! Blocks of a document, in order:
//!
//! | block | what is done |
//! |---|---|
//! | `sh` | each line runs and succeeds |
//! | `console` | what follows a line `$ COMMAND` is what it says, both streams together; it fails if an `error` is among that |
//! | `rhai`, `json` … | its first line is a comment with the name of the file it is; one of `...` is not written |
//! | `text` | nothing |
//!
//! `cd FOLDER` goes for what follows. A line `...` stands for any lines, `[..]` for any text. Fractions and times
//! differ between machines: any number with a point, and any number before a unit, stands for any other. `UPDATE=1`
//! writes what commands said into the document; outputs with `...` in them are left for the author.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Commands that build are no part of a test: `cargo run --release -- …` is the program, the rest succeeds.
const CARGO: &str = "cargo() { if [ \"$1 $2 $3\" = 'run --release --' ]; then shift 3; barrage \"$@\"; fi; }\n";

/// Runs a document in a folder; returns how many commands ran, and complaints.
pub(crate) fn run(document: &Path, folder: &Path) -> (usize, Vec<String>) {
    let text = fs::read_to_string(document).unwrap();
    let mut session = Session { folder: folder.to_owned(), complaints: Vec::new(), commands: 0 };
    let mut fresh = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        fresh.push_str(&format!("{line}\n"));
        let Some(language) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        fresh.push_str(&session.block(language, &body));
        fresh.push_str("```\n");
    }
    if fresh != text && std::env::var_os("UPDATE").is_some() {
        fs::write(document, fresh).unwrap();
    }
    let name = document.strip_prefix(ROOT).unwrap().display();
    let complaints = session.complaints.iter().map(|complaint| format!("{name}: {complaint}")).collect();
    (session.commands, complaints)
}

struct Session {
    folder: PathBuf,
    complaints: Vec<String>,
    commands: usize,
}

impl Session {
    /// Does what a block says, and returns its text with what was found.
    fn block(&mut self, language: &str, body: &[&str]) -> String {
        let as_it_is = body.iter().map(|line| format!("{line}\n")).collect::<String>();
        match language {
            "text" => as_it_is,
            "sh" => {
                // Lines that end in a backslash go on.
                for command in as_it_is.replace("\\\n", " ").lines() {
                    if let Some(output) = self.command(command).filter(|output| !output.status.success()) {
                        self.complaints.push(format!("`{command}` fails\n{}", both(&output)));
                    }
                }
                as_it_is
            }
            "console" => self.console(body),
            _ => {
                let first = body.first().copied().unwrap_or_default();
                match first.strip_prefix("// ").or_else(|| first.strip_prefix("# ")) {
                    Some(name) if self.folder.join(name).parent().is_some_and(Path::is_dir) => {
                        fs::write(self.folder.join(name), &as_it_is).unwrap();
                    }
                    _ if first == "..." => (),
                    _ => {
                        self.complaints.push(format!("a snippet begins with the comment that names its file: {first}"))
                    }
                }
                as_it_is
            }
        }
    }

    fn console(&mut self, body: &[&str]) -> String {
        let mut fresh = String::new();
        let mut lines = body.iter().copied().peekable();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else {
                self.complaints.push(format!("no command before `{line}`"));
                return body.join("\n") + "\n";
            };
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line);
            }
            fresh.push_str(&format!("{line}\n"));
            let said = expected.iter().map(|line| format!("{line}\n")).collect::<String>();
            let Some(output) = self.command(command) else { continue };
            let found = both(&output);
            let failed = found.lines().any(|line| line.starts_with("error"));
            if failed == output.status.success() {
                self.complaints.push(format!("`{command}` ends with {}\n{found}", output.status));
            }
            let right = matches(&expected, &found.lines().collect::<Vec<_>>());
            if !right {
                self.complaints.push(format!("`{command}` says\n{found}"));
            }
            fresh.push_str(if right || expected.contains(&"...") { &said } else { &found });
        }
        fresh
    }

    /// Runs a command, or changes the folder.
    fn command(&mut self, command: &str) -> Option<Output> {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.folder.push(folder);
            assert!(self.folder.is_dir(), "{command}");
            return None;
        }
        self.commands += 1;
        let script = format!("exec 2>&1\n{CARGO}{command}");
        let mut shell = Command::new("sh");
        shell.args(["-ec", &script]).current_dir(&self.folder).env("PATH", path()).env("NO_COLOR", "1");
        Some(shell.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR")).output().unwrap())
    }
}

/// Both streams: the shell joined them.
fn both(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Blank lines at the end would be lost in a document.
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// The binary's folder before the rest of the path.
fn path() -> OsString {
    let mut path = PathBuf::from(env!("CARGO_BIN_EXE_barrage")).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

fn matches(expected: &[&str], found: &[&str]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => (0..=found.len()).any(|skipped| matches(rest, &found[skipped..])),
        (Some((expected, rest)), Some((found, others))) => same(expected, found) && matches(rest, others),
        _ => false,
    }
}

fn same(expected: &str, found: &str) -> bool {
    let (expected, found) = (shape(expected), shape(found));
    let mut parts = expected.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = found.strip_prefix(first) else { return false };
    for part in parts {
        match rest.find(part) {
            Some(_) if part.is_empty() => rest = "",
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// A line with `#` for each number that may differ, and one blank for several, since columns follow their widths.
fn shape(line: &str) -> String {
    const UNITS: [&str; 8] = ["µs", "ms", "s", "min", "B", "KiB", "MiB", "%"];
    let mut shown = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word = shown.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let signed = rest.strip_prefix('-').filter(|_| !word).unwrap_or(rest);
        let length = if word { 0 } else { number(signed) };
        if length == 0 {
            shown.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (text, after) = signed.split_at(length);
        let unit = UNITS.iter().find_map(|unit| {
            let after = after.strip_prefix(' ')?.strip_prefix(unit)?;
            (!after.starts_with(char::is_alphanumeric)).then_some(after)
        });
        let differs = unit.is_some() || text.contains(['.', 'e']);
        shown.push_str(if differs { "#" } else { text });
        rest = unit.unwrap_or(after);
    }
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The length of the number that a text begins with.
fn number(text: &str) -> usize {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut length = digits(text);
    if length == 0 {
        return 0;
    }
    let fraction = text[length..].strip_prefix('.').map_or(0, digits);
    length += if fraction > 0 { fraction + 1 } else { 0 };
    let power = text[length..].strip_prefix('e').map(|power| (power, power.trim_start_matches(['+', '-'])));
    match power.map(|(power, plain)| (power.len() - plain.len(), digits(plain))) {
        Some((sign, power)) if power > 0 => length + 1 + sign + power,
        _ => length,
    }
}

#[test]
#[cfg(unix)]
fn the_first_steps_with_each_template_go_as_written() {
    let mut wrong = Vec::new();
    let documents = documents_in("tests/first_steps");
    assert_eq!(documents.len(), 5, "one for each template");
    for document in documents {
        let folder = tempfile::tempdir().unwrap();
        let (commands, complaints) = run(&document, folder.path());
        assert!(commands >= 7, "{}: new, look, change, check, train, evaluate, predict", document.display());
        wrong.extend(complaints);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[cfg(unix)]
fn the_tutorial_goes_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let (commands, complaints) = run(&Path::new(ROOT).join("docs/tutorial.md"), folder.path());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(commands >= 15, "only {commands} commands");
}

#[test]
#[cfg(unix)]
fn the_tutorial_at_the_prompt_goes_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let (commands, complaints) = run(&Path::new(ROOT).join("docs/prompt.md"), folder.path());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(commands, 4);
}

fn documents_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.sort();
    documents
}

#[test]
fn fractions_and_times_may_differ_and_nothing_else() {
    assert!(same("epoch  1/2  loss 0.6255  accuracy 0.62", "epoch 1/2 loss 0.7 accuracy 0.1"));
    assert!(same("a step takes about 432 µs, an epoch 1.7 ms", "a step takes about 1.2 ms, an epoch 12 s"));
    assert!(same("tensor(3.758) -1e-5", "tensor(2.1) 3.0") && !same("conv2d", "conv1d"));
    assert!(!same("2 epochs", "3 epochs"));
    assert!(same("made [..] it", "made `x` and it"));
    assert!(!same("made [..] it", "made `x` and"));
    assert!(matches(&["a", "...", "d"], &["a", "b", "c", "d"]));
    assert!(!matches(&["a", "...", "d"], &["a", "b"]));
}
