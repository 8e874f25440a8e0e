//! Files as items: an index of the files or folders that match a pattern.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use walkdir::WalkDir;

use crate::error::{Error, Result};
use crate::pipeline::index::{Id, Index};

/// What becomes an item.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions {
    /// Folders instead of files.
    pub folders: bool,
    /// The id is the name up to its last dot.
    pub no_ending: bool,
}

/// Lists what matches the patterns below a folder, sorted by path. The id is the name without folders. `*`
/// stands for any part of a name, `?` for one character, `[ab]` for one of several, `**` for any folders.
/// Links are not followed, hidden files left out.
///
/// # Errors
/// A pattern that cannot be read, nothing that matches, two of the same name, a folder that cannot be read.
pub fn list(root: &Path, patterns: &[&str], options: FileOptions) -> Result<Index> {
    let mut found = Vec::new();
    for pattern in patterns {
        let before = found.len();
        matching(root, pattern, options, &mut found)?;
        if found.len() == before {
            let what = if options.folders { "folder" } else { "file" };
            return Err(Error::data(format!("no {what} matches `{pattern}`"))
                .hint("`*` does not reach into folders, `**` does: `images/**/*.png`"));
        }
    }
    let ids = found.into_iter().map(|path| Ok((id(&path, options)?, path))).collect::<Result<Vec<_>>>()?;
    Index::of_files(ids)
}

fn matching(root: &Path, pattern: &str, options: FileOptions, found: &mut Vec<PathBuf>) -> Result<()> {
    let compiled = Pattern::new(pattern).map_err(|error| {
        Error::data(format!("the pattern `{pattern}` cannot be read: {}", error.msg.to_lowercase()))
    })?;
    let rules =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    // The walk starts below the folders that the pattern names in full.
    let parts: Vec<&str> = pattern.split('/').collect();
    let named = parts.iter().take_while(|part| !part.contains(['*', '?', '['])).count().min(parts.len() - 1);
    let folder = root.join(parts[..named].join("/"));
    let mut paths: Vec<(String, PathBuf)> = Vec::new();
    for entry in WalkDir::new(&folder).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let place = error.path().unwrap_or(&folder).display().to_string();
            match error.io_error().map(std::io::Error::kind) {
                Some(std::io::ErrorKind::NotFound) => Error::data(format!("there is no folder `{place}`")),
                Some(kind) => Error::data(format!("cannot read `{place}`: {kind}")),
                None => Error::data(format!("cannot read `{place}`")),
            }
        })?;
        let wanted = if options.folders { entry.file_type().is_dir() } else { entry.file_type().is_file() };
        let Ok(below) = entry.path().strip_prefix(root) else { continue };
        let name = below.to_string_lossy().replace('\\', "/");
        if wanted && compiled.matches_with(&name, rules) {
            paths.push((name, entry.path().to_owned()));
        }
    }
    // By the whole path, so that the order does not depend on which names are folders.
    paths.sort();
    found.extend(paths.into_iter().map(|(_, path)| path));
    Ok(())
}

fn id(path: &Path, options: FileOptions) -> Result<Id> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Error::data(format!("the name of `{}` is not UTF-8", path.display())).hint("rename the file"))?;
    let shown = match name.rfind('.') {
        // A name that begins with its only dot has no ending.
        Some(at) if at > 0 && options.no_ending => &name[..at],
        _ => name,
    };
    Ok(Id::Text(shown.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_in_the_order_of_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.png", "b/10.png", "a/1.png", "a/x.txt"] {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let shown =
            |patterns: &[&str], options| list(folder.path(), patterns, options).map(|index| format!("{index:?}"));
        let plain = FileOptions::default();
        assert_eq!(shown(&["**/*.png"], plain).unwrap(), r#"index(["1.png", "10.png", "2.png"])"#);
        let options = FileOptions { no_ending: true, ..plain };
        assert_eq!(shown(&["b/*.png", "a/*.png"], options).unwrap(), r#"index(["10", "2", "1"])"#);
        assert_eq!(shown(&["*"], FileOptions { folders: true, ..plain }).unwrap(), r#"index(["a", "b"])"#);
        assert_eq!(shown(&["a/*.jpg"], plain).unwrap_err().message(), "no file matches `a/*.jpg`");
        assert!(shown(&["a/[.png"], plain).unwrap_err().message().starts_with("the pattern `a/[.png` cannot be read"));
    }
}
