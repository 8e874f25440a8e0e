//! `barrage check` on the examples, and `--watch`, as processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{command, edit, project, signal, text};
use crate::broken::{copy, without_estimates};

/// Every example is right; what is said of each stands in `examples.txt`.
#[test]
fn the_examples_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    copy(&root.join("examples"), &folder.path().join("examples"));
    let mut names: Vec<String> = fs::read_dir(folder.path().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| folder.path().join("examples").join(name).join("recipe.rhai").is_file())
        .collect();
    names.sort();
    assert!(names.len() >= 6);
    let mut found = String::new();
    for name in names {
        let recipe = format!("examples/{name}/recipe.rhai");
        let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
        let output = command.args(["check", &recipe]).current_dir(folder.path()).output().unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{recipe}: {err}");
        assert!(out.contains(&format!("`{recipe}` is right")), "{out}");
        found.push_str(&format!("--- {name}\n{err}{}", without_estimates(&out)));
    }
    let golden = root.join("tests/cli/examples.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&golden, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(golden).unwrap_or_default());
}

#[test]
fn a_check_of_iris_takes_less_than_a_second() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/iris"), folder.path());
    // Whatever else the machine does: the fastest of some.
    let taken = (0..5).map(|_| {
        let started = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
        assert!(command.args(["check", "recipe.rhai"]).current_dir(folder.path()).output().unwrap().status.success());
        started.elapsed()
    });
    let fastest = taken.min().unwrap();
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[test]
fn a_watched_recipe_is_checked_whenever_it_is_saved() {
    let project = project();
    let mut command = command(&project, &["check", "recipe.rhai", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (tell, told) = mpsc::channel();
    let lines = |stream: Box<dyn std::io::Read + Send>| {
        let tell = tell.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                if tell.send(line.unwrap()).is_err() {
                    break;
                }
            }
        })
    };
    let streams = [lines(Box::new(child.stdout.take().unwrap())), lines(Box::new(child.stderr.take().unwrap()))];
    drop(tell);
    let mut seen = Vec::new();
    let mut wait = |wanted: &[&str]| {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            let line =
                told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{missing:?} in {seen:#?}"));
            missing.retain(|part| !line.contains(part));
            seen.push(line);
        }
    };
    wait(&["`recipe.rhai` is right", "watching"]);
    edit(&project, "components/leaf.rhai", "record.gather(", "record.gahter(");
    wait(&["leaf.rhai changed", "unknown function `gahter`", "`recipe.rhai`: 1 error", "watching"]);
    edit(&project, "components/leaf.rhai", "record.gahter(", "record.gather(");
    wait(&["`recipe.rhai` is right", "watching"]);
    // A column that the loader asks for is gone.
    edit(&project, "train.csv", "length,width", "size,width");
    wait(&["train.csv changed", "`length`", "watching"]);
    signal(child.id(), "-INT");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    for stream in streams {
        stream.join().unwrap();
    }
}
