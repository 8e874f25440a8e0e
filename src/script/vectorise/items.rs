//! A function of the items of a batch, run once for all of them where that gives what it gives for each.
//!
//! The nets are those of record functions: what is not on the lists is refused, whatever goes wrong ends in
//! interpretation, and interpretation is compared bit for bit.

use rhai::Dynamic;

use super::halt::{Halt, Outcome};
use super::prepared::Prepared;
use super::rngs::Rngs;
use super::trust::{LEAST, Trust};
use super::value::Value;
use crate::batch::Items;
use crate::clock::{Stopwatch, Total};
use crate::error::{Error, Result};
use crate::machine;
use crate::random::Random;
use crate::record::{Mode, Value as Item};
use crate::script::{Component, cast};

/// Work for a batch that takes this long is handed over in parts.
const WORTH_SECONDS: f64 = 0.000_4;

/// One argument, for all items.
pub(in crate::script) enum Column {
    /// The items of a component.
    Items(Items),
    /// The same for all.
    Same(Dynamic),
    /// One for each.
    Each(Vec<Dynamic>),
    /// Each item's own stream of random numbers.
    Rngs(Vec<Random>),
}

/// A function of a module of batches, followed where that is possible.
pub(in crate::script) struct ItemFollower {
    function: String,
    prepared: Outcome<Prepared>,
    trust: Trust,
    /// How long runs for all items took, in all.
    time: Total,
}

impl ItemFollower {
    /// Prepares a function; one that cannot be followed is interpreted.
    pub fn new(component: &Component, function: &str, arity: usize) -> ItemFollower {
        ItemFollower {
            function: function.to_owned(),
            prepared: Prepared::new(component, function, arity),
            trust: Trust::default(),
            time: Total::default(),
        }
    }

    /// Returns whether there is anything to gain for so many items.
    pub fn follows(&self, len: usize) -> bool {
        self.prepared.is_ok() && self.trust.allows(len)
    }

    /// Returns in how many parts so many items are best run: in one, until they are known to take long. (The result
    /// does not depend on it.)
    pub fn pieces(&self, len: usize) -> usize {
        let seen = self.trust.seen();
        let worth = seen > 0 && self.time.get().as_secs_f64() / seen as f64 * len as f64 > WORTH_SECONDS;
        if worth { (2 * machine::cores()).min(len / LEAST).max(1) } else { 1 }
    }

    /// Returns what the function gives for all items, for each of the results that it has; `None` where it has to be
    /// called for each. `interpret` calls it for one.
    ///
    /// # Errors
    /// A result that differs from that of interpretation, after the first ones agreed; what interpretation raises.
    pub fn run(
        &self,
        component: &Component,
        columns: &[Column],
        (len, results): (usize, usize),
        interpret: &dyn Fn(usize) -> Result<Dynamic>,
    ) -> Result<Option<Vec<Items>>> {
        let Ok(prepared) = &self.prepared else { return Ok(None) };
        let stopwatch = Stopwatch::start();
        let followed = columns.iter().map(value).collect::<Outcome<Vec<Value>>>().and_then(|arguments| {
            let value = prepared.call(component, Mode::Train, arguments, len)?;
            split(&value, len, results)
        });
        self.time.add(&stopwatch);
        let found = match followed {
            Ok(found) => found,
            Err(halt) => {
                // An error of an item may be the reason: then interpretation raises it, and the run is over.
                self.trust.halted(halt);
                return Ok(None);
            }
        };
        let (checked, first) = self.trust.next(len);
        for &at in &checked {
            let expected = parts(interpret(at)?, results)?;
            let same = expected.into_iter().zip(&found).all(|(expected, found)| agree(expected, found, at));
            match same {
                true => (),
                false if first => {
                    self.trust.give_up(Halt::new("a result came out differently"));
                    return Ok(None);
                }
                false => {
                    return Err(Error::run(format!(
                        "`{}` gave another result when it ran for many items at once than for one alone",
                        self.function
                    ))
                    .hint("run with `--interpret`; results until here may be wrong")
                    .hint("this is a defect of the program: please report it with the script"));
                }
            }
        }
        self.trust.agreed(checked.len());
        Ok(Some(found))
    }
}

fn value(column: &Column) -> Outcome<Value> {
    Ok(match column {
        Column::Items(Items::Dense(array)) if array.rank() > 1 => Value::Tensors(array.clone()),
        Column::Items(items) => {
            let item = |at| items.get(at).map(cast::from_value);
            Value::compact((0..items.len()).map(item).collect::<Result<_>>()?)
        }
        Column::Same(value) => Value::from_dynamic(value.clone()),
        Column::Each(values) => Value::compact(values.clone()),
        Column::Rngs(streams) => Value::Rngs(Rngs::new(streams)),
    })
}

/// Returns the items of each result.
fn split(value: &Value, len: usize, results: usize) -> Outcome<Vec<Items>> {
    match (results, value) {
        (1, value) => Ok(vec![items(value, len)?]),
        (count, Value::List(all)) if all.len() == count => all.iter().map(|value| items(value, len)).collect(),
        _ => Err(Halt::new("results that are not an array of as many values for each item")),
    }
}

fn items(value: &Value, len: usize) -> Outcome<Items> {
    if let Value::Tensors(array) = value {
        return Ok(Items::Dense(array.clone()));
    }
    let item = |at: usize| -> Outcome<Item> { Ok(cast::to_value(&value.lane_or_halt(at)?)?) };
    Ok(Items::assemble((0..len).map(item).collect::<Outcome<_>>()?))
}

/// Returns what the function returned for one item, for each of its results.
fn parts(value: Dynamic, results: usize) -> Result<Vec<Item>> {
    match results {
        1 => Ok(vec![cast::to_value(&value)?]),
        _ => value.into_array().unwrap_or_default().iter().map(cast::to_value).collect(),
    }
}

/// Whether an item is what was expected, bit for bit.
fn agree(expected: Item, found: &Items, at: usize) -> bool {
    let Ok(found) = found.take(&[at]) else { return false };
    match (Items::assemble(vec![expected]), found) {
        (Items::Dense(expected), Items::Dense(found)) => expected.same(&found),
        (Items::Mixed(expected), Items::Mixed(found)) => match (expected.as_slice(), found.as_slice()) {
            ([Item::Tensor(expected)], [Item::Tensor(found)]) => match (expected.to_host(), found.to_host()) {
                (Ok(expected), Ok(found)) => expected.same(&found),
                _ => false,
            },
            ([expected], [found]) => match (expected.to_json(), found.to_json()) {
                (Ok(expected), Ok(found)) => expected == found,
                _ => false,
            },
            _ => false,
        },
        // Alone, an item may be an array where all of them are a list.
        (Items::Dense(expected), Items::Mixed(found)) => {
            match found.first().map(|one| Items::assemble(vec![one.clone()])) {
                Some(Items::Dense(found)) => expected.same(&found),
                _ => false,
            }
        }
        _ => false,
    }
}
