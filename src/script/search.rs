//! Runs a recipe as the trials of a search.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{CallFnOptions, Dynamic, Map, Scope};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::artifact;
use crate::error::{Error, Result, codes};
use crate::recipe::Written;
use crate::record::Records;
use crate::script::host::Host;
use crate::script::traceback;
use crate::search::{Domain, Event, Experiment, Search, Searcher};

/// The function of a recipe that says what a search of it tries.
pub const FUNCTION: &str = "search";

/// What a trial prints, in its folder.
const OUTPUT: &str = "output.txt";

/// How a search is run, where the default is not wanted.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The folder, by its name below the project root; `searches/RECIPE` by default.
    pub folder: Option<String>,
    /// The seed of draws and of trials; 0 by default.
    pub seed: Option<u64>,
    /// How many trials run at once; 1 by default.
    pub workers: Option<usize>,
    /// After how many reports a trial should stop; by default it is never told to.
    pub most_reports: Option<usize>,
    /// Which trials are made of the domain; all of them by default.
    pub searcher: Option<Searcher>,
    /// The config of the experiment, as it was written.
    pub experiment: Option<Value>,
}

impl Settings {
    /// Returns these settings, with the others' where these say nothing.
    #[must_use]
    pub fn or(self, others: Settings) -> Settings {
        Settings {
            folder: self.folder.or(others.folder),
            seed: self.seed.or(others.seed),
            workers: self.workers.or(others.workers),
            most_reports: self.most_reports.or(others.most_reports),
            searcher: self.searcher.or(others.searcher),
            experiment: self.experiment.or(others.experiment),
        }
    }
}

/// Returns what a file says is tried, and of which recipe: a recipe's own function `search()`, or an experiment's config.
///
/// # Errors
/// A file that is neither; a recipe without the function; whatever it raises.
pub fn declared(host: &Host, file: &Path) -> Result<(PathBuf, Domain, Settings)> {
    if file.extension().is_some_and(|ending| ending == "rhai") {
        let (domain, settings) = of_recipe(host, file)?;
        return Ok((file.to_owned(), domain, settings));
    }
    let label = host.roots().label(file);
    let about = |error: Error| error.within(format!("experiment `{label}`"));
    let written = Written::read(file)?.root.to_map();
    let Experiment { name, entrypoint, domain, searcher, seed, written } = Experiment::read(&written).map_err(about)?;
    let recipe = host.roots().readable(&entrypoint).map_err(about)?;
    let settings = Settings {
        folder: name.map(|name| format!("searches/{name}")),
        seed,
        searcher: Some(searcher),
        experiment: Some(written),
        ..Settings::default()
    };
    Ok((recipe, domain, settings))
}

/// Asks a recipe's function `search()` what is tried: a domain, or a map of `domain` and the options of `search`.
fn of_recipe(host: &Host, recipe: &Path) -> Result<(Domain, Settings)> {
    let script = host.read(recipe)?;
    host.sources().insert(script.clone());
    let ast = host.compile_text(&script)?;
    if !ast.iter_functions().any(|function| function.name == FUNCTION && function.params.is_empty()) {
        return Err(Error::script(format!("`{}` does not say what to try", script.label))
            .coded(codes::NO_FUNCTION)
            .hint("write `fn search() { domain(#{ rate: [0.1, 0.01] }) }` in it")
            .hint("`barrage help domain` explains what a domain may be"));
    }
    // The statements of the recipe are the trial, and do not run here.
    let options = CallFnOptions::new().eval_ast(false).rewind_scope(true);
    let value = host
        .engine()
        .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &ast, FUNCTION, ())
        .map_err(|error| traceback::explain(host, *error, &script.label))?;
    if let Some(domain) = value.read_lock::<Domain>() {
        return Ok((domain.clone(), Settings::default()));
    }
    let wrong = || {
        Error::script(format!("`{FUNCTION}()` of `{}`: expected a domain, or a map with one", script.label))
            .hint("return `domain(#{ … })`, or `#{ domain: domain(#{ … }), workers: 2 }`")
    };
    let mut map = value.try_cast::<Map>().ok_or_else(wrong)?;
    let domain = map.remove("domain").and_then(|domain| domain.try_cast::<Domain>()).ok_or_else(wrong)?;
    let settings = super::api::searches::settings(map)
        .map_err(|error| traceback::explain(host, *error, &script.label).within(format!("`{FUNCTION}()`")))?;
    Ok((domain, settings))
}

/// Runs the trials of a recipe and returns their table.
///
/// # Errors
/// See [`Search::run`]; a search within a trial.
pub fn run(
    host: &Host,
    recipe: &Path,
    domain: Domain,
    settings: Settings,
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Records> {
    if host.trial().is_some() {
        return Err(Error::script("a trial cannot search").hint("a search runs trials, which train"));
    }
    if host.rehearses() {
        return Err(Error::script("a search runs trials, which is no rehearsal")
            .hint("`check`, `--dry-run` and the like look at the recipe of the trials"));
    }
    let label = host.roots().label(recipe);
    let stem = recipe.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = settings.folder.unwrap_or_else(|| format!("searches/{stem}"));
    let folder = host.roots().writable(&name)?;
    artifact::make_folder(&folder)?;
    let search = Search {
        domain,
        searcher: settings.searcher.unwrap_or_default(),
        experiment: settings.experiment.unwrap_or_default(),
        seed: settings.seed.unwrap_or(0),
        workers: settings.workers.unwrap_or(1),
        most_reports: settings.most_reports,
        // Trials name files below it, wherever the program was started.
        folder: std::path::absolute(&folder).unwrap_or(folder),
        recipe: label,
        stop: host.stop_flag().clone(),
    };
    // One compiled recipe would be shared; an engine of its own keeps trials apart.
    let work = |trial: &Arc<crate::search::Trial>| {
        let printed = Arc::new(Mutex::new(String::new()));
        let sink = printed.clone();
        let print = move |text: &str| {
            let mut printed = sink.lock().unwrap_or_else(PoisonError::into_inner);
            printed.push_str(text);
            printed.push('\n');
        };
        let inside = match host.for_trial(trial.clone(), Arc::new(print)) {
            Ok(inside) => inside,
            Err(error) => return (serde_json::Map::new(), Err(error)),
        };
        let result = inside.run_file(recipe).map(drop);
        let text = printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = match text.is_empty() {
            true => Ok(()),
            false => artifact::write_atomic(&trial.join(OUTPUT), text.as_bytes()),
        };
        (made_of(&inside), result.and(kept))
    };
    search.run(&work, &|known| unchanged(host, known), tell)
}

/// Returns the files that a trial was made of, with their hashes.
fn made_of(host: &Host) -> serde_json::Map<String, Value> {
    let scripts = host.sources().all().into_iter().filter_map(|script| {
        let file = script.file?;
        Some((file.to_string_lossy().into_owned(), Value::from(hash(script.text.as_bytes()))))
    });
    scripts.collect()
}

/// Checks that files are what they were when a trial ran.
///
/// # Errors
/// Names the first that is not.
fn unchanged(host: &Host, known: &serde_json::Map<String, Value>) -> Result<()> {
    for (file, known) in known {
        let now = std::fs::read(file).ok().map(|bytes| hash(&bytes));
        if now.as_deref() != known.as_str() {
            let name = host.roots().label(&PathBuf::from(file));
            return Err(Error::script(format!("the script `{name}` was changed")).coded(codes::CHANGED));
        }
    }
    Ok(())
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
