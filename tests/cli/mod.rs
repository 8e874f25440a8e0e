//! The command line: transcripts in `cli/` (trycmd; `TRYCMD=overwrite` rewrites them), and what a transcript
//! cannot show: scripts edited between runs, interrupts.

mod checks;
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

#[test]
fn an_interrupted_run_ends_after_its_step_and_can_be_scored() {
    let project = project();
    edit(&project, "config.json", r#""epochs": 2"#, r#""epochs": 9999"#);
    edit(
        &project,
        "config.json",
        r#""services": {}"#,
        r#""services": { "train_early_stopping": false, "validation_early_stopping": false, "resume_checkpoints": false, "tensorboard": false }"#,
    );
    let child = start(&project, &["train", "config.json", "train.csv", "validation.csv"]);
    // The first checkpoint says that training is under way.
    wait_for(&project.path().join("artifacts/best_checkpoint/state.json"));
    interrupt(child.id());
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(
        stderr.contains("stopping (training ends after its step)") && stderr.contains("training was interrupted after"),
        "{stderr}"
    );
    let scored = run(&project, &["predict", "validation.csv", "artifacts", "-o", "-"]);
    assert!(scored.status.success(), "{}", text(&scored.stderr));
    assert!(text(&scored.stdout).contains("\"mass\""));
}

#[test]
fn an_interrupted_script_ends() {
    let project = project();
    fs::write(project.path().join("endless.rhai"), "print(\"begun\");\nloop {}\n").unwrap();
    let mut child = start(&project, &["run", "endless.rhai"]);
    let mut begun = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
    interrupt(child.id());
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

fn interrupt(process: u32) {
    assert!(Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap().success());
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
