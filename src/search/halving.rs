//! Ending bad trials early: asynchronous successive halving in its stopping form (Li and others, "A system for massively
//! parallel hyperparameter tuning", 2020, as Determined has it), with decisions in the order of trials.
//!
//! A bracket has rungs, each at a time that trials reach. A trial that reaches a rung is compared with those before it that
//! reached it: it goes on if it is among the best one of `divisor` of them, itself counted, or the best. "Before" is the
//! order of trials, not of the clock: a trial waits at a rung until every earlier one of its bracket has been there or has
//! ended. So what a trial does depends on its number alone, and not on how many run at once. The earliest of those that
//! run never waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::searcher::Metric;
use crate::error::{Error, Result, list};

/// How often a waiting trial looks whether someone asked to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Trials that are compared with each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Bracket {
    /// The time at which a trial reaches each rung; the last is how far the best go.
    pub rungs: Vec<u64>,
    /// How many trials it has.
    pub trials: usize,
}

impl Bracket {
    /// Creates a bracket whose rung `i` is at `max_time / divisor^(rungs - 1 - i)`, at least at 1.
    pub fn new(rungs: usize, max_time: u64, divisor: f64, trials: usize) -> Bracket {
        let at = |rung: usize| (max_time as f64 / divisor.powi((rungs - 1 - rung) as i32)) as u64;
        Bracket { rungs: (0..rungs).map(|rung| at(rung).max(1)).collect(), trials }
    }
}

/// The rule by which trials end early.
#[derive(Clone, Debug, PartialEq)]
pub struct Halving {
    /// What trials are compared by.
    pub metric: Metric,
    /// The reported number that is a trial's time; without it the number of its reports is.
    pub time_metric: Option<String>,
    /// Of how many trials one goes on.
    pub divisor: f64,
    /// The brackets, that of most rungs first.
    pub brackets: Vec<Bracket>,
}

impl Halving {
    /// Returns the number of all trials.
    pub fn trials(&self) -> usize {
        self.brackets.iter().map(|bracket| bracket.trials).sum()
    }

    /// Returns the bracket of each trial: they take turns, as long as they have trials left.
    pub fn brackets_of_trials(&self) -> Vec<usize> {
        let mut left: Vec<usize> = self.brackets.iter().map(|bracket| bracket.trials).collect();
        let mut all = Vec::with_capacity(self.trials());
        while left.iter().any(|count| *count > 0) {
            for (bracket, count) in left.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
                all.push(bracket);
                *count -= 1;
            }
        }
        all
    }

    /// Returns whether a trial goes on from a rung: how many before it did better decides. `earlier` holds what they
    /// had there, and less is better.
    pub fn continues(&self, earlier: &[f64], own: f64) -> bool {
        let better = earlier.iter().filter(|value| **value < own).count();
        let continuing = ((earlier.len() + 1) as f64 / self.divisor) as usize;
        better < continuing.max(1)
    }

    /// Returns a report's time, if it is reported, and its metric, turned so that less is better.
    ///
    /// # Errors
    /// A report without one of them, or with anything but a number for it.
    pub fn measure(&self, report: &Map<String, Value>) -> Result<(Option<u64>, f64)> {
        let number = |name: &str, what: &str| {
            let value = report.get(name).ok_or_else(|| {
                Error::script(format!("the search {what} `{name}`, which the report does not have"))
                    .hint(format!("it has {}", list(report.keys().map(String::as_str))))
            })?;
            // Numbers that JSON does not have are reported by their names.
            let known = value.as_f64().or_else(|| value.as_str()?.parse::<f64>().ok());
            known.ok_or_else(|| Error::script(format!("the search {what} `{name}`: expected a number, found {value}")))
        };
        let metric = number(&self.metric.name, "compares trials by")?;
        let metric = if self.metric.smaller_is_better { metric } else { -metric };
        let time = self.time_metric.as_deref().map(|name| number(name, "counts the time of trials by")).transpose()?;
        Ok((time.map(|time| time.max(0.0) as u64), if metric.is_nan() { f64::INFINITY } else { metric }))
    }
}

/// What a trial is told at a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// It has reached the last rung.
    Done,
    /// Others did better.
    Stop,
    /// Someone asked the search to stop.
    Interrupted,
}

/// Where a trial is.
#[derive(Clone, Debug, Default)]
struct Standing {
    /// What it had at each rung that it reached.
    metrics: Vec<f64>,
    /// What it was told last.
    verdict: Option<Verdict>,
    ended: bool,
}

/// Compares the trials of one search.
#[derive(Debug)]
pub struct Judge {
    halving: Halving,
    bracket_of: Vec<usize>,
    trials: Mutex<Vec<Standing>>,
    changed: Condvar,
    stop: Arc<AtomicBool>,
    given_up: AtomicBool,
}

impl Judge {
    /// Creates a judge of trials of which none has begun; waiting ends when `stop` becomes true.
    pub fn new(halving: Halving, stop: Arc<AtomicBool>) -> Judge {
        let bracket_of = halving.brackets_of_trials();
        let trials = Mutex::new(vec![Standing::default(); bracket_of.len()]);
        Judge { halving, bracket_of, trials, changed: Condvar::new(), stop, given_up: AtomicBool::new(false) }
    }

    /// Returns the rule.
    pub fn halving(&self) -> &Halving {
        &self.halving
    }

    /// Takes in what a trial had at a time, and waits until it is known whether it goes on. Trials count from 0.
    pub fn report(&self, trial: usize, time: u64, metric: f64) -> Verdict {
        let rungs = &self.halving.brackets[self.bracket_of[trial]].rungs;
        let mut trials = self.lock();
        loop {
            let rung = trials[trial].metrics.len();
            match trials[trial].verdict {
                Some(verdict) => return verdict,
                None if rung == rungs.len() || time < rungs[rung] => return Verdict::Continue,
                None => trials[trial].metrics.push(metric),
            }
            self.changed.notify_all();
            if rung + 1 == rungs.len() {
                trials[trial].verdict = Some(Verdict::Done);
                continue;
            }
            while self.before(trial).any(|other| trials[other].metrics.len() <= rung && !trials[other].ended) {
                if self.stop.load(Ordering::Relaxed) || self.given_up.load(Ordering::Relaxed) {
                    return Verdict::Interrupted;
                }
                let waited = self.changed.wait_timeout(trials, GLANCE);
                trials = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let earlier: Vec<f64> =
                self.before(trial).filter_map(|other| trials[other].metrics.get(rung)).copied().collect();
            if !self.halving.continues(&earlier, metric) {
                trials[trial].verdict = Some(Verdict::Stop);
            }
        }
    }

    /// Takes in that a trial has ended. One that failed has the worst metric at the rung that it was on its way to, unless
    /// it was told to stop.
    pub fn end(&self, trial: usize, failed: bool) {
        let rungs = self.halving.brackets[self.bracket_of[trial]].rungs.len();
        let standing = &mut self.lock()[trial];
        if failed && standing.verdict.is_none() && standing.metrics.len() < rungs {
            standing.metrics.push(f64::INFINITY);
        }
        standing.ended = true;
        self.changed.notify_all();
    }

    /// Ends all waiting: a trial will not end.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Returns how many rungs a trial has reached by its own reports.
    pub fn rungs(&self, trial: usize) -> usize {
        self.lock()[trial].metrics.len()
    }

    /// Takes in a trial that ended in an earlier run of the search, by what it had at the rungs it reached.
    pub fn restore(&self, trial: usize, reports: &[Map<String, Value>], rungs: usize, failed: bool, stopped: bool) {
        let times = &self.halving.brackets[self.bracket_of[trial]].rungs;
        let mut metrics = Vec::new();
        for (at, report) in reports.iter().enumerate() {
            let Ok((time, metric)) = self.halving.measure(report) else { continue };
            let time = time.unwrap_or(at as u64 + 1);
            while metrics.len() < rungs.min(times.len()) && times[metrics.len()] <= time {
                metrics.push(metric);
            }
        }
        let verdict = if stopped { Some(Verdict::Stop) } else { None };
        self.lock()[trial] = Standing { metrics, verdict, ended: false };
        self.end(trial, failed);
    }

    /// Returns the trials of the same bracket that come before a trial.
    fn before(&self, trial: usize) -> impl Iterator<Item = usize> + '_ {
        let bracket = self.bracket_of[trial];
        (0..trial).filter(move |other| self.bracket_of[*other] == bracket)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Standing>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
