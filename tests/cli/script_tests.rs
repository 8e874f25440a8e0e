//! `barrage test`: tests in the scripts of a project, and golden batches.

use std::fs;

use super::{edit, project, run, text};

const TESTS: &str = r#"
/// The measures of one leaf.
fn test_measures() {
    assert_equal(measures(records([#{ length: 1.5, width: 2.0, kind: "oak" }])[0]), tensor([1.5, 2.0]));
}

fn test_first_batch() {
    let run = prepare(read_json("config.json"), read_records("train.csv"), read_records("validation.csv"));
    let batch = run.batch(0);
    batch.remove("records");
    golden(batch);
    golden("second", run.batch(1).x);
}

fn test_not_this_one(argument) { throw "it has a parameter" }
fn testing() { throw "its name begins with something else" }
"#;

#[test]
fn tests_of_scripts_run_with_golden_batches() {
    let project = project();
    let file = project.path().join("components/leaf.rhai");
    fs::write(&file, fs::read_to_string(&file).unwrap() + TESTS).unwrap();
    let test = |arguments: &[&str]| {
        let output = run(&project, &[&["test"], arguments].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = test(&[]);
    assert_eq!(code, Some(1));
    assert_eq!(stdout, "components/leaf.rhai\n  ok      test_measures\n  failed  test_first_batch\n");
    assert!(stderr.contains("there is no golden value `golden/components/leaf/test_first_batch.json` yet"), "{stderr}");
    assert!(stderr.contains("1 of 2 tests failed"), "{stderr}");

    let (code, stdout, stderr) = test(&["--update"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.ends_with("2 tests ok, 2 golden values written\n"), "{stdout}");
    let golden = fs::read_to_string(project.path().join("golden/components/leaf/test_first_batch.json")).unwrap();
    assert!(golden.contains("\"dtype\": \"f32\"") && golden.contains("\"rows\""), "{golden}");
    assert_eq!(test(&[]).0, Some(0));
    assert!(test(&["--filter", "measures"]).1.ends_with("1 test ok\n"));

    // Another batch is noticed, with the place of the first value.
    edit(&project, "config.json", r#"["length", "width"]"#, r#"["width", "length"]"#);
    let (code, _, stderr) = test(&["components", "--filter", "batch"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("test_first_batch.json`: `x.leaf.values[0]`: expected "), "{stderr}");
    assert!(stderr.contains("components/leaf.rhai:"), "{stderr}");
}

#[test]
fn what_cannot_be_tested_is_said() {
    let project = project();
    let none = run(&project, &["test"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there are no tests"), "{}", text(&none.stderr));
    fs::write(project.path().join("broken.rhai"), "fn test_x() { let y = ; }\n").unwrap();
    let broken = run(&project, &["test"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stderr).contains("broken.rhai:1:"), "{}", text(&broken.stderr));
    let missing = run(&project, &["test", "broke.rhai"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("did you mean `broken.rhai`?"), "{}", text(&missing.stderr));
}
