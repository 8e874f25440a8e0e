//! Draws of hyperparameters, a part of the page on searches.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine};

use crate::error::{Error, Result};
use crate::script::api::arguments::{Answer, Num, float};
use crate::script::cast;
use crate::script::traceback::raise;
use crate::search::{Distribution, Draw, power};

/// Adds the functions.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Draw>("Draw");
    engine.register_global_module(exported_module!(functions).into());
}

/// Returns two numbers of which the first is less.
fn bounds(low: &Dynamic, high: &Dynamic, function: &str) -> Answer<(f64, f64)> {
    let (low, high) =
        (float(low, &format!("`low` of `{function}`"))?, float(high, &format!("`high` of `{function}`"))?);
    match low.is_finite() && high.is_finite() && low < high {
        true => Ok((low, high)),
        false => Err(raise(Error::script(format!(
            "`{function}`: expected two numbers with low < high, found {low} and {high}"
        )))),
    }
}

/// Returns a draw with the number of values that a grid takes of it.
fn counted(draw: Draw, count: i64, function: &str) -> Answer<Draw> {
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(Draw { count: Some(count), ..draw }),
        _ => Err(raise(Error::script(format!("`{function}`: expected a count of at least 1, found {count}")))),
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns a draw of a number from `low` (included) to `high` (excluded), each equally likely. A count is how many values
    /// the searcher `grid` takes of it: evenly spaced, both ends among them, of a count of 1 the middle.
    ///
    /// # Errors
    /// Anything but two numbers with low < high, a count below 1.
    ///
    /// ```rhai
    /// domain(#{ dropout: between(0.0, 0.5) }) // => Domain(1 trial of `dropout`)
    /// domain(#{ dropout: between(0.0, 0.5, 3) }).grid().configs() // => [#{"dropout": 0.0}, #{"dropout": 0.25}, #{"dropout": 0.5}]
    /// ```
    #[rhai_fn(name = "between", return_raw)]
    pub fn between(low: Num, high: Num) -> Answer<Draw> {
        super::bounds(&low, &high, "between").map(|(low, high)| Distribution::Uniform(low, high).into())
    }

    #[rhai_fn(name = "between", return_raw)]
    pub fn between_counted(low: Num, high: Num, count: i64) -> Answer<Draw> {
        super::counted(between(low, high)?, count, "between")
    }

    /// Returns a draw of a number whose logarithm is equally likely anywhere from that of `low` to that of `high`: right for
    /// learning rates. A count is as for `between`.
    ///
    /// # Errors
    /// Anything but two numbers with 0 < low < high, a count below 1.
    ///
    /// ```rhai
    /// log_between(1e-4, 1e-1) // => log_between(0.0001, 0.1)
    /// ```
    #[rhai_fn(name = "log_between", return_raw)]
    pub fn log_between(low: Num, high: Num) -> Answer<Draw> {
        match super::bounds(&low, &high, "log_between")? {
            (low, high) if low > 0.0 => Ok(Distribution::LogUniform(low, high).into()),
            (low, _) => Err(raise(Error::script(format!("`log_between`: expected numbers above 0, found {low}")))),
        }
    }

    #[rhai_fn(name = "log_between", return_raw)]
    pub fn log_between_counted(low: Num, high: Num, count: i64) -> Answer<Draw> {
        super::counted(log_between(low, high)?, count, "log_between")
    }

    /// Returns a draw of a whole number from `low` to `high`, both included. A count is as for `between`; there are never more
    /// values than whole numbers.
    ///
    /// # Errors
    /// A `high` below `low`, a count below 1.
    ///
    /// ```rhai
    /// integers(1, 6) // => integers(1, 6)
    /// domain(#{ units: integers(32, 256, 3) }).grid().configs() // => [#{"units": 32}, #{"units": 144}, #{"units": 256}]
    /// ```
    #[rhai_fn(name = "integers", return_raw)]
    pub fn integers(low: i64, high: i64) -> Answer<Draw> {
        match low <= high {
            true => Ok(Distribution::Integers(low, high).into()),
            false => Err(raise(Error::script(format!("`integers`: expected low <= high, found {low} and {high}")))),
        }
    }

    #[rhai_fn(name = "integers", return_raw)]
    pub fn integers_counted(low: i64, high: i64, count: i64) -> Answer<Draw> {
        super::counted(integers(low, high)?, count, "integers")
    }

    /// Returns a draw of one of the values.
    ///
    /// # Errors
    /// No values, values that cannot be written as JSON.
    ///
    /// ```rhai
    /// choice(["relu", "tanh"]) // => choice(["relu","tanh"])
    /// ```
    #[rhai_fn(name = "choice", return_raw)]
    pub fn choice(values: List) -> Answer<Draw> {
        let values = values.iter().map(cast::to_json).collect::<Result<Vec<_>>>().map_err(raise)?;
        match values.is_empty() {
            false => Ok(Distribution::Choice(values).into()),
            true => Err(raise(Error::script("`choice`: expected at least one value, found none"))),
        }
    }

    /// Returns a draw of `base` to the power of a number from `low` to `high`, as Determined writes learning rates. A count is
    /// as for `between`, of the exponents.
    ///
    /// # Errors
    /// Anything but numbers with base > 0 and low < high, powers that are no numbers, a count below 1.
    ///
    /// ```rhai
    /// domain(#{ rate: hp_log(10.0, -4, -1, 4) }).grid().len // => 4
    /// domain(#{ rate: hp_log(2.0, 1, 5, 1) }).grid().configs() // => [#{"rate": 8.0}]
    /// ```
    #[rhai_fn(name = "hp_log", return_raw)]
    pub fn hp_log(base: Num, low: Num, high: Num) -> Answer<Draw> {
        let (low, high) = super::bounds(&low, &high, "hp_log")?;
        let base = float(&base, "`base` of `hp_log`")?;
        power(base, low, high).map(Draw::from).map_err(raise)
    }

    #[rhai_fn(name = "hp_log", return_raw)]
    pub fn hp_log_counted(base: Num, low: Num, high: Num, count: i64) -> Answer<Draw> {
        super::counted(hp_log(base, low, high)?, count, "hp_log")
    }

    /// Returns the call that makes the draw.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn draw_to_string(draw: Draw) -> String {
        draw.expression()
    }
}
