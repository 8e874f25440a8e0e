//! Does something again whenever a file is saved.
//!
//! Files are looked at four times a second: a project has tens of them, and asking the system for their times takes
//! less than the machinery of being told would, which every system has another of.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::cli::signals::stop_flag;
use crate::cli::terminal;
use crate::error::{Error, Kind, Result};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Files that are looked at, below folders, at most.
const FILES: usize = 2_000;

/// Endings of what a recipe is made of.
const ENDINGS: [&str; 12] =
    ["rhai", "json", "json5", "toml", "yaml", "yml", "csv", "jsonl", "parquet", "arrow", "feather", "tsv"];

/// What is known of a file: its path, when it was written, how long it is.
type Seen = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Calls `act`, and again after each change of one of the files or of a file of a recipe below one of the folders,
/// until someone asks to stop.
///
/// # Errors
/// Someone asked to stop, which is how this ends.
pub fn on_save(folders: Vec<PathBuf>, files: Vec<PathBuf>, act: &mut dyn FnMut()) -> Result<()> {
    let stop = stop_flag();
    loop {
        // Looked at before acting, so that what is saved meanwhile is not missed.
        let before = look(&folders, &files);
        act();
        terminal::message("watching; Ctrl-C ends it\n");
        let changed = loop {
            if stop.load(Ordering::SeqCst) {
                return Err(Error::new(Kind::Interrupted, "no longer watching"));
            }
            std::thread::sleep(LOOK);
            let now = look(&folders, &files);
            if now != before {
                break changed(&before, &now);
            }
        };
        terminal::message(&format!("\n{} changed\n", changed.display()));
    }
}

fn look(folders: &[PathBuf], files: &[PathBuf]) -> Seen {
    let of_recipe = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| ENDINGS.contains(&&*ending))
    };
    let below = folders.iter().flat_map(|folder| {
        let entries = walkdir::WalkDir::new(folder).max_depth(5).sort_by_file_name().into_iter();
        // A run writes into its folder all the time, and a hidden one is no business of a recipe.
        let entries = entries.filter_entry(|entry| {
            let hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
            !hidden && !entry.path().join(crate::artifact::layout::NETWORK_PARAMS).is_file()
        });
        entries.filter_map(std::result::Result::ok).map(walkdir::DirEntry::into_path).filter(|path| of_recipe(path))
    });
    let seen = |path: PathBuf| {
        let about = std::fs::metadata(&path).ok();
        let length = about.as_ref().map_or(0, std::fs::Metadata::len);
        (path, about.and_then(|about| about.modified().ok()), length)
    };
    files.iter().cloned().chain(below.take(FILES)).map(seen).collect()
}

/// Returns the first file that is new, gone or another.
fn changed(before: &Seen, now: &Seen) -> PathBuf {
    let odd = |one: &Seen, other: &Seen| one.iter().find(|file| !other.contains(file)).map(|file| file.0.clone());
    odd(now, before).or_else(|| odd(before, now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_recipes_are_seen_and_runs_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("run/scripts")).unwrap();
        std::fs::create_dir(path(".git")).unwrap();
        for name in ["a.rhai", "b.CSV", "c.txt", ".git/d.json", "run/network_params.json", "run/scripts/a.rhai"] {
            std::fs::write(path(name), "1").unwrap();
        }
        let folders = [folder.path().to_owned()];
        let look = |files: &[PathBuf]| super::look(&folders, files);
        let before = look(&[]);
        let names: Vec<_> = before.iter().map(|file| file.0.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.rhai", "b.CSV"]);
        std::fs::write(path("a.rhai"), "12").unwrap();
        assert_eq!(changed(&before, &look(&[])), path("a.rhai"));
        std::fs::write(path("e.toml"), "1").unwrap();
        std::fs::write(path("a.rhai"), "1").unwrap();
        assert_eq!(changed(&look(&[path("c.txt")]), &look(&[])), path("c.txt"));
        std::fs::remove_file(path("e.toml")).unwrap();
        assert_eq!(look(&[path("gone")])[0].1, None);
    }
}
