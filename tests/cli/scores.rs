//! `predict` and `evaluate`: what a transcript cannot show: standard input, large files, pipes, signals.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{command, edit, project, run, start, text};

/// A project with a trained model, `artifacts`.
fn trained() -> TempDir {
    let project = project();
    let output = run(&project, &["train", "config.json", "train.csv", "validation.csv", "-q"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    project
}

/// Runs a command that reads `input` as its standard input.
fn piped(project: &TempDir, words: &[&str], input: &[u8]) -> Output {
    let mut child =
        command(project, words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn read(project: &TempDir, name: &str) -> String {
    fs::read_to_string(project.path().join(name)).unwrap()
}

/// Leaves with ids, as CSV and as JSON lines; more of them than one part holds.
fn many(project: &TempDir, count: usize) {
    let (mut csv, mut lines) = ("id,note,length,width\n".to_owned(), String::new());
    for row in 0..count {
        // A row may have several lines.
        let note = if row % 1000 == 7 { "\"two\nlines, \"\"one\"\" cell\"" } else { "plain" };
        let (length, width) = (4.0 + (row % 37) as f64 / 10.0, 2.0 + (row % 23) as f64 / 10.0);
        csv.push_str(&format!("{row:07},{note},{length},{width}\n"));
        lines.push_str(&format!("{{\"id\":\"{row:07}\",\"length\":{length},\"width\":{width}}}\n"));
    }
    fs::write(project.path().join("many.csv"), csv).unwrap();
    fs::write(project.path().join("many.jsonl"), lines).unwrap();
}

#[test]
fn a_large_file_is_scored_part_by_part_to_the_same_bits() {
    let project = trained();
    many(&project, 130_000);
    assert!(fs::metadata(project.path().join("many.csv")).unwrap().len() > 2 << 20, "several parts");
    let predict = |words: &[&str]| {
        let output = run(&project, &[&["predict"], words].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    predict(&["many.csv", "artifacts", "-o", "parts.csv", "--keep", "id,note"]);
    predict(&["many.jsonl", "artifacts", "-o", "parts.jsonl", "--keep", "id"]);
    // A JSON array is one table.
    let whole = format!("[{}]", read(&project, "many.jsonl").trim_end().replace('\n', ","));
    fs::write(project.path().join("many.json"), whole).unwrap();
    predict(&["many.json", "artifacts", "-o", "whole.jsonl", "--keep", "id"]);
    assert!(read(&project, "parts.jsonl") == read(&project, "whole.jsonl"));

    let mut rows = csv::Reader::from_path(project.path().join("parts.csv")).unwrap();
    assert_eq!(rows.headers().unwrap().iter().collect::<Vec<_>>(), ["id", "note", "mass"]);
    let mut count = 0;
    for (row, line) in rows.records().zip(read(&project, "whole.jsonl").lines()) {
        let (row, line): (_, Value) = (row.unwrap(), serde_json::from_str(line).unwrap());
        assert_eq!(row[0], format!("{count:07}"), "kept as it is written");
        assert_eq!(line["id"], row[0]);
        assert_eq!(row[1].starts_with("two\nlines, \"one\""), count % 1000 == 7);
        assert_eq!(row[2].parse::<f64>().unwrap(), line["mass"][0].as_f64().unwrap());
        count += 1;
    }
    assert_eq!(count, 130_000);

    // Losses over parts are those over the whole.
    let mut labelled = csv::Writer::from_path(project.path().join("labelled.csv")).unwrap();
    let mut objects = Vec::new();
    labelled.write_record(["length", "width", "mass"]).unwrap();
    for (row, line) in read(&project, "many.jsonl").lines().enumerate() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line["mass"] = (1.0 + row as f64 / 1e5).into();
        labelled.write_record(["length", "width", "mass"].map(|name| line[name].to_string())).unwrap();
        objects.push(line);
    }
    labelled.flush().unwrap();
    fs::write(project.path().join("labelled.json"), Value::Array(objects).to_string()).unwrap();
    let evaluate = |file: &str| {
        let output = run(&project, &["evaluate", file, "artifacts", "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(evaluate("labelled.csv"), evaluate("labelled.json"));
}

#[test]
fn standard_input_is_read_in_any_format() {
    let project = trained();
    many(&project, 40);
    let lines = read(&project, "many.jsonl");
    let array = format!("  [{}]", lines.trim_end().replace('\n', ",\n"));
    let expected = text(&run(&project, &["predict", "many.csv", "artifacts", "-o", "-"]).stdout);
    assert_eq!(expected.lines().count(), 42);
    for (input, format) in [(read(&project, "many.csv"), "csv"), (array, "json"), (lines, "jsonl")] {
        let scored = piped(&project, &["predict", "-", "artifacts"], input.as_bytes());
        assert_eq!(text(&scored.stdout), expected, "{format}: {}", text(&scored.stderr));
        let named = piped(&project, &["predict", "-", "artifacts", "--input-format", format], input.as_bytes());
        assert_eq!(text(&named.stdout), expected, "{format}: {}", text(&named.stderr));
    }
    let validation = fs::read(project.path().join("validation.csv")).unwrap();
    let evaluated = piped(&project, &["evaluate", "-", "artifacts"], &validation);
    assert_eq!(text(&evaluated.stdout), text(&run(&project, &["evaluate", "validation.csv", "artifacts"]).stdout));

    let wrong = piped(&project, &["predict", "-", "artifacts"], b"length,width\n5.1,3.5\n4.9,wide\n");
    assert_eq!(wrong.status.code(), Some(4));
    let stderr = text(&wrong.stderr);
    assert!(stderr.contains("line 3 of <stdin>, column `width`") && stderr.contains("--> <stdin>:3:5"), "{stderr}");
    let empty = piped(&project, &["predict", "-", "artifacts"], b"");
    assert_eq!((empty.status.code(), text(&empty.stderr).contains("<stdin> is empty")), (Some(4), true));
    let header = piped(&project, &["predict", "-", "artifacts", "--format", "csv"], b"length,width\n");
    assert_eq!((header.status.code(), text(&header.stdout).as_str()), (Some(0), "mass\n"));
    assert_eq!(text(&piped(&project, &["predict", "-", "artifacts"], b"length,width\n").stdout), "[]\n");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_of_scores_is_replaced_whole_or_not_at_all() {
    let project = trained();
    many(&project, 90_000);
    fs::write(project.path().join("scores.csv"), "as before\n").unwrap();
    let broken = read(&project, "many.csv") + "0090000,plain,long,3\n";
    fs::write(project.path().join("broken.csv"), &broken).unwrap();
    let before = names(project.path());
    let output = run(&project, &["predict", "broken.csv", "artifacts", "-o", "scores.csv"]);
    let stderr = text(&output.stderr);
    // Some rows have two lines.
    let line = broken.lines().count();
    assert!(stderr.contains(&format!("line {line} of broken.csv, column `length`: expected a number")), "{stderr}");
    assert!(stderr.contains(&format!("{line} | 0090000,plain,long,3")), "{stderr}");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!((read(&project, "scores.csv").as_str(), names(project.path())), ("as before\n", before));

    // Parts that were scored before are on standard output already.
    let output = run(&project, &["predict", "broken.csv", "artifacts", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stdout).lines().count() > 1);
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link_and_a_device_a_device() {
    let project = trained();
    fs::create_dir(project.path().join("elsewhere")).unwrap();
    fs::write(project.path().join("elsewhere/real.csv"), "old\n").unwrap();
    std::os::unix::fs::symlink("elsewhere/real.csv", project.path().join("link.csv")).unwrap();
    let predict =
        |target: &str| run(&project, &["predict", "validation.csv", "artifacts", "--format", "csv", "-o", target]);
    assert!(predict("link.csv").status.success());
    assert!(fs::symlink_metadata(project.path().join("link.csv")).unwrap().is_symlink());
    assert!(read(&project, "elsewhere/real.csv").starts_with("mass\n"));
    assert!(predict("/dev/null").status.success());
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(predict("elsewhere").status.code(), Some(4));
    assert_eq!(predict("missing/x.csv").status.code(), Some(4));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let project = trained();
    many(&project, 60_000);
    for words in [
        &["predict", "many.csv", "artifacts", "--format", "csv"][..],
        &["predict", "many.csv", "artifacts", "-o", "-"],
        &["inspect", "many.csv"],
    ] {
        let mut child = start(&project, words);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        drop(out);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let project = trained();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let words = ["predict", "validation.csv", "artifacts", "--format", "csv"];
    let output = command(&project, &words).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("cannot write to standard output: no space left"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
#[cfg(unix)]
fn a_signal_ends_scoring_at_once_and_leaves_no_half_file() {
    let project = trained();
    // The records never come to an end.
    let before = names(project.path());
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = command(&project, &["predict", "-", "artifacts", "-o", "scores.csv"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"length,width\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        super::signal(child.id(), signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        drop(stdin);
        assert_eq!(names(project.path()), before);
    }
    // Neither while the file is being written: a loader that never ends.
    edit(
        &project,
        "components/leaf.rhai",
        "fn load(record) {",
        "fn load(record) {\n    if this.mode == \"score\" { loop {} }",
    );
    fs::remove_dir_all(project.path().join("artifacts")).unwrap();
    assert!(run(&project, &["run", "recipe.rhai", "-q"]).status.success());
    let mut child = start(&project, &["predict", "validation.csv", "artifacts", "-o", "scores.csv"]);
    let begun = std::time::Instant::now();
    while !names(project.path()).iter().any(|name| name.starts_with(".records")) {
        assert!(begun.elapsed().as_secs() < 60, "no file was begun: {:?}", names(project.path()));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    super::signal(child.id(), "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!names(project.path()).iter().any(|name| name.starts_with(".records") || name == "scores.csv"));
}
