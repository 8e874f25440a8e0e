//! The folder of a run: made at once, and gone again when the start fails.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::layout::Position;
use super::{Checkpoint, checkpoint, file, layout};
use crate::error::{Error, Result, codes};

/// The folder of a run that exists.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Checks that a run may be written to `path`, without touching the disk. Missing parents are made later.
    ///
    /// # Errors
    /// A folder that holds a run is refused unless `overwrite`; a folder that holds anything else, and a
    /// file, are always refused.
    pub fn prepare(path: impl Into<PathBuf>, overwrite: bool) -> Result<Prepared> {
        let path = path.into();
        check_parents(&path)?;
        let in_the_way = match contents(&path)? {
            Contents::Nothing | Contents::Empty => None,
            Contents::Run if overwrite => {
                if path.file_name().is_none() {
                    let error = Error::artifact(format!("`{}` has no name to be moved under", path.display()));
                    return Err(error.hint("give the folder by its name"));
                }
                Some(path.clone())
            }
            Contents::Run => {
                return Err(Error::artifact(format!("`{}` holds a run already", path.display()))
                    .coded(codes::FOLDER_TAKEN)
                    .hint("`--overwrite`, or `trainer(dir, #{overwrite: true})` in a recipe, moves it out of the way")
                    .hint("or name another folder"));
            }
            Contents::Other => {
                return Err(Error::artifact(format!("`{}` is not empty and holds no run", path.display()))
                    .coded(codes::FOLDER_TAKEN)
                    .hint("such a folder is never moved or written to: name another one"));
            }
        };
        Ok(Prepared { path, in_the_way })
    }

    /// Opens the folder of a run, to predict with it or to resume it.
    ///
    /// # Errors
    /// The folder is missing, or holds no run.
    pub fn open(path: impl Into<PathBuf>) -> Result<Folder> {
        let path = path.into();
        match contents(&path)? {
            Contents::Run => Ok(Folder { path }),
            Contents::Nothing => Err(Error::artifact(format!("there is no folder `{}`", path.display()))
                .coded(codes::NO_RUN)
                .hint("expected the artifact folder of a training run")),
            Contents::Empty | Contents::Other => {
                Err(Error::artifact(format!("`{}` is not the folder of a run", path.display()))
                    .coded(codes::NO_RUN)
                    .hint(format!("looked for `{}` and one of {}", layout::CONFIG, crate::error::list(MARKS))))
            }
        }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file or folder in it; the names are in [`layout`].
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the checkpoints the run can be resumed from: position and folder, oldest first.
    pub fn checkpoints(&self) -> Result<Vec<(Position, PathBuf)>> {
        checkpoint::list(&self.join(layout::RESUME_CHECKPOINTS))
    }

    /// Returns the newest checkpoint that is whole, and what was wrong with newer ones; `None` when there is
    /// none, and the run starts again at step 0.
    ///
    /// Older checkpoints of one burst are not forced to the disk one by one (see [`super::Writer`]), so one
    /// that a power cut tore is passed over here rather than trusted.
    pub fn latest_checkpoint(&self) -> Result<(Option<Checkpoint>, Vec<Error>)> {
        let mut errors = Vec::new();
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok((Some(checkpoint), errors)),
                Err(error) => errors.push(error),
            }
        }
        Ok((None, errors))
    }

    /// Removes what a killed process left half-made. Call it when a run starts or is resumed, never while
    /// another process may be writing.
    pub fn tidy(&self) -> Result<()> {
        for folder in ["", layout::BEST_CHECKPOINT, layout::RESUME_CHECKPOINTS, layout::DATASET] {
            let folder = self.join(folder);
            for name in file::names(&folder)?.into_iter().filter(|name| layout::is_partial(name)) {
                let path = folder.join(name);
                file::remove(&path).map_err(|error| file::failed("remove", &path, &error))?;
            }
        }
        Ok(())
    }
}

/// A folder that was checked and may be made.
#[derive(Clone, Debug)]
pub struct Prepared {
    path: PathBuf,
    in_the_way: Option<PathBuf>,
}

impl Prepared {
    /// Returns the path the folder will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder under a hidden name beside its own, so that a start that fails, or is killed, never
    /// leaves half a run under the name asked for, nor touches an earlier one.
    ///
    /// # Errors
    /// Whatever the disk says; nothing is left behind then.
    pub fn create(self) -> Result<NewFolder> {
        let hidden = layout::partial(&self.path, &format!(".{}", std::process::id()));
        let mut new = NewFolder {
            folder: Folder { path: hidden.clone() },
            path: self.path,
            in_the_way: self.in_the_way,
            made: Vec::new(),
            undo: true,
        };
        let missing: Vec<&Path> = hidden.ancestors().take_while(|folder| is_missing(folder)).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).map_err(|error| file::failed("create", folder, &error))?;
            new.made.push(folder.to_owned());
        }
        Ok(new)
    }
}

/// A folder just made, under a hidden name: removed again unless it is kept.
#[derive(Debug)]
pub struct NewFolder {
    folder: Folder,
    /// The path the folder will have.
    path: PathBuf,
    /// An earlier run that is moved when this one is kept.
    in_the_way: Option<PathBuf>,
    /// The folders that were made, outermost first.
    made: Vec<PathBuf>,
    undo: bool,
}

impl NewFolder {
    /// Keeps the folder: the run starts. An earlier run is moved out of the way, and the folder gets its name.
    ///
    /// # Errors
    /// Another process filled the folder in the meantime; whatever the disk says.
    pub fn keep(mut self) -> Result<Folder> {
        if let Some(from) = &self.in_the_way {
            let to = free_name(from)?;
            fs::rename(from, &to).map_err(|error| file::failed("move", from, &error))?;
        }
        match contents(&self.path)? {
            Contents::Nothing => {}
            // An empty folder stands where the run goes: the run takes its place.
            Contents::Empty => {
                fs::remove_dir(&self.path).map_err(|error| file::failed("replace", &self.path, &error))?
            }
            _ => return Err(Error::artifact(format!("`{}` was filled by someone else", self.path.display()))),
        }
        fs::rename(&self.folder.path, &self.path).map_err(|error| file::failed("create", &self.path, &error))?;
        self.undo = false;
        Ok(Folder { path: self.path.clone() })
    }
}

impl Deref for NewFolder {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if !self.undo {
            return;
        }
        // The start has failed and its error is on the way; one of the clean-up would only hide it.
        for name in file::names(&self.folder.path).unwrap_or_default() {
            let _ = file::remove(&self.folder.join(name));
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Beside a config, which many programs have, only a run has one of these.
const MARKS: [&str; 4] = [layout::NETWORK_PARAMS, layout::EVENTS, layout::BEST_CHECKPOINT, layout::RESUME_CHECKPOINTS];

enum Contents {
    Nothing,
    Empty,
    Run,
    Other,
}

fn contents(path: &Path) -> Result<Contents> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(
                Error::artifact(format!("`{}` is a file, not a folder", path.display())).coded(codes::FOLDER_TAKEN)
            );
        }
        Err(_) if is_missing(path) => return Ok(Contents::Nothing),
        Err(error) => return Err(file::failed("open", path, &error)),
    }
    let names = file::names(path)?;
    let has = |name: &str| names.iter().any(|found| found == name);
    Ok(match has(layout::CONFIG) && MARKS.into_iter().any(has) {
        _ if names.is_empty() => Contents::Empty,
        true => Contents::Run,
        false => Contents::Other,
    })
}

/// The nearest parent that exists must be a folder.
fn check_parents(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::artifact("the name of the artifact folder is empty"));
    }
    // The parent of a bare name is the empty path: the current folder.
    let parents = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
    match parents.into_iter().find(|parent| !is_missing(parent)) {
        Some(parent) if !parent.is_dir() => Err(Error::artifact(format!("`{}` is not a folder", parent.display()))
            .coded(codes::FOLDER_TAKEN)
            .within(format!("artifact folder `{}`", path.display()))),
        _ => Ok(()),
    }
}

fn is_missing(path: &Path) -> bool {
    let not_found = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err_and(not_found)
}

fn free_name(path: &Path) -> Result<PathBuf> {
    (1..100_000)
        .map(|number| layout::moved(path, number))
        .find(|to| is_missing(to))
        .ok_or_else(|| Error::artifact(format!("too many earlier runs beside `{}`", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a run in it.
    fn run_in(path: &Path) {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join(layout::CONFIG), "{}").unwrap();
        fs::write(path.join(layout::EVENTS), "").unwrap();
    }

    fn tree(path: &Path) -> Vec<String> {
        let names = walkdir::WalkDir::new(path).min_depth(1).sort_by_file_name().into_iter();
        names.map(|entry| entry.unwrap().path().strip_prefix(path).unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_kept_folder_is_made_with_its_parents() {
        let root = tempfile::tempdir().unwrap();
        let prepared = Folder::prepare(root.path().join("a/b/run"), false).unwrap();
        assert!(tree(root.path()).is_empty());
        let folder = prepared.create().unwrap().keep().unwrap();
        assert_eq!(tree(root.path()), ["a", "a/b", "a/b/run"]);
        assert_eq!(folder.path(), root.path().join("a/b/run"));
    }

    #[test]
    fn a_failed_start_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::prepare(root.path().join("a/b"), false).unwrap().create().unwrap();
        fs::create_dir(folder.join(layout::DATASET)).unwrap();
        fs::write(folder.join(layout::CONFIG), "{}").unwrap();
        drop(folder);
        assert!(tree(root.path()).is_empty());
        assert!(root.path().exists());

        fs::create_dir(root.path().join("empty")).unwrap();
        let folder = Folder::prepare(root.path().join("empty"), false).unwrap().create().unwrap();
        fs::write(folder.join(layout::CONFIG), "{}").unwrap();
        drop(folder);
        assert_eq!(tree(root.path()), ["empty"]);
    }

    #[test]
    fn an_earlier_run_is_refused_or_moved_and_put_back() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        run_in(&path);
        let error = Folder::prepare(&path, false).unwrap_err();
        assert_eq!(error.message(), format!("`{}` holds a run already", path.display()));
        assert!(error.hints()[0].contains("`--overwrite`") && error.hints()[0].contains("#{overwrite: true}"));

        let before = tree(root.path());
        drop(Folder::prepare(&path, true).unwrap().create().unwrap());
        assert_eq!(tree(root.path()), before);

        Folder::prepare(&path, true).unwrap().create().unwrap().keep().unwrap();
        assert_eq!(tree(root.path()), ["run", "run.1", "run.1/config.json", "run.1/events.jsonl"]);
        run_in(&path);
        let folder = Folder::prepare(&path, true).unwrap().create().unwrap().keep().unwrap();
        assert_eq!(folder.checkpoints().unwrap(), []);
        assert!(root.path().join("run.2").exists());
    }

    #[test]
    fn what_is_no_run_is_never_touched() {
        let root = tempfile::tempdir().unwrap();
        let project = root.path().join("project");
        fs::create_dir(&project).unwrap();
        fs::write(project.join("config.json"), "{}").unwrap();
        fs::write(project.join("data.json"), "[]").unwrap();
        for overwrite in [false, true] {
            let error = Folder::prepare(&project, overwrite).unwrap_err();
            assert_eq!(error.message(), format!("`{}` is not empty and holds no run", project.display()));
        }
        let file = project.join("config.json");
        let error = Folder::prepare(&file, true).unwrap_err();
        assert_eq!(error.message(), format!("`{}` is a file, not a folder", file.display()));
        let error = Folder::prepare(file.join("run"), true).unwrap_err();
        assert_eq!(error.message(), format!("`{}` is not a folder", file.display()));
        let error = Folder::prepare("", false).unwrap_err();
        assert_eq!(error.message(), "the name of the artifact folder is empty");
        assert_eq!(tree(root.path()), ["project", "project/config.json", "project/data.json"]);
    }

    #[test]
    fn only_runs_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("none");
        let error = Folder::open(&missing).unwrap_err();
        assert_eq!(error.message(), format!("there is no folder `{}`", missing.display()));
        let error = Folder::open(root.path()).unwrap_err();
        assert_eq!(error.message(), format!("`{}` is not the folder of a run", root.path().display()));
        assert!(error.hints()[0].starts_with("looked for `config.json` and one of `network_params.json`"));
        run_in(&missing);
        assert_eq!(Folder::open(&missing).unwrap().path(), missing);
    }

    #[test]
    fn half_made_files_are_tidied_away() {
        let root = tempfile::tempdir().unwrap();
        run_in(root.path());
        let checkpoints = root.path().join(layout::RESUME_CHECKPOINTS);
        fs::create_dir_all(checkpoints.join(".epoch_0003.partial")).unwrap();
        fs::write(checkpoints.join(".epoch_0003.partial/model.safetensors"), "half").unwrap();
        fs::write(root.path().join(".config.json.17-0.partial"), "half").unwrap();
        let folder = Folder::open(root.path()).unwrap();
        assert_eq!(folder.checkpoints().unwrap(), []);
        folder.tidy().unwrap();
        assert_eq!(tree(root.path()), ["config.json", "events.jsonl", "resume_checkpoints"]);
    }
}
