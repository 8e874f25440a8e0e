//! Loader, transformer and augmentors of a recipe: native ones of the program, native ones of the
//! embedding program, scripts.

use std::sync::Arc;

use crate::augmentor::{self, Chain};
use crate::error::{Error, Result};
use crate::recipe::{Dataset, Import};
use crate::record::{Augmentor, Loader, Mode, Transformer};
use crate::registry::{self, Entry};
use crate::script::adaptor::{ScriptAugmentor, ScriptLoader, ScriptTransformer};
use crate::script::host::Factory;
use crate::script::{Component, Host};
use crate::{loader, transformer};

/// Makes the loader.
pub fn loader(host: &Host, dataset: &Dataset) -> Result<Arc<dyn Loader>> {
    let import = &dataset.loader;
    let native = host.native_loader(&import.path);
    let made = choose(host, import, loader::LIST, native, |component| Ok(Box::new(ScriptLoader::new(component)?) as _));
    Ok(Arc::from(made?))
}

/// Makes the transformer, not fitted yet.
pub fn transformer(
    host: &Host,
    dataset: &Dataset,
    loader: &Arc<dyn Loader>,
    mode: Mode,
) -> Result<Box<dyn Transformer>> {
    let import = &dataset.transformer;
    let native = host.native_transformer(&import.path);
    choose(host, import, transformer::LIST, native, |component| {
        Ok(Box::new(ScriptTransformer::new(component, loader.clone(), mode)?) as _)
    })
}

/// Makes the chain of augmentors; `None` when there are none.
pub fn augmentors(host: &Host, dataset: &Dataset) -> Result<Option<Arc<dyn Augmentor>>> {
    if dataset.augmentor.is_empty() {
        return Ok(None);
    }
    let one = |import: &Import| {
        choose(host, import, augmentor::LIST, host.native_augmentor(&import.path), |component| {
            Ok(Box::new(ScriptAugmentor::new(component)?) as Box<dyn Augmentor>)
        })
    };
    let chain: Vec<_> = dataset.augmentor.iter().map(one).collect::<Result<_>>()?;
    Ok(Some(Arc::new(Chain(chain))))
}

/// Makes a component of a slot: built in, then added by the embedding program, then scripted. Errors get
/// the place of the import.
pub fn choose<T: ?Sized>(
    host: &Host,
    import: &Import,
    list: &'static [Entry<T>],
    native: Option<&Factory<T>>,
    scripted: impl FnOnce(Component) -> Result<Box<T>>,
) -> Result<Box<T>> {
    let make = || {
        if let Some(entry) = registry::lookup(list, &import.path) {
            return entry.make(&import.params);
        }
        if let Some(native) = native {
            return native(&import.params);
        }
        host.component(&import.path, &import.params)
            .map_err(|error| unknown(host, error, import, list))
            .and_then(scripted)
    };
    make().map_err(|error| import.locate(error))
}

/// A name without dots was probably meant to be built in.
fn unknown<T: ?Sized>(host: &Host, error: Error, import: &Import, list: &'static [Entry<T>]) -> Error {
    if import.path.contains('.') || !error.message().starts_with("no component") {
        return error;
    }
    let names = || {
        let built_in = list.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()));
        built_in.chain(host.native_names())
    };
    let near = crate::error::did_you_mean(&import.path, names());
    let listed = match list.is_empty() {
        true => None,
        false => Some(format!("built in: {}", crate::error::list(list.iter().map(|entry| entry.name)))),
    };
    // The nearest built-in name comes before the nearest script.
    let own = Error::recipe(error.message().to_owned()).maybe_hint(near);
    error.hints().iter().fold(own, |own, hint| own.hint(hint.clone())).maybe_hint(listed)
}
