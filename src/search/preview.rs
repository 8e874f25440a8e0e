//! What a search would do: how many trials go how far.

use super::domain::Domain;
use super::halving::{Judge, Verdict};
use super::searcher::Searcher;
use crate::error::Result;
use crate::random::{Random, Stream};
use crate::record::{Records, Row, Value};

/// Returns a table of `bracket`, `time` and `trials`: how many trials of a bracket end at a time, on their way through the
/// rungs with metrics drawn at random. A search that ends no trial early has one row, without a time.
///
/// # Errors
/// A domain that the searcher can make nothing of.
pub fn preview(domain: &Domain, searcher: &Searcher, seed: u64) -> Result<Records> {
    let trials = searcher.configs(domain, seed)?.len();
    let row = |bracket: usize, time: Option<u64>, trials: usize| -> Row {
        vec![
            ("bracket".into(), Value::Int(bracket as i64 + 1)),
            ("time".into(), time.map_or(Value::Null, |time| Value::Int(time as i64))),
            ("trials".into(), Value::Int(trials as i64)),
        ]
    };
    let Some(halving) = searcher.halving() else {
        return Records::from_rows(vec![row(0, None, trials)], "preview");
    };
    let judge = Judge::new(halving.clone(), Default::default());
    let mut counts: Vec<Vec<usize>> = halving.brackets.iter().map(|bracket| vec![0; bracket.rungs.len()]).collect();
    for (trial, bracket) in halving.brackets_of_trials().into_iter().enumerate() {
        let rungs = &halving.brackets[bracket].rungs;
        let metric = Random::new(seed, Stream::Search, &[6, trial as u64]).uniform_between(0.0, 1.0);
        // One after the other: no trial waits.
        let ended = rungs.iter().position(|time| judge.report(trial, *time, metric) != Verdict::Continue);
        judge.end(trial, false);
        counts[bracket][ended.unwrap_or(rungs.len() - 1)] += 1;
    }
    let rows = counts.iter().enumerate().flat_map(|(bracket, counts)| {
        let times = &halving.brackets[bracket].rungs;
        times.iter().zip(counts).map(move |(time, count)| row(bracket, Some(*time), *count))
    });
    Records::from_rows(rows.collect(), "preview")
}
