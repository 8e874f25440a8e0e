//! `batch.apply`: a function is called for each item of components, and its results become components.

use rhai::{Array as List, Dynamic, NativeCallContext};

use super::work::{Argument, Work, arguments, check, each, of_item, work};
use super::{Failure, failed};
use crate::batch::Items;
use crate::error::{Error, Result};
use crate::pipeline::{Target, run};
use crate::random::Random;
use crate::record::Value;
use crate::script::api::arguments::{Answer, float};
use crate::script::api::options::Options;
use crate::script::api::random::Rng;
use crate::script::batches::function::Function;
use crate::script::batches::{Batch, expression};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};
use crate::script::vectorise::ItemColumn;

/// One application: the components whose items are arguments, and those that results go to.
struct Pair {
    from: Vec<String>,
    to: Vec<String>,
}

/// Takes `src` and `dst`: a name; an array of names, each for itself; in it, arrays of names that go together.
fn pairs(options: &mut Options) -> Answer<Vec<Pair>> {
    let name = |value: &Dynamic, what: &str| {
        value.as_immutable_string_ref().map(|name| name.to_string()).map_err(|found| {
            raise(Error::script(format!("option `{what}` of `apply`: expected names, found {}", type_phrase(found))))
        })
    };
    let read = |value: &Dynamic, what: &str| -> Answer<Vec<Vec<String>>> {
        let Some(list) = value.read_lock::<List>() else { return Ok(vec![vec![name(value, what)?]]) };
        list.iter()
            .map(|value| match value.read_lock::<List>() {
                Some(together) => together.iter().map(|value| name(value, what)).collect(),
                None => Ok(vec![name(value, what)?]),
            })
            .collect()
    };
    let source = options.take("src").ok_or_else(|| {
        raise(
            Error::script("`apply` needs `src`, the component whose items the function gets")
                .hint("`batch.apply(|image| …, #{ src: \"images\" })`"),
        )
    })?;
    let from = read(&source, "src")?;
    let to = options.take("dst").map(|value| read(&value, "dst")).transpose()?;
    let to = to.unwrap_or_else(|| from.iter().map(|names| names[..names.len().min(1)].to_vec()).collect());
    if from.len() != to.len() {
        return Err(raise(Error::script(format!(
            "`apply`: `src` has {} components, `dst` has {}",
            from.len(),
            to.len()
        ))));
    }
    Ok(from.into_iter().zip(to).map(|(from, to)| Pair { from, to }).collect())
}

/// Calls a function for each item of components and puts the results into components.
///
/// # Errors
/// Unknown options and components, whatever fails.
pub fn apply(context: &NativeCallContext, batch: &Batch, function: &Dynamic, mut options: Options) -> Answer<Batch> {
    let host = Host::of(context)?;
    let function = Function::new(context, function, batch.about().module.as_ref())?;
    let pairs = pairs(&mut options)?;
    let chance = options.take("p").map(|p| {
        let p = expression::resolve(&host, batch, p).map_err(raise)?;
        let p = float(&p, "`p` of `apply`")?;
        match (0.0..=1.0).contains(&p) {
            true => Ok(p),
            false => {
                Err(raise(Error::script(format!("`p` of `apply`: expected a probability from 0 to 1, found {p}"))))
            }
        }
    });
    let chance = chance.transpose()?;
    let rng = options.flag("rng")?.unwrap_or(false);
    let work = work(&mut options, &function, "apply")?;
    let count = batch.lock().len();
    let arguments = arguments(&host, &mut options, batch, count)?;
    options.finish()?;
    // The same draws for every pair, so that a picture and its mask go the same way.
    let draw = batch.draw();
    let plan = Plan { function: &function, work, arguments, chance, rng, draw };
    for pair in &pairs {
        plan.apply(batch, pair).map_err(raise)?;
    }
    Ok(batch.clone())
}

struct Plan<'a> {
    function: &'a Function,
    work: Work,
    arguments: Vec<Argument>,
    chance: Option<f64>,
    rng: bool,
    draw: Random,
}

impl Plan<'_> {
    fn chosen(&self, item: usize) -> bool {
        self.chance.is_none_or(|p| self.draw.derive(item as u64 * 2).uniform() < p)
    }

    /// Returns what the function gives for all items, run once on columns; `None` where it has to be called for each:
    /// functions that were handed over, and those that cannot be followed.
    fn at_once(
        &self,
        sources: &[Items],
        pair: &Pair,
        count: usize,
        total: usize,
        given: &(dyn Fn(usize) -> Result<Vec<Dynamic>> + Sync),
    ) -> Result<Option<Vec<Items>>> {
        let Function::Named(module, name) = self.function else { return Ok(None) };
        let follower = module.follower_of_items(name, total);
        if !follower.follows(count) {
            return Ok(None);
        }
        let results = pair.to.len();
        // What is interpreted for comparison.
        let interpret = |item: usize| self.function.start(true)?.call(&mut given(item)?);
        let columns = |range: std::ops::Range<usize>| -> Result<Vec<ItemColumn>> {
            let whole = range.len() == count;
            let positions: Vec<usize> = range.clone().collect();
            let mut columns = Vec::with_capacity(total);
            for source in sources {
                columns.push(ItemColumn::Items(if whole { source.clone() } else { source.take(&positions)? }));
            }
            for argument in &self.arguments {
                columns.push(match argument {
                    Argument::Same(value) => ItemColumn::Same(value.clone()),
                    Argument::Each(values) => ItemColumn::Each(values[range.clone()].to_vec()),
                });
            }
            if self.rng {
                let streams = range.clone().map(|item| self.draw.derive(item as u64 * 2 + 1)).collect();
                columns.push(ItemColumn::Rngs(streams));
            }
            Ok(columns)
        };
        // Handing parts over costs more than short work does.
        let pieces = match self.work.target {
            Target::For => 1,
            _ => follower.pieces(count),
        };
        let part = |piece: usize| -> Result<Option<Vec<Items>>> {
            let range = piece * count / pieces..(piece + 1) * count / pieces;
            let (first, len) = (range.start, range.len());
            follower.run(module, &columns(range)?, (len, results), &|at| interpret(first + at))
        };
        let parts = run(pieces, self.work.target, self.work.workers, &|| (), &|(), piece| part(piece));
        let mut all: Vec<Vec<Items>> = Vec::with_capacity(pieces);
        for part in parts {
            match part? {
                Some(part) => all.push(part),
                None => return Ok(None),
            }
        }
        if let [_] = all.as_slice() {
            return Ok(all.pop());
        }
        let joined = |at: usize| Items::concat(&all.iter().map(|part| part[at].clone()).collect::<Vec<_>>());
        (0..results).map(joined).collect::<Result<_>>().map(Some)
    }

    fn apply(&self, batch: &Batch, pair: &Pair) -> Result<()> {
        let sources = pair.from.iter().map(|name| batch.component(name).items()).collect::<Result<Vec<Items>>>()?;
        let count = batch.lock().len();
        let given = |item: usize| -> Result<Vec<Dynamic>> {
            let mut all = Vec::with_capacity(sources.len() + self.arguments.len() + 1);
            for source in &sources {
                all.push(cast::from_value(source.get(item)?));
            }
            all.extend(of_item(&self.arguments, item));
            if self.rng {
                all.push(Dynamic::from(Rng::new(self.draw.derive(item as u64 * 2 + 1))));
            }
            Ok(all)
        };
        let total = sources.len() + self.arguments.len() + usize::from(self.rng);
        check(self.function, total, "the item of each component of `src`, `args`, and with `rng: true` an Rng")?;
        let chosen: Vec<usize> = (0..count).filter(|&item| self.chosen(item)).collect();
        if chosen.len() == count
            && let Some(columns) = self.at_once(&sources, pair, count, total, &given)?
        {
            let mut data = batch.lock();
            return pair.to.iter().zip(columns).try_for_each(|(name, items)| data.set(name, items));
        }
        let results = each(self.function, self.work, chosen.len(), &|at| given(chosen[at]));
        let index = batch.index();
        let mut values: Vec<Option<Dynamic>> = vec![None; count];
        let mut failures = Vec::new();
        for (&item, result) in chosen.iter().zip(results) {
            match result {
                Ok(value) => values[item] = Some(value),
                Err(error) => failures.push(Failure { error, id: index.id(item).ok() }),
            }
        }
        if let Some(error) = failed(failures.iter()) {
            return Err(error);
        }
        let mut columns: Vec<Vec<Value>> = pair.to.iter().map(|_| Vec::with_capacity(count)).collect();
        for (item, value) in values.into_iter().enumerate() {
            match value {
                Some(value) => scatter(value, &mut columns).map_err(|error| match index.id(item) {
                    Ok(id) => error.within(format!("what {} returned for item `{id}`", self.function.name())),
                    Err(_) => error,
                })?,
                // An item that was not chosen goes on as it is.
                None => {
                    for (at, column) in columns.iter_mut().enumerate() {
                        let source = sources.get(at).or(sources.first());
                        column.push(source.map_or(Ok(Value::Null), |source| source.get(item))?);
                    }
                }
            }
        }
        let mut data = batch.lock();
        for (name, column) in pair.to.iter().zip(columns) {
            data.set(name, Items::assemble(column))?;
        }
        Ok(())
    }
}

/// Adds what the function returned to the columns: a value, or an array with one for each.
fn scatter(value: Dynamic, columns: &mut [Vec<Value>]) -> Result<()> {
    match columns {
        [only] => only.push(cast::to_value(&value)?),
        many => {
            let count = many.len();
            let list = value.into_array().map_err(|found| {
                Error::script(format!("expected an array of {count} values, found {}", type_phrase(found)))
            })?;
            if list.len() != count {
                return Err(Error::script(format!("expected an array of {count} values, found one of {}", list.len())));
            }
            for (column, value) in many.iter_mut().zip(&list) {
                column.push(cast::to_value(value)?);
            }
        }
    }
    Ok(())
}
