//! Domains of hyperparameters.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::error::{Error, Result, list};
use crate::script::api::arguments::Answer;
use crate::script::cast;
use crate::script::traceback::raise;
use crate::search::{Cell, Domain, Draw, Row};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Domain>("Domain");
    engine.register_global_module(exported_module!(functions).into());
}

/// Returns one value or draw of an axis, or a map with draws in it.
fn cell(value: &Dynamic) -> Result<Cell> {
    if let Some(draw) = value.read_lock::<Draw>() {
        return Ok(Cell::Draw(draw.clone()));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let inner = |(name, value): (&rhai::Identifier, &Dynamic)| {
            let cell = cell(value).map_err(|error| error.within(format!("`{name}`")))?;
            Ok((name.to_string(), cell))
        };
        let row: Row = map.iter().map(inner).collect::<Result<_>>()?;
        if row.iter().any(|(_, cell)| !matches!(cell, Cell::Value(_))) {
            return Ok(Cell::Map(row));
        }
    }
    cast::to_json(value).map(Cell::Value)
}

/// Returns the grid of a map's arrays.
fn grid(axes: Map) -> Result<Domain> {
    let axis = |(name, value): (rhai::Identifier, Dynamic)| {
        let cells = match value.read_lock::<List>() {
            Some(list) => list.iter().map(cell).collect(),
            None => cell(&value).map(|cell| vec![cell]),
        };
        cells.map(|cells| (name.to_string(), cells)).map_err(|error| error.within(format!("hyperparameter `{name}`")))
    };
    Domain::grid(axes.into_iter().map(axis).collect::<Result<_>>()?)
}

fn times(value: i64, function: &str) -> Answer<usize> {
    usize::try_from(value)
        .map_err(|_| raise(Error::script(format!("`{function}`: expected a number of at least 0, found {value}"))))
}

fn configs(domain: &Domain, seed: u64) -> List {
    let config = |config: crate::search::Config| cast::from_params(&config.values);
    domain.configs(seed).into_iter().map(config).collect()
}

fn show(domain: &Domain) -> String {
    let repeated = match domain.repetitions() {
        1 => String::new(),
        times => format!(", each {times} times"),
    };
    let trials = if domain.len() == 1 { "trial" } else { "trials" };
    format!("Domain({} {trials} of {}{repeated})", domain.len(), list(domain.names()))
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the domain of all combinations of the values in a map: a name's array holds the values to try, anything else
    /// is one value, and a draw (`between(…)` and the like) is drawn anew for each trial. The first name in the alphabet
    /// varies slowest. `a * b` is every trial of `a` with every one of `b`, `a + b` both one after the other, `a * 3`
    /// each three times.
    ///
    /// # Errors
    /// An empty array, a value that cannot be written as JSON, more than 100,000 trials.
    ///
    /// ```rhai
    /// domain(#{ rate: [0.1, 0.01], units: 8 }).configs() // => [#{"rate": 0.1, "units": 8}, #{"rate": 0.01, "units": 8}]
    /// let two = domain(#{ a: [1, 2] }) * domain(#{ b: ["x", "y"] });
    /// two // => Domain(4 trials of `a`, `b`)
    /// (two + domain(#{ a: 3, b: "z" })) * 2 // => Domain(10 trials of `a`, `b`, each 2 times)
    /// ```
    #[rhai_fn(name = "domain", return_raw)]
    pub fn domain(axes: Map) -> Answer<Domain> {
        super::grid(axes).map_err(raise)
    }

    /// Returns every trial of one domain with every trial of the other.
    ///
    /// # Errors
    /// A hyperparameter that both have, too many trials.
    ///
    /// ```rhai
    /// (domain(#{ a: [1, 2] }) * domain(#{ b: [3, 4, 5] })).len // => 6
    /// ```
    #[rhai_fn(name = "*", return_raw)]
    pub fn product(left: Domain, right: Domain) -> Answer<Domain> {
        left.product(&right).map_err(raise)
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn repeated(left: Domain, right: i64) -> Answer<Domain> {
        repeat(left, right)
    }

    /// Returns the trials of both domains, one after the other.
    ///
    /// # Errors
    /// Domains that are repeated a different number of times, too many trials.
    ///
    /// ```rhai
    /// (domain(#{ optimizer: "SGD", rate: [0.1, 0.01] }) + domain(#{ optimizer: "Adam", rate: 0.001 })).len // => 3
    /// ```
    #[rhai_fn(name = "+", return_raw)]
    pub fn union(left: Domain, right: Domain) -> Answer<Domain> {
        left.union(&right).map_err(raise)
    }

    /// Returns the first trial with the first of the other domain, the second with the second, and so on.
    ///
    /// # Errors
    /// Domains of different length, or with a hyperparameter in common.
    ///
    /// ```rhai
    /// domain(#{ a: [1, 2] }).zip(domain(#{ b: [3, 4] })).configs() // => [#{"a": 1, "b": 3}, #{"a": 2, "b": 4}]
    /// ```
    #[rhai_fn(name = "zip", return_raw)]
    pub fn zip(domain: Domain, other: Domain) -> Answer<Domain> {
        domain.zip(&other).map_err(raise)
    }

    /// Returns the domain with each trial run several times, with the same hyperparameters and another seed.
    ///
    /// # Errors
    /// Fewer than 1 time, too many trials.
    ///
    /// ```rhai
    /// domain(#{ a: [1, 2] }).repeat(3) // => Domain(6 trials of `a`, each 3 times)
    /// ```
    #[rhai_fn(name = "repeat", return_raw)]
    pub fn repeat(domain: Domain, count: i64) -> Answer<Domain> {
        domain.repeat(times(count, "repeat")?).map_err(raise)
    }

    /// Returns a domain of so many trials, each chosen at random from this one, its draws made. `seed` is 0 unless it
    /// is given.
    ///
    /// # Errors
    /// A negative number, too many trials.
    ///
    /// ```rhai
    /// let some = domain(#{ a: [1, 2, 3], b: between(0.0, 1.0) }).sample(5, 7);
    /// some // => Domain(5 trials of `a`, `b`)
    /// some.configs() == domain(#{ a: [1, 2, 3], b: between(0.0, 1.0) }).sample(5, 7).configs() // => true
    /// ```
    #[rhai_fn(name = "sample", return_raw)]
    pub fn sample(domain: Domain, count: i64) -> Answer<Domain> {
        sample_seeded(domain, count, 0)
    }

    #[rhai_fn(name = "sample", return_raw)]
    pub fn sample_seeded(domain: Domain, count: i64, seed: i64) -> Answer<Domain> {
        domain.sample(times(count, "sample")?, times(seed, "sample")? as u64).map_err(raise)
    }

    /// Returns the domain in which every draw has become all values that a grid takes of it: as many as its count says, of a
    /// choice all.
    ///
    /// # Errors
    /// A draw without a count, too many trials.
    ///
    /// ```rhai
    /// domain(#{ a: between(0.0, 1.0, 3), b: choice(["x", "y"]) }).grid() // => Domain(6 trials of `a`, `b`)
    /// ```
    #[rhai_fn(name = "grid", return_raw)]
    pub fn grid(domain: Domain) -> Answer<Domain> {
        domain.spread().map_err(raise)
    }

    /// Returns the hyperparameters of each trial, in order, as maps; draws are made with the seed, which is 0 unless it
    /// is given.
    ///
    /// # Errors
    /// A negative seed.
    ///
    /// ```rhai
    /// domain(#{ a: [1, 2] }).configs() // => [#{"a": 1}, #{"a": 2}]
    /// domain(#{ a: integers(1, 6) }).configs(3)[0].a <= 6 // => true
    /// ```
    #[rhai_fn(name = "configs")]
    pub fn configs(domain: Domain) -> List {
        super::configs(&domain, 0)
    }

    #[rhai_fn(name = "configs", return_raw)]
    pub fn configs_seeded(domain: Domain, seed: i64) -> Answer<List> {
        Ok(super::configs(&domain, times(seed, "configs")? as u64))
    }

    /// Returns the number of trials.
    ///
    /// ```rhai
    /// domain(#{ a: [1, 2], b: [3, 4] }).len // => 4
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(domain: Domain) -> i64 {
        domain.len() as i64
    }

    /// Returns the number of trials and the names of the hyperparameters, as text.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(domain: Domain) -> String {
        super::show(&domain)
    }
}
