//! Files as records: a row for each file that matches a pattern, labelled by its folder; and single files as values.

use std::collections::BTreeSet;
use std::path::Path;

use glob::{MatchOptions, Pattern};
use walkdir::WalkDir;

use crate::error::{Error, Result, list, near_file};
use crate::record::read::{compressed, npy, reason, unreadable};
use crate::record::{Name, Record, Records, Row, Value};
use crate::tensor::Array;

/// How files become records.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Whether the folder that a file lies in is its `label`, and the label's place its `class`.
    pub label: bool,
    /// The labels in the order of their classes; without them, all that occur, in alphabetical order.
    pub classes: Option<Vec<String>>,
}

impl Records {
    /// Lists the files below `root` that match a pattern, sorted by path: the columns `path` (relative to `root`,
    /// with `/`), and with labels `label` and `class`, its number from 0.
    ///
    /// `*` stands for any part of a name, `?` for one character, `[ab]` for one of several, `**` for any folders.
    /// Links and hidden files are left out.
    ///
    /// ```
    /// use barrage::record::{Files, Records};
    /// let files = Records::files(std::path::Path::new("examples"), "iris/*.csv", &Files::default())?;
    /// assert_eq!(files.texts("path")?[0].as_ref(), "iris/iris.csv");
    /// # Ok::<(), barrage::Error>(())
    /// ```
    ///
    /// # Errors
    /// A pattern that cannot be read, one that matches nothing, a folder that cannot be read, and a folder whose
    /// name is not among the classes.
    pub fn files(root: &Path, pattern: &str, files: &Files) -> Result<Records> {
        let compiled = Pattern::new(pattern).map_err(|error| {
            Error::data(format!("the pattern `{pattern}` cannot be read: {}", error.msg.to_lowercase()))
        })?;
        let options =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
        // The walk starts below the folders that the pattern names in full.
        let named: Vec<&str> = pattern.split('/').take_while(|part| !part.contains(['*', '?', '['])).collect();
        let whole = named.len() == pattern.split('/').count();
        let folder = root.join(named[..named.len() - usize::from(whole)].join("/"));
        let mut paths: Vec<String> = Vec::new();
        for entry in WalkDir::new(&folder).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let place = error.path().unwrap_or(&folder).to_owned();
                match error.io_error() {
                    Some(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        Error::data(format!("there is no folder {}", place.display())).maybe_hint(near_file(&place))
                    }
                    Some(error) => Error::data(format!("cannot read {}: {}", place.display(), reason(error))),
                    None => Error::data(format!("cannot read {}", place.display())),
                }
            })?;
            let Ok(below) = entry.path().strip_prefix(root) else { continue };
            let Some(name) = below.to_str() else {
                return Err(
                    Error::data(format!("the name of {} is not UTF-8", entry.path().display())).hint("rename the file")
                );
            };
            let name = name.replace('\\', "/");
            if entry.file_type().is_file() && compiled.matches_with(&name, options) {
                paths.push(name);
            }
        }
        // By the whole path, so that the order does not depend on which names are folders.
        paths.sort_unstable();
        if paths.is_empty() {
            return Err(Error::data(format!("no file matches `{pattern}`"))
                .hint("`*` does not reach into folders, `**` does: `images/**/*.png`"));
        }
        let rows = match files.label {
            true => labelled(&paths, files.classes.as_deref())?,
            false => paths.iter().map(|path| vec![("path".into(), Value::from(path.as_str()))]).collect(),
        };
        Records::from_rows(rows, pattern)
    }
}

impl Records {
    /// Returns listed files under the name of the folder they were listed from.
    ///
    /// # Errors
    /// None, if the records are listed files.
    pub fn below(&self, folder: &str, source: &str) -> Result<Records> {
        if folder.is_empty() {
            return Ok(self.clone());
        }
        let folder = folder.trim_end_matches('/');
        let rename = |record: Record| {
            let keys = record.keys().to_vec();
            let field = |name: Name| {
                let value = match (&*name, record.get(&name)?) {
                    ("path", Value::Text(path)) => Value::Text(format!("{folder}/{path}").into()),
                    (_, value) => value,
                };
                Ok((name, value))
            };
            keys.into_iter().map(field).collect::<Result<Row>>()
        };
        Records::from_rows(self.iter().map(rename).collect::<Result<Vec<_>>>()?, source)
    }
}

fn labelled(paths: &[String], classes: Option<&[String]>) -> Result<Vec<Row>> {
    let label = |path: &String| path.rsplit('/').nth(1).unwrap_or("").to_owned();
    let found: BTreeSet<String> = paths.iter().map(label).collect();
    if let Some(path) = paths.iter().find(|path| label(path).is_empty()) {
        return Err(Error::data("a file without a folder has no label")
            .hint("put the files of each class into a folder of its own: `images/cat/1.png`")
            .within(path.clone()));
    }
    let found: Vec<String> = found.into_iter().collect();
    let classes = classes.unwrap_or(&found);
    let row = |path: &String| {
        let label = label(path);
        let class = classes.iter().position(|class| *class == label).ok_or_else(|| {
            Error::data(format!("the folder `{label}` is not among the classes"))
                .hint(format!("classes: {}", list(classes.iter().map(String::as_str))))
                .within(path.clone())
        })?;
        Ok(vec![
            ("path".into(), Value::from(path.as_str())),
            ("label".into(), Value::from(label.as_str())),
            ("class".into(), Value::from(class as i64)),
        ])
    };
    paths.iter().map(row).collect()
}

/// Returns the array in a `.npy` file, in the dtype nearest to its own: f16 becomes f32, other whole numbers i64.
///
/// # Errors
/// No such file, and anything but a whole file of an array of numbers.
pub fn read_array(path: &Path, map: bool) -> Result<Array> {
    let bytes = compressed::open(path, map)?;
    npy::array(&bytes, 0, bytes.len()).map_err(|error| error.within(path.display().to_string()))
}

/// Returns the bytes of a file, unpacked when its name ends in `.gz` or `.zst`.
///
/// # Errors
/// Whatever the file system refuses, and a file that is not packed as its name says, or damaged.
pub fn read_unpacked(path: &Path) -> Result<Vec<u8>> {
    compressed::open(path, false).map(|bytes| bytes.to_vec())
}

/// Returns the bytes of a file.
///
/// # Errors
/// Whatever the file system refuses.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

/// Returns the text of a file in UTF-8, without a byte order mark.
///
/// # Errors
/// Whatever the file system refuses, and bytes that are no text (with the line they are in).
pub fn read_text(path: &Path) -> Result<String> {
    let text = String::from_utf8(read_bytes(path)?).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::data(format!("{} is not UTF-8: line {line} has bytes that are no text", path.display()))
            .hint("save it as UTF-8, or convert it: iconv -f latin1 -t utf-8 OLD > NEW")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}
