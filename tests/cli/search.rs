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
