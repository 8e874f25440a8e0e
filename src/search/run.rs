//! Runs a search: some trials at once, every finished one kept.
//!
//! The folder of a search holds `search.json` (the plan), `trials/0001/` … (what each trial wrote, and its
//! `result.json` once it has ended), and `results.csv`. A search that was killed goes on where it was: trials with a
//! result are not run again, those without one start anew in an empty folder. Which worker runs a trial changes
//! nothing about it, so the table is the same for any number of them; where trials are compared with each other, they are
//! in their order ([`super::halving`]).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::domain::{Config, Domain};
use super::halving::Judge;
use super::searcher::{MOST_ATTEMPTS, Searcher};
use super::table;
use super::trial::Trial;
use crate::artifact::{self, exact};
use crate::error::{Error, Kind, Result};
use crate::random::{Random, Stream};
use crate::record::Records;

const PLAN: &str = "search.json";
const TRIALS: &str = "trials";
const RESULT: &str = "result.json";
const RESULTS: &str = "results.csv";

/// A search that is to be run.
pub struct Search {
    /// What is tried.
    pub domain: Domain,
    /// Which trials are made of it.
    pub searcher: Searcher,
    /// The config of the experiment, for trials that ask for it; null outside of one.
    pub experiment: Value,
    /// The seed of draws, and of trials whose recipe has none.
    pub seed: u64,
    /// Trials that run at once, at least 1.
    pub workers: usize,
    /// The number of reports after which a trial should stop.
    pub most_reports: Option<usize>,
    /// The folder of the search.
    pub folder: PathBuf,
    /// What the trials are of: the recipe's name, shown in errors.
    pub recipe: String,
    /// Ends the search when it becomes true.
    pub stop: Arc<AtomicBool>,
}

/// What a trial gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The number of the trial, from 1.
    pub number: usize,
    /// Which of the repetitions it is.
    pub repetition: usize,
    /// Its hyperparameters.
    pub values: Map<String, Value>,
    /// What it reported, in order.
    pub reports: Vec<Map<String, Value>>,
    /// Why it failed, or why its hyperparameters make no sense.
    pub error: Option<String>,
    /// How it ended.
    pub status: Status,
    /// Files that the trial was made of, each with a hash: they must not change between trials.
    pub made_of: Map<String, Value>,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It came to its end.
    Done,
    /// It was told to stop, since others did better.
    Stopped,
    /// It raised an error.
    Failed,
    /// It said that its hyperparameters make no sense.
    Invalid,
}

impl Status {
    /// Returns the word of the table.
    pub fn name(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Stopped => "stopped",
            Status::Failed => "failed",
            Status::Invalid => "invalid",
        }
    }
}

/// What a search tells while it runs.
pub enum Event<'a> {
    /// Trials that a search before this one has finished.
    Found(usize),
    /// A trial begins.
    Begin(&'a Trial),
    /// A trial said that its hyperparameters make no sense, and is begun anew with others.
    Replaced(&'a Trial, &'a str),
    /// A trial has ended.
    End(&'a Outcome),
}

/// Runs one trial and returns what it was made of.
pub type Work<'a> = dyn Fn(&Arc<Trial>) -> (Map<String, Value>, Result<()>) + Sync + 'a;

/// What a trial gave, as it is kept: the fractions of its reports are texts, which read back to the bit.
#[derive(Serialize, Deserialize)]
struct Kept {
    number: usize,
    repetition: usize,
    /// For people: the plan has them, too.
    values: Map<String, Value>,
    reports: Vec<Map<String, Value>>,
    error: Option<String>,
    status: Status,
    /// How often its hyperparameters were drawn anew.
    #[serde(default)]
    attempt: usize,
    /// How many rungs it reached by its reports.
    #[serde(default)]
    rungs: usize,
    /// Whether it was told to stop, whatever it did then.
    #[serde(default)]
    stopped: bool,
    made_of: Map<String, Value>,
}

/// The key of a fraction in a report that is kept; a report has no maps of its own.
const FRACTION: &str = "fraction";

/// Returns a reported value as it is kept.
fn kept(value: &Value) -> Value {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => json!({ FRACTION: exact::to_json(number) }),
        None => value.clone(),
    }
}

/// Returns what [`kept`] was made of.
fn reported(value: &Value) -> Value {
    match value.get(FRACTION).and_then(exact::from_json).and_then(serde_json::Number::from_f64) {
        Some(number) => Value::Number(number),
        None => value.clone(),
    }
}

/// Returns reports with each value changed.
fn each(reports: &[Map<String, Value>], change: fn(&Value) -> Value) -> Vec<Map<String, Value>> {
    let one = |report: &Map<String, Value>| report.iter().map(|(name, value)| (name.clone(), change(value))).collect();
    reports.iter().map(one).collect()
}

/// The plan of a search, as it is kept.
#[derive(PartialEq, Serialize, Deserialize)]
struct Plan {
    recipe: String,
    seed: u64,
    most_reports: Option<usize>,
    #[serde(default)]
    searcher: Value,
    #[serde(default)]
    experiment: Value,
    trials: Vec<Map<String, Value>>,
    repetitions: usize,
}

impl Search {
    /// Runs what is left of the search and returns the table of all trials, which is also in `results.csv`. `still`
    /// says whether files are what they were when an earlier trial ran.
    ///
    /// # Errors
    /// A folder that holds another search; scripts that were changed since its first trials; that someone asked to
    /// stop. A trial that fails is a row of the table, and no error.
    pub fn run(
        &self,
        work: &Work,
        still: &(dyn Fn(&Map<String, Value>) -> Result<()> + Sync),
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Records> {
        let configs = self.searcher.configs(&self.domain, self.seed)?;
        self.check_plan(&configs)?;
        let judge = self.searcher.halving().map(|halving| Arc::new(Judge::new(halving.clone(), self.stop.clone())));
        let experiment = Arc::new(self.experiment.clone());
        let mut outcomes: Vec<Option<Outcome>> = (1..=configs.len())
            .map(|number| self.read(number, &configs[number - 1], judge.as_deref()))
            .collect::<Result<_>>()?;
        if let Some(earlier) = outcomes.iter().flatten().next() {
            tell(Event::Found(outcomes.iter().flatten().count()));
            still(&earlier.made_of).map_err(|error| {
                error
                    .within(format!("`{}` has finished trials", self.folder.display()))
                    .hint("trials of one search are of one recipe: put it back, or search in another folder")
            })?;
        }
        let left: Vec<usize> = (0..configs.len()).filter(|at| outcomes[*at].is_none()).collect();
        let (next, slots) = (AtomicUsize::new(0), Mutex::new(&mut outcomes));
        let failed: Mutex<Option<Error>> = Mutex::new(None);
        let worker = || {
            while let Some(&at) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                let broken = || failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                if self.stop.load(Ordering::Relaxed) || broken() {
                    return;
                }
                // Others may wait for this trial: they are told should it never end.
                let waiting = Waiting(judge.as_deref());
                match self.one(at + 1, configs[at].clone(), judge.as_ref(), &experiment, work, tell) {
                    Ok(Some(outcome)) => {
                        slots.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(outcome);
                        std::mem::forget(waiting);
                    }
                    Ok(None) => return,
                    Err(error) => {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        return;
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            // The scope's own thread is a worker, too.
            let most = match self.searcher.max_concurrent_trials {
                0 => usize::MAX,
                most => most,
            };
            let workers = self.workers.min(most).min(left.len()).max(1);
            let threads: Vec<_> = (1..workers).map(|_| scope.spawn(worker)).collect();
            worker();
            threads.into_iter().for_each(|thread| drop(thread.join()));
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let finished: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        if finished.len() < configs.len() {
            return Err(Error::new(
                Kind::Interrupted,
                format!("the search was interrupted: {} of {} trials are done", finished.len(), configs.len()),
            )
            .hint("the same search goes on with the others"));
        }
        let records = table::records(&finished, RESULTS)?;
        records.write(&self.folder.join(RESULTS))?;
        Ok(records)
    }

    /// Runs one trial, with other hyperparameters if it calls its own invalid; `None` when someone asked to stop before it
    /// ended.
    fn one(
        &self,
        number: usize,
        mut config: Config,
        judge: Option<&Arc<Judge>>,
        experiment: &Arc<Value>,
        work: &Work,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Option<Outcome>> {
        let folder = self.trial_folder(number);
        let mut attempt = 0;
        let (trial, made_of, error) = loop {
            // What a killed search left of this trial, or what it did with invalid hyperparameters.
            artifact::remove_folder(&folder)?;
            artifact::make_folder(&folder)?;
            let seed = u64::from(Random::new(self.seed, Stream::Search, &[3, config.repetition as u64]).bits());
            let trial = Trial::new(number, config, seed, folder.clone(), self.most_reports);
            let trial = Arc::new(trial.within(self.stop.clone(), judge.cloned(), experiment.clone()));
            tell(Event::Begin(&trial));
            let (made_of, result) = work(&trial);
            let error = match result {
                _ if trial.is_cut_short() => return Ok(None),
                Ok(()) => None,
                Err(error) if error.kind() == Kind::Interrupted => return Ok(None),
                Err(error) => Some(error.message().to_owned()),
            };
            // What others were compared with stays, so a trial is replaced only before it has reached a rung.
            let compared = judge.is_some_and(|judge| judge.rungs(number - 1) > 0);
            let Some(reason) = trial.invalid().filter(|_| !compared) else { break (trial, made_of, error) };
            let Some(other) = self.searcher.instead(&self.domain, self.seed, number - 1, attempt + 1)? else {
                break (trial, made_of, error);
            };
            if attempt + 1 == MOST_ATTEMPTS {
                let error = format!("{MOST_ATTEMPTS} draws of hyperparameters were all invalid, the last: {reason}");
                break (trial, made_of, Some(error));
            }
            tell(Event::Replaced(&trial, &reason));
            (config, attempt) = (other, attempt + 1);
        };
        let status = match (trial.invalid(), &error) {
            (Some(_), _) if attempt + 1 < MOST_ATTEMPTS => Status::Invalid,
            (_, Some(_)) => Status::Failed,
            _ if trial.is_stopped() => Status::Stopped,
            _ => Status::Done,
        };
        let error = trial.invalid().filter(|_| status == Status::Invalid).or(error);
        let rungs = judge.map_or(0, |judge| judge.rungs(number - 1));
        if let Some(judge) = judge {
            judge.end(number - 1, matches!(status, Status::Failed | Status::Invalid));
        }
        let (repetition, values, reports) = (trial.repetition, trial.values.clone(), trial.reports());
        let outcome = Outcome { number, repetition, values, reports, error, status, made_of };
        let Outcome { values, reports, error, made_of, .. } = outcome.clone();
        let (reports, stopped) = (each(&reports, kept), trial.is_stopped());
        let kept = Kept { number, repetition, values, reports, error, status, attempt, rungs, stopped, made_of };
        let text = serde_json::to_string_pretty(&kept).unwrap_or_default();
        artifact::write_atomic(&trial.join(RESULT), text.as_bytes())?;
        tell(Event::End(&outcome));
        Ok(Some(outcome))
    }

    fn trial_folder(&self, number: usize) -> PathBuf {
        self.folder.join(TRIALS).join(format!("{number:04}"))
    }

    /// Returns what a finished trial gave, and tells the judge.
    fn read(&self, number: usize, config: &Config, judge: Option<&Judge>) -> Result<Option<Outcome>> {
        let file = self.trial_folder(number).join(RESULT);
        if !file.is_file() {
            return Ok(None);
        }
        let Kept { reports, error, status, attempt, rungs, stopped, made_of, .. } = artifact::read_json(&file)?;
        let other = match attempt {
            0 => None,
            _ => self.searcher.instead(&self.domain, self.seed, number - 1, attempt)?,
        };
        let Config { repetition, values } = other.unwrap_or_else(|| config.clone());
        let reports = each(&reports, reported);
        if let Some(judge) = judge {
            let failed = matches!(status, Status::Failed | Status::Invalid);
            judge.restore(number - 1, &reports, rungs, failed, stopped);
        }
        Ok(Some(Outcome { number, repetition, values, reports, error, status, made_of }))
    }

    /// Writes the plan, or checks that the folder holds this one.
    fn check_plan(&self, configs: &[Config]) -> Result<()> {
        let plan = Plan {
            recipe: self.recipe.clone(),
            seed: self.seed,
            most_reports: self.most_reports,
            searcher: self.searcher.written.clone(),
            experiment: self.experiment.clone(),
            trials: configs.iter().map(|config| config.values.clone()).collect(),
            repetitions: self.domain.repetitions(),
        };
        let file = self.folder.join(PLAN);
        if !file.is_file() {
            if !artifact::names(&self.folder)?.is_empty() {
                return Err(Error::artifact(format!("`{}` holds something else than a search", self.folder.display()))
                    .hint("name a folder that is new, or that of a search that is to go on"));
            }
            artifact::make_folder(&self.folder)?;
            let text = serde_json::to_string_pretty(&plan).unwrap_or_default();
            return artifact::write_atomic(&file, text.as_bytes());
        }
        let known: Plan = artifact::read_json(&file)?;
        // The reader of JSON may be off by the last bit: both sides are read.
        let plan: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap_or_default()).unwrap_or(plan);
        let differs = [
            (known.recipe != plan.recipe, "of another recipe"),
            (known.seed != plan.seed, "with another seed"),
            (known.most_reports != plan.most_reports, "with other reports"),
            (known.searcher != plan.searcher, "by another searcher"),
            (known.experiment != plan.experiment, "of another experiment"),
            (known.trials != plan.trials || known.repetitions != plan.repetitions, "of other hyperparameters"),
        ];
        match differs.into_iter().find(|(differs, _)| *differs) {
            None => Ok(()),
            Some((_, how)) => Err(Error::artifact(format!("`{}` holds a search {how}", self.folder.display()))
                .hint("a search goes on with what it was begun with; name another folder for a new one")),
        }
    }
}

/// A trial that others may wait for: when it goes without an end, so does their waiting.
struct Waiting<'a>(Option<&'a Judge>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(judge) = self.0 {
            judge.give_up();
        }
    }
}

#[cfg(test)]
mod tests;
