//! What the documents say is true: the README's commands run in order, with the files its snippets write, and
//! every link between documents leads somewhere. The chores in `scripts/` do what their first comments say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with copies of the examples and scripts, as after a clone.
fn clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["examples", "scripts"] {
        for entry in walkdir::WalkDir::new(Path::new(ROOT).join(name)).sort_by_file_name() {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(ROOT).unwrap();
            let kept = !path.iter().any(|part| part.to_string_lossy().starts_with("artifacts"));
            if kept && entry.file_type().is_file() {
                let target = folder.path().join(path);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    folder
}

#[test]
#[cfg(unix)]
fn the_readme_goes_as_written() {
    let folder = clone();
    let (commands, complaints) = crate::transcript::run(&Path::new(ROOT).join("README.md"), folder.path());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(commands >= 15, "only {commands} commands");
    assert!(folder.path().join("artifacts/best_checkpoint/model.safetensors").is_file());
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    let documents = walkdir::WalkDir::new(ROOT).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with('.') || name == "target" || name.starts_with("artifacts"))
    });
    for entry in documents {
        let path = entry.unwrap().into_path();
        // Pages of the manual are printed from the program; their tests are elsewhere.
        if path.extension().is_none_or(|ending| ending != "md") || path.starts_with(Path::new(ROOT).join("docs/manual"))
        {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let inside = !link.contains("://") && !file.is_empty();
            if inside && !path.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: {link}", path.strip_prefix(ROOT).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these links lead nowhere:\n{}", wrong.join("\n"));
}

fn barrage(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_barrage")).args(arguments).current_dir(folder).output().unwrap()
}

/// Runs a script of `scripts/` on files below a folder; returns what it prints.
fn chore(folder: &Path, script: &str, arguments: &[&str]) -> Result<String, String> {
    let script = Path::new(ROOT).join("scripts").join(script);
    let all = [&["run", script.to_str().unwrap(), "--root", ".", "--"], arguments].concat();
    let output = barrage(folder, &all);
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..10).map(|row| format!("{row},{},{}\n", row * 2, ["a", "b"][row % 2])).collect();
    fs::write(folder.path().join("data.csv"), format!("x,y,class\n{rows}")).unwrap();
    folder
}

#[test]
fn describe_shows_columns_and_rows() {
    let folder = data();
    let printed = chore(folder.path(), "describe.rhai", &["data.csv"]).unwrap();
    assert!(printed.starts_with("10 records, 3 columns, data.csv\n"), "{printed}");
    assert!(printed.contains("5 records, 3 columns"), "{printed}");
    let error = chore(folder.path(), "describe.rhai", &["dta.csv"]).unwrap_err();
    assert!(error.contains("did you mean `data.csv`?"), "{error}");
    let error = chore(folder.path(), "describe.rhai", &[]).unwrap_err();
    assert!(error.starts_with("error[B0321]: usage: barrage run scripts/describe.rhai"), "{error}");
}

#[test]
fn convert_writes_another_format_and_selects_columns() {
    let folder = data();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let printed = chore(folder.path(), "convert.rhai", &["data.csv", "data.jsonl", "class", "x"]).unwrap();
    assert_eq!(printed, "data.jsonl: 10 records of 2 columns\n");
    assert_eq!(read("data.jsonl").lines().next(), Some(r#"{"class":"a","x":0}"#));
    let _ = chore(folder.path(), "convert.rhai", &["data.csv", "data.json"]).unwrap();
    let _ = chore(folder.path(), "convert.rhai", &["data.json", "again.csv"]).unwrap();
    assert_eq!(read("again.csv"), read("data.csv"));
}

#[test]
fn split_keeps_every_row_once_and_the_proportion_of_classes() {
    let folder = data();
    let arguments = ["data.csv", "0.8", "train.csv", "validation.csv", "class", "3"];
    let printed = chore(folder.path(), "split.rhai", &arguments).unwrap();
    assert_eq!(printed, "train.csv: 8 records\nvalidation.csv: 2 records\n");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let rows = |name: &str| read(name).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let mut all = [rows("train.csv"), rows("validation.csv")].concat();
    all.sort();
    assert_eq!(all, rows("data.csv"));
    assert_eq!(rows("train.csv").iter().filter(|row| row.ends_with('a')).count(), 4);
    let first = read("train.csv");
    let _ = chore(folder.path(), "split.rhai", &arguments).unwrap();
    assert_eq!(read("train.csv"), first, "the same command gives the same rows");
}

#[test]
fn scripts_write_below_the_project_root_only() {
    let (folder, outside) = (data(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("far.csv"), "x\n1\n").unwrap();
    let far = outside.path().canonicalize().unwrap();
    let script = folder.path().join("copy.rhai");
    fs::write(&script, "read_records(args()[0]).write(args()[1]);").unwrap();
    let (from, to) = (far.join("far.csv"), far.join("copy.csv"));
    let run = |from: &Path, to: &str| {
        let allowed = far.to_str().unwrap();
        let output =
            barrage(folder.path(), &["run", "copy.rhai", "--allow-read", allowed, "--", from.to_str().unwrap(), to]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&from, "near.csv").0, Some(0));
    let (code, error) = run(&from, to.to_str().unwrap());
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("scripts write below the project root only"), "{error}");
    assert!(!to.exists());
}
