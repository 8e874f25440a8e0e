//! Actions: functions of a batch's module, and those that every batch has.

use std::cell::Cell;

use rhai::{Array as List, Dynamic, Map};

use crate::error::{self, Error, Result, codes};
use crate::pipeline::images::{LIST, named, patches};
use crate::record::Mode;
use crate::script::batches::{Batch, images, load};
use crate::script::host::Host;
use crate::script::traceback::type_phrase;

/// The actions that every batch has.
pub const BUILT_IN: [&str; 2] = ["load", "dump"];

/// How deeply actions may call each other.
const DEPTH: usize = 16;

thread_local! {
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
}

/// Counts an action as under way, until it is dropped.
struct UnderWay;

impl UnderWay {
    fn enter(name: &str) -> Result<UnderWay> {
        if UNDER_WAY.get() >= DEPTH {
            return Err(Error::script(format!("actions call each other too deeply, `{name}` at last"))
                .coded(codes::TOO_MUCH)
                .hint("is there a recursion without end? a `load` of a module goes on with `batch.super_load(…)`"));
        }
        UNDER_WAY.set(UNDER_WAY.get() + 1);
        Ok(UnderWay)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.set(UNDER_WAY.get().saturating_sub(1));
    }
}

/// Checks that batches of a module have an action.
///
/// # Errors
/// An unknown name, with the nearest one; a function that takes another number of arguments.
pub fn check(batch_module: Option<&crate::script::Component>, name: &str, arguments: usize) -> Result<()> {
    let arities = batch_module.map(|module| module.arities(name)).unwrap_or_default();
    let is_operation = named(name).is_some() || name == patches::NAME;
    if arities.contains(&(arguments + 1)) || BUILT_IN.contains(&name) || is_operation {
        return Ok(());
    }
    let Some(module) = batch_module else {
        return Err(Error::script(format!("unknown action `{name}`: the batch has no module of actions"))
            .hint("`dataset(index, #{ batch: \"my/batches\" })` names the script whose functions are its actions")
            .hint("`.exec(|batch| …)` runs a function of this script"));
    };
    match arities.first() {
        Some(&arity) => {
            let expected = match arity {
                0 => "no parameters, expected a batch first".to_owned(),
                arity => format!("the batch and {} more arguments, found {arguments}", arity - 1),
            };
            Err(Error::script(format!("the action `{name}` takes {expected}"))
                .coded(codes::WRONG_ARGUMENTS)
                .within(format!("`{}`", module.script().label)))
        }
        None => {
            let names = module.functions();
            let names = || names.iter().map(String::as_str).chain(BUILT_IN);
            let pictures = LIST.iter().map(|operation| operation.name).chain([patches::NAME]);
            Err(Error::script(format!("unknown action `{name}`"))
                .maybe_hint(error::did_you_mean(name, names().chain(pictures)))
                .hint(format!("actions of `{}`: {}", module.script().label, error::list(names()))))
        }
    }
}

/// Runs an action; what it returns is the batch to go on with, this one when it returns nothing.
///
/// # Errors
/// See [`check`]; whatever the action raises; something else than a batch as its result.
pub fn run(host: &Host, batch: &Batch, name: &str, arguments: Vec<Dynamic>) -> Result<Batch> {
    let module = batch.about().module.clone();
    check(module.as_deref(), name, arguments.len())?;
    match module.filter(|module| module.arities(name).contains(&(arguments.len() + 1))) {
        Some(module) => {
            let _under_way = UnderWay::enter(name)?;
            let mut all: Vec<Dynamic> = std::iter::once(Dynamic::from(batch.clone())).chain(arguments).collect();
            let result = module.call(name, Mode::Train, &mut all)?;
            next(batch, result, name)
        }
        None => {
            let mut arguments = arguments.into_iter();
            let first = arguments.next().unwrap_or(Dynamic::UNIT);
            match (name, named(name)) {
                ("load", _) => load::load(host, batch, first, options(arguments.next())?),
                (patches::NAME, _) => images::split(host, batch, options(Some(first))?),
                (_, Some(operation)) if first.is_unit() => images::change(host, batch, operation, Map::new()),
                (_, Some(operation)) => images::change(host, batch, operation, options(Some(first))?),
                _ => load::dump(host, batch, first, options(arguments.next())?),
            }?;
            Ok(batch.clone())
        }
    }
}

fn options(value: Option<Dynamic>) -> Result<Map> {
    match value {
        None => Ok(Map::new()),
        Some(value) => {
            let kind = value.type_name();
            value
                .try_cast::<Map>()
                .ok_or_else(|| Error::script(format!("expected options, a map, found {}", type_phrase(kind))))
        }
    }
}

/// Returns the batch to go on with after a function returned something.
///
/// # Errors
/// Neither a batch nor nothing.
pub fn next(batch: &Batch, result: Dynamic, name: &str) -> Result<Batch> {
    if result.is_unit() {
        return Ok(batch.clone());
    }
    let kind = result.type_name();
    result.try_cast::<Batch>().ok_or_else(|| {
        Error::script(format!("the action `{name}` returned {}, expected a batch or nothing", type_phrase(kind)))
            .coded(codes::WRONG_RETURN)
            .hint("an action changes the batch in place; end it with `batch`, or with a statement")
    })
}

/// Returns the arguments that a script gave an action: an array of them, or one value.
pub fn arguments(value: Dynamic) -> Vec<Dynamic> {
    if value.is_unit() {
        return Vec::new();
    }
    match value.is_array() {
        true => value.into_array().unwrap_or_else(|_| List::new()),
        false => vec![value],
    }
}
