//! An experiment as a config: hyperparameters with their types, a searcher, and the recipe that is tried.
//!
//! The sections are those of Determined's experiment configs: `name`, `description`, `entrypoint`, `data`,
//! `hyperparameters`, `searcher`, `reproducibility.experiment_seed`.

use serde_json::{Map, Value};

use super::domain::{Cell, Domain, Row};
use super::draw::{Distribution, Draw};
use super::keys::Keys;
use super::searcher::Searcher;
use crate::error::{Error, Result, did_you_mean, list};

const TYPES: [&str; 5] = ["const", "int", "double", "log", "categorical"];

/// A config of an experiment, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Its name, that of its folder.
    pub name: Option<String>,
    /// The recipe that is tried.
    pub entrypoint: String,
    /// The hyperparameters.
    pub domain: Domain,
    /// Which of them are tried.
    pub searcher: Searcher,
    /// The seed of draws and of trials.
    pub seed: Option<u64>,
    /// The whole config, as it was written.
    pub written: Value,
}

impl Experiment {
    /// Reads a config.
    ///
    /// # Errors
    /// Unknown and missing keys, values of another type, hyperparameters that make no sense.
    pub fn read(config: &Map<String, Value>) -> Result<Experiment> {
        let mut keys = Keys::new("an experiment", config);
        let name = keys.text("name")?.map(str::to_owned);
        keys.text("description")?;
        keys.take("labels");
        // For scripts, which get the whole config.
        keys.take("data");
        let entrypoint = keys.text("entrypoint")?.ok_or_else(|| {
            keys.missing("entrypoint").hint("it names the recipe that is tried: `entrypoint: \"trial.rhai\"`")
        })?;
        let map = |keys: &mut Keys<'_>, key| {
            let value = keys.take(key).cloned();
            match value {
                None => Ok(None),
                Some(Value::Object(map)) => Ok(Some(map)),
                Some(other) => Err(Error::recipe(format!("`{key}` of an experiment: expected a map, found {other}"))),
            }
        };
        let hyperparameters = map(&mut keys, "hyperparameters")?.unwrap_or_default();
        let searcher = map(&mut keys, "searcher")?.ok_or_else(|| {
            keys.missing("searcher").hint("`searcher: { name: \"grid\" }` tries every combination of hyperparameters")
        })?;
        let seed = match map(&mut keys, "reproducibility")? {
            None => None,
            Some(section) => {
                let mut keys = Keys::new("`reproducibility`", &section);
                let seed = keys.whole("experiment_seed", 0)?;
                keys.finish()?;
                seed
            }
        };
        keys.finish()?;
        let searcher = Searcher::read(&searcher)?;
        let axes = row(&hyperparameters, "")?.into_iter().map(|(name, cell)| (name, vec![cell])).collect();
        let domain = Domain::grid(axes)?;
        let written = Value::Object(config.clone());
        Ok(Experiment { name, entrypoint: entrypoint.to_owned(), domain, searcher, seed, written })
    }
}

/// Reads the hyperparameters of a map: `prefix` names the map they stand in.
fn row(map: &Map<String, Value>, prefix: &str) -> Result<Row> {
    map.iter().map(|(name, value)| Ok((name.clone(), cell(value, &format!("{prefix}{name}"))?))).collect()
}

/// Reads a hyperparameter: a map with `type` (`const`, `int`, `double`, `log`, `categorical`) is a value or a draw, another map
/// holds hyperparameters, and anything else is a value. `name` is for errors.
///
/// # Errors
/// Unknown types, missing and unknown keys, bounds that are not in order.
fn cell(value: &Value, name: &str) -> Result<Cell> {
    let Value::Object(map) = value else { return Ok(Cell::Value(value.clone())) };
    let Some(kind) = map.get("type") else { return row(map, &format!("{name}.")).map(Cell::Map) };
    let mut keys = Keys::new(format!("hyperparameter `{name}`"), map);
    let kind = match (kind, keys.text("type")) {
        (_, Ok(Some(kind))) if TYPES.contains(&kind) => kind,
        (found, _) => {
            return Err(Error::recipe(format!("hyperparameter `{name}` cannot be of type {found}"))
                .maybe_hint(found.as_str().and_then(|found| did_you_mean(found, TYPES)))
                .hint(format!("types: {}", list(TYPES))));
        }
    };
    let of = match kind {
        "const" => {
            let value = keys.take("val").ok_or_else(|| keys.missing("val"))?.clone();
            keys.finish()?;
            return Ok(Cell::Value(value));
        }
        "categorical" => {
            let values = keys.take("vals").ok_or_else(|| keys.missing("vals"))?;
            let values = values.as_array().filter(|values| !values.is_empty()).ok_or_else(|| {
                Error::recipe(format!("`vals` of hyperparameter `{name}`: expected a list of values, found {values}"))
            })?;
            Distribution::Choice(values.clone())
        }
        "int" => {
            let low = keys.integer("minval")?.ok_or_else(|| keys.missing("minval"))?;
            let high = keys.integer("maxval")?.ok_or_else(|| keys.missing("maxval"))?;
            in_order(name, low as f64, high as f64, low <= high)?;
            Distribution::Integers(low, high)
        }
        kind => {
            let base = if kind == "log" { keys.number("base")?.unwrap_or(10.0) } else { 1.0 };
            let low = keys.number("minval")?.ok_or_else(|| keys.missing("minval"))?;
            let high = keys.number("maxval")?.ok_or_else(|| keys.missing("maxval"))?;
            in_order(name, low, high, low < high)?;
            match kind {
                "log" => power(base, low, high)?,
                _ => Distribution::Uniform(low, high),
            }
        }
    };
    let count = keys.whole("count", 1)?.map(|count| count as usize);
    keys.finish()?;
    Ok(Cell::Draw(Draw { of, count }))
}

/// Returns a base to the power of a number between two exponents.
///
/// # Errors
/// A base that is no number above 0, or powers of it that are too large.
pub fn power(base: f64, low: f64, high: f64) -> Result<Distribution> {
    let sound = base > 0.0 && base.powf(low).is_finite() && base.powf(high).is_finite();
    match sound {
        true => Ok(Distribution::Power { base, low, high }),
        false => Err(Error::recipe(format!(
            "expected a base above 0 and exponents of which its powers are numbers, found {base} to the power of {low} to {high}"
        ))
        .hint("`minval` and `maxval` of a `log` are exponents: base 10, -4 and -1 stand for 0.0001 to 0.1")),
    }
}

fn in_order(name: &str, low: f64, high: f64, ordered: bool) -> Result<()> {
    match ordered {
        true => Ok(()),
        false => {
            Err(Error::recipe(format!("hyperparameter `{name}`: expected minval < maxval, found {low} and {high}")))
        }
    }
}

#[cfg(test)]
mod tests;
