//! `barrage search` with real processes: the same table with any number of workers, killed and resumed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{run, start, text};

/// A copy of the example whose twelve trials are searched.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    crate::broken::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/iris"), folder.path());
    folder
}

fn results(folder: &Path) -> String {
    fs::read_to_string(folder.join("results.csv")).unwrap()
}

/// The numbers of trials that have a result.
fn finished(folder: &Path) -> Vec<usize> {
    (1..=12).filter(|number| folder.join(format!("trials/{number:04}/result.json")).is_file()).collect()
}

/// The numbers of trials that a process says it has run.
fn told(stderr: &str) -> Vec<usize> {
    let number = |line: &str| line.strip_prefix("trial ")?.split('/').next()?.parse().ok();
    let mut all: Vec<usize> = stderr.lines().filter_map(number).collect();
    all.sort_unstable();
    all
}

#[test]
fn twelve_trials_give_the_same_table_with_one_worker_and_with_two_and_after_a_kill() {
    let project = project();
    let one = run(&project, &["search", "search.rhai", "--folder", "one"]);
    assert!(one.status.success(), "{}", text(&one.stderr));
    let two = run(&project, &["search", "search.rhai", "--folder", "two", "--workers", "2"]);
    assert!(two.status.success(), "{}", text(&two.stderr));
    assert_eq!(text(&one.stdout), text(&two.stdout));
    let table = results(&project.path().join("one"));
    assert_eq!(table, results(&project.path().join("two")));
    assert_eq!(table.lines().next(), Some("trial,repetition,rate,units,status,val_accuracy,val_loss"));
    assert_eq!(table.lines().count(), 13);
    assert_eq!(told(&text(&two.stderr)), (1..=12).collect::<Vec<_>>());
    // Trials differ, and repetitions differ by their seed.
    let losses: std::collections::BTreeSet<&str> =
        table.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(losses.len(), 12, "{table}");

    let folder = project.path().join("killed");
    let mut child = start(&project, &["search", "search.rhai", "--folder", "killed", "--workers", "2"]);
    let begun = Instant::now();
    while finished(&folder).len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let _ = child.wait().unwrap();
    let done = finished(&folder);
    assert!((3..12).contains(&done.len()), "{done:?}");
    let kept: Vec<_> = done
        .iter()
        .map(|number| fs::metadata(folder.join(format!("trials/{number:04}/result.json"))).unwrap().modified().unwrap())
        .collect();

    let rest = run(&project, &["search", "search.rhai", "--folder", "killed", "--workers", "2"]);
    let stderr = text(&rest.stderr);
    assert!(rest.status.success(), "{stderr}");
    assert!(stderr.contains(&format!("{} of 12 trials are done already", done.len())), "{stderr}");
    let left: Vec<usize> = (1..=12).filter(|number| !done.contains(number)).collect();
    assert_eq!(told(&stderr), left, "no trial is lost or run twice");
    let after: Vec<_> = done
        .iter()
        .map(|number| fs::metadata(folder.join(format!("trials/{number:04}/result.json"))).unwrap().modified().unwrap())
        .collect();
    assert_eq!(kept, after);
    assert_eq!(results(&folder), table);
}

#[test]
fn a_search_is_of_one_recipe_and_says_what_is_wrong() {
    let project = project();
    let edit = |from: &str, to: &str| super::edit(&project, "search.rhai", from, to);
    edit("units: [5, 25], rate: [0.001, 0.005, 0.02] }) * 2", "units: [5, 6] })");
    edit("epochs: 30", "epochs: 1");
    let first = run(&project, &["search", "search.rhai"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    // The recipe itself runs by itself, with its own values.
    let alone = run(&project, &["run", "search.rhai"]);
    assert!(
        alone.status.success() && text(&alone.stdout).starts_with("report: val_accuracy "),
        "{}",
        text(&alone.stdout)
    );
    // Trials write into folders of their own.
    assert!(project.path().join("searches/search/trials/0002/artifacts/config.json").is_file());

    edit("epochs: 1", "epochs: 2");
    let changed = run(&project, &["search", "search.rhai"]);
    assert_eq!(changed.status.code(), Some(3));
    assert!(text(&changed.stderr).contains("the script `search.rhai` was changed"), "{}", text(&changed.stderr));
    edit("epochs: 2", "epochs: 1");
    edit("units: [5, 6]", "unit: [5, 6]");
    let misspelt = run(&project, &["search", "search.rhai", "--folder", "other"]);
    assert_eq!(misspelt.status.code(), Some(1));
    assert!(text(&misspelt.stdout).contains("failed"), "{}", text(&misspelt.stdout));
    assert!(text(&misspelt.stderr).contains("the search tries `unit`"), "{}", text(&misspelt.stderr));
    let none = run(&project, &["search", "recipe.rhai"]);
    assert!(text(&none.stderr).contains("`recipe.rhai` does not say what to try"), "{}", text(&none.stderr));
}

#[test]
fn bad_trials_end_early_alike_with_one_worker_and_with_two_and_after_a_kill() {
    let project = project();
    let search = |folder: &str, workers: &str| {
        let output = run(&project, &["search", "halving.rhai", "--folder", folder, "--workers", workers]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        output
    };
    let one = search("one", "1");
    let table = results(&project.path().join("one"));
    search("two", "2");
    assert_eq!(table, results(&project.path().join("two")));
    assert!(text(&one.stderr).contains(" did best: val_loss "), "{}", text(&one.stderr));
    // Rungs at 3, 9 and 27 epochs: a trial is stopped at one of the first two, or goes on for as long as it likes.
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (status, epochs) = (cells[column("status")], cells[column("epochs")]);
        let stopped = ["3", "9"].contains(&epochs);
        assert_eq!(status, if stopped { "stopped" } else { "done" }, "{line}");
        seen.insert(epochs);
    }
    assert!(seen.contains("27") && seen.len() >= 2, "{table}");
    assert_eq!(table.lines().count(), 13);

    let folder = project.path().join("killed");
    let mut child = start(&project, &["search", "halving.rhai", "--folder", "killed", "--workers", "2"]);
    let begun = Instant::now();
    while finished(&folder).len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let _ = child.wait().unwrap();
    let done = finished(&folder);
    let rest = search("killed", "2");
    let left: Vec<usize> = (1..=12).filter(|number| !done.contains(number)).collect();
    assert_eq!(told(&text(&rest.stderr)), left, "no trial is lost or run twice");
    assert_eq!(results(&folder), table);
}

#[test]
fn an_experiment_is_searched_by_its_config_and_previewed() {
    let project = tempfile::tempdir().unwrap();
    let recipe = "let h = hparams(#{ rate: 1.0 });\n\
                  report(#{ score: h.rate * trial().experiment.data.scale, seed: trial().seed });\n";
    fs::write(project.path().join("trial.rhai"), recipe).unwrap();
    let config = "name = \"rates\"\nentrypoint = \"trial.rhai\"\n[data]\nscale = 10\n\
                  [hyperparameters.rate]\ntype = \"double\"\nminval = 0\nmaxval = 1\ncount = 3\n\
                  [searcher]\nname = \"grid\"\nmetric = \"score\"\nsmaller_is_better = false\n";
    fs::write(project.path().join("experiment.toml"), config).unwrap();
    let preview = run(&project, &["search", "experiment.toml", "--preview"]);
    assert_eq!(text(&preview.stdout), "bracket  time  trials\n1              3\n", "{}", text(&preview.stderr));
    assert!(!project.path().join("searches").exists());
    let output = run(&project, &["search", "experiment.toml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("trial 3 did best: score 10"), "{}", text(&output.stderr));
    let table = results(&project.path().join("searches/rates"));
    let scores: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').nth(4).unwrap()).collect();
    assert_eq!(scores, ["0.0", "5.0", "10.0"], "{table}");

    super::edit(&project, "experiment.toml", "scale = 10", "scale = 20");
    let other = run(&project, &["search", "experiment.toml"]);
    assert!(text(&other.stderr).contains("holds a search of another experiment"), "{}", text(&other.stderr));
    super::edit(&project, "experiment.toml", "maxval", "maxvalue");
    let wrong = run(&project, &["search", "experiment.toml"]);
    assert!(text(&wrong.stderr).contains("hyperparameter `rate` has no `maxval`"), "{}", text(&wrong.stderr));
    assert!(text(&wrong.stderr).contains("experiment.toml"), "{}", text(&wrong.stderr));
}

#[test]
fn trials_share_what_is_kept_on_disk() {
    let project = tempfile::tempdir().unwrap();
    // What a trial writes goes into its own folder: the file says which trial computed.
    let recipe = "fn search() { domain(#{ rate: [1, 2, 3, 4] }) }\n\
                  let slow = memo_disk(|n| {\n\
                      records([#{ n: n }]).write(\"computed.csv\");\n\
                      let sum = 0;\n\
                      for i in 0..300000 { sum += i % n; }\n\
                      sum\n\
                  }, #{ dir: \"kept\" });\n\
                  report(#{ score: slow.call(7) * hparams(#{ rate: 1 }).rate });\n";
    fs::write(project.path().join("trial.rhai"), recipe).unwrap();
    let output = run(&project, &["search", "trial.rhai", "--workers", "2"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = project.path().join("searches/trial");
    let computed = (1..=4).filter(|number| folder.join(format!("trials/{number:04}/computed.csv")).is_file()).count();
    assert_eq!(computed, 1);
    let table = results(&folder);
    let scores: Vec<i64> =
        table.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(scores, [1, 2, 3, 4].map(|rate| rate * scores[0]), "{table}");
    assert!(project.path().join("kept").is_dir() && scores[0] > 0);
}
