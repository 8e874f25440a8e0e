//! Where a function runs, with which arguments, and its calls.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::pipeline::{Target, run};
use crate::script::api::arguments::Answer;
use crate::script::api::options::Options;
use crate::script::batches::function::Function;
use crate::script::batches::{Batch, expression};
use crate::script::host::Host;
use crate::script::traceback::raise;

/// Where and by how many.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub target: Target,
    pub workers: Option<usize>,
}

/// Takes `target` and `workers`. Without a target, the work is done on the cores, unless the function changes
/// variables around it.
pub(super) fn work(options: &mut Options, function: &Function, name: &str) -> Answer<Work> {
    let target = options.text("target")?.map(|target| Target::parse(&target)).transpose().map_err(raise)?;
    let workers = options.whole("workers")?.map(|workers| (workers as usize).max(1));
    let target = match (target, function.assigns()) {
        (Some(Target::For), _) => Target::For,
        (Some(target), None) => target,
        (None, None) => Target::Threads,
        (None, Some(_)) => Target::For,
        (Some(_), Some(variable)) => {
            return Err(raise(
                Error::script(format!("`{name}`: the function assigns to `{variable}`, a variable around it"))
                    .hint("threads would do that in any order: return what is to be kept, or set `target: \"for\"`"),
            ));
        }
    };
    Ok(Work { target, workers })
}

/// An argument after those of the item.
pub(super) enum Argument {
    /// The same for every item.
    Same(Dynamic),
    /// One for each item.
    Each(Vec<Dynamic>),
}

/// Takes `args`: an array, in which `P(…)` has a value for each item.
pub(super) fn arguments(host: &Host, options: &mut Options, batch: &Batch, count: usize) -> Answer<Vec<Argument>> {
    let Some(given) = options.take("args") else { return Ok(Vec::new()) };
    let list = match given.is_array() {
        true => given.into_array().unwrap_or_default(),
        false => vec![given],
    };
    let argument = |value: Dynamic| {
        let value = expression::resolve(host, batch, value)?;
        Ok(match value.read_lock::<expression::PerItem>() {
            Some(each) if each.0.len() == count => Argument::Each(each.0.clone()),
            Some(each) => {
                return Err(Error::script(format!(
                    "`P`: expected {count} values, one for each item, found {}",
                    each.0.len()
                )));
            }
            None => Argument::Same(value.clone()),
        })
    };
    list.into_iter().map(argument).collect::<Result<_>>().map_err(raise)
}

pub(super) fn of_item(arguments: &[Argument], item: usize) -> impl Iterator<Item = Dynamic> + '_ {
    arguments.iter().map(move |argument| match argument {
        Argument::Same(value) => value.clone(),
        Argument::Each(values) => values[item].clone(),
    })
}

/// Calls the function for each entry; a failure is a result like any other.
pub(super) fn each(
    function: &Function,
    work: Work,
    entries: usize,
    enter: &(dyn Fn(usize) -> Result<Vec<Dynamic>> + Sync),
) -> Vec<Result<Dynamic>> {
    let apart = work.target != Target::For;
    run(entries, work.target, work.workers, &|| function.start(apart), &|running, item| {
        let running = running.as_mut().map_err(|error| error.clone())?;
        running.call(&mut enter(item)?)
    })
}

/// Refuses arguments that the function does not take, before it is called for every item.
pub(super) fn check(function: &Function, count: usize, what: &str) -> Result<()> {
    match function.takes(count) {
        true => Ok(()),
        false => Err(Error::script(format!("{} does not take {count} arguments", function.name()))
            .hint(format!("it is called with {what}"))),
    }
}
