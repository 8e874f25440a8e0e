//! What shows that a run of one's own is exact: `verify-resume` and `check --gradients`.

use std::fs;

use super::{edit, project, run, text};

#[test]
fn a_sound_recipe_resumes_to_the_bit() {
    let project = project();
    let output = run(&project, &["verify-resume", "recipe.rhai", "solver.accumulate=2", "solver.ema=true"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert_eq!(told.lines().count(), 4, "{told}");
    assert!(told.lines().all(|line| line.ends_with(": the same bits")), "{told}");
    assert!(told.starts_with("stopped after the first batch of epoch 1, step 1: "), "{told}");
    assert!(!project.path().join("artifacts").exists());

    let config = ["verify-resume", "config.json", "--records", "train.csv", "validation.csv", "--stops", "2"];
    let output = run(&project, &config);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let output = run(&project, &["verify-resume", "config.json"]);
    assert_eq!(output.status.code(), Some(2));
}

/// A service that begins anew where a run is resumed, as no checkpoint can know.
#[test]
fn what_no_checkpoint_keeps_is_found() {
    let project = project();
    fs::write(
        project.path().join("components/forgetful.rhai"),
        r#"
            fn init() { this.path = []; }
            fn on_train_begin(logs) { this.path = [logs.step]; }
            fn on_batch_end(logs) { #{ learning_rate: 0.01 / (1.0 + this.path[0]) } }
        "#,
    )
    .unwrap();
    edit(
        &project,
        "config.json",
        r#""services": {}"#,
        r#""services": { "callbacks": [{ "import": "components.forgetful" }] }"#,
    );
    let output =
        run(&project, &["verify-resume", "config.json", "--records", "train.csv", "validation.csv", "--stops", "3"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let (told, error) = (text(&output.stdout), text(&output.stderr));
    assert!(told.contains("the weights: ") && told.contains("numbers of `"), "{told}");
    assert!(told.contains("the learning rate is 0.01 in one run and "), "{told}");
    assert!(error.contains("of 3 resumed runs differ from the whole one"), "{error}");
}

#[test]
fn gradients_of_scripts_are_compared_with_differences() {
    let project = project();
    let loss = |body: &str| {
        let text = format!("fn loss(y_true, y_pred) {{ {body} }}\n");
        fs::write(project.path().join("components/own.rhai"), text).unwrap();
    };
    edit(&project, "config.json", r#""import": "mean_squared_error""#, r#""import": "components.own""#);
    let check = || run(&project, &["check", "--gradients", "config.json", "--records", "train.csv", "validation.csv"]);
    loss("(y_true - y_pred).pow(2).mean(-1)");
    let output = check();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("weights are right: ") && told.contains("in numbers of 64 bits"), "{told}");

    // The factor has no gradient of its own.
    loss("(y_true - y_pred).pow(2).mean(-1) * tensor(y_pred.to_array()).reshape(y_pred.shape).mean(-1)");
    let output = check();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let error = text(&output.stderr);
    assert!(error.contains("the gradient of the loss by the prediction of output `"), "{error}");
    assert!(error.contains("differences of the loss say"), "{error}");
}
