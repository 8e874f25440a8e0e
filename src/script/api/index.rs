//! Ids of data sets.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::error::Error;
use crate::pipeline::{self, FileOptions, Id, Index};
use crate::script::api::arguments::{Answer, Ids, Patterns, texts};
use crate::script::api::{Page, options::Options};
use crate::script::batches::convert::{from_id, to_id, to_ids};
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "index",
    title: "Index",
    intro: "An `Index` holds the ids of a data set in order: whole numbers, texts, or the names of files. It is never changed. \
            Ids name items, positions count them: `index[0]` is the id at the first position, `position(id)` the way back.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Index>("Index");
    let mut module = exported_module!(functions);
    module.set_iter(std::any::TypeId::of::<Index>(), |value| match value.try_cast::<Index>() {
        Some(index) => Box::new((0..index.len()).filter_map(move |at| index.id(at).ok()).map(from_id)),
        None => Box::new(std::iter::empty()),
    });
    engine.register_global_module(module.into());
}

/// Returns the index that a script gave, or the one that its ids make.
pub fn index_of(ids: Ids) -> Answer<Index> {
    made(&ids, false)
}

fn made(ids: &Ids, duplicates: bool) -> Answer<Index> {
    if let Some(index) = ids.read_lock::<Index>() {
        return Ok(index.clone());
    }
    if let Ok(count) = ids.as_int() {
        let count = usize::try_from(count)
            .map_err(|_| raise(Error::script(format!("expected a number of items of at least 1, found {count}"))))?;
        return Index::count(count).map_err(raise);
    }
    let ids = to_ids(ids).map_err(raise)?;
    if duplicates { Index::with_repeats(ids) } else { Index::of(ids) }.map_err(raise)
}

/// Finds the files of patterns, which are relative to the project root or lie in a folder that may be read.
fn files(host: &Host, patterns: &[String], options: FileOptions) -> crate::Result<Index> {
    let mut found: Vec<(Id, std::path::PathBuf)> = Vec::new();
    for pattern in patterns {
        // The folders that the pattern names in full are where the walk begins: they have to be readable.
        let parts: Vec<&str> = pattern.split('/').collect();
        let named = parts.iter().take_while(|part| !part.contains(['*', '?', '['])).count().min(parts.len() - 1);
        let folder = match parts[..named].join("/") {
            folder if folder.is_empty() && pattern.starts_with('/') => "/".to_owned(),
            folder if folder.is_empty() => ".".to_owned(),
            folder => folder,
        };
        let start = host.roots().readable(&folder)?;
        let rest = parts[named..].join("/");
        let index = pipeline::list(&start, &[&rest], options).map_err(|error| match folder.as_str() {
            "." => error,
            folder => error.within(format!("`{folder}`")),
        })?;
        for id in index.ids() {
            let path = index.path(&id)?.to_owned();
            found.push((id, path));
        }
    }
    Index::of_files(found)
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns an index: of a whole number `n`, the ids 0 to `n - 1`; of an array or an i64 tensor, these ids. Options:
    /// `duplicates`, true to allow an id more than once, which is then found at its first place.
    ///
    /// # Errors
    /// No ids, ids that are neither whole numbers nor texts, an id that stands there twice.
    ///
    /// ```rhai
    /// index(3).ids // => [0, 1, 2]
    /// index(["a", "b"]).position("b") // => 1
    /// index(["a", "a"], #{ duplicates: true }).len // => 2
    /// ```
    #[rhai_fn(name = "index", return_raw)]
    pub fn index(ids: Ids) -> Answer<Index> {
        index_with(ids, Map::new())
    }

    #[rhai_fn(name = "index", return_raw)]
    pub fn index_with(ids: Ids, options: Map) -> Answer<Index> {
        let mut options = Options::new("index", options);
        let duplicates = options.flag("duplicates")?.unwrap_or(false);
        options.finish()?;
        super::made(&ids, duplicates)
    }

    /// Returns the index of the files that match a pattern, or one of an array of patterns; the id is the file's name
    /// without folders, in the order of the paths. `*` stands for any part of a name, `?` for one character, `[ab]` for
    /// one of several, `**` for any folders. Hidden files are left out. Options: `no_ext`, true to leave the ending
    /// out of the id; `dirs`, true for folders instead of files.
    ///
    /// # Errors
    /// A pattern that matches nothing, two files of the same name, a folder outside the project.
    ///
    /// ```rhai
    /// let files = files_index("batches/*.rhai", #{ no_ext: true });
    /// files.ids // => ["flowers", "mine", "pictures"]
    /// files.full_path("flowers").ends_with("batches/flowers.rhai") // => true
    /// ```
    #[rhai_fn(name = "files_index", return_raw)]
    pub fn files_index(context: NativeCallContext, patterns: Patterns) -> Answer<Index> {
        files_index_with(context, patterns, Map::new())
    }

    #[rhai_fn(name = "files_index", return_raw)]
    pub fn files_index_with(context: NativeCallContext, patterns: Patterns, options: Map) -> Answer<Index> {
        let mut options = Options::new("files_index", options);
        let no_ending = options.flag("no_ext")?.unwrap_or(false);
        let folders = options.flag("dirs")?.unwrap_or(false);
        // Files are always sorted by path; the key is known so that it need not be taken out.
        let _sorted = options.flag("sort")?;
        options.finish()?;
        let patterns = match patterns.read_lock::<List>() {
            Some(list) => texts(&list, "`patterns` of `files_index`")?,
            None => vec![patterns.clone().into_string().map_err(|found| {
                raise(Error::script(format!("expected a pattern or an array of them, found {}", type_phrase(found))))
            })?],
        };
        files(&Host::of(&context)?, &patterns, FileOptions { folders, no_ending }).map_err(raise)
    }

    /// Returns the number of ids.
    ///
    /// ```rhai
    /// index(["a", "b"]).len // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(index: Index) -> i64 {
        index.len() as i64
    }

    /// Returns the ids as an array.
    ///
    /// ```rhai
    /// index(["a", "b"]).ids // => ["a", "b"]
    /// ```
    #[rhai_fn(get = "ids")]
    pub fn ids(index: Index) -> List {
        index.ids().map(from_id).collect()
    }

    /// Returns the ids as an array, like `ids`.
    ///
    /// ```rhai
    /// index(["a", "b"]).indices // => ["a", "b"]
    /// ```
    #[rhai_fn(get = "indices")]
    pub fn indices(index: Index) -> List {
        ids(index)
    }

    /// Returns the id at a position; negative positions count from the end.
    ///
    /// # Errors
    /// A position out of range.
    ///
    /// ```rhai
    /// index(["a", "b"])[-1] // => "b"
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn index_at(index: &mut Index, position: i64) -> Answer<Dynamic> {
        let place = if position < 0 { position.saturating_add(index.len() as i64) } else { position };
        match usize::try_from(place) {
            Ok(place) => index.id(place).map(from_id).map_err(raise),
            Err(_) => Err(raise(Error::data(format!(
                "position {position} is out of range: the index has {} ids",
                index.len()
            )))),
        }
    }

    /// Returns the position of an id.
    ///
    /// # Errors
    /// An id that is not there.
    ///
    /// ```rhai
    /// index([10, 20, 30]).position(30) // => 2
    /// ```
    #[rhai_fn(name = "position", return_raw)]
    pub fn position(index: Index, id: Dynamic) -> Answer<i64> {
        to_id(&id).and_then(|id| index.position(&id)).map(|at| at as i64).map_err(raise)
    }

    /// Returns the positions of an array of ids.
    ///
    /// # Errors
    /// An id that is not there.
    ///
    /// ```rhai
    /// index(["a", "b", "c"]).positions(["c", "a"]) // => [2, 0]
    /// ```
    #[rhai_fn(name = "positions", return_raw)]
    pub fn positions(index: Index, ids: List) -> Answer<List> {
        let position = |id: &Dynamic| to_id(id).and_then(|id| index.position(&id)).map(|at| Dynamic::from(at as i64));
        ids.iter().map(position).collect::<crate::Result<List>>().map_err(raise)
    }

    /// Returns the index of some of the ids, in the order given.
    ///
    /// # Errors
    /// No ids, and one that is not there.
    ///
    /// ```rhai
    /// index(5).subset([4, 0]) // => index([4, 0])
    /// ```
    #[rhai_fn(name = "subset", return_raw)]
    pub fn subset(index: Index, ids: List) -> Answer<Index> {
        to_ids(&Dynamic::from(ids)).and_then(|ids| index.choose(&ids)).map_err(raise)
    }

    /// Returns the ids of both, one after the other, which may repeat.
    ///
    /// ```rhai
    /// index(["a"]) + index(["b"]) // => index(["a", "b"])
    /// ```
    #[rhai_fn(name = "+", return_raw)]
    pub fn join(left: Index, right: Index) -> Answer<Index> {
        Index::concat(&[left, right]).map_err(raise)
    }

    /// Returns the path of a file by its id.
    ///
    /// # Errors
    /// An index that is none of files, and an id that is not there.
    ///
    /// ```rhai
    /// files_index("batches/*").full_path("flowers.rhai").ends_with("batches/flowers.rhai") // => true
    /// ```
    #[rhai_fn(name = "full_path", return_raw)]
    pub fn full_path(index: Index, id: Dynamic) -> Answer<String> {
        let id = to_id(&id).map_err(raise)?;
        index.path(&id).map(|path| path.to_string_lossy().into_owned()).map_err(raise)
    }

    /// Returns whether an id is there: `id in index`.
    ///
    /// ```rhai
    /// "b" in index(["a", "b"]) // => true
    /// ```
    #[rhai_fn(name = "contains", return_raw)]
    pub fn contains(index: Index, id: Dynamic) -> Answer<bool> {
        to_id(&id).map(|id| index.find(&id).is_some()).map_err(raise)
    }

    /// Returns the expression that makes the index.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(index: Index) -> String {
        format!("{index:?}")
    }
}
