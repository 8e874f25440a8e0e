//! A chain of transformers, native ones and scripts.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;

use crate::artifact;
use crate::error::{Error, Result};
use crate::recipe::Import;
use crate::record::{DataRecords, Fields, Loader, Mode, Record, Records, Transformer};
use crate::registry::{Params, found};

/// A transformer that the loader of the next one reads while that is fitted.
type Link = Arc<RwLock<Box<dyn Transformer>>>;

/// Transformers, one after another.
pub struct Chain {
    links: Vec<Link>,
    /// What each of them is given as its loader.
    loaders: Vec<Arc<dyn Loader>>,
    names: Vec<String>,
}

impl Chain {
    /// Makes the links of an import block; `make` makes one of them, with its loader.
    ///
    /// # Errors
    /// Parameters that are no list of import blocks; whatever making a link raises.
    pub fn new(
        import: &Import,
        loader: &Arc<dyn Loader>,
        make: impl Fn(&Import, &Arc<dyn Loader>) -> Result<Box<dyn Transformer>>,
    ) -> Result<Chain> {
        let mut chain = Chain { links: Vec::new(), loaders: Vec::new(), names: Vec::new() };
        let mut loader = loader.clone();
        for block in blocks(import)? {
            let link = Arc::new(RwLock::new(make(&block, &loader)?));
            chain.names.push(block.path);
            chain.loaders.push(loader.clone());
            loader = Arc::new(Through { loader, before: link.clone() });
            chain.links.push(link);
        }
        Ok(chain)
    }
}

/// Returns the import blocks of the links.
fn blocks(import: &Import) -> Result<Vec<Import>> {
    const HINT: &str = "write `transformers: [component(\"std.transformers.impute\"), …]`";
    if let Some(name) = import.params.keys().find(|name| *name != "transformers") {
        return Err(Error::recipe(format!("`Chain` has no parameter `{name}`")).hint("parameters: `transformers`"));
    }
    let list = import
        .params
        .get("transformers")
        .ok_or_else(|| Error::recipe("`Chain` needs the parameter `transformers`").hint(HINT))?;
    let refuse = |value: &Value| {
        Error::recipe(format!(
            "parameter `transformers` of `Chain`: expected a list of import blocks, found {}",
            found(value)
        ))
        .hint(HINT)
    };
    let items = list.as_array().filter(|items| !items.is_empty()).ok_or_else(|| refuse(list))?;
    let block = |(at, item): (usize, &Value)| {
        let map = item.as_object().ok_or_else(|| refuse(item))?;
        let path = map.get("import").and_then(Value::as_str).ok_or_else(|| refuse(item))?;
        let params = match map.get("params") {
            None | Some(Value::Null) => Params::new(),
            Some(params) => params.as_object().cloned().ok_or_else(|| refuse(params))?,
        };
        match map.keys().find(|key| !matches!(key.as_str(), "import" | "params")) {
            Some(key) => {
                Err(Error::recipe(format!("an import block has no key `{key}`")).hint("keys: `import`, `params`"))
            }
            None => Ok(Import::new(path, params, format!("{}.params.transformers[{at}]", import.key_path))),
        }
    };
    items.iter().enumerate().map(block).collect()
}

fn read(link: &Link) -> RwLockReadGuard<'_, Box<dyn Transformer>> {
    link.read().unwrap_or_else(PoisonError::into_inner)
}

impl Transformer for Chain {
    fn fit(&mut self, records: &Records, _: &dyn Loader) -> Result<()> {
        for ((link, loader), name) in self.links.iter().zip(&self.loaders).zip(&self.names) {
            let mut link = link.write().unwrap_or_else(PoisonError::into_inner);
            link.fit(records, &**loader).map_err(|error| error.within(format!("fitting `{name}`")))?;
        }
        Ok(())
    }

    fn transform(&self, chunk: DataRecords, mode: Mode) -> Result<DataRecords> {
        self.links.iter().try_fold(chunk, |chunk, link| read(link).transform(chunk, mode))
    }

    fn postprocess(&self, score: Fields) -> Result<Fields> {
        self.links.iter().rev().try_fold(score, |score, link| read(link).postprocess(score))
    }

    fn has_postprocess(&self) -> bool {
        self.links.iter().any(|link| read(link).has_postprocess())
    }

    fn network_params(&self) -> Params {
        self.links.iter().flat_map(|link| read(link).network_params()).collect()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.links.iter().enumerate().try_for_each(|(at, link)| {
            let folder = folder.join(at.to_string());
            artifact::make_folder(&folder)?;
            read(link).save(&folder)
        })
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.links.iter().enumerate().try_for_each(|(at, link)| {
            link.write().unwrap_or_else(PoisonError::into_inner).load(&folder.join(at.to_string()))
        })
    }

    fn check_storable(&self) -> Result<()> {
        let mut known: Vec<(String, &str)> = Vec::new();
        for (link, name) in self.links.iter().zip(&self.names) {
            let link = read(link);
            link.check_storable()?;
            for param in link.network_params().keys() {
                if let Some((_, other)) = known.iter().find(|(known, _)| known == param) {
                    return Err(Error::recipe(format!(
                        "`{other}` and `{name}` both set the network's parameter `{param}`"
                    )));
                }
                known.push((param.clone(), name));
            }
        }
        Ok(())
    }
}

/// The loader of a link: what the links before it make of the records.
struct Through {
    loader: Arc<dyn Loader>,
    before: Link,
}

impl Loader for Through {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        let loaded = self.loader.load(records, mode)?;
        read(&self.before).transform(loaded, mode)
    }
}
