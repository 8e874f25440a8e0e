//! The one door to the disk: every error names its path, every file is replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use super::layout;
use crate::error::{Error, Result, codes};

/// Writes a file so that readers, and a machine that loses power, see the old contents or the new ones:
/// a temporary file in the same folder, write, fsync, rename, fsync the folder.
///
/// # Errors
/// The folder must exist and be writable; the error names the path, and no temporary file stays.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let tag = format!(".{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    let temporary = layout::partial(path, &tag);
    let written = create(&temporary, bytes)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(folder_of(path)));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed("write", path, &error)
    })
}

/// Reads a whole file.
///
/// # Errors
/// The error names the path.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| failed("read", path, &error))
}

/// Reads a text file.
///
/// # Errors
/// The error names the path; the file must be UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| Error::artifact(format!("`{}` is not a text file in UTF-8", path.display())).coded(codes::DAMAGED))
}

/// Reads a JSON file.
///
/// # Errors
/// The error names the path, and the line and column of what is wrong.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Error::artifact(format!("`{}` cannot be understood: {error}", path.display()))
            .coded(codes::DAMAGED)
            .hint("it is damaged, or written by another version")
    })
}

/// Creates a folder and its parents; one that is there is fine.
///
/// # Errors
/// The error names the path.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| failed("create", path, &error))
}

/// Cuts a file back to a length; one that is shorter already, as after a power cut, stays as it is.
///
/// # Errors
/// The error names the path.
pub fn shorten(path: &Path, bytes: u64) -> Result<()> {
    let cut = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(bytes.min(file.metadata()?.len()))
    };
    cut().map_err(|error| failed("shorten", path, &error))
}

/// Opens what is there and no plain file (a device, a pipe) to be written to: such a thing cannot be replaced.
///
/// # Errors
/// The error names the path.
pub fn open_special(path: &Path) -> Result<File> {
    OpenOptions::new().write(true).open(path).map_err(|error| failed("write", path, &error))
}

/// Removes a file.
///
/// # Errors
/// The error names the path.
pub fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| failed("remove", path, &error))
}

/// Returns the error "cannot `action` `path`: …".
pub fn failed(action: &str, path: &Path, error: &io::Error) -> Error {
    let reason = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::AlreadyExists => "it exists already".to_owned(),
        ErrorKind::StorageFull => "no space left on the disk".to_owned(),
        ErrorKind::NotADirectory => "part of the path is not a folder".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    };
    Error::artifact(format!("cannot {action} `{}`: {reason}", path.display())).coded(match action {
        "read" => codes::DAMAGED,
        _ => codes::UNWRITABLE,
    })
}

/// Creates (or empties) a file and writes it; nothing is forced to the disk yet.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Adds bytes at the end of a file, which is created when missing.
pub(super) fn append(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Forces the names in a folder to the disk, where the file system can.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems do not know how to.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Returns the folder of a path; the current one when it is a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes a file or a whole folder; what is not there is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Gives a folder another name on the same disk.
///
/// # Errors
/// The error names the path.
pub fn move_folder(from: &Path, to: &Path) -> Result<()> {
    let moved = fs::rename(from, to).and_then(|()| sync_folder(folder_of(to)));
    moved.map_err(|error| failed("move", from, &error))
}

/// Removes a folder with all that is in it; one that is not there is fine.
///
/// # Errors
/// The error names the path.
pub fn remove_folder(path: &Path) -> Result<()> {
    remove(path).map_err(|error| failed("remove", path, &error))
}

/// Returns the names in a folder, sorted; none when there is no such folder.
///
/// # Errors
/// The error names the path.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed("list", folder, &error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_replace_whole_files_and_leave_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()).unwrap(), ["a.json"]);
    }

    #[test]
    fn failed_writes_name_the_path_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/a.json");
        let error = write_atomic(&path, b"one").unwrap_err();
        assert_eq!(error.message(), format!("cannot write `{}`: there is no such file or folder", path.display()));

        let target = folder.path().join("a.json");
        fs::create_dir(&target).unwrap();
        let error = write_atomic(&target, b"one").unwrap_err();
        assert!(error.message().starts_with(&format!("cannot write `{}`: ", target.display())), "{error}");
        assert_eq!(names(folder.path()).unwrap(), ["a.json"]);
    }

    #[test]
    fn unreadable_json_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "{\n  \"a\": }").unwrap();
        let error = read_json::<serde_json::Value>(&path).unwrap_err();
        assert!(error.message().ends_with("cannot be understood: expected value at line 2 column 8"), "{error}");
    }
}
