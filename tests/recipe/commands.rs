//! The commands that show and check configs, as processes.

use std::path::Path;
use std::process::{Command, Output};
use std::{fs, str};

const CONFIG: &str = r#"{
  "dataset": {"loader": {"import": "loaders.iris"}},
  "model": {
    "network": {"import": "networks.iris"},
    "outputs": [{"name": "flower", "loss": {"import": "mse"}}]
  }
}
"#;

fn barrage(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_barrage")).current_dir(folder).args(words).output().unwrap()
}

/// Returns the exit code, standard output and standard error of a command beside a right config and a wrong one.
fn run(words: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    fs::write(folder.path().join("wrong.json"), CONFIG.replace("loaders.iris\"", "loaders.iris\", \"parms\": {}"))
        .unwrap();
    let recipe =
        format!("print(\"a script\");\nlet config = {};\n", CONFIG.replacen('{', "#{", 1).replace(" {", " #{"));
    let recipe = recipe.replace("[{", "[#{");
    let train = "trainer(\"artifacts\").train(config, records([#{a: 1}]), records([#{a: 1}]));";
    fs::write(folder.path().join("recipe.rhai"), format!("{recipe}{train}\n")).unwrap();
    let output = barrage(folder.path(), words);
    assert!(!folder.path().join("artifacts").exists());
    let text = |bytes: &[u8]| str::from_utf8(bytes).unwrap().to_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_tells_the_verdict_by_its_exit_code() {
    let (code, out, err) = run(&["check", "--config-only", "config.json"]);
    assert_eq!((code, &*out, &*err), (0, "`config.json` is a right config\n", ""));
    let (code, out, err) = run(&["check", "--config-only", "wrong.json", "solver.epochs=0"]);
    assert_eq!((code, &*out), (3, ""));
    assert!(err.starts_with("error[B0101]: unknown key `parms`"), "{err}");
    assert!(err.contains("\n1 | solver.epochs=0\n"), "{err}");
    assert!(
        err.ends_with("\nmore about it: `barrage help B0101`, `barrage help B0104`\n`wrong.json`: 2 errors\n"),
        "{err}"
    );
    assert_eq!(run(&["check", "--config-only", "missing.json"]).0, 3);
    let (code, _, err) = run(&["check", "--config-only", "config.json", "solver.epochs"]);
    assert_eq!(code, 2);
    assert!(err.contains("no `=` and no value (see `barrage help B0151`)"), "{err}");
}

#[test]
fn print_config_shows_and_does_not_train() {
    // The data files are not read.
    let words =
        ["train", "config.json", "a.csv", "b.csv", "solver.epochs=3", "--set", "dataset.seed=7", "--print-config"];
    let (code, out, err) = run(&words);
    assert_eq!((code, &*err), (0, ""));
    for line in [
        "      \"import\": \"loaders.iris\",",
        "// config.json:2\n",
        "    \"seed\": 7,",
        "// from the command line\n",
        "    \"batch_size\": 32,",
        "// default\n",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[test]
fn overrides_reach_the_config_of_a_script() {
    let (code, out, err) = run(&["run", "recipe.rhai", "solver.epochs=3", "--print-config"]);
    assert_eq!((code, &*err), (0, "a script\n"), "{out}");
    assert!(out.starts_with("{\n") && out.contains("// recipe.rhai:3\n"), "{out}");
    assert!(out.contains("\"epochs\": 3,") && out.contains("// from the command line\n"), "{out}");
    let (code, _, err) = run(&["run", "recipe.rhai", "solver.epochs=three"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("from the command line:1:15") && err.contains("\n1 | solver.epochs=three\n"), "{err}");
}

#[test]
fn pages_of_codes_are_printed() {
    let (code, out, _) = run(&["help", "b0101"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("B0101: unknown key\n\n") && out.contains("\n    # config.json\n    {\n"), "{out}");
    let (code, out, _) = run(&["help", "error-codes"]);
    assert_eq!(code, 0);
    assert!(out.contains("\nB0101  unknown key\nB0102  missing key\n"), "{out}");
    let (code, _, err) = run(&["help", "B0199"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no error code `B0199`"), "{err}");
}

#[test]
fn the_schema_is_printed() {
    let (code, out, _) = run(&["schema"]);
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), barrage::recipe::json_schema());
}
