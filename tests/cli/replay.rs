//! `barrage replay`: the batch of a step, to the same bits as in training.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use super::{command, edit, project, run, text};

/// Runs a session on a step; returns what it prints.
fn replay(project: &tempfile::TempDir, arguments: &[&str], session: &str) -> String {
    let mut child = command(project, &[&["replay", "artifacts"], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(session.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// A project whose augmentor writes down each record that it makes, with all digits.
fn telling() -> tempfile::TempDir {
    let project = project();
    edit(&project, "recipe.rhai", "epochs: 2", "epochs: 3");
    // What workers print comes in any order.
    edit(&project, "recipe.rhai", "seed: 1,", "seed: 1, workers: 0,");
    let file = project.path().join("components/noise.rhai");
    let sound = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        sound.replace("    data_record\n}", "    print(`made ${data_record.x.leaf.to_array()}`);\n    data_record\n}"),
    )
    .unwrap();
    project
}

#[test]
fn a_replayed_batch_has_the_bits_of_the_step() {
    let project = telling();
    // The cache fills and the checks of the first batch augment, too: what training made comes last.
    let trained = run(&project, &["run", "recipe.rhai"]);
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    let made: Vec<String> =
        text(&trained.stdout).lines().filter_map(|line| line.strip_prefix("made ").map(str::to_owned)).collect();
    let records = fs::read_to_string(project.path().join("train.csv")).unwrap().lines().count() - 1;
    let batches = records.div_ceil(4);
    let made = &made[made.len() - 3 * records..];
    for step in [1, batches, batches + 1, 3 * batches] {
        let session = "for row in batch.x.leaf.to_array() { print(`row ${row}`); }\n\
                       stages.keys()\n\
                       stages.augmented.x.leaf == batch.x.leaf\n";
        let shown = replay(&project, &["--step", &step.to_string()], session);
        let rows: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("row ")).collect();
        // Batches of an epoch are full but the last.
        let (epoch, batch) = ((step - 1) / batches, (step - 1) % batches);
        let start = epoch * records + batch * 4;
        let expected = &made[start..(start + 4).min((epoch + 1) * records)];
        assert_eq!(rows, expected, "step {step}");
        assert!(shown.contains(r#"["augmented", "batch", "loaded", "records", "transformed"]"#), "{shown}");
    }
}

#[test]
fn the_weights_are_those_before_the_step_and_the_run_goes_on_as_it_did() {
    let project = telling();
    let _ = run(&project, &["run", "recipe.rhai"]);
    let records = fs::read_to_string(project.path().join("train.csv")).unwrap().lines().count() - 1;
    let batches = records.div_ceil(4);
    // From the last step of the second epoch on, one step leads to the checkpoint after it.
    let step = (2 * batches).to_string();
    let session = "run.step().step\nrun.weights()[\"dense/bias\"].to_array()\n";
    let shown = replay(&project, &["--step", &step], session);
    let first = (2 * batches + 1).to_string();
    let restored = replay(&project, &["--step", &first], "run.weights()[\"dense/bias\"].to_array()\n");
    let own = |text: &str| text.lines().rfind(|line| line.starts_with('[')).unwrap().to_owned();
    assert_eq!(own(&shown), own(&restored));
    assert!(shown.lines().any(|line| *line == step), "{shown}");
}

#[test]
fn one_record_is_followed_and_what_is_wrong_is_said() {
    let project = telling();
    let _ = run(&project, &["run", "recipe.rhai"]);
    let shown = replay(
        &project,
        &["--step", "2", "--record", "1"],
        "record.records.kind\nrecord.loaded.y.kind\nrecord.loaded.x.leaf.shape\n",
    );
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("made ")).collect();
    assert_eq!(lines[0], lines[1], "the loader gives the kind of the record: {shown}");
    assert_eq!(lines[2], "[2]");
    for (arguments, expected) in [
        (&["--step", "0"][..], "the run has no step 0"),
        (&["--step", "999"], "the run has no step 999"),
        (&["--step", "1", "--record", "99"], "the batch has no record 99: it has 4, counted from 0"),
    ] {
        let output = run(&project, &[&["replay", "artifacts"], arguments].concat());
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}

#[test]
fn records_that_a_recipe_made_are_made_again() {
    let project = project();
    edit(
        &project,
        "recipe.rhai",
        r#"read_records("train.csv")"#,
        r#"read_records("train.csv").head(6).select(["length", "width", "kind"])"#,
    );
    let _ = run(&project, &["run", "recipe.rhai"]);
    let refused = run(&project, &["replay", "artifacts", "--step", "2"]);
    assert!(text(&refused.stderr).contains("are no file that can be read again"), "{}", text(&refused.stderr));
    let shown = replay(&project, &["--step", "2", "--recipe", "recipe.rhai"], "batch.rows.len()\n");
    assert_eq!(shown, "2\n");
}
