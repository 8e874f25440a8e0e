//! `cases/`: folders of configs that extend each other and are changed from the command line.
//!
//! `words.txt` has what follows `barrage train`, without the data files, a word a line: the config, then overrides.
//! `shown.txt` is what a person sees: the config with where each value came from, or the error.

use std::path::{Path, PathBuf};
use std::{fs, io};

use barrage::error::draw;
use barrage::recipe::{Recipe, Written};

use super::{compare, every, folder};

#[test]
fn cases_are_shown_as_written_beside_them() {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() > 10, "{} cases", folders.len());
    let mut wrong = Vec::new();
    for case in folders {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let words = fs::read_to_string(case.join("words.txt")).unwrap();
        let (config, overrides) = words.trim_end().split_once('\n').unwrap_or((words.trim_end(), ""));
        let shown = show(&case, config, &overrides.lines().collect::<Vec<_>>());
        wrong.extend(compare(&name, &shown, &case.join("shown.txt")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn show(case: &Path, config: &str, overrides: &[&str]) -> String {
    let here = format!("{}/", case.display());
    let written = Written::read(&case.join(config)).and_then(|written| written.overridden(overrides));
    let resolved = written.and_then(|written| Recipe::resolve(&written).map(|resolved| (written, resolved)));
    let shown = match resolved {
        Ok((written, (recipe, notes))) => {
            let shown = recipe.explain(&written);
            // What is printed is a config again, and means the same.
            let (again, notes_again) = Recipe::resolve(&Written::from_json("shown.json", &shown).unwrap()).unwrap();
            assert_eq!(again, recipe, "{shown}");
            assert_eq!(notes_again, Vec::<String>::new(), "{shown}");
            let notes: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
            format!("{shown}{notes}")
        }
        Err(error) => {
            assert!(every(&error).all(|error| error.code().is_some()), "an error without a code: {error}");
            draw(&error, false)
        }
    };
    shown.replace(&here, "")
}

#[test]
fn a_base_need_not_lie_beside_the_config() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("runs"))?;
    fs::write(folder.path().join("base.toml"), "[data]\na = 1\nb = 2\n")?;
    fs::write(folder.path().join("middle.yaml"), "extends: base.toml\ndata: {b: 3, c: 4}\n")?;
    fs::write(folder.path().join("runs/top.json"), r#"{"extends": "../middle.yaml", "data": {"c": 5}}"#)?;
    let written = Written::read(&folder.path().join("runs/top.json")).unwrap();
    assert_eq!(written.root.to_value(), serde_json::json!({"data": {"a": 1, "b": 3, "c": 5}}));
    Ok(())
}
