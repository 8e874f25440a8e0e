//! `batch.parallel`: a function is called for each entry of what `init` gives.

use rhai::{Array as List, Dynamic, NativeCallContext};

use super::work::{arguments, check, each, of_item, work};
use super::{Failure, failed};
use crate::error::{Error, Result};
use crate::script::api::arguments::Answer;
use crate::script::api::options::Options;
use crate::script::batches::function::Function;
use crate::script::batches::{Batch, convert};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// Calls a function for each entry of what `init` gives, and `post` with all results.
///
/// # Errors
/// Unknown options, an `init` that gives no array, and without `post` whatever failed.
pub fn parallel(
    context: &NativeCallContext,
    batch: &Batch,
    function: &Dynamic,
    mut options: Options,
) -> Answer<Dynamic> {
    let module = batch.about().module.clone();
    let function = Function::new(context, function, module.as_ref())?;
    let init = options.take("init").unwrap_or_else(|| Dynamic::from("ids"));
    let post = options.take("post").map(|post| Function::new(context, &post, module.as_ref())).transpose()?;
    let work = work(&mut options, &function, "parallel")?;
    let entries = entries(context, batch, &init)?;
    let arguments = arguments(&Host::of(context)?, &mut options, batch, entries.len())?;
    options.finish()?;
    let given = |item: usize| -> Result<Vec<Dynamic>> {
        let mut all = entries[item].clone();
        all.extend(of_item(&arguments, item));
        Ok(all)
    };
    if let Some(first) = entries.first() {
        check(&function, first.len() + arguments.len(), "what `init` gives for an item, and `args`").map_err(raise)?;
    }
    let index = batch.index();
    let results = each(&function, work, entries.len(), &given);
    let id = |at: usize| (entries.len() == index.len()).then(|| index.id(at).ok()).flatten();
    let results: Vec<std::result::Result<Dynamic, Failure>> = results
        .into_iter()
        .enumerate()
        .map(|(at, result)| result.map_err(|error| Failure { error, id: id(at) }))
        .collect();
    match post {
        Some(post) => {
            let results: List = results.into_iter().map(|result| result.unwrap_or_else(Dynamic::from)).collect();
            let returned = post.call(vec![Dynamic::from(batch.clone()), Dynamic::from(results)]).map_err(raise)?;
            Ok(if returned.is_unit() { Dynamic::from(batch.clone()) } else { returned })
        }
        None => match failed(results.iter().filter_map(|result| result.as_ref().err())) {
            Some(error) => Err(raise(error)),
            None => Ok(Dynamic::from(batch.clone())),
        },
    }
}

/// Returns the arguments of each call: what `init` names, an array, or what a function of the batch returns.
fn entries(context: &NativeCallContext, batch: &Batch, init: &Dynamic) -> Answer<Vec<Vec<Dynamic>>> {
    let one = |value: Dynamic| match value.is_array() {
        true => value.into_array().unwrap_or_default(),
        false => vec![value],
    };
    let list = |value: Dynamic| -> Answer<Vec<Vec<Dynamic>>> {
        let kind = value.type_name();
        match value.into_array() {
            Ok(list) => Ok(list.into_iter().map(one).collect()),
            Err(_) => Err(raise(Error::script(format!(
                "`init`: expected an array with an entry for each call, found {}",
                type_phrase(kind)
            )))),
        }
    };
    if init.is_array() {
        return list(init.clone());
    }
    let count = batch.lock().len();
    match init.as_immutable_string_ref().as_deref().map(|name| name.as_str()) {
        Ok("ids" | "indices") => Ok(batch.index().ids().map(|id| vec![convert::from_id(id)]).collect()),
        Ok("items") => (0..count as i64).map(|at| Ok(vec![Dynamic::from(batch.at(at).map_err(raise)?)])).collect(),
        Ok("run_once") => Ok(vec![Vec::new()]),
        Ok(name) if batch.lock().component(name).is_ok() => {
            let items = batch.component(name).items().map_err(raise)?;
            (0..items.len()).map(|at| Ok(vec![cast::from_value(items.get(at).map_err(raise)?)])).collect()
        }
        _ => {
            let function = Function::new(context, init, batch.about().module.as_ref()).map_err(|error| {
                match init.is_string() {
                    true => raise(
                        Error::script(format!("`init`: there is neither a function nor a component `{init}`"))
                            .hint("`ids`, `items` and `run_once` are always there"),
                    ),
                    false => error,
                }
            })?;
            list(function.call(vec![Dynamic::from(batch.clone())]).map_err(raise)?)
        }
    }
}
