//! What a resumed run reads again: files, rows of files, scripts, and what has changed of them. That it gives the same bits
//! is in `kills.rs`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use barrage::script::Host;

/// The iris config with an own loader, a scripted transformer and an augmentor, on two CSV files.
pub(crate) fn project(folder: &Path) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/iris_scripted");
    fs::create_dir(folder.join("components")).unwrap();
    for file in [
        "iris.csv",
        "components/flowers.rhai",
        "components/prepare.rhai",
        "components/noise.rhai",
        "components/network.rhai",
    ] {
        fs::copy(example.join(file), folder.join(file)).unwrap();
    }
    let config = r#"{
        "dataset": {
            "loader": { "import": "components.flowers" },
            "transformer": { "import": "components.prepare" },
            "augmentor": [{ "import": "components.noise.gaussian", "params": { "deviation": 0.1 } }],
            "seed": 5
        },
        "model": {
            "network": { "import": "components.network", "params": { "units": 16, "layers": 2 } },
            "outputs": [{
                "name": "species",
                "loss": { "import": "sparse_categorical_crossentropy" },
                "metrics": [{ "import": "accuracy" }, { "import": "watch.share" }],
                "weighted_metrics": [{ "import": "accuracy", "params": { "name": "weighted" } }],
                "class_weight": { "0": 0.5, "2": 2.0 }
            }]
        },
        "solver": {
            "batch_size": 8, "epochs": 30, "checkpoint_every": 2, "accumulate": 2, "ema": true, "gradient_clip": 1.0,
            "learning_rate_reducer": { "monitor": "loss", "mode": "min", "patience": 2, "factor": 0.7 }
        },
        "services": {
            "train_early_stopping": false, "validation_early_stopping": false,
            "callbacks": [{ "import": "watch.calls" }, { "import": "watch.calls" }]
        }
    }"#;
    fs::write(folder.join("config.json"), config).unwrap();
    fs::create_dir(folder.join("watch")).unwrap();
    // A metric and a service that keep numbers, lists and tensors, and a number that JSON has no word for.
    let share = r#"
        fn init() { this.right = 0.0; this.seen = 0; this.sums = zeros([3]); }
        fn update(y_true, y_pred, weight) {
            this.right += y_pred.max(-1).sum().item / 3.0;
            this.seen += y_pred.len;
            this.sums += y_pred.sum(0);
        }
        fn result() { if this.seen == 0 { 0.0 } else { this.right / this.seen + this.sums.max().item * 0.0001 } }
    "#;
    fs::write(folder.join("watch/share.rhai"), share).unwrap();
    let calls = r#"
        fn init() { this.steps = []; this.least = 1.0 / 0.0; this.mean = 0.0; }
        fn on_batch_end(logs) {
            this.steps.push(logs.step);
            if this.steps.len() > 5 { this.steps.remove(0); }
            this.mean = this.mean * 0.9 + logs.loss / 10.0;
        }
        fn on_epoch_end(logs) { if logs.loss > 1e9 { this.least = logs.loss; } }
    "#;
    fs::write(folder.join("watch/calls.rhai"), calls).unwrap();
    let host = Host::builder(folder).build().unwrap();
    let split = r#"
        let parts = read_records("iris.csv").split(0.8, #{ seed: 42, stratify: "species" });
        parts[0].write("train.csv");
        parts[1].write("validation.csv");
    "#;
    let _ = host.eval(split).unwrap();
}

pub(crate) fn barrage(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
    command.current_dir(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn rows_of_a_file_that_a_recipe_chose_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    project(folder);
    // A map of a script is written as one of JSON is, but for its opening.
    let config = fs::read_to_string(folder.join("config.json")).unwrap().replace('{', "#{");
    let recipe = r#"
        let parts = read_records("iris.csv").split(0.8, #{ seed: 42, stratify: "species" });
        config.solver.epochs = 3;
        trainer("run").train(config, parts[0], parts[1]);
    "#;
    fs::write(folder.join("recipe.rhai"), format!("let config = {config};{recipe}")).unwrap();
    assert!(barrage(folder, &["run", "recipe.rhai"]).status().unwrap().success());
    let report = fs::read(folder.join("run/training_report.csv")).unwrap();
    // As if it had been killed in its second epoch.
    for epoch in ["epoch_0002", "epoch_0003"] {
        fs::remove_dir_all(folder.join("run/resume_checkpoints").join(epoch)).unwrap();
    }
    assert!(barrage(folder, &["resume", "run"]).status().unwrap().success());
    assert!(report == fs::read(folder.join("run/training_report.csv")).unwrap());

    let data = folder.join("run/data.json");
    let mut known: serde_json::Value = serde_json::from_slice(&fs::read(&data).unwrap()).unwrap();
    assert_eq!(known["train"]["whole"], false);
    let runs = known["train"]["rows"].as_array_mut().unwrap();
    let last = runs.len() - 1;
    runs[last][1] = serde_json::json!(1000);
    fs::write(&data, known.to_string()).unwrap();
    let output = barrage(folder, &["resume", "run"]).stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("are not among 150 records"));
}

#[test]
fn a_loader_that_makes_its_records_says_what_went_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let script = r#"
        fn make_data_loaders(experiment_config, hparams) {
            let rows = read_records("rows.csv");
            [rows, rows]
        }
        fn load(record) { #{ x: #{ x: record.x }, y: #{ y: record.y } } }
    "#;
    fs::write(folder.join("own.rhai"), script).unwrap();
    fs::write(folder.join("rows.csv"), "x,y\n1,2\n2,4\n3,6\n").unwrap();
    let config = r#"{
        "dataset": { "loader": { "import": "own" }, "seed": 1 },
        "model": {
            "network": { "import": "sequential_from_config", "params": { "layers": [
                { "import": "Input", "params": { "shape": [1], "name": "x" } },
                { "import": "Dense", "params": { "units": 1, "name": "y" } }
            ] } },
            "outputs": [{ "name": "y", "loss": { "import": "mse" } }]
        },
        "solver": { "epochs": 2, "batch_size": 2 }
    }"#;
    fs::write(folder.join("config.json"), config).unwrap();
    let output = barrage(folder, &["train", "config.json", "-a", "run"]).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The script reads the run's own file no more.
    fs::remove_file(folder.join("rows.csv")).unwrap();
    let output = barrage(folder, &["resume", "run"]).stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(told.contains("rows.csv") && !told.contains("no file that can be read again"), "{told}");
}

#[test]
fn a_changed_file_or_script_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    project(folder);
    let train = ["train", "config.json", "train.csv", "validation.csv", "-a", "run"];
    assert!(barrage(folder, &train).status().unwrap().success());
    let complaint = || {
        let output = barrage(folder, &["resume", "run"]).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        String::from_utf8(output.stderr).unwrap()
    };

    let data = fs::read_to_string(folder.join("train.csv")).unwrap();
    fs::write(folder.join("train.csv"), data.replacen("setosa", "virginica", 1)).unwrap();
    assert!(complaint().contains("were changed since the run was started"));
    fs::write(folder.join("train.csv"), data).unwrap();

    let script = folder.join("run/scripts/components/noise.rhai");
    let text = fs::read_to_string(&script).unwrap();
    fs::write(&script, text.replace("deviation", "deviatoin")).unwrap();
    assert!(complaint().contains("components/noise.rhai"));
}

#[test]
fn a_run_is_resumed_from_any_folder_and_knows_its_data_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let (elsewhere, project_folder) = (folder.path().join("elsewhere"), folder.path().join("project"));
    for made in [&elsewhere, &project_folder] {
        fs::create_dir(made).unwrap();
    }
    project(&project_folder);
    // A file of the same name where the command runs is not the one that was read.
    fs::write(elsewhere.join("train.csv"), "x\n1\n").unwrap();
    let [config, train, validation] =
        ["config.json", "train.csv", "validation.csv"].map(|name| format!("../project/{name}"));
    assert!(barrage(&elsewhere, &["train", &config, &train, &validation, "-a", "run"]).status().unwrap().success());
    let data: serde_json::Value = serde_json::from_slice(&fs::read(elsewhere.join("run/data.json")).unwrap()).unwrap();
    assert_eq!(data["train"]["whole"], true);
    assert_eq!(data["train"]["bytes"], fs::metadata(project_folder.join("train.csv")).unwrap().len());
    assert!(barrage(folder.path(), &["resume", "elsewhere/run"]).status().unwrap().success());
}
