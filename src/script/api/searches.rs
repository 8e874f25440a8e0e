//! Searches: domains of hyperparameters, and what a recipe says as a trial.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};
use serde_json::Value;

use crate::error::{Error, Result, did_you_mean, list};
use crate::record::Records;
use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::api::draws;
use crate::script::api::options::Options;
use crate::script::cast;
use crate::script::host::Host;
use crate::script::search::{self, Settings};
use crate::script::traceback::raise;
use crate::search::{Cell, Domain, Draw, Row, Searcher, Trial, check_report};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "searches",
    title: "Searches",
    intro: "A recipe becomes a trial by three calls: `hparams` returns the hyperparameters it is to use, `report` says what came \
            of them, and `should_stop` whether to go on. A function `search()` in it says what is tried: a domain, or a map \
            of `domain` and the options of `search`.\n\n\
            ```text\n\
            fn search() { #{ domain: domain(#{ units: [4, 8], rate: log_between(1e-4, 1e-1) }).sample(12), workers: 2 } }\n\n\
            let h = hparams(#{ units: 8, rate: 0.01 });\n\
            let history = trainer(\"artifacts\").train(config(h), train, validation);\n\
            report(#{ val_loss: history.logs.val_loss[-1] });\n\
            ```\n\n\
            `barrage run recipe.rhai` runs it once, with the values given to `hparams`; `barrage search recipe.rhai` runs all \
            trials, some at once (`--workers`), and prints their table, which is in `searches/recipe/results.csv`, too. What a \
            trial writes (runs, tables) goes into a folder of its own, `searches/recipe/trials/0001`; what is kept by \
            `memo_disk` and the like is shared by all. A search that is interrupted or killed goes on with the same command: \
            finished trials are not run again. The table is the same for any number of workers.\n\n\
            **Searchers.** The option `searcher`, a map or a name, says which trials are made of the domain; without it there \
            is one for each of its rows.\n\n\
            | `name` | trials | keys |\n\
            |---|---|---|\n\
            | `single` | one, of a domain that draws nothing | |\n\
            | `grid` | every combination; of a draw with a count (`between(0.0, 1.0, 5)`) so many values, evenly spaced with both ends, of a count of 1 the middle | |\n\
            | `random` | drawn at random | `max_trials` |\n\
            | `asha` | drawn at random; bad ones end early | `max_trials`, `max_time`, `metric`, `num_rungs` (5), `divisor` (4), `time_metric` |\n\
            | `adaptive_asha` | several such, of fewer rungs each | `max_rungs` (5) and `mode` (`\"conservative\"`, `\"standard\"`, `\"aggressive\"`) in place of `num_rungs` |\n\n\
            All take `metric`, what trials are compared by, `smaller_is_better` (true) and `max_concurrent_trials` (16, 0 for \
            no limit). A trial of `asha` reaches a *rung* when its `time_metric` (the number of its reports unless that is \
            given) comes to `max_time`, to `max_time / divisor`, and so on. There it is compared with the trials before it: \
            among the best one of `divisor` it goes on, otherwise `should_stop()` is true and the table says `stopped`. Every \
            report needs the metric and the time metric. A trial that failed counts as the worst; `invalid_hp(\"reason\")` has \
            the trial draw other hyperparameters. The service `std.services.trial` reports each epoch of a training run \
            and ends it:\n\n\
            ```text\n\
            fn search() { #{ domain: domain(#{ rate: log_between(1e-4, 1e-1) }),\n\
                             searcher: #{ name: \"asha\", metric: \"val_loss\", time_metric: \"epochs\", max_trials: 16, max_time: 32, num_rungs: 3 } } }\n\
            config.services.callbacks = [component(\"std.services.trial\")];\n\
            ```\n\n\
            **Experiments.** `barrage search experiment.json` (also JSON5, TOML, YAML) takes all of it from a config with the \
            sections of Determined's: `name`, `entrypoint` (the recipe), `data` (free; trials find it as \
            `trial().experiment.data`), `hyperparameters`, `searcher`, `reproducibility.experiment_seed`. A hyperparameter is \
            a value, a map of hyperparameters, or a map with `type`: `const` (`val`), `int` and `double` (`minval`, `maxval`, \
            `count`), `log` (`base`, exponents `minval` and `maxval`, `count`) or `categorical` (`vals`). `--preview` prints \
            how many trials would go how far.\n\n\
            ```rhai\n\
            let space = domain(#{ rate: [0.1, 0.01], units: [4, 8] });\n\
            let table = search(\"trial.rhai\", space, #{ workers: 2 });\n\
            table.columns // => [\"trial\", \"repetition\", \"rate\", \"units\", \"status\", \"score\"]\n\
            table.len // => 4\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Domain>("Domain");
    engine.register_global_module(exported_module!(functions).into());
    draws::register(engine);
}

/// Reads the options of a search.
pub(crate) fn settings(options: Map) -> Answer<Settings> {
    let mut options = Options::new("search", options);
    let settings = Settings {
        folder: options.text("folder")?,
        seed: options.whole("seed")?,
        workers: options.whole("workers")?.map(|workers| workers.clamp(1, 1024) as usize),
        most_reports: options.whole("most_reports")?.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        searcher: options.take("searcher").map(|section| searcher(&section).map_err(raise)).transpose()?,
        experiment: None,
    };
    options.finish()?;
    Ok(settings)
}

/// Reads a searcher: a map as in an experiment's config, or its name alone.
fn searcher(value: &Dynamic) -> Result<Searcher> {
    match cast::to_json(value)? {
        Value::Object(section) => Searcher::read(&section),
        name @ Value::String(_) => Searcher::read(&serde_json::Map::from_iter([("name".to_owned(), name)])),
        other => Err(Error::script(format!("`searcher`: expected a map, or the name of a searcher, found {other}"))),
    }
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
        let settings = super::settings(options)?;
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
        let settings = super::settings(options)?;
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

    /// Returns the number of trials and the names of the hyperparameters, as text.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(domain: Domain) -> String {
        super::show(&domain)
    }
}
