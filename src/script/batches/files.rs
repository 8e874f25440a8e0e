//! Batches in files: a file for each item, or one table.

use std::path::{Path, PathBuf};

use rhai::{Array as List, Dynamic};

use crate::artifact;
use crate::batch::Items;
use crate::error::{self, Error, Result};
use crate::media::{Channels, picture, picture_bytes};
use crate::pipeline::{Id, Index, Source, Target, run};
use crate::record::{
    Declared, Name, ReadOptions, Records, Row, Value, npy_bytes, raw_bytes, read_array, read_unpacked, write_packed,
};
use crate::script::batches::Batch;
use crate::script::batches::load::Given;
use crate::script::host::Host;
use crate::script::traceback::type_phrase;
use crate::tensor::{Array, Tensor};

/// The formats that `load` and `dump` know.
pub const FORMATS: [&str; 7] = ["raw", "npy", "image", "csv", "json", "jsonl", "parquet"];

/// How a batch is stored.
#[derive(Clone, Debug)]
pub enum Format {
    /// Numbers without a header: what a file holds, or its bytes.
    Raw(Option<Declared>),
    /// Arrays of NumPy.
    Npy,
    /// Pictures: the channels they are read with, and the ending of what is written.
    Image(Channels, String),
    /// A table with a row for each item, of the format of this name.
    Table(&'static str),
}

impl Format {
    /// Takes `fmt` and what goes with it; `path` is asked where it is not given.
    ///
    /// # Errors
    /// An unknown format, and options that are wrong.
    pub fn take(given: &mut Given, path: Option<&str>) -> Result<Option<Format>> {
        let named = given.text("fmt")?;
        let Some(name) = named.or_else(|| path.and_then(by_ending)) else { return Ok(None) };
        Ok(Some(match name.as_str() {
            "raw" => {
                let (shape, dtype) = (given.take("shape"), given.text("dtype")?);
                let skip = given.take("skip").and_then(|skip| skip.as_int().ok()).unwrap_or(0).max(0) as usize;
                let shape = shape.map(|shape| lengths(&shape)).transpose()?;
                Format::Raw(match (shape, dtype) {
                    (None, None) => None,
                    (shape, dtype) => Some(Declared {
                        shape: shape.unwrap_or_default(),
                        dtype: dtype.unwrap_or_else(|| "u8".to_owned()),
                        skip,
                    }),
                })
            }
            "npy" => Format::Npy,
            "image" => {
                let channels = match given.take("channels").map(|count| count.as_int()) {
                    None => Channels::AsStored,
                    Some(count) => Channels::of(count.ok().and_then(|count| u64::try_from(count).ok()).unwrap_or(0))?,
                };
                let ending = given.text("ext")?.unwrap_or_else(|| "png".to_owned());
                if !["png", "jpg", "jpeg"].contains(&ending.as_str()) {
                    return Err(Error::script(format!("option `ext`: expected png or jpg, found `{ending}`")));
                }
                Format::Image(channels, ending)
            }
            other => match FORMATS[3..].iter().find(|known| **known == other) {
                Some(table) => Format::Table(table),
                None => return Err(unknown_format(other)),
            },
        }))
    }

    /// Returns the ending of an item's file.
    fn ending(&self) -> &str {
        match self {
            Format::Raw(_) => "raw",
            Format::Npy => "npy",
            Format::Image(_, ending) => ending,
            Format::Table(name) => name,
        }
    }

    fn read(&self, path: &Path) -> Result<Value> {
        match self {
            Format::Raw(None) => {
                let bytes = read_unpacked(path)?;
                let count = bytes.len();
                Ok(Value::Tensor(Array::from_u8(bytes, &[count])?.into()))
            }
            Format::Raw(Some(declared)) => {
                let options = ReadOptions {
                    format: Some("raw".to_owned()),
                    map: false,
                    raw: Some(declared.clone()),
                    ..ReadOptions::default()
                };
                let records = Records::read_with(path, &options)?;
                match records.len() {
                    1 => records.record(0).get("value"),
                    count => Err(Error::data(format!(
                        "expected one item of shape {:?} and dtype {}, found {count}",
                        declared.shape, declared.dtype
                    ))
                    .within(path.display().to_string())),
                }
            }
            Format::Image(channels, _) => {
                let bytes = read_unpacked(path)?;
                picture(&bytes, *channels).map(Value::Tensor).map_err(|error| error.within(path.display().to_string()))
            }
            Format::Npy | Format::Table(_) => read_array(path, false).map(|array| Value::Tensor(array.into())),
        }
    }

    fn bytes(&self, item: &Value) -> Result<Vec<u8>> {
        let array = || -> Result<Array> {
            match item {
                Value::Tensor(tensor) => tensor.to_host(),
                Value::Int(number) => Array::from_i64(vec![*number], &[]),
                Value::Float(number) => Array::from_f32(vec![*number as f32], &[]),
                other => Err(Error::data(format!("expected numbers to write, found {}", other.describe()))),
            }
        };
        match self {
            Format::Image(_, ending) => picture_bytes(&Tensor::Host(array()?), ending != "png"),
            Format::Npy => array().map(|array| npy_bytes(&array)),
            Format::Raw(_) | Format::Table(_) => array().map(|array| raw_bytes(&array)),
        }
    }
}

fn by_ending(path: &str) -> Option<String> {
    Records::format_of(Path::new(path)).filter(|name| FORMATS.contains(name)).map(str::to_owned)
}

fn lengths(shape: &Dynamic) -> Result<Vec<usize>> {
    let list = shape.read_lock::<List>().map_or_else(|| vec![shape.clone()], |list| list.clone());
    let length = |length: &Dynamic| length.as_int().ok().and_then(|length| usize::try_from(length).ok());
    list.iter().map(length).collect::<Option<_>>().ok_or_else(|| {
        Error::script(format!(
            "option `shape`: expected an array of whole numbers, found {}",
            type_phrase(shape.type_name())
        ))
    })
}

fn unknown_format(format: &str) -> Error {
    Error::script(format!("unknown format `{format}`"))
        .maybe_hint(error::did_you_mean(format, FORMATS))
        .hint(format!("formats: {}", error::list(FORMATS)))
        .hint("a module of batches may define `load(batch, src, options)` and `dump(batch, dst, options)` for formats of its own")
}

/// Where files of items are.
enum Place {
    /// Where the ids of an index say.
    Index(Index),
    /// In a folder, by their ids.
    Folder(PathBuf),
}

/// Returns what a batch loads from files.
///
/// # Errors
/// Files that are missing or wrong, an index without files.
pub fn source(host: &Host, batch: &Batch, format: &Format, source: &Dynamic, workers: Option<usize>) -> Result<Source> {
    let path = match source.as_immutable_string_ref() {
        Ok(name) => Some(host.roots().readable(&name)?),
        Err(_) => None,
    };
    if let Format::Table(name) = format {
        let path = path.ok_or_else(|| {
            Error::script(format!(
                "`load` of {name}: expected the name of a file, found {}",
                type_phrase(source.type_name())
            ))
        })?;
        let options = ReadOptions { format: Some((*name).to_owned()), map: host.map(), ..ReadOptions::default() };
        return by_id(Records::read_with(&path, &options)?, batch);
    }
    let place = match (path, source.read_lock::<Index>()) {
        // An array of the whole set in one file.
        (Some(path), _) if matches!(format, Format::Npy) && path.is_file() => {
            return Ok(Source::Rows(Items::Dense(read_array(&path, host.map())?)));
        }
        (Some(path), _) => Place::Folder(path),
        (None, Some(index)) => Place::Index(index.clone()),
        (None, None) if source.is_unit() => Place::Index(batch.index()),
        (None, None) => {
            return Err(Error::script(format!(
                "`load` of files: expected a folder or an index of files, found {}",
                type_phrase(source.type_name())
            )));
        }
    };
    let ids: Vec<Id> = batch.index().ids().collect();
    let item = |id: &Id| -> Result<Value> {
        let path = match &place {
            Place::Index(index) => index.path(id)?.to_owned(),
            Place::Folder(folder) => found(folder, id, format.ending())?,
        };
        format.read(&path)
    };
    let values = run(ids.len(), Target::Async, workers, &|| (), &|(), at| item(&ids[at]));
    let named = |(id, value): (&Id, Result<Value>)| match value {
        Ok(value) => Ok((id.clone(), value)),
        Err(error) => Err(error.within(format!("item `{id}`"))),
    };
    Ok(Source::ById(ids.iter().zip(values).map(named).collect::<Result<_>>()?))
}

/// Returns a table as a source; with a column `id`, rows are found by it.
fn by_id(records: Records, batch: &Batch) -> Result<Source> {
    if !records.columns().iter().any(|name| &**name == "id") {
        return Ok(Source::Table(records));
    }
    let names: Vec<Name> = records.columns().iter().filter(|name| &***name != "id").cloned().collect();
    let mut rows = std::collections::BTreeMap::new();
    for record in records.iter() {
        let id = match record.get("id")? {
            Value::Int(id) => Id::Number(id),
            Value::Text(id) => Id::Text(id),
            other => {
                return Err(Error::data(format!("an id is a whole number or a text, found {}", other.describe()))
                    .within(record.place()));
            }
        };
        rows.insert(id, record);
    }
    let wanted: Vec<Id> = batch.index().ids().collect();
    let part = |name: Name| -> Result<(Name, Source)> {
        let mut items = std::collections::BTreeMap::new();
        for id in &wanted {
            if let Some(record) = rows.get(id) {
                items.insert(id.clone(), record.get(&name)?);
            }
        }
        Ok((name, Source::ById(items)))
    };
    Ok(Source::Named(names.into_iter().map(part).collect::<Result<_>>()?))
}

/// Returns the file name of an id.
fn file_name(id: &Id) -> Result<String> {
    let name = id.to_string();
    match name.is_empty() || name.contains(['/', '\\', '\0']) || name == "." || name == ".." {
        true => Err(Error::data(format!("the id `{name}` cannot be the name of a file"))),
        false => Ok(name),
    }
}

/// Returns the file of an id in a folder: by the id itself, with the format's ending, or with that of a packing too.
fn found(folder: &Path, id: &Id, ending: &str) -> Result<PathBuf> {
    let name = file_name(id)?;
    let names =
        [name.clone(), format!("{name}.{ending}"), format!("{name}.{ending}.zst"), format!("{name}.{ending}.gz")];
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::data(format!("there is no file for the id `{id}` in {}", folder.display()))
            .hint(format!("expected one of {}", error::list(names.iter().map(String::as_str))))
    })
}

/// Writes components of a batch to files.
///
/// # Errors
/// A place outside of the project, components that the format cannot hold, whatever the file system refuses.
pub fn write(
    host: &Host,
    batch: &Batch,
    format: &Format,
    target: &Dynamic,
    components: &[Name],
    packed: &str,
) -> Result<()> {
    let Ok(target) = target.as_immutable_string_ref().map(|name| name.to_string()) else {
        return Err(Error::script(format!(
            "`dump` to files: expected the name of a folder or a file, found {}",
            type_phrase(target.type_name())
        )));
    };
    let names = match components {
        [] => batch.lock().names()?,
        names => names.to_vec(),
    };
    let (index, items) = {
        let mut data = batch.lock();
        let items = names.iter().map(|name| data.component(name).cloned()).collect::<Result<Vec<Items>>>()?;
        (data.index().clone(), items)
    };
    if let Format::Table(ending) = format {
        let path = table_name(batch, &target, ending, packed)?;
        return write_table(&host.roots().writable(&path)?, &index, &names, &items, ending);
    }
    let [items] = items.as_slice() else {
        return Err(Error::script(format!(
            "`dump` of {}: expected one component, found {}",
            format.ending(),
            names.len()
        ))
        .hint("name it: `batch.dump(\"folder\", #{ fmt: \"npy\", components: \"images\" })`; `csv`, `jsonl` and `parquet` hold several"));
    };
    let folder = host.roots().writable(&target)?;
    artifact::make_folder(&folder)?;
    let ids: Vec<Id> = index.ids().collect();
    let one = |at: usize| -> Result<()> {
        let name = format!("{}.{}{packed}", file_name(&ids[at])?, format.ending());
        write_packed(&folder.join(name), format.bytes(&items.get(at)?)?)
    };
    let written = run(ids.len(), Target::Async, None, &|| (), &|(), at| one(at));
    for (id, result) in ids.iter().zip(written) {
        result.map_err(|error| error.within(format!("item `{id}`")))?;
    }
    Ok(())
}

/// Returns the name of a batch's table: `*` in it is the batch's number.
fn table_name(batch: &Batch, target: &str, ending: &str, packed: &str) -> Result<String> {
    let number = batch.about().iteration;
    let name = match target.contains('*') {
        true => target.replace('*', &format!("{number:05}")),
        false if number > 1 => {
            return Err(Error::script(format!("every batch of the run would replace `{target}`"))
                .hint(format!("`parts/*.{ending}` makes a file for each batch, with its number")));
        }
        false => target.to_owned(),
    };
    match packed.is_empty() || name.ends_with(packed) {
        true => Ok(name),
        false => Ok(format!("{name}{packed}")),
    }
}

fn write_table(path: &Path, index: &Index, names: &[Name], items: &[Items], ending: &str) -> Result<()> {
    if Records::format_of(path) != Some(ending) {
        return Err(Error::script(format!("`dump` of {ending}: the name {} has another ending", path.display()))
            .hint(format!("`.{ending}`, or `.{ending}.zst` and `.{ending}.gz` for a compressed file")));
    }
    let row = |(at, id): (usize, Id)| -> Result<Row> {
        let id = match id {
            Id::Number(number) => Value::Int(number),
            Id::Text(text) => Value::Text(text),
        };
        let mut row: Row = vec![("id".into(), id)];
        for (name, items) in names.iter().zip(items) {
            row.push((name.clone(), items.get(at)?));
        }
        Ok(row)
    };
    let rows = index.ids().enumerate().map(row).collect::<Result<Vec<_>>>()?;
    if let Some(folder) = path.parent() {
        artifact::make_folder(folder)?;
    }
    Records::from_rows(rows, "the batch")?.write(path)
}

#[cfg(test)]
mod tests;
