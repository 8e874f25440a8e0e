//! Operations on pictures for scripts: options become settings, those with a value for each item among them.

use rhai::{Array as List, Dynamic, Map};

use crate::error::{Error, Result, codes};
use crate::pipeline::Target;
use crate::pipeline::images::{Given, Operation, Pass, Settings, patches};
use crate::record::{Name, Value};
use crate::script::batches::expression::{PerItem, resolve};
use crate::script::batches::load::Given as Options;
use crate::script::batches::{Batch, Component};
use crate::script::cast;
use crate::script::host::Host;

/// Where pictures are when nothing else is said.
const USUAL: &str = "images";

/// Changes pictures of a batch.
///
/// # Errors
/// Unknown and wrong options, components without pictures.
pub fn change(host: &Host, batch: &Batch, operation: &'static Operation, options: Map) -> Result<()> {
    let options = resolve(host, batch, Dynamic::from(options))?.try_cast::<Map>().unwrap_or_default();
    let mut options = Options::new(operation.name, options);
    let from = options.names("src")?;
    let from = if from.is_empty() { vec![usual(batch, operation.name)?] } else { from };
    let to = options.names("dst")?;
    let to = if to.is_empty() { from.clone() } else { to };
    if from.len() != to.len() {
        return Err(Error::script(format!(
            "`{}`: `src` has {} components, `dst` has {}",
            operation.name,
            from.len(),
            to.len()
        )));
    }
    let chance = options.take("p").map(|p| probability(&p, operation.name)).transpose()?;
    let target = options.text("target")?.map_or(Ok(Target::Threads), |target| Target::parse(&target))?;
    let workers = match options.take("workers") {
        None => None,
        Some(workers) => match workers.as_int() {
            Ok(count) if count > 0 => Some(count as usize),
            _ => {
                return Err(Error::script(format!(
                    "option `workers` of `{}`: expected a whole number of at least 1, found {workers}",
                    operation.name
                ))
                .coded(codes::WRONG_OPTION));
            }
        },
    };
    let mut given = Given::default();
    for (name, value) in options.rest() {
        let name = Name::from(name.as_str());
        let wrong = |error: Error| error.within(format!("option `{name}` of `{}`", operation.name));
        match each(&value) {
            Some(values) => {
                let values = values.iter().map(to_setting).collect::<Result<Vec<_>>>().map_err(wrong)?;
                given.each.push((name, values));
            }
            None => given.same.push((name.clone(), to_setting(&value).map_err(wrong)?)),
        }
    }
    // The same draws for all components, so that pictures and masks go the same way.
    let draw = batch.draw();
    let index = batch.index();
    for (from, to) in from.iter().zip(&to) {
        let items = batch.component(from).items()?;
        let pass = Pass { chance, draw: &draw, target, workers };
        let changed = operation.apply(&items, &index, &given, pass);
        let changed = changed.map_err(|error| error.within(format!("component `{from}`")))?;
        batch.lock().set(to, changed)?;
    }
    Ok(())
}

/// Cuts pictures of a batch into patches, of which each becomes an item.
///
/// # Errors
/// See [`change`].
pub fn split(host: &Host, batch: &Batch, options: Map) -> Result<()> {
    let options = resolve(host, batch, Dynamic::from(options))?.try_cast::<Map>().unwrap_or_default();
    let mut options = Options::new(patches::NAME, options);
    let from = options.names("src")?;
    let from = if from.is_empty() { vec![usual(batch, patches::NAME)?] } else { from };
    let mut values = Vec::new();
    for (name, value) in options.rest() {
        let wrong = |error: Error| error.within(format!("option `{name}` of `{}`", patches::NAME));
        values.push((Name::from(name.as_str()), to_setting(&value).map_err(wrong)?));
    }
    let cut = patches::Cut::read(Settings::new(patches::NAME, values))?;
    let mut inner = batch.lock();
    let other = cut.apply(&mut inner, &from)?;
    inner.replace(other);
    Ok(())
}

/// Returns the component that is meant without `src`: `images`, or the only one.
fn usual(batch: &Batch, operation: &str) -> Result<Name> {
    let names = batch.lock().names()?;
    match names.as_slice() {
        [only] => Ok(only.clone()),
        names if names.iter().any(|name| &**name == USUAL) => Ok(USUAL.into()),
        names => Err(Error::script(format!("`{operation}` needs `src`: the batch has no component `{USUAL}`"))
            .hint(format!("components: {}", crate::error::list(names.iter().map(|name| &**name))))),
    }
}

fn probability(value: &Dynamic, operation: &str) -> Result<f64> {
    let number = value.as_float().or_else(|_| value.as_int().map(|whole| whole as f64));
    number.ok().filter(|p| (0.0..=1.0).contains(p)).ok_or_else(|| {
        Error::script(format!("option `p` of `{operation}`: expected a probability from 0 to 1, found {value}"))
            .coded(codes::WRONG_OPTION)
    })
}

/// Returns a value for each item, where `P(…)` is the value or stands in an array.
fn each(value: &Dynamic) -> Option<List> {
    if let Some(own) = value.read_lock::<PerItem>() {
        return Some(own.0.clone());
    }
    let list = value.read_lock::<List>()?;
    let count = list.iter().find_map(|part| part.read_lock::<PerItem>().map(|own| own.0.len()))?;
    let item = |at: usize| {
        let part = |part: &Dynamic| match part.read_lock::<PerItem>() {
            Some(own) => own.0.get(at).cloned().unwrap_or_default(),
            None => part.clone(),
        };
        Dynamic::from(list.iter().map(part).collect::<List>())
    };
    Some((0..count).map(item).collect())
}

/// Returns a value as a setting; an array of numbers stays one, with what is missing in it.
fn to_setting(value: &Dynamic) -> Result<Value> {
    if let Some(component) = value.read_lock::<Component>() {
        return Ok(Value::Tensor(component.tensor()?));
    }
    cast::to_value(value)
}
