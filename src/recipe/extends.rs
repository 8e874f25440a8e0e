//! `extends`: a config that says only what it changes of another.
//!
//! The path is relative to the file that it stands in, and the other config may extend a third. The sections
//! (`dataset`, `model`, `solver`, `services`) and the free maps `data` and `hyperparameters` are merged key by
//! key. Everything else replaces what was there as a whole: scalars, lists, and blocks such as `optimizer`,
//! an import with its params, or a service. That is the rule by which a given block replaces its default, and
//! half a block would mean something else with each base. `null` takes a key of a section away, so that its
//! default holds again.

use std::path::{Path, PathBuf};

use super::keys::ROOT;
use super::read::{self, Format};
use super::schema::{self, Absent, Section};
use super::written::{self, Entry, Node, Value, Written};
use crate::error::{Error, Kind, Result, codes};

const KEY: &str = "extends";

/// Loads a config file and what it extends.
///
/// # Errors
/// See [`Written::read`].
pub(super) fn read(path: &Path) -> Result<Written> {
    let mut chain = Chain { links: Vec::new(), find: &|path| Ok(path.to_owned()) };
    chain.read(path, path).map(|root| Written { root })
}

/// Puts a config that is in no file over what it extends.
///
/// # Errors
/// See [`Written::extended`].
pub(super) fn follow(written: Written, find: &dyn Fn(&Path) -> Result<PathBuf>) -> Result<Written> {
    let mut chain = Chain { links: Vec::new(), find };
    chain.follow(written.root, Path::new("")).map(|root| Written { root })
}

/// The files from the first config to the one that is being read.
struct Chain<'a> {
    links: Vec<(PathBuf, String)>,
    find: &'a dyn Fn(&Path) -> Result<PathBuf>,
}

impl Chain<'_> {
    /// Loads a file, under the name that errors show.
    fn read(&mut self, path: &Path, shown: &Path) -> Result<Node> {
        let name = shown.display().to_string();
        let root = read::read(Format::of(path), &name, &written::text(path, &name)?)?;
        // The file was read, so it has such a path.
        self.links.push((path.canonicalize().unwrap_or_else(|_| path.to_owned()), name));
        let root = self.follow(root, shown.parent().unwrap_or(Path::new("")));
        self.links.pop();
        root
    }

    fn follow(&mut self, mut root: Node, folder: &Path) -> Result<Node> {
        // What is no text, or stands in no map, is refused with the other values.
        let Some(name) = root.get(KEY).and_then(Node::text) else { return Ok(root) };
        let shown = folder.join(name);
        let place = root.get(KEY).and_then(Node::mark);
        let refuse = |error: Error| match &place {
            Some(place) if error.place().is_none() => error.at(place.clone()).label("named here"),
            _ => error,
        };
        let path = (self.find)(&shown).map_err(|error| refuse(error.of_kind(Kind::Recipe).coded(codes::UNREADABLE)))?;
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if let Some(first) = self.links.iter().position(|(link, _)| *link == real) {
            return Err(refuse(self.circle(first)));
        }
        let base = self.read(&path, &shown).map_err(refuse)?;
        if let Value::Map(entries) = &mut root.value {
            entries.retain(|entry| entry.key != KEY);
        }
        Ok(merge(&ROOT, base, root))
    }

    fn circle(&self, first: usize) -> Error {
        let names: Vec<String> = self.links.iter().skip(first).map(|(_, name)| format!("`{name}`")).collect();
        let (start, more) = (names.first().cloned().unwrap_or_default(), names.len() > 1);
        let error = Error::recipe(format!("{start} extends itself")).coded(codes::CIRCLE);
        let error = if more { error.hint(format!("{} → {start}", names.join(" → "))) } else { error };
        error.hint("take `extends` out of one of them")
    }
}

/// Puts a map over another one of the same section.
fn merge(section: &Section, base: Node, over: Node) -> Node {
    let kind = |key: &str| section.key(key);
    combine(base, over, &|entries, index, entry: Entry| match (kind(&entry.key), &entry.node.value) {
        (Some(key), Value::Null) if !matches!(key.absent, Absent::Refused) => drop(entries.remove(index)),
        (Some(key), _) => replace(&mut entries[index], entry, |base, over| match &key.kind {
            schema::Kind::Map(section) if section.merges => merge(section, base, over),
            schema::Kind::Free => merge_free(base, over),
            _ => over,
        }),
        (None, _) => entries[index] = entry,
    })
}

/// Puts a map with free keys over another one.
fn merge_free(base: Node, over: Node) -> Node {
    combine(base, over, &|entries, index, entry| replace(&mut entries[index], entry, merge_free))
}

/// Puts one map over another; `meet` is told of keys that both have. What is no map is replaced.
fn combine(base: Node, over: Node, meet: &dyn Fn(&mut Vec<Entry>, usize, Entry)) -> Node {
    let place = over.place.clone();
    match (base.value, over.value) {
        (Value::Map(mut entries), Value::Map(others)) => {
            for entry in others {
                match entries.iter().position(|known| known.key == entry.key) {
                    Some(index) => meet(&mut entries, index, entry),
                    None => entries.push(entry),
                }
            }
            Node { value: Value::Map(entries), place }
        }
        (_, value) => Node { value, place },
    }
}

fn replace(known: &mut Entry, entry: Entry, merge: impl Fn(Node, Node) -> Node) {
    let base = std::mem::replace(&mut known.node, Node { value: Value::Null, place: None });
    known.place = entry.place;
    known.node = merge(base, entry.node);
}
