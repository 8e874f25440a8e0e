//! Every example as a whole, in a copy of its folder: what it reaches, and that it repeats bit for bit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use barrage::Result;
use barrage::script::Host;
use tempfile::TempDir;

/// A copy of an example's folder, with its own artifacts.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn of(example: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example), folder.path());
        Copy { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a text that must be there.
    fn edit(&self, file: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {file}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
        self
    }

    /// Runs the recipe and returns what it prints.
    fn run(&self) -> String {
        self.run_with(&[]).unwrap()
    }

    fn run_with(&self, arguments: &[&str]) -> Result<String> {
        let printed = Arc::new(Mutex::new(String::new()));
        let sink = printed.clone();
        let host = Host::builder(self.folder.path())
            .arguments(arguments.iter().map(|argument| (*argument).to_owned()).collect())
            .print(move |text| {
                let mut all = sink.lock().unwrap();
                all.push_str(text);
                all.push('\n');
            })
            .build()?;
        let _ = host.run_file(&self.path("recipe.rhai"))?;
        let text = printed.lock().unwrap().clone();
        Ok(text)
    }

    fn eval(&self, script: &str) -> rhai::Dynamic {
        let host = Host::builder(self.folder.path()).build().unwrap();
        host.eval(script).unwrap()
    }

    fn report(&self) -> String {
        fs::read_to_string(self.path("artifacts/training_report.csv")).unwrap()
    }

    fn weights(&self) -> Vec<u8> {
        fs::read(self.path("artifacts/best_checkpoint/model.safetensors")).unwrap()
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("artifacts") {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(name)),
            false => drop(fs::copy(entry.path(), to.join(name)).unwrap()),
        }
    }
}

/// The number after a text in what a recipe printed.
fn number_after(text: &str, label: &str) -> f64 {
    let at = text.find(label).unwrap_or_else(|| panic!("`{label}` is not in:\n{text}")) + label.len();
    let digits: String = text[at..].trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    digits.parse().unwrap()
}

#[test]
fn iris_is_learned_with_five_seeds_and_the_reported_accuracy_is_the_real_one() {
    for seed in [42, 1, 2, 3, 4] {
        let example = Copy::of("iris");
        example.edit("config.json", "\"seed\": 42", &format!("\"seed\": {seed}"));
        let reported = number_after(&example.run(), "best checkpoint:");
        assert!(reported >= 0.93, "seed {seed}: accuracy {reported}");
        assert_eq!(example.report().lines().count(), 51, "seed {seed}: a header and 50 epochs");

        // The same rows, scored without labels by a model that is loaded afresh.
        let recomputed = example.eval(
            r#"
            let classes = ["setosa", "versicolor", "virginica"];
            let data = read_records("iris.csv").map(|record| #{
                sepal_length: record.sepal_length, sepal_width: record.sepal_width,
                petal_length: record.petal_length, petal_width: record.petal_width,
                label: classes.index_of(record.species),
            });
            let held_out = data.split(0.8, #{ seed: 42, stratify: "label" })[1];
            let inputs = held_out.select(["sepal_length", "sepal_width", "petal_length", "petal_width"]);
            let scores = trainer("artifacts").predict(inputs);
            let right = 0;
            for (score, index) in scores {
                if score.species.argmax().item == held_out[index].label { right += 1; }
            }
            right.to_float() / scores.len()
            "#,
        );
        let recomputed = recomputed.as_float().unwrap();
        assert!((recomputed - reported).abs() < 1e-9, "seed {seed}: reported {reported}, recomputed {recomputed}");
    }
}

#[test]
fn scripted_iris_names_its_flowers() {
    let printed = Copy::of("iris_scripted").run();
    assert!(number_after(&printed, "") >= 28.0, "{printed}");
    assert!(printed.contains("of 30 held-out flowers named right"), "{printed}");
}

#[test]
fn penguins_are_told_apart_and_weighed() {
    let printed = Copy::of("penguins").run();
    let right = number_after(&printed, "species right:");
    let of = number_after(&printed, "of ");
    assert!(right / of > 0.95, "{printed}");
    assert!(number_after(&printed, "body mass:") < 350.0, "{printed}");
}

/// Two epochs; the example's README says what twenty reach.
#[test]
fn digits_are_read_after_two_epochs() {
    let example = Copy::of("digits");
    let printed = example.run_with(&["2"]).unwrap();
    assert!(number_after(&printed, "test accuracy:") > 0.7, "{printed}");
}

/// Thirty epochs; the example's README says what five hundred reach.
#[test]
fn series_of_the_archive_are_told_apart() {
    let printed = Copy::of("ucr").run_with(&["italy_power_demand", "30"]).unwrap();
    assert!(number_after(&printed, "test accuracy:") > 0.9, "{printed}");
}

/// A twenty-fifth of the questions, two epochs: how it begins. The README says how it goes on.
#[test]
fn sums_begin_to_be_learned() {
    let example = Copy::of("addition_rnn");
    example.edit("recipe.rhai", "let count = 50000", "let count = 2000");
    let printed = example.run_with(&["2"]).unwrap();
    assert!(number_after(&printed, "validation accuracy after epoch 2:") > 0.25, "{printed}");
    assert_eq!(printed.matches(" = ").count(), 5, "{printed}");
}

#[test]
fn one_seed_gives_the_same_bits_and_another_seed_does_not() {
    let run = |seed: &str| {
        let example = Copy::of("iris_scripted");
        example.edit("recipe.rhai", "seed: 42,\n    },", &format!("seed: {seed},\n    }},"));
        example.run();
        (example.report(), example.weights())
    };
    let (report, weights) = run("42");
    let (again, same_weights) = run("42");
    assert_eq!(report, again);
    assert!(weights == same_weights, "the weights differ");
    let (other, other_weights) = run("43");
    assert_ne!(report, other);
    assert!(weights != other_weights, "another seed gave the same weights");
}

#[test]
fn a_run_without_a_seed_records_the_one_it_drew() {
    let example = Copy::of("iris");
    example.edit("config.json", ",\n    \"seed\": 42", "");
    example.run();
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(example.path("artifacts/config.json")).unwrap()).unwrap();
    let seed = config["dataset"]["seed"].as_u64().expect("a seed");
    let repeated = Copy::of("iris");
    repeated.edit("config.json", "\"seed\": 42", &format!("\"seed\": {seed}"));
    repeated.run();
    assert_eq!(example.report(), repeated.report());
}

#[test]
fn the_cache_changes_nothing_but_time() {
    let cached = Copy::of("iris_scripted");
    cached.run();
    let fresh = Copy::of("iris_scripted");
    fresh.edit("recipe.rhai", "seed: 42,\n    },", "seed: 42,\n        cache: false,\n    },");
    fresh.run();
    assert_eq!(cached.report(), fresh.report());
    assert!(cached.weights() == fresh.weights(), "the weights differ");
}

#[test]
fn a_start_that_fails_leaves_the_earlier_run_alone() {
    let example = Copy::of("iris_scripted");
    example.run();
    let before = example.weights();
    example.edit("recipe.rhai", "name: \"species\"", "name: \"specis\"");
    let error = example.run_with(&[]).unwrap_err();
    assert!(error.message().contains("specis"), "{error}");
    assert!(example.weights() == before, "the earlier run was touched");
    assert!(!example.path("artifacts.1").exists(), "the earlier run was moved");
}

#[test]
fn cifar_is_learned_from_batch_loaders_and_the_three_ways_give_the_same_bits() {
    let example = Copy::of("cifar_loader");
    let accuracy = number_after(&example.run(), "validation accuracy:");
    // Ten classes, 18 records each.
    assert!(accuracy >= 0.6, "accuracy {accuracy}");
    let (report, weights) = (example.report(), example.weights());
    for other in ["cifar_arrays", "cifar_slices"] {
        example.run_with(&[other]).unwrap();
        assert_eq!(example.report(), report, "{other}");
        assert_eq!(example.weights(), weights, "{other}");
    }
}
