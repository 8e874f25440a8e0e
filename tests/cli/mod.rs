//! The command line: transcripts in `cli/` (trycmd; `TRYCMD=overwrite` rewrites them), and what a transcript
//! cannot show: scripts edited between runs, interrupts.

mod checks;
mod exact;
mod output;
#[cfg(unix)]
mod prompt;
mod reload;
mod replay;
mod scores;
mod script_tests;
mod search;
mod trials;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .register_bin("barrage", Path::new(env!("CARGO_BIN_EXE_barrage")))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .case("tests/cli/*.md")
        .case("tests/cli/*.toml");
}

#[test]
fn an_edited_loader_is_in_effect_at_the_next_run() {
    let project = project();
    let parameters = |output: &Output| text(&output.stderr).lines().next().unwrap().to_owned();
    let before = run(&project, &["run", "recipe.rhai"]);
    assert!(before.status.success(), "{}", text(&before.stderr));
    assert!(before.stdout.is_empty(), "progress is no data: {}", text(&before.stdout));
    assert!(parameters(&before).ends_with("22 trainable parameters"), "{}", parameters(&before));

    edit(&project, "components/leaf.rhai", r#"["length", "width"]"#, r#"["length", "width", "share"]"#);
    edit(&project, "components/network.rhai", r#"input("leaf", [2])"#, r#"input("leaf", [3])"#);
    let after = run(&project, &["run", "recipe.rhai", "--overwrite"]);
    assert!(after.status.success(), "{}", text(&after.stderr));
    assert!(parameters(&after).ends_with("26 trainable parameters"), "{}", parameters(&after));
    let kept = |folder: &str| fs::read_to_string(project.path().join(folder).join("scripts/components/leaf.rhai"));
    assert!(kept("artifacts").unwrap().contains("share") && !kept("artifacts.1").unwrap().contains("share"));
}

/// Starts a run that would take hours, and waits until it trains; its records are files.
fn endless() -> (tempfile::TempDir, std::process::Child) {
    let project = project();
    edit(&project, "config.json", r#""epochs": 2"#, r#""epochs": 9999"#);
    edit(
        &project,
        "config.json",
        r#""services": {}"#,
        r#""services": { "train_early_stopping": false, "validation_early_stopping": false, "keep": 2, "tensorboard": false }"#,
    );
    let child = start(&project, &["train", "config.json", "train.csv", "validation.csv"]);
    // The first checkpoint says that training is under way.
    wait_for(&project.path().join("artifacts/best_checkpoint/state.json"));
    (project, child)
}

#[test]
#[cfg(unix)]
fn a_run_that_a_signal_ends_saves_and_goes_on() {
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let (project, child) = endless();
        signal(child.id(), name);
        let output = child.wait_with_output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains("stopping (training ends after its step)"), "{stderr}");
        assert!(stderr.contains("training was interrupted after"), "{stderr}");
        let scored = run(&project, &["predict", "validation.csv", "artifacts", "-o", "-"]);
        assert!(scored.status.success(), "{}", text(&scored.stderr));
        assert!(text(&scored.stdout).contains("\"mass\""));

        // The command that is named goes on where is named: after an epoch, or after a batch of one.
        let named = stderr.split("`barrage ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
        assert_eq!(named, "resume artifacts");
        let place = stderr.split("goes on ").nth(1).unwrap().lines().next().unwrap();
        let (_, epoch) = place.split_once("epoch ").unwrap();
        let after: u64 = epoch.trim().parse().unwrap();
        let child = start(&project, &named.split(' ').collect::<Vec<_>>());
        let resumed = project.path().join(format!("artifacts/resume_checkpoints/epoch_{:04}", after + 20));
        wait_for_any(&resumed);
        signal(child.id(), name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(text(&output.stderr).contains(&format!("resuming {place}, step")), "{}", text(&output.stderr));
    }
}

#[test]
#[cfg(unix)]
fn events_tell_of_a_signal() {
    let project = project();
    edit(&project, "config.json", r#""epochs": 2"#, r#""epochs": 9999"#);
    edit(
        &project,
        "config.json",
        r#""services": {}"#,
        r#""services": { "train_early_stopping": false, "validation_early_stopping": false, "keep": 1 }"#,
    );
    let child = start(&project, &["train", "config.json", "train.csv", "validation.csv", "--json"]);
    wait_for(&project.path().join("artifacts/best_checkpoint/state.json"));
    signal(child.id(), "-TERM");
    let output = child.wait_with_output().unwrap();
    let stdout = text(&output.stdout);
    let last: Vec<serde_json::Value> =
        stdout.lines().rev().take(2).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&last[1]["event"], &last[1]["interrupted"]), (&"end".into(), &true.into()));
    assert_eq!((&last[0]["event"], &last[0]["kind"]), (&"error".into(), &"interrupted".into()));
    assert_eq!((&last[0]["exit_code"], output.status.code()), (&143.into(), Some(143)));
}

#[test]
#[cfg(unix)]
fn a_recipes_run_is_resumed_in_the_recipe() {
    let project = project();
    edit(&project, "recipe.rhai", "epochs: 2", "epochs: 9999");
    edit(
        &project,
        "recipe.rhai",
        "services: #{}",
        "services: #{ keep: 1, train_early_stopping: false, validation_early_stopping: false }",
    );
    edit(
        &project,
        "recipe.rhai",
        r#"read_records("train.csv")"#,
        r#"read_records("train.csv").head(6).select(["length", "width", "kind"])"#,
    );
    let child = start(&project, &["run", "recipe.rhai"]);
    wait_for(&project.path().join("artifacts/best_checkpoint/state.json"));
    signal(child.id(), "-INT");
    let stderr = text(&child.wait_with_output().unwrap().stderr);
    assert!(stderr.contains("`trainer(\"artifacts\").resume(train, validation)` goes on after "), "{stderr}");
}

/// Training that is stuck in a step does not keep who asks twice.
#[test]
#[cfg(unix)]
fn a_second_signal_ends_the_program_at_once() {
    for (first, second, code) in [("-INT", "-INT", 130), ("-TERM", "-INT", 130), ("-INT", "-TERM", 143)] {
        let project = project();
        fs::write(project.path().join("stuck.rhai"), "print(\"begun\");\nread_records(\"never.csv\");\n").unwrap();
        // A pipe that nobody writes to.
        let pipe = project.path().join("never.csv");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut child = start(&project, &["run", "stuck.rhai"]);
        let mut begun = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
        signal(child.id(), first);
        let mut told = [0; 10];
        std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut told).unwrap();
        assert_eq!(&told[1..], b"stopping ");
        assert!(child.try_wait().unwrap().is_none(), "one signal asks");
        signal(child.id(), second);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{first} {second}");
    }
}

#[test]
fn an_interrupted_script_ends() {
    let project = project();
    fs::write(project.path().join("endless.rhai"), "print(\"begun\");\nloop {}\n").unwrap();
    let mut child = start(&project, &["run", "endless.rhai"]);
    let mut begun = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
    signal(child.id(), "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("error: interrupted\n --> endless.rhai:2:"), "{}", text(&output.stderr));
}

/// Copies the sound project of the broken ones.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    crate::broken::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken/base"), folder.path());
    folder
}

fn edit(project: &tempfile::TempDir, file: &str, old: &str, new: &str) {
    let path = project.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{file} has no `{old}`");
    fs::write(&path, text.replace(old, new)).unwrap();
}

fn command(project: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
    command.args(arguments).current_dir(project.path());
    command
}

fn run(project: &tempfile::TempDir, arguments: &[&str]) -> Output {
    command(project, arguments).output().unwrap()
}

fn start(project: &tempfile::TempDir, arguments: &[&str]) -> std::process::Child {
    command(project, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// Waits until a checkpoint of this epoch or a later one is there.
fn wait_for_any(checkpoint: &Path) {
    let begun = Instant::now();
    let (folder, name) = (checkpoint.parent().unwrap(), checkpoint.file_name().unwrap());
    let there = || fs::read_dir(folder).unwrap().any(|entry| entry.is_ok_and(|entry| *entry.file_name() >= *name));
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "there is no {}", checkpoint.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "there is no {}", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
