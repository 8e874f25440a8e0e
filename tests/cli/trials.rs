//! Trials: `--dry-run`, `--overfit-batch`, `--lr-find`, `--limit-batches`, as processes.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{edit, project, run, text};

const TRAIN: [&str; 4] = ["train", "config.json", "train.csv", "validation.csv"];

/// Runs a command; returns its exit code, standard output and standard error.
fn barrage(project: &TempDir, words: &[&str]) -> (i32, String, String) {
    let output = run(project, words);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn train(project: &TempDir, words: &[&str]) -> (i32, String, String) {
    barrage(project, &[&TRAIN, words].concat())
}

fn files(project: &TempDir) -> Vec<String> {
    let entries = walkdir::WalkDir::new(project.path()).sort_by_file_name().into_iter().map(Result::unwrap);
    entries.map(|entry| entry.path().strip_prefix(project.path()).unwrap().display().to_string()).collect()
}

#[test]
fn a_dry_run_takes_one_step_and_writes_nothing() {
    let project = project();
    let before = files(&project);
    let (code, out, err) = train(&project, &["--dry-run"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    let right = "everything is right: 2 epochs of 2 steps on 8 records, validated on 2, would go to `artifacts`";
    assert_eq!(lines[0], right);
    assert!(lines[1].starts_with("first step: loss ") && lines[1].ends_with(", learning rate 0.01"), "{out}");
    assert_eq!(lines[2], "nothing was written");
    let (code, out, err) = barrage(&project, &["run", "recipe.rhai", "--dry-run", "--limit-batches", "1"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.starts_with("everything is right: 2 epochs of 1 step on 8 records, validated on 2"), "{out}");
    assert_eq!(files(&project), before);

    // It finds what a run would find, the folder included.
    assert_eq!(train(&project, &[]).0, 0);
    let (code, _, err) = train(&project, &["--dry-run"]);
    assert_eq!(code, 4);
    assert!(err.contains("`artifacts` holds a run already"), "{err}");
    assert_eq!(train(&project, &["--dry-run", "--overwrite"]).0, 0);
    let (code, _, err) = train(&project, &["--dry-run", "--lr-find"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn a_sound_network_learns_one_batch_by_heart() {
    let project = project();
    let before = files(&project);
    // The augmentor of the recipe would keep the loss up.
    edit(&project, "recipe.rhai", "deviation: 0.1", "deviation: 100.0");
    let (code, out, err) = barrage(&project, &["run", "recipe.rhai", "--overfit-batch=3000"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("the loss of one batch went from ") && out.contains("on 4 records: near zero"), "{out}");
    assert!(err.starts_with("step     0  loss ") && err.contains("\nstep    20  loss "), "{err}");
    assert_eq!(files(&project), before);
    let again = barrage(&project, &["run", "recipe.rhai", "--overfit-batch=3000"]);
    assert_eq!(again, (code, out, err), "the same seed, the same losses");
}

#[test]
fn what_keeps_the_loss_of_one_batch_up_is_named() {
    let complaint = |change: &dyn Fn(&TempDir), words: &[&str]| {
        let project = project();
        change(&project);
        let (code, out, err) = train(&project, words);
        assert_eq!((code, &*out), (1, ""), "{err}");
        assert!(err.contains("error[B0600]: the loss of one batch went from "), "{err}");
        err
    };
    // Every leaf is the same, the masses are not.
    let twins = complaint(
        &|project| {
            let rows = (0..8).map(|row| format!("5.0,3.0,oak,{row}.5,1.0\n")).collect::<String>();
            fs::write(project.path().join("train.csv"), format!("length,width,kind,mass,share\n{rows}")).unwrap();
        },
        &["--overfit-batch=500"],
    );
    assert!(twins.contains("have the same inputs and different targets: nothing can tell them apart"), "{twins}");
    assert!(twins.contains("of train.csv and record ") && twins.contains("which is not near zero"), "{twins}");

    let slow = complaint(&|_| (), &["--overfit-batch=50", "solver.optimizer.learning_rate=1e-4"]);
    assert!(slow.contains("it was still falling: raise the learning rate, now 0.0001"), "{slow}");
    assert!(slow.contains("`--overfit-batch=250`"), "{slow}");

    let wild =
        complaint(&|_| (), &["--overfit-batch", "solver.optimizer={\"import\": \"SGD\", \"learning_rate\": 50}"]);
    assert!(wild.contains("it is no number after "), "{wild}");

    let dead = complaint(
        &|project| {
            edit(
                project,
                "config.json",
                r#""units": 4, "activation": "relu""#,
                r#""units": 4, "kernel_initializer": "zeros", "activation": "relu""#,
            )
        },
        &["--overfit-batch=300"],
    );
    assert!(dead.contains("output `mass` is the same for every record"), "{dead}");
}

#[test]
fn the_range_test_suggests_a_rate_and_draws_its_curve() {
    let project = project();
    let before = files(&project);
    let (code, out, err) = train(&project, &["--lr-find", "--lr-find-steps=80"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with("learning rate 1.0e-7  loss "), "{err}");
    let rate = out.lines().find_map(|line| line.strip_prefix("suggestion: solver.optimizer.learning_rate=")).unwrap();
    let value: f64 = rate.parse().unwrap();
    assert!((1e-4..1.0).contains(&value), "{out}");
    assert!(out.ends_with("the curve is in `lr_find.svg`\n"), "{out}");
    let svg = fs::read_to_string(project.path().join("lr_find.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("suggestion, ") && svg.contains(rate), "{svg}");
    // A line for the losses as they are, and one for the smoothed ones.
    assert_eq!(svg.matches("<polyline").count(), 2);
    let mut after = before.clone();
    after.push("lr_find.svg".to_owned());
    after.sort();
    let mut found = files(&project);
    found.sort();
    assert_eq!(found, after, "no run was made");

    // What was suggested is an override.
    let (code, _, err) = train(&project, &[&format!("solver.optimizer.learning_rate={rate}")]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = barrage(&project, &["run", "recipe.rhai", "--lr-find=curves/rates.svg"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("curves/rates.svg"), "{err}");
}

#[test]
fn limited_epochs_are_written_down_and_go_on_after_a_resume() {
    let (project, whole) = (project(), project());
    let (code, _, err) = train(&project, &["--limit-batches", "1"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("2 epochs of 1 step"), "{err}");
    let config: Value =
        serde_json::from_str(&fs::read_to_string(project.path().join("artifacts/config.json")).unwrap()).unwrap();
    assert_eq!((&config["solver"]["steps"], &config["solver"]["validation_steps"]), (&1.into(), &1.into()));
    // A limit above what there is changes nothing but the words of the config.
    assert_eq!(train(&whole, &["--limit-batches", "100"]).0, 0);
    let report = |project: &TempDir| fs::read_to_string(project.path().join("artifacts/training_report.csv")).unwrap();
    let limited = report(&whole);
    assert_eq!(train(&whole, &["--overwrite"]).0, 0);
    assert_eq!(report(&whole), limited);
    // Fewer validation records than all were scored: 2 of them, 1 a batch.
    let one = train(&whole, &["--overwrite", "solver.batch_size=1", "--limit-batches=1"]);
    assert!(one.0 == 0 && one.2.contains("validating on 1:"), "{}", one.2);
    assert_eq!(train(&whole, &["--limit-batches", "0"]).0, 2);
}

#[test]
fn old_checkpoints_are_pruned_as_the_config_says() {
    let kept = |words: &[&str]| {
        let project = project();
        let (code, _, err) = train(&project, &[&["solver.epochs=4"], words].concat());
        assert_eq!(code, 0, "{err}");
        let folder = project.path().join("artifacts/resume_checkpoints");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(kept(&["services.keep=2"]), ["epoch_0003", "epoch_0004"]);
    assert_eq!(kept(&[]).len(), 4);
    assert_eq!(kept(&["services.resume_checkpoints=false"]), Vec::<String>::new());
}

#[test]
fn a_rehearsed_recipe_reads_what_it_would_have_written() {
    let project = project();
    edit(
        &project,
        "recipe.rhai",
        "let validation = read_records(\"validation.csv\");",
        "read_records(\"validation.csv\").write(\"copy.csv\");\nlet validation = read_records(\"copy.csv\");",
    );
    for words in
        [&["run", "recipe.rhai", "--dry-run"][..], &["check", "recipe.rhai"], &["run", "recipe.rhai", "--print-config"]]
    {
        let (code, _, err) = barrage(&project, words);
        assert_eq!(code, 0, "{words:?}: {err}");
        assert!(!project.path().join("copy.csv").exists(), "{words:?}");
    }
    fs::write(project.path().join("idle.rhai"), "print(1);").unwrap();
    let (code, out, err) = barrage(&project, &["run", "idle.rhai", "--overfit-batch"]);
    assert_eq!((code, &*out), (3, ""));
    assert!(err.starts_with("1\nerror[B0206]: `idle.rhai` trains nothing"), "{err}");
}
