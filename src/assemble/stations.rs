//! Loader, transformer and augmentors of a recipe: native ones of the program, native ones of the
//! embedding program, scripts.

use std::sync::Arc;

use crate::assemble::chain::Chain;
use crate::assemble::faults::Faults;
use crate::augmentor;
use crate::error::{Error, Result, codes};
use crate::recipe::{Dataset, Import, Recipe};
use crate::record::{Augmentor, DataRecords, Loader, Mode, Record, Records, Transformer};
use crate::registry::{self, Entry};
use crate::script::adaptor::{self, ScriptAugmentor, ScriptBatchAugmentor, ScriptLoader, ScriptTransformer};
use crate::script::host::Factory;
use crate::script::{Component, Host};
use crate::{loader, transformer};

/// Makes the loader.
pub fn loader(host: &Host, dataset: &Dataset) -> Result<Arc<dyn Loader>> {
    let import = &dataset.loader;
    let native = host.native_loader(&import.path);
    let scripted = |component: Component| -> Result<Box<dyn Loader>> {
        if !component.has(adaptor::MAKE) {
            return Ok(Box::new(ScriptLoader::new(component)?));
        }
        // The script makes its own records; those of a file that is scored need its `load`.
        let others = match component.has("load") {
            true => Some(Arc::new(ScriptLoader::new(component)?) as Arc<dyn Loader>),
            false => None,
        };
        Ok(Box::new(loader::BatchLoader::or(others)))
    };
    let inner = choose(host, import, "loader", loader::LIST, native, scripted)?;
    Ok(Arc::new(Located { inner, import: import.clone() }))
}

/// Returns whether the loader is a script that makes the records itself.
///
/// # Errors
/// A loader that is not found.
pub fn makes_records(host: &Host, recipe: &Recipe) -> Result<bool> {
    let import = &recipe.dataset.loader;
    if registry::lookup(loader::LIST, &import.path).is_some() || host.native_loader(&import.path).is_some() {
        return Ok(false);
    }
    let component = host.component(&import.path, &import.params).map_err(|error| import.locate(error))?;
    Ok(adaptor::makes_data_loaders(&component))
}

/// Returns the training and validation records that the loader's script makes.
///
/// # Errors
/// A loader without `make_data_loaders`; whatever it raises.
pub fn data_loaders(host: &Host, recipe: &Recipe) -> Result<(Records, Records)> {
    let import = &recipe.dataset.loader;
    let make = || {
        if registry::lookup(loader::LIST, &import.path).is_some() || host.native_loader(&import.path).is_some() {
            return Err(Error::recipe(format!("the loader `{}` makes no records of its own", import.path))
                .hint("give the training and the validation records"));
        }
        let component = host.component(&import.path, &import.params)?;
        let config = recipe.to_json().as_object().cloned().unwrap_or_default();
        adaptor::data_loaders(&component, &config, &recipe.hyperparameters)
    };
    make().map_err(|error| import.locate(error))
}

/// Makes the transformer, not fitted yet.
pub fn transformer(
    host: &Host,
    dataset: &Dataset,
    loader: &Arc<dyn Loader>,
    mode: Mode,
) -> Result<Box<dyn Transformer>> {
    one_transformer(host, &dataset.transformer, loader, mode)
}

fn one_transformer(host: &Host, import: &Import, loader: &Arc<dyn Loader>, mode: Mode) -> Result<Box<dyn Transformer>> {
    if import.path.trim_start_matches("barrage.dataset.") == transformer::CHAIN {
        let chain = Chain::new(import, loader, |block, loader| one_transformer(host, block, loader, mode));
        return Ok(Box::new(chain.map_err(|error| import.locate(error))?));
    }
    let native = host.native_transformer(&import.path);
    choose(host, import, "transformer", transformer::LIST, native, |component| {
        Ok(Box::new(ScriptTransformer::new(component, loader.clone(), mode)?) as _)
    })
}

/// Makes the chain of augmentors; `None` when there are none.
pub fn augmentors(host: &Host, dataset: &Dataset) -> Result<Option<Arc<dyn Augmentor>>> {
    if dataset.augmentor.is_empty() {
        return Ok(None);
    }
    let one = |import: &Import| {
        choose(host, import, "augmentor", augmentor::LIST, host.native_augmentor(&import.path), |component| {
            Ok(match ScriptBatchAugmentor::fits(&component)? {
                true => Box::new(ScriptBatchAugmentor::new(component)?) as Box<dyn Augmentor>,
                false => Box::new(ScriptAugmentor::new(component)?),
            })
        })
    };
    let mut faults = Faults::default();
    let chain: Vec<_> = dataset.augmentor.iter().filter_map(|import| faults.take(one(import))).collect();
    faults.finish()?;
    Ok(Some(Arc::new(augmentor::Chain(chain))))
}

/// Makes a component of a slot: built in, then added by the embedding program, then scripted. Errors get
/// the place of the import.
pub fn choose<T: ?Sized>(
    host: &Host,
    import: &Import,
    slot: &str,
    list: &'static [Entry<T>],
    native: Option<&Factory<T>>,
    scripted: impl FnOnce(Component) -> Result<Box<T>>,
) -> Result<Box<T>> {
    let make = || {
        if let Some(entry) = registry::lookup(list, &import.path) {
            host.note_native(slot, &import.path);
            return entry.make(&import.params);
        }
        if let Some(native) = native {
            host.note_native(slot, &import.path);
            return native(&import.params);
        }
        host.component(&import.path, &import.params)
            .map_err(|error| {
                let built_in: Vec<&str> = registry::names(list).collect();
                let names = built_in.into_iter().chain(host.native_names());
                unknown(error, import, slot, names, list.iter().map(|entry| entry.name))
            })
            .and_then(scripted)
    };
    make().map_err(|error| import.locate(error))
}

/// A name without dots was probably meant to be built in: the nearest of those comes before the nearest script.
pub fn unknown<'a>(
    error: Error,
    import: &Import,
    slot: &str,
    names: impl Iterator<Item = &'a str>,
    main: impl Iterator<Item = &'static str>,
) -> Error {
    if import.path.contains('.') || !error.message().starts_with("no component") {
        return error;
    }
    let near = crate::error::did_you_mean(&import.path, names);
    // Dozens of names help only where none is near.
    let listed = near.is_none().then(|| crate::error::list(main)).filter(|list| !list.is_empty());
    let own = Error::recipe(format!("unknown {slot} `{}`", import.path)).coded(codes::UNKNOWN_COMPONENT);
    let own = own.maybe_hint(near);
    let own = error.hints().iter().fold(own, |own, hint| own.hint(hint.clone()));
    own.maybe_hint(listed.map(|list| format!("built in: {list}")))
}

/// Stands for a loader that could not be made, so that the transformer above it is looked at too.
pub struct Missing;

impl Loader for Missing {
    fn load(&self, _: &[Record], _: Mode) -> Result<DataRecords> {
        Err(Error::recipe("the loader could not be made"))
    }
}

/// A loader whose errors say where in the recipe it stands, unless they know a better place.
struct Located {
    inner: Box<dyn Loader>,
    import: Import,
}

impl Loader for Located {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        self.inner.load(records, mode).map_err(|error| match mode {
            // What is scored is wrong then, rather than the recipe of the run.
            Mode::Score => error,
            Mode::Train | Mode::Validation => self.import.locate(error),
        })
    }
}
