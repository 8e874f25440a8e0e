//! `make_data_loaders(experiment_config, hparams)`: a script makes the records of its run, as PEDL has it.

use rhai::{Array as List, Dynamic, Map};

use crate::error::{Error, Result};
use crate::record::{BatchLoader, Mode, Records};
use crate::registry::Params;
use crate::script::traceback::type_phrase;
use crate::script::{Component, cast};

/// The name of the function.
pub const MAKE: &str = "make_data_loaders";

/// Returns whether a script has the function.
pub fn makes_data_loaders(component: &Component) -> bool {
    component.arities(MAKE).contains(&2)
}

/// Calls the function with the resolved config and its section `hyperparameters`; returns the training and the
/// validation records.
///
/// # Errors
/// A script without the function; whatever it raises; anything but two batch loaders or tables of records.
pub fn data_loaders(component: &Component, config: &Params, hyperparameters: &Params) -> Result<(Records, Records)> {
    if !makes_data_loaders(component) {
        return Err(Error::recipe(format!(
            "`{}` has no function `{MAKE}(experiment_config, hparams)`",
            component.import()
        ))
        .hint("give the training and the validation records, or let the loader's script make them"));
    }
    component.init(Mode::Train)?;
    let mut arguments = [cast::from_params(config), cast::from_params(hyperparameters)];
    let value = component.call(MAKE, Mode::Train, &mut arguments)?;
    let kind = type_phrase(value.type_name());
    let wrong = |found: String| {
        component.returned(
            MAKE,
            Error::script(format!("expected two batch loaders, found {found}")).hint("return `[training, validation]`"),
        )
    };
    let (train, validation) = if let Some(map) = value.read_lock::<Map>() {
        match (map.get("train"), map.get("validation")) {
            (Some(train), Some(validation)) => (train.clone(), validation.clone()),
            _ => return Err(wrong("a map without `train` and `validation`".to_owned())),
        }
    } else if let Some(list) = value.read_lock::<List>() {
        match list.as_slice() {
            [train, validation] => (train.clone(), validation.clone()),
            other => return Err(wrong(format!("an array of {}", other.len()))),
        }
    } else {
        return Err(wrong(kind));
    };
    let records = |value: &Dynamic| {
        if let Some(loader) = value.read_lock::<BatchLoader>() {
            return loader.records();
        }
        let records = value.read_lock::<Records>().map(|records| records.clone());
        records.ok_or_else(|| wrong(type_phrase(value.type_name())))
    };
    Ok((records(&train)?, records(&validation)?))
}
