//! Fitting a transformer in parts: each machine fits a shard of the training records and writes what it learned as one
//! file; the files are put together, and training begins with them instead of fitting.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::artifact;
use crate::assemble::stations;
use crate::error::{Error, Result, codes, list};
use crate::recipe::{Import, Recipe};
use crate::record::{Mode, Records, Transformer};
use crate::script::Host;

/// One of several parts that training records are cut into: `2/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Reads `2/8`.
    ///
    /// # Errors
    /// Anything else, and a number that is not from 1 to the number of shards.
    pub fn parse(text: &str) -> Result<Shard> {
        let parsed = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err(Error::recipe(format!("expected a shard such as 2/8, from 1/8 to 8/8, found {text:?}"))),
        }
    }

    /// Returns the records of the shard: neighbours, so that all shards in order are all records in order.
    ///
    /// # Errors
    /// Fewer records than shards.
    pub fn cut(self, records: &Records) -> Result<Records> {
        let len = records.len();
        if len < self.of {
            return Err(Error::data(format!("{len} records are too few for {} shards", self.of)));
        }
        let end = |number: usize| (number as u128 * len as u128 / self.of as u128) as usize;
        records.take(&(end(self.number - 1)..end(self.number)).collect::<Vec<_>>())
    }
}

/// What was learned from some shards.
#[derive(Clone, Debug)]
pub struct Part {
    about: About,
    state: Vec<u8>,
}

/// What a part belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct About {
    /// The shards that are in it, ascending.
    shards: Vec<usize>,
    of: usize,
    /// How many records they had.
    records: usize,
    /// Loader and transformer, with their parameters.
    dataset: Value,
    /// The scripts that were used, and the hashes of their texts.
    scripts: Map<String, Value>,
}

const MAGIC: &[u8] = b"barrage part 1\n";

impl Part {
    /// Returns how many records it was learned from.
    pub fn records(&self) -> usize {
        self.about.records
    }

    /// Writes it as a file, replacing one of this name.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn write(&self, path: &Path) -> Result<()> {
        let about = serde_json::to_string(&self.about).unwrap_or_default();
        let head = format!("{about}\n{}\n", hash(&self.state));
        artifact::write_atomic(path, &[MAGIC, head.as_bytes(), &self.state].concat())
    }

    /// Reads one.
    ///
    /// # Errors
    /// A missing file, one of another kind, and one that is damaged or cut off.
    pub fn read(path: &Path) -> Result<Part> {
        let bytes = artifact::read(path)?;
        let name = path.display();
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(Error::artifact(format!("`{name}` is not what `barrage fit` writes")).coded(codes::WRONG_FILE));
        };
        let whole = || {
            let mut lines = rest.splitn(3, |&byte| byte == b'\n');
            let (about, known, state) = (lines.next()?, lines.next()?, lines.next()?);
            let about = serde_json::from_slice(about).ok()?;
            (hash(state).as_bytes() == known).then(|| Part { about, state: state.to_vec() })
        };
        whole().ok_or_else(|| {
            Error::artifact(format!("`{name}` is damaged or cut off"))
                .coded(codes::DAMAGED)
                .hint("copy it again, or fit its shard again")
        })
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fits the transformer of a recipe to some of the training records, the records of `shard`.
///
/// # Errors
/// A recipe whose loader or transformer cannot be made, a transformer that is fitted on all records at once, and
/// whatever it raises.
pub fn fit_part(host: &Host, recipe: &Recipe, records: &Records, shard: Shard) -> Result<Part> {
    let transformer = transformer(host, recipe)?;
    let import = &recipe.dataset.transformer;
    let within = || format!("fitting `{}`", import.path);
    let state = transformer.fit_part(records).map_err(|error| error.within(within()))?.ok_or_else(|| whole(import))?;
    Ok(Part {
        about: About {
            shards: vec![shard.number],
            of: shard.of,
            records: records.len(),
            dataset: dataset(recipe),
            scripts: scripts(host),
        },
        state,
    })
}

/// Puts parts together.
///
/// # Errors
/// Parts of other recipes, scripts or shards; whatever the transformer raises.
pub fn merge(host: &Host, recipe: &Recipe, parts: Vec<(PathBuf, Part)>) -> Result<Part> {
    let transformer = transformer(host, recipe)?;
    let (about, states) = together(host, recipe, parts)?;
    let state = transformer.merge_parts(&states).map_err(|error| recipe.dataset.transformer.locate(error))?;
    Ok(Part { about, state })
}

/// Finishes a transformer with the parts of all shards, in place of fitting it.
///
/// # Errors
/// As [`merge`], and shards that are missing.
pub(super) fn finish(
    host: &Host,
    recipe: &Recipe,
    transformer: &mut dyn Transformer,
    parts: Vec<(PathBuf, Part)>,
) -> Result<()> {
    let (about, states) = together(host, recipe, parts)?;
    let missing: Vec<String> = (1..=about.of)
        .filter(|number| !about.shards.contains(number))
        .map(|number| format!("{number}/{}", about.of))
        .collect();
    if !missing.is_empty() {
        return Err(Error::artifact(format!("the shards {} are missing", missing.join(", ")))
            .hint("fit them too: `barrage fit CONFIG TRAIN --shard N/M -o FILE`"));
    }
    transformer.fit_parts(&states)
}

fn transformer(host: &Host, recipe: &Recipe) -> Result<Box<dyn Transformer>> {
    recipe.check_spelling()?;
    let loader = stations::loader(host, &recipe.dataset)?;
    stations::transformer(host, &recipe.dataset, &Arc::clone(&loader), Mode::Train)
}

/// Checks that parts belong together and to the recipe; returns what they are as one, and their states in the order of
/// the shards.
fn together(host: &Host, recipe: &Recipe, mut parts: Vec<(PathBuf, Part)>) -> Result<(About, Vec<Vec<u8>>)> {
    parts.sort_by_key(|(_, part)| part.about.shards.first().copied());
    let wanted = dataset(recipe);
    let used = scripts(host);
    let mut about: Option<(&PathBuf, About)> = None;
    for (path, part) in &parts {
        let name = path.display();
        let own = &part.about;
        if own.dataset != wanted {
            return Err(Error::artifact(format!("`{name}` was fitted with another loader, transformer or parameters"))
                .hint(
                    "`dataset.loader` and `dataset.transformer` have to be the same for all shards and for training",
                ));
        }
        if let Some((script, _)) =
            own.scripts.iter().find(|(script, known)| used.get(*script).is_some_and(|own| own != *known))
        {
            return Err(Error::artifact(format!("the script `{script}` was changed since `{name}` was fitted"))
                .coded(codes::CHANGED)
                .hint("fit all shards again"));
        }
        match &mut about {
            None => about = Some((path, own.clone())),
            Some((first, all)) => {
                if all.of != own.of {
                    return Err(Error::artifact(format!(
                        "`{}` is one of {} shards, `{name}` one of {}",
                        first.display(),
                        all.of,
                        own.of
                    )));
                }
                if let Some(twice) = own.shards.iter().find(|number| all.shards.contains(number)) {
                    return Err(Error::artifact(format!(
                        "shard {twice}/{} is there twice, the second time in `{name}`",
                        own.of
                    )));
                }
                all.shards.extend(&own.shards);
                all.records += own.records;
            }
        }
    }
    let Some((_, mut about)) = about else { return Err(Error::artifact("there are no parts to put together")) };
    about.shards.sort_unstable();
    Ok((about, parts.into_iter().map(|(_, part)| part.state).collect()))
}

fn dataset(recipe: &Recipe) -> Value {
    let import = |import: &Import| json!({ "import": import.path, "params": import.params });
    json!({ "loader": import(&recipe.dataset.loader), "transformer": import(&recipe.dataset.transformer) })
}

fn scripts(host: &Host) -> Map<String, Value> {
    let all = host.sources().all();
    // What was typed at a prompt has no name.
    let files = all.iter().filter(|script| script.label.ends_with(".rhai"));
    files.map(|script| (script.label.to_string(), hash(script.text.as_bytes()).into())).collect()
}

fn whole(import: &Import) -> Error {
    let error = Error::recipe(format!("`{}` is fitted on all records at once", import.path)).hint(format!(
        "a transformer that is fitted in parts defines {}",
        list(["fit_partial(records)", "merge(a, b)", "finish(state)"])
    ));
    import.locate(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_all_records_in_order() {
        let rows = (0..11).map(|i| vec![("i".into(), crate::record::Value::from(i as i64))]).collect();
        let records = Records::from_rows(rows, "made").unwrap();
        let cut = |text: &str| {
            let part = Shard::parse(text).unwrap().cut(&records).unwrap();
            part.iter().map(|record| record.index()).collect::<Vec<_>>()
        };
        assert_eq!(["1/3", "2/3", "3/3"].map(cut).concat(), (0..11).collect::<Vec<_>>());
        assert_eq!(cut("1/1").len(), 11);
        for wrong in ["0/3", "4/3", "2", "a/b", "1/0"] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Shard { number: 1, of: 12 }.cut(&records).is_err());
    }

    #[test]
    fn a_part_is_read_as_it_was_written_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.part");
        let about = About { shards: vec![2], of: 3, records: 5, dataset: json!({ "a": 1 }), scripts: Map::new() };
        Part { about: about.clone(), state: b"one\ntwo\n".to_vec() }.write(&path).unwrap();
        let part = Part::read(&path).unwrap();
        assert_eq!((&part.about, &part.state[..]), (&about, &b"one\ntwo\n"[..]));
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 5, MAGIC.len(), MAGIC.len() + 10, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(Part::read(&path).is_err(), "{cut}");
        }
    }
}
