//! The ids of a data set, in order.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::error::{self, Error, Result};

/// The most ids of an index: their order is held in memory.
const MOST: usize = 1 << 28;

/// What names one item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Arc<str>),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(number) => number.fmt(f),
            Id::Text(text) => text.fmt(f),
        }
    }
}

/// The ids of a data set or of a batch, in order; cheap to clone.
#[derive(Clone)]
pub struct Index(Arc<Shared>);

struct Shared {
    ids: Ids,
    /// Made at the first look-up.
    places: OnceLock<BTreeMap<Id, usize>>,
    /// Where each id's file is; shared with the index that this one was taken from.
    files: Option<Arc<BTreeMap<Id, PathBuf>>>,
}

enum Ids {
    /// 0, 1, 2 … to before the number.
    Count(usize),
    List(Vec<Id>),
}

impl Index {
    /// Creates the index 0, 1, 2 … of so many items.
    ///
    /// # Errors
    /// No items.
    pub fn count(count: usize) -> Result<Index> {
        match count {
            0 => Err(empty()),
            count if count > MOST => Err(Error::data(format!("an index has at most {MOST} ids, found {count}"))),
            count => Ok(Index::new(Ids::Count(count), None)),
        }
    }

    /// Creates an index of ids that all differ.
    ///
    /// # Errors
    /// No ids, and an id that stands there twice.
    pub fn of(ids: Vec<Id>) -> Result<Index> {
        let index = Index::with_repeats(ids)?;
        let mut seen: BTreeMap<&Id, usize> = BTreeMap::new();
        let Ids::List(ids) = &index.0.ids else { return Ok(index.clone()) };
        for (at, id) in ids.iter().enumerate() {
            if let Some(first) = seen.insert(id, at) {
                return Err(Error::data(format!("the id `{id}` stands twice in the index, at {first} and at {at}"))
                    .hint(
                        "ids must differ; `duplicates: true` allows it, and looking up an id finds its first place",
                    ));
            }
        }
        Ok(index)
    }

    /// Creates an index of ids that may repeat; an id is found at its first place.
    ///
    /// # Errors
    /// No ids.
    pub fn with_repeats(ids: Vec<Id>) -> Result<Index> {
        match ids.is_empty() {
            true => Err(empty()),
            false => Ok(Index::new(Ids::List(ids), None)),
        }
    }

    /// Creates an index of files: ids with the paths they stand for.
    ///
    /// # Errors
    /// No files, and two with the same id.
    pub fn of_files(files: Vec<(Id, PathBuf)>) -> Result<Index> {
        let mut known: BTreeMap<Id, PathBuf> = BTreeMap::new();
        for (id, path) in &files {
            if let Some(other) = known.insert(id.clone(), path.clone()) {
                return Err(Error::data(format!(
                    "two files have the id `{id}`: `{}` and `{}`",
                    other.display(),
                    path.display()
                ))
                .hint("an id is the file's name without folders: make an index of each folder, or rename the files"));
            }
        }
        match files.is_empty() {
            true => Err(empty()),
            false => Ok(Index::new(Ids::List(files.into_iter().map(|(id, _)| id).collect()), Some(Arc::new(known)))),
        }
    }

    fn new(ids: Ids, files: Option<Arc<BTreeMap<Id, PathBuf>>>) -> Index {
        Index(Arc::new(Shared { ids, places: OnceLock::new(), files }))
    }

    /// Returns the number of ids; at least 1.
    #[allow(clippy::len_without_is_empty, reason = "an index is never empty")]
    pub fn len(&self) -> usize {
        match &self.0.ids {
            Ids::Count(count) => *count,
            Ids::List(ids) => ids.len(),
        }
    }

    /// Returns the id at a position.
    ///
    /// # Errors
    /// A position past the end.
    pub fn id(&self, position: usize) -> Result<Id> {
        let id = match &self.0.ids {
            Ids::Count(count) => (position < *count).then_some(Id::Number(position as i64)),
            Ids::List(ids) => ids.get(position).cloned(),
        };
        id.ok_or_else(|| Error::data(format!("position {position} is out of range: the index has {} ids", self.len())))
    }

    /// Returns the ids in order.
    pub fn ids(&self) -> impl Iterator<Item = Id> + '_ {
        (0..self.len()).filter_map(|at| self.id(at).ok())
    }

    /// Returns the position of an id; the first one, if it repeats.
    ///
    /// # Errors
    /// An id that is not there, with the nearest one.
    pub fn position(&self, id: &Id) -> Result<usize> {
        self.find(id).ok_or_else(|| self.unknown(id))
    }

    /// Returns the position of an id, if it is there.
    pub fn find(&self, id: &Id) -> Option<usize> {
        let ids = match &self.0.ids {
            Ids::Count(count) => {
                return match id {
                    Id::Number(number) => usize::try_from(*number).ok().filter(|at| at < count),
                    Id::Text(_) => None,
                };
            }
            Ids::List(ids) => ids,
        };
        let places = self.0.places.get_or_init(|| {
            let mut places = BTreeMap::new();
            for (at, id) in ids.iter().enumerate() {
                places.entry(id.clone()).or_insert(at);
            }
            places
        });
        places.get(id).copied()
    }

    /// Returns the index of the ids at these positions, in this order.
    ///
    /// # Errors
    /// No positions, and one past the end.
    pub fn subset(&self, positions: &[usize]) -> Result<Index> {
        let ids = positions.iter().map(|&at| self.id(at)).collect::<Result<Vec<_>>>()?;
        match ids.is_empty() {
            true => Err(empty()),
            false => Ok(Index::new(Ids::List(ids), self.0.files.clone())),
        }
    }

    /// Returns the index of some of the ids, in the order given.
    ///
    /// # Errors
    /// No ids, and one that is not there.
    pub fn choose(&self, ids: &[Id]) -> Result<Index> {
        let positions = ids.iter().map(|id| self.position(id)).collect::<Result<Vec<_>>>()?;
        self.subset(&positions)
    }

    /// Returns the ids of all indices, one after another, which may repeat.
    ///
    /// # Errors
    /// Files of the same id that lie in different places.
    pub fn concat(parts: &[Index]) -> Result<Index> {
        let ids: Vec<Id> = parts.iter().flat_map(Index::ids).collect();
        let mut files: BTreeMap<Id, PathBuf> = BTreeMap::new();
        let mut all = true;
        for part in parts {
            match &part.0.files {
                Some(known) => {
                    for id in part.ids() {
                        let Some(path) = known.get(&id) else { continue };
                        if let Some(other) = files.insert(id.clone(), path.clone())
                            && other != *path
                        {
                            return Err(Error::data(format!(
                                "two files have the id `{id}`: `{}` and `{}`",
                                other.display(),
                                path.display()
                            )));
                        }
                    }
                }
                None => all = false,
            }
        }
        match ids.is_empty() {
            true => Err(empty()),
            false => Ok(Index::new(Ids::List(ids), (all && !files.is_empty()).then(|| Arc::new(files)))),
        }
    }

    /// Returns whether the ids are those of files.
    pub fn has_files(&self) -> bool {
        self.0.files.is_some()
    }

    /// Returns the path that an id stands for.
    ///
    /// # Errors
    /// An index that is none of files, and an id that is not there.
    pub fn path(&self, id: &Id) -> Result<&Path> {
        let files = self.0.files.as_ref().ok_or_else(|| {
            Error::data("this index has no files").hint("`files_index(\"images/*.png\")` makes an index of files")
        })?;
        files.get(id).map(PathBuf::as_path).ok_or_else(|| self.unknown(id))
    }

    fn unknown(&self, id: &Id) -> Error {
        let error = Error::data(format!("there is no id `{id}`"));
        match &self.0.ids {
            Ids::Count(count) => error.hint(format!("ids are 0 to {}", count - 1)),
            Ids::List(ids) => {
                let texts: Vec<String> = ids.iter().take(10_000).map(Id::to_string).collect();
                let near = error::did_you_mean(&id.to_string(), texts.iter().map(String::as_str));
                let shown = texts.iter().take(8).map(String::as_str);
                let more = if ids.len() > 8 { format!(" and {} more", ids.len() - 8) } else { String::new() };
                error.maybe_hint(near).hint(format!("ids: {}{more}", error::list(shown)))
            }
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.ids {
            Ids::Count(count) => write!(f, "index({count})"),
            Ids::List(ids) => {
                let shown: Vec<String> = ids
                    .iter()
                    .take(20)
                    .map(|id| match id {
                        Id::Number(number) => number.to_string(),
                        Id::Text(text) => format!("{text:?}"),
                    })
                    .collect();
                let more = if ids.len() > 20 { format!(", … {} ids", ids.len()) } else { String::new() };
                write!(f, "index([{}{more}])", shown.join(", "))
            }
        }
    }
}

fn empty() -> Error {
    Error::data("an index cannot be empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<Id> {
        names.iter().map(|name| Id::Text((*name).into())).collect()
    }

    #[test]
    fn ids_are_found_and_refused() {
        let index = Index::of(texts(&["cat", "dog", "cow"])).unwrap();
        assert_eq!(index.position(&Id::Text("dog".into())).unwrap(), 1);
        let error = index.position(&Id::Text("dot".into())).unwrap_err();
        assert_eq!(error.message(), "there is no id `dot`");
        assert_eq!(error.hints(), ["did you mean `dog`?", "ids: `cat`, `dog`, `cow`"]);
        assert_eq!(Index::count(0).unwrap_err().message(), "an index cannot be empty");
        assert!(Index::count(3).unwrap().position(&Id::Number(3)).is_err());
        let error = Index::of(texts(&["a", "b", "a"])).unwrap_err();
        assert_eq!(error.message(), "the id `a` stands twice in the index, at 0 and at 2");
    }

    #[test]
    fn files_of_one_name_are_refused() {
        let file = |folder: &str| (Id::Text("1.png".into()), PathBuf::from(folder).join("1.png"));
        assert!(
            Index::of_files(vec![file("a"), file("b")]).unwrap_err().message().starts_with("two files have the id")
        );
        let index = Index::of_files(vec![file("a")]).unwrap();
        assert_eq!(index.subset(&[0]).unwrap().path(&Id::Text("1.png".into())).unwrap(), Path::new("a/1.png"));
    }

    #[test]
    fn parts_are_put_together_and_repeats_found_first() {
        let index = Index::count(4).unwrap();
        let both = Index::concat(&[index.subset(&[3, 1]).unwrap(), index.subset(&[1]).unwrap()]).unwrap();
        assert_eq!(format!("{both:?}"), "index([3, 1, 1])");
        assert_eq!(both.find(&Id::Number(1)), Some(1));
    }
}
