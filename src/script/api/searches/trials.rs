//! What a recipe says as a trial, and what runs trials.

use rhai::plugin::*;
use rhai::{Dynamic, Engine, Map};
use serde_json::Value;

use crate::error::{Error, Result, did_you_mean, list};
use crate::record::Records;
use crate::script::api::arguments::Answer;
use crate::script::cast;
use crate::script::host::Host;
use crate::script::search;
use crate::script::traceback::raise;
use crate::search::{Domain, Trial, check_report};

use super::{searcher, settings};

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}

/// Returns the hyperparameters of a trial: what is tried, over what the recipe gives.
fn merged(trial: &Trial, mut given: Map) -> Result<Map> {
    if let Some(name) = trial.values.keys().find(|name| !given.is_empty() && !given.contains_key(name.as_str())) {
        return Err(Error::script(format!("the search tries `{name}`, which `hparams` of the recipe does not name"))
            .maybe_hint(did_you_mean(name, given.keys().map(|key| key.as_str())))
            .hint(format!("it names {}", list(given.keys().map(|key| key.as_str())))));
    }
    put(&mut given, &trial.values);
    Ok(given)
}

/// Puts values over those of a map, within maps as well.
fn put(given: &mut Map, values: &serde_json::Map<String, Value>) {
    for (name, value) in values {
        if let Value::Object(values) = value
            && let Some(mut inner) = given.get_mut(name.as_str()).and_then(|inner| inner.write_lock::<Map>())
        {
            put(&mut inner, values);
            continue;
        }
        given.insert(name.as_str().into(), cast::from_json(value));
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the hyperparameters of the trial, as a map: those that the search tries, over those that are given here, which
    /// are used as they are when the recipe is run by itself.
    ///
    /// # Errors
    /// In a trial: a hyperparameter of the search that is not named here. Outside of one: no values are given.
    ///
    /// ```rhai
    /// hparams(#{ rate: 0.1, units: 8 }).units // => 8
    /// ```
    #[rhai_fn(name = "hparams", return_raw)]
    pub fn hparams(context: NativeCallContext) -> Answer<Map> {
        match Host::of(&context)?.trial() {
            Some(trial) => super::merged(trial, Map::new()).map_err(raise),
            None => Err(raise(
                Error::script("`hparams()` has values in a trial only, and this is none")
                    .hint("give those of a run by itself: `hparams(#{ rate: 0.1 })`")
                    .hint("`barrage search recipe.rhai` runs trials"),
            )),
        }
    }

    #[rhai_fn(name = "hparams", return_raw)]
    pub fn hparams_over(context: NativeCallContext, values: Map) -> Answer<Map> {
        match Host::of(&context)?.trial() {
            Some(trial) => super::merged(trial, values).map_err(raise),
            None => Ok(values),
        }
    }

    /// Writes what came of a trial: numbers, texts, true or false by name. The last value of each name is in the table of
    /// the search. Outside of a trial the report is printed.
    ///
    /// # Errors
    /// A name of a column that the table has anyway (`trial`, `repetition`, `status`, `error`) or of a hyperparameter; a list
    /// or a map.
    ///
    /// ```rhai
    /// report(#{ val_loss: 0.25, epoch: 3 }) // => ()
    /// ```
    #[rhai_fn(name = "report", return_raw)]
    pub fn report(context: NativeCallContext, values: Map) -> Answer<()> {
        let host = Host::of(&context)?;
        let finite = |value: Value| if value.is_null() { Value::from("nan") } else { value };
        let json = |(name, value): (rhai::Identifier, Dynamic)| match value.as_float() {
            // JSON has no such numbers; the table shows their names.
            Ok(number) if !number.is_finite() => Ok((name.to_string(), Value::from(number.to_string().to_lowercase()))),
            _ => cast::to_json(&value).map(|value| (name.to_string(), finite(value))),
        };
        let values = values.into_iter().map(json).collect::<Result<serde_json::Map<_, _>>>().map_err(raise)?;
        match host.trial() {
            Some(trial) => trial.report(values).map_err(raise),
            None => {
                check_report(&values).map_err(raise)?;
                let parts: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value}")).collect();
                host.print(&format!("report: {}", parts.join(", ")));
                Ok(())
            }
        }
    }

    /// Stops the trial, since its hyperparameters make no sense together. Where hyperparameters are drawn at random (the
    /// searchers `random`, `asha` and `adaptive_asha`) the trial begins anew with others; elsewhere it is a row of the table
    /// that says `invalid`. A trial that others were compared with already, at a rung, is not replaced.
    ///
    /// # Errors
    /// Always: the error ends the trial. Outside of one it ends the script.
    ///
    /// ```rhai
    /// fn checked(rate) { if rate > 1.0 { throw invalid_hp("the rate is too large"); } rate }
    /// checked(0.5) // => 0.5
    /// ```
    #[rhai_fn(name = "invalid_hp", volatile, return_raw)]
    pub fn invalid_hp(context: NativeCallContext, reason: &str) -> Answer<Dynamic> {
        if let Some(trial) = Host::of(&context)?.trial() {
            trial.set_invalid(reason);
        }
        Err(raise(Error::script(format!("the hyperparameters are invalid: {reason}"))))
    }

    /// Returns whether the trial is to end now: it has reported as often or come as far as the search wants, others did
    /// better, or someone asked the search to stop. Outside of a trial always false.
    ///
    /// ```rhai
    /// should_stop() // => false
    /// ```
    #[rhai_fn(name = "should_stop", return_raw)]
    pub fn should_stop(context: NativeCallContext) -> Answer<bool> {
        Ok(Host::of(&context)?.trial().is_some_and(|trial| trial.should_stop()))
    }

    /// Returns what is known of the trial: `#{ number, repetition, seed, experiment }`; `()` outside of one. A run without a
    /// seed of its own uses `seed`, which is the same for all trials of a repetition. `experiment` is the config of the
    /// experiment, `()` where there is none.
    ///
    /// ```rhai
    /// trial() // => ()
    /// ```
    #[rhai_fn(name = "trial", return_raw)]
    pub fn trial(context: NativeCallContext) -> Answer<Dynamic> {
        let host = Host::of(&context)?;
        let Some(trial) = host.trial() else { return Ok(Dynamic::UNIT) };
        let number = |number: usize| Dynamic::from(number as i64);
        Ok(Dynamic::from(Map::from([
            ("number".into(), number(trial.number)),
            ("repetition".into(), number(trial.repetition)),
            ("seed".into(), Dynamic::from(trial.seed as i64)),
            ("experiment".into(), cast::from_json(&trial.experiment)),
        ])))
    }

    /// Returns the table of all trials of a recipe over a domain, after running them: number, repetition, hyperparameters,
    /// how it ended (`done`, `stopped`, `failed`, `invalid`), the last value of everything reported. Options: `folder`
    /// (`searches/RECIPE` unless it is given), `workers`, trials that run at once (1), `seed` of draws and trials (0),
    /// `most_reports`, after which `should_stop()` is true (never), `searcher`, as above (every trial of the domain). A search
    /// whose folder has finished trials goes on with the others. Without a domain the file says what is tried: a recipe by its
    /// function `search()`, an experiment's config by its sections.
    ///
    /// # Errors
    /// A recipe that cannot be read, a folder with something else in it, scripts that were changed since the first trials.
    /// A trial that fails is a row.
    ///
    /// ```rhai
    /// let table = search("trial.rhai", domain(#{ rate: [0.1, 0.01], units: 8 }), #{ folder: "searches/two" });
    /// table[1].rate // => 0.01
    /// let space = domain(#{ rate: log_between(1e-4, 1e-1), units: integers(1, 8) });
    /// let drawn = search("trial.rhai", space, #{ searcher: #{ name: "random", max_trials: 5 }, folder: "searches/drawn" });
    /// drawn.len // => 5
    /// search("experiment.json", #{ workers: 2 }).len // => 6
    /// ```
    #[rhai_fn(name = "search", return_raw)]
    pub fn search(context: NativeCallContext, recipe: &str, domain: Domain) -> Answer<Records> {
        search_with(context, recipe, domain, Map::new())
    }

    #[rhai_fn(name = "search", return_raw)]
    pub fn search_with(context: NativeCallContext, recipe: &str, domain: Domain, options: Map) -> Answer<Records> {
        let host = Host::of(&context)?;
        let settings = settings(options)?;
        let file = host.roots().readable(recipe).map_err(raise)?;
        search::run(&host, &file, domain, settings, &|_| ()).map_err(|error| raise(error.settled()))
    }

    #[rhai_fn(name = "search", return_raw)]
    pub fn search_declared(context: NativeCallContext, file: &str) -> Answer<Records> {
        search_declared_with(context, file, Map::new())
    }

    #[rhai_fn(name = "search", return_raw)]
    pub fn search_declared_with(context: NativeCallContext, file: &str, options: Map) -> Answer<Records> {
        let host = Host::of(&context)?;
        let settings = settings(options)?;
        let file = host.roots().readable(file).map_err(raise)?;
        let search = || {
            let (recipe, domain, declared) = search::declared(&host, &file)?;
            search::run(&host, &recipe, domain, settings.or(declared), &|_| ())
        };
        search().map_err(|error| raise(error.settled()))
    }

    /// Returns what a search would do, without running a trial: a table of `bracket`, `time` and `trials`, how many trials end
    /// when. Where bad trials end early (`asha`, `adaptive_asha`), metrics are drawn at random for it; elsewhere there is one
    /// row.
    ///
    /// # Errors
    /// A domain that the searcher can make nothing of.
    ///
    /// ```rhai
    /// let asha = #{ name: "adaptive_asha", metric: "val_loss", max_trials: 16, max_time: 8 };
    /// let table = preview(domain(#{ rate: log_between(1e-4, 1e-1) }), asha);
    /// table.column("time").to_array() // => [2, 8, 8]
    /// table.column("trials").to_array().reduce(|sum, count| sum + count, 0) // => 16
    /// ```
    #[rhai_fn(name = "preview", return_raw)]
    pub fn preview(domain: Domain, searcher: Dynamic) -> Answer<Records> {
        super::searcher(&searcher).and_then(|searcher| crate::search::preview(&domain, &searcher, 0)).map_err(raise)
    }
}
