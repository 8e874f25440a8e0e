//! Searches: domains of hyperparameters, and what a recipe says as a trial.

mod domains;
mod trials;

use rhai::{Dynamic, Engine, Map};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::api::draws;
use crate::script::api::options::Options;
use crate::script::cast;
use crate::script::search::Settings;
use crate::script::traceback::raise;
use crate::search::Searcher;

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
    domains::register(engine);
    trials::register(engine);
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
