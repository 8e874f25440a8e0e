//! Which trials a search makes of a domain: all of it, a grid, draws at random, or draws of which bad ones end early.

use serde_json::{Map, Value};

use super::domain::{Config, Domain};
use super::halving::{Bracket, Halving};
use super::keys::Keys;
use crate::error::{Error, Result, did_you_mean, list};

/// How often a trial draws again after hyperparameters that it called invalid.
pub(super) const MOST_ATTEMPTS: usize = 100;

const NAMES: [&str; 5] = ["single", "grid", "random", "asha", "adaptive_asha"];
const MODES: [&str; 3] = ["conservative", "standard", "aggressive"];

/// How trials are made of a domain.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Every row of the domain, with its draws.
    Rows,
    /// The one trial of a domain of constants.
    Single,
    /// Every combination of what a grid takes of the draws.
    Grid,
    /// So many trials, drawn at random.
    Random(usize),
    /// Trials drawn at random, of which those that do badly end early.
    Halving(Halving),
}

/// A way to search, as an experiment's section `searcher` says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Searcher {
    /// How trials are made.
    pub method: Method,
    /// What trials are compared by.
    pub metric: Option<Metric>,
    /// The most trials that run at once; 0 for no limit.
    pub max_concurrent_trials: usize,
    /// The section as it was written, for the plan of the search.
    pub written: Value,
}

/// A reported number that trials are compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name in reports.
    pub name: String,
    /// Whether less is better.
    pub smaller_is_better: bool,
}

impl Default for Searcher {
    fn default() -> Self {
        Searcher { method: Method::Rows, metric: None, max_concurrent_trials: 0, written: Value::Null }
    }
}

impl Searcher {
    /// Reads a section: `name` (`single`, `grid`, `random`, `asha`, `adaptive_asha`), `metric`, `smaller_is_better` (true),
    /// `max_concurrent_trials` (16; 0 for no limit), for the last three `max_trials`, and for the last two `max_time`,
    /// `time_metric` (the number of reports unless it is given), `divisor` (4), `num_rungs` (5) or `max_rungs` (5) and `mode`
    /// (`"standard"`). Numbers and defaults are those of Determined.
    ///
    /// # Errors
    /// Unknown names, missing and unknown keys, numbers out of range.
    pub fn read(section: &Map<String, Value>) -> Result<Searcher> {
        let mut keys = Keys::new("`searcher`", section);
        let name = keys
            .text("name")?
            .ok_or_else(|| Error::recipe("`searcher` has no `name`").hint(format!("searchers: {}", list(NAMES))))?;
        let smaller_is_better = keys.flag("smaller_is_better")?.unwrap_or(true);
        let metric = keys.text("metric")?.map(|name| Metric { name: name.to_owned(), smaller_is_better });
        let max_concurrent_trials = keys.whole("max_concurrent_trials", 0)?.unwrap_or(16) as usize;
        let method = match name {
            "single" => Method::Single,
            "grid" => Method::Grid,
            "random" => Method::Random(trials(&mut keys)?),
            "asha" | "adaptive_asha" => {
                let metric = metric.clone().ok_or_else(|| {
                    keys.missing("metric").hint("trials that do badly by it end early: `metric: \"val_loss\"`")
                })?;
                Method::Halving(halving(name, &mut keys, metric)?)
            }
            other => {
                return Err(Error::recipe(format!("there is no searcher `{other}`"))
                    .maybe_hint(did_you_mean(other, NAMES))
                    .hint(format!("searchers: {}", list(NAMES))));
            }
        };
        keys.finish()?;
        Ok(Searcher { method, metric, max_concurrent_trials, written: Value::Object(section.clone()) })
    }

    /// Returns the trials in order, with the hyperparameters that each begins with.
    ///
    /// # Errors
    /// A domain that the searcher can make nothing of.
    pub fn configs(&self, domain: &Domain, seed: u64) -> Result<Vec<Config>> {
        match &self.method {
            Method::Rows => Ok(domain.configs(seed)),
            Method::Single => match (domain.len(), domain.drawn()) {
                (1, None) => Ok(domain.configs(seed)),
                (_, Some(name)) => {
                    Err(Error::recipe(format!("the searcher `single` draws nothing, and `{name}` is drawn"))
                        .hint("give one value, or take the searcher `random` with `max_trials: 1`"))
                }
                (count, None) => {
                    Err(Error::recipe(format!("the searcher `single` runs one trial, and the domain has {count}"))
                        .hint("take the searcher `grid`"))
                }
            },
            Method::Grid => Ok(domain.spread()?.configs(seed)),
            Method::Random(count) => {
                let row = |row| (0..domain.repetitions()).map(move |repetition| (row, repetition));
                (0..*count)
                    .flat_map(row)
                    .map(|(row, repetition)| Ok(Config { repetition, values: domain.random(seed, row, 0)? }))
                    .collect()
            }
            Method::Halving(halving) => {
                if domain.repetitions() != 1 {
                    return Err(Error::recipe("trials that may end early are not repeated")
                        .hint("leave out `repeat`, and have more trials: `max_trials`"));
                }
                let config = |number| Ok(Config { repetition: 0, values: domain.random(seed, number, 0)? });
                (0..halving.trials()).map(config).collect()
            }
        }
    }

    /// Returns the hyperparameters that take the place of a trial's invalid ones; `number` counts trials from 0, `attempt`
    /// draws from 1. `None` where nothing takes their place.
    ///
    /// # Errors
    /// No row to draw from.
    pub(super) fn instead(&self, domain: &Domain, seed: u64, number: usize, attempt: usize) -> Result<Option<Config>> {
        let (row, repetition) = match &self.method {
            Method::Rows | Method::Single | Method::Grid => return Ok(None),
            Method::Random(_) => (number / domain.repetitions(), number % domain.repetitions()),
            Method::Halving(_) => (number, 0),
        };
        Ok(Some(Config { repetition, values: domain.random(seed, row, attempt)? }))
    }

    /// Returns the rule by which trials end early.
    pub fn halving(&self) -> Option<&Halving> {
        match &self.method {
            Method::Halving(halving) => Some(halving),
            _ => None,
        }
    }
}

fn trials(keys: &mut Keys) -> Result<usize> {
    let count = keys.whole("max_trials", 1)?.ok_or_else(|| keys.missing("max_trials"))?;
    match count {
        ..=100_000 => Ok(count as usize),
        _ => Err(Error::recipe(format!("`max_trials` of `searcher`: expected at most 100000, found {count}"))),
    }
}

fn halving(name: &str, keys: &mut Keys, metric: Metric) -> Result<Halving> {
    let trials = trials(keys)?;
    let max_time = keys.whole("max_time", 1)?.ok_or_else(|| {
        keys.missing("max_time").hint("it is how far the best trials go, in units of `time_metric`: `max_time: 64`")
    })?;
    let time_metric = keys.text("time_metric")?.map(str::to_owned);
    let divisor = keys.number("divisor")?.unwrap_or(4.0);
    if !(divisor > 1.0 && divisor.is_finite()) {
        return Err(Error::recipe(format!("`divisor` of `searcher`: expected a number above 1, found {divisor}")));
    }
    let brackets = match name {
        "asha" => {
            let rungs = keys.whole("num_rungs", 1)?.unwrap_or(5);
            vec![Bracket::new(rungs.min(64) as usize, max_time, divisor, trials)]
        }
        _ => {
            let most = keys.whole("max_rungs", 1)?.unwrap_or(5).min(64) as usize;
            let mode = keys.text("mode")?.unwrap_or("standard");
            let most = most.min(powers(max_time, divisor) + 1).min(powers(trials as u64, divisor) + 1);
            let least = match mode {
                "conservative" => 1,
                "standard" => (most - 1) / 2 + 1,
                "aggressive" => most,
                other => {
                    return Err(Error::recipe(format!("`mode` of `searcher` cannot be `{other}`"))
                        .maybe_hint(did_you_mean(other, MODES))
                        .hint(format!("modes: {}", list(MODES))));
                }
            };
            adaptive(least, most, max_time, divisor, trials)
        }
    };
    Ok(Halving { metric, time_metric, divisor, brackets })
}

/// Returns the largest whole power of the divisor that is at most `value`.
fn powers(value: u64, divisor: f64) -> usize {
    let mut power = 0;
    // Divisors close to 1 have powers without end, of which no searcher uses more than its rungs.
    while power < 64 && divisor.powi(power as i32 + 1) <= value as f64 {
        power += 1;
    }
    power
}

/// Returns brackets of `most` down to `least` rungs. Each gets about the same time in all: a bracket of `r` rungs takes
/// trials in proportion to `divisor^(r - 1) / r`, at least one, and what is left over goes to the first.
fn adaptive(least: usize, most: usize, max_time: u64, divisor: f64, trials: usize) -> Vec<Bracket> {
    let weight = |rungs: usize| divisor.powi(rungs as i32 - 1) / rungs as f64;
    let total: f64 = (least..=most).rev().map(weight).sum();
    let share = |rungs: usize| ((weight(rungs) / total * trials as f64) as usize).max(1);
    let given: usize = (least..=most).map(share).sum();
    let bracket = |rungs: usize| {
        let left = if rungs == most { trials.saturating_sub(given) } else { 0 };
        Bracket::new(rungs, max_time, divisor, share(rungs) + left)
    };
    (least..=most).rev().map(bracket).collect()
}

#[cfg(test)]
mod tests;
