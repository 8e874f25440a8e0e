//! What `load` and `dump` of every batch do.

use rhai::{Array as List, Dynamic, Map};

use crate::error::{Error, Result};
use crate::pipeline::Source;
use crate::record::Name;
use crate::script::batches::convert::{to_source, to_values};
use crate::script::batches::files::{self, Format};
use crate::script::batches::{Batch, Collection};
use crate::script::host::Host;
use crate::script::traceback::type_phrase;

/// Loads components: from data of the whole set in memory, of which the batch takes its items, or from files.
///
/// # Errors
/// Unknown options and formats, data that does not fit, files that are missing or damaged.
pub fn load(host: &Host, batch: &Batch, source: Dynamic, options: Map) -> Result<()> {
    let mut given = Given::new("load", options);
    let source = given.merged("src", source)?;
    let to = given.names("dst")?;
    let path = source.as_immutable_string_ref().ok().map(|path| path.to_string());
    let format = Format::take(&mut given, path.as_deref())?;
    let workers = given.take("workers").and_then(|count| count.as_int().ok()).map(|count| count.max(1) as usize);
    given.finish(&["src", "dst", "fmt", "shape", "dtype", "skip", "channels", "workers"])?;
    let all = batch.all();
    if let Some(format) = format {
        let source = files::source(host, batch, &format, &source, workers)?;
        return batch.lock().load(&source, &to, &all);
    }
    if let Some(path) = path {
        return Err(Error::script(format!("`load`: the name `{path}` does not say what it holds"))
            .hint(format!("`fmt` names the format: {}", crate::error::list(files::FORMATS))));
    }
    let source = match (source.read_lock::<List>(), to.len()) {
        // An array of sources, one for each name.
        (Some(list), count) if count > 1 && list.len() == count => {
            let part = |(name, value): (&Name, &Dynamic)| {
                let source = to_source(value, &all).map_err(|error| error.within(format!("component `{name}`")))?;
                Ok((name.clone(), source))
            };
            Source::Named(to.iter().zip(list.iter()).map(part).collect::<Result<_>>()?)
        }
        (Some(list), _) => Source::Rows(crate::batch::Items::assemble(to_values(&list)?)),
        (None, _) => to_source(&source, &all)?,
    };
    batch.lock().load(&source, &to, &all)
}

/// Writes a component into a collection, at the places of the ids, or components into files.
///
/// # Errors
/// Unknown options and formats, more than one component where one goes, whatever the file system refuses.
pub fn dump(host: &Host, batch: &Batch, target: Dynamic, options: Map) -> Result<()> {
    let mut given = Given::new("dump", options);
    let target = given.merged("dst", target)?;
    let components = given.names("components")?;
    let path = target.as_immutable_string_ref().ok().map(|path| path.to_string());
    let format = Format::take(&mut given, path.as_deref())?;
    let packed = match given.text("compress")?.as_deref() {
        None => "",
        Some("zst") => ".zst",
        Some("gz") => ".gz",
        Some(other) => {
            return Err(Error::script(format!("option `compress` of `dump`: expected `zst` or `gz`, found `{other}`")));
        }
    };
    given.finish(&["dst", "components", "fmt", "ext", "compress"])?;
    if let Some(format) = format {
        return files::write(host, batch, &format, &target, &components, packed);
    }
    let Some(target) = target.read_lock::<Collection>() else {
        return Err(Error::script(format!("`dump`: expected a collection, found {}", type_phrase(target.type_name())))
            .hint("`let out = collection(dataset.index)` makes one; `fmt` names the format of files"));
    };
    let [name] = components.as_slice() else {
        return Err(Error::script(format!("`dump` into a collection takes one component, found {}", components.len()))
            .hint("name it: `batch.dump(#{ dst: out, components: \"predictions\" })`"));
    };
    let (index, items) = {
        let mut data = batch.lock();
        (data.index().clone(), data.component(name)?.clone())
    };
    target.put(&index, &items)
}

/// A map that only names what to fill is no data.
fn only_dst(map: &Map) -> bool {
    map.len() == 1 && map.get("dst").is_some_and(|value| value.is_string() || value.is_array())
}

/// Options, read without a running script.
pub struct Given {
    function: &'static str,
    map: Map,
}

impl Given {
    /// Starts reading the options of a function.
    pub fn new(function: &'static str, map: Map) -> Given {
        Given { function, map }
    }

    /// Takes a value.
    pub fn take(&mut self, name: &str) -> Option<Dynamic> {
        self.map.remove(name).filter(|value| !value.is_unit())
    }

    /// Takes what may stand before the options or among them; a lone map before them is the options.
    ///
    /// # Errors
    /// It stands nowhere, or twice.
    pub fn merged(&mut self, name: &str, first: Dynamic) -> Result<Dynamic> {
        let options = |map: &Map| [name, "fmt", "components"].iter().any(|key| map.contains_key(*key)) || only_dst(map);
        let first = match self.map.is_empty() && first.read_lock::<Map>().is_some_and(|map| options(&map)) {
            true => {
                self.map = first.try_cast::<Map>().unwrap_or_default();
                Dynamic::UNIT
            }
            false => first,
        };
        match (first.is_unit(), self.take(name)) {
            (false, None) => Ok(first),
            (true, Some(value)) => Ok(value),
            // Files may be where the ids say.
            (true, None) if self.map.contains_key("fmt") && name == "src" => Ok(Dynamic::UNIT),
            (false, Some(_)) => Err(Error::script(format!("`{}`: `{name}` is given twice", self.function))),
            (true, None) => Err(Error::script(format!("`{}` needs `{name}`", self.function))
                .hint(format!("`batch.{}(#{{ {name}: … }})`", self.function))),
        }
    }

    /// Takes a text.
    ///
    /// # Errors
    /// Anything else.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.into_string().map(Some).map_err(|found| {
            Error::script(format!(
                "option `{name}` of `{}`: expected a text, found {}",
                self.function,
                type_phrase(found)
            ))
        })
    }

    /// Takes a name or an array of names; none are no names.
    ///
    /// # Errors
    /// Anything else.
    pub fn names(&mut self, name: &str) -> Result<Vec<Name>> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let one = |value: &Dynamic| {
            value.as_immutable_string_ref().map(|text| Name::from(text.as_str())).map_err(|found| {
                Error::script(format!(
                    "option `{name}` of `{}`: expected a text or an array of texts, found {}",
                    self.function,
                    type_phrase(found)
                ))
            })
        };
        match value.read_lock::<List>() {
            Some(list) => list.iter().map(one).collect(),
            None => Ok(vec![one(&value)?]),
        }
    }

    /// Returns what was not taken.
    pub fn rest(self) -> Map {
        self.map
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// An option that is not known.
    pub fn finish(self, known: &[&str]) -> Result<()> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::script(format!("`{}` has no option `{name}`", self.function))
                .coded(crate::error::codes::WRONG_OPTION)
                .maybe_hint(crate::error::did_you_mean(name, known.iter().copied()))
                .hint(format!("options: {}", crate::error::list(known.iter().copied())))),
        }
    }
}
