//! A function of the items of a batch, run once for all of them where that gives what it gives for each.
//!
//! The nets are those of record functions: what is not on the lists is refused, whatever goes wrong ends in
//! interpretation, and interpretation is compared bit for bit.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::Dynamic;

use super::halt::{Halt, Outcome};
use super::program::Program;
use super::rngs::Rngs;
use super::run::Run;
use super::value::Value;
use super::{FIRST, LEAST, PATIENCE, lower, sampled, unlimited};
use crate::batch::Items;
use crate::clock::{Stopwatch, Total};
use crate::error::{Error, Result};
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
    program: Outcome<Program>,
    given_up: AtomicBool,
    halted: AtomicUsize,
    verified: AtomicUsize,
    seen: AtomicU64,
    /// How long runs for all items took, in all.
    time: Total,
    state: Mutex<Option<(u64, Arc<Value>)>>,
}

impl ItemFollower {
    /// Prepares a function; one that cannot be followed is interpreted.
    pub fn new(component: &Component, function: &str, arity: usize) -> ItemFollower {
        let host = component.host();
        let program = match host.interpret() {
            true => Err(Halt::new("`--interpret` is given")),
            false if !unlimited(host.limits()) => Err(Halt::new("limits are set for scripts")),
            false => lower::lower(host, component.compiled(), function, arity),
        };
        ItemFollower {
            function: function.to_owned(),
            program,
            given_up: AtomicBool::new(false),
            halted: AtomicUsize::new(0),
            verified: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            time: Total::default(),
            state: Mutex::default(),
        }
    }

    /// Returns whether there is anything to gain for so many items.
    pub fn follows(&self, len: usize) -> bool {
        self.program.is_ok() && len >= LEAST && !self.given_up.load(Ordering::Relaxed)
    }

    /// Returns in how many parts so many items are best run: in one, until they are known to take long. (The result
    /// does not depend on it.)
    pub fn pieces(&self, len: usize) -> usize {
        let seen = self.seen.load(Ordering::Relaxed);
        let worth = seen > 0 && self.time.get().as_secs_f64() / seen as f64 * len as f64 > WORTH_SECONDS;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if worth { (2 * cores).min(len / LEAST).max(1) } else { 1 }
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
        let Ok(program) = &self.program else { return Ok(None) };
        let stopwatch = Stopwatch::start();
        let followed = self.follow(component, program, columns, len).and_then(|value| split(&value, len, results));
        self.time.add(&stopwatch);
        let Ok(found) = followed else {
            // An error of an item may be the reason: then interpretation raises it, and the run is over.
            if self.halted.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
                self.given_up.store(true, Ordering::Relaxed);
            }
            return Ok(None);
        };
        let verified = self.verified.load(Ordering::Relaxed);
        let start = self.seen.fetch_add(len as u64, Ordering::Relaxed);
        let first = len.min(FIRST.saturating_sub(verified));
        for at in (0..first).chain(sampled(start, len).filter(|at| *at >= first)) {
            let expected = parts(interpret(at)?, results)?;
            let same = expected.into_iter().zip(&found).all(|(expected, found)| agree(expected, found, at));
            match same {
                true => {
                    self.verified.fetch_add(1, Ordering::Relaxed);
                }
                false if verified < FIRST => {
                    self.given_up.store(true, Ordering::Relaxed);
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
        self.halted.store(0, Ordering::Relaxed);
        Ok(Some(found))
    }

    fn follow(&self, component: &Component, program: &Program, columns: &[Column], len: usize) -> Outcome<Value> {
        let arguments = columns.iter().map(value).collect::<Outcome<Vec<Value>>>()?;
        let this = self.state(component);
        let host = component.host();
        let mut run = Run::new(program, host, &this);
        run.call(0, arguments, len)
    }

    fn state(&self, component: &Component) -> Arc<Value> {
        let version = component.version();
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((own, value)) if *own == version => value.clone(),
            _ => {
                let value = Arc::new(Value::from_dynamic(component.state_in(Mode::Train)));
                *known = Some((version, value.clone()));
                value
            }
        }
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
