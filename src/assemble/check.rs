//! A recipe is checked without training: everything `train` checks before it makes a folder, a preview of
//! what the run costs, and what in the data looks like a mistake.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;
use std::path::Path;

use crate::assemble::run::{Fitted, Run, assemble};
use crate::dataset::{Batch, Dataset};
use crate::error::Result;
use crate::recipe::Recipe;
use crate::record::{Records, Value};
use crate::script::Host;
use crate::service::clock;
use crate::tensor::{Array, Dtype};

/// What checking found; errors are returned as such.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What the run is made of and what it costs, line by line.
    pub facts: Vec<String>,
    /// What looks like a mistake and does not stop training.
    pub warnings: Vec<String>,
}

impl Report {
    /// Returns the report as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for fact in &self.facts {
            let _ = writeln!(text, "{fact}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}

/// Checks a recipe with its records; nothing is written.
///
/// # Errors
/// Whatever would stop the run before its first step.
pub fn check(host: &Host, recipe: &Recipe, notes: &[String], train: &Records, validation: &Records) -> Result<Report> {
    let mut recipe = recipe.clone();
    recipe.dataset.seed.get_or_insert(0);
    let mut run = assemble(host, &recipe, Fitted::Afresh, train, validation, Path::new("artifacts"))?;
    let started = clock::now();
    run.check(&recipe)?;
    let first = (clock::now().saturating_sub(started)).as_secs_f64();
    // The first pass loaded records and took memory; the second is like any other step.
    let started = clock::now();
    run.check(&recipe)?;
    let step = (clock::now().saturating_sub(started)).as_secs_f64();

    let mut report = Report { facts: facts(&recipe, &run, first, step)?, warnings: notes.to_vec() };
    report.warnings.extend(duplicates(train, validation)?);
    report.warnings.extend(constant_columns(train)?);
    report.warnings.extend(unseen_classes(run.trainer.train_data(), run.trainer.validation_data())?);
    Ok(report)
}

fn facts(recipe: &Recipe, run: &Run, first: f64, step: f64) -> Result<Vec<String>> {
    let network = run.trainer.network();
    let numbers = |trainable: bool| -> usize {
        let counted = network.weights().iter().filter(|weight| weight.trainable == trainable);
        counted.map(|weight| weight.shape.iter().product::<usize>()).sum()
    };
    let (train, validation) = (run.trainer.train_data(), run.trainer.validation_data());
    let mut facts = vec![
        format!(
            "training records: {}, {} steps an epoch of {}",
            train.len(),
            train.batches(),
            recipe.solver.batch_size
        ),
        format!("validation records: {}", validation.map_or(0, Dataset::len)),
    ];
    let batch = train.epoch(0).batch(0)?;
    for (name, array) in &batch.x {
        facts.push(format!("input `{name}`: {} {:?}", array.dtype().name(), array.shape()));
    }
    for (name, array) in batch.y.iter().flatten() {
        facts.push(format!("output `{name}`: {} {:?}", array.dtype().name(), array.shape()));
    }
    let (trained, frozen) = (numbers(true), numbers(false));
    facts.push(format!("parameters: {trained} trainable, {frozen} not"));
    // Weights, gradients and (for most optimizers) two slots of f32, and one batch in and out.
    let batch_bytes: usize =
        batch.x.iter().chain(batch.y.iter().flatten()).map(|(_, array)| array.size() * array.dtype().size()).sum();
    facts.push(format!(
        "memory: about {} for weights, gradients and optimizer, {} for a batch",
        bytes((trained * 4 + frozen) * 4),
        bytes(batch_bytes)
    ));
    let epoch = step * train.batches() as f64;
    facts.push(format!(
        "a step takes about {}, an epoch {}, the run {} at most",
        seconds(step),
        seconds(epoch),
        seconds(epoch * recipe.solver.epochs as f64)
    ));
    let loading = (first - step).max(0.0);
    facts.push(match loading > epoch {
        true => format!("loading all records took {}: more than an epoch of training", seconds(loading)),
        false => format!("loading all records took {}: less than an epoch of training", seconds(loading)),
    });
    Ok(facts)
}

/// Rows of the validation records that are also in the training records.
fn duplicates(train: &Records, validation: &Records) -> Result<Option<String>> {
    let text = |records: &Records, index: usize| -> Result<String> {
        let record = records.record(index);
        let values: Vec<String> = record
            .keys()
            .iter()
            .map(|name| {
                record.get_or(name)?.map_or(Ok("null".to_owned()), |value| value.to_json().map(|json| json.to_string()))
            })
            .collect::<Result<_>>()?;
        Ok(values.join("\u{1f}"))
    };
    let seen: HashSet<String> = (0..train.len()).map(|index| text(train, index)).collect::<Result<_>>()?;
    let mut twice = Vec::new();
    for index in 0..validation.len() {
        if seen.contains(&text(validation, index)?) {
            twice.push(validation.record(index).place());
        }
    }
    Ok(twice.first().map(|first| {
        format!(
            "{} of {} validation records are also training records; the first is {first}",
            twice.len(),
            validation.len()
        )
    }))
}

fn constant_columns(train: &Records) -> Result<Option<String>> {
    if train.len() < 2 {
        return Ok(None);
    }
    let mut constant = Vec::new();
    for name in train.columns() {
        let first = train.record(0).get_or(name)?;
        let same = |value: &Option<Value>| match (value, &first) {
            (Some(value), Some(first)) => value.to_json().ok() == first.to_json().ok(),
            (None, None) => true,
            _ => false,
        };
        let mut all = true;
        for record in train.iter().skip(1) {
            if !same(&record.get_or(name)?) {
                all = false;
                break;
            }
        }
        if all {
            constant.push(&**name);
        }
    }
    Ok((!constant.is_empty())
        .then(|| format!("the same value in every training record: {}", crate::error::list(constant))))
}

/// Class numbers of whole-number outputs that only the validation records have.
fn unseen_classes(train: &Dataset, validation: Option<&Dataset>) -> Result<Vec<String>> {
    let Some(validation) = validation else { return Ok(Vec::new()) };
    let (known, found) = (classes(train)?, classes(validation)?);
    let mut warnings = Vec::new();
    for (name, classes) in found {
        let unseen: Vec<String> = match known.get(&name) {
            Some(known) => classes.difference(known).map(ToString::to_string).collect(),
            None => continue,
        };
        if !unseen.is_empty() {
            warnings.push(format!("output `{name}`: classes {} are in the validation records only", unseen.join(", ")));
        }
    }
    Ok(warnings)
}

fn classes(data: &Dataset) -> Result<BTreeMap<String, BTreeSet<i64>>> {
    let mut classes: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut epoch = data.epoch(0);
    for index in 0..data.batches() {
        let batch: Batch = epoch.batch(index)?;
        for (name, array) in batch.y.into_iter().flatten() {
            let whole = matches!(array.dtype(), Dtype::I64 | Dtype::U8);
            if whole {
                let array: Array = array.cast(Dtype::I64);
                classes.entry(name.to_string()).or_default().extend(array.as_i64().iter());
            }
        }
    }
    Ok(classes)
}

fn seconds(time: f64) -> String {
    match time {
        time if time < 1e-3 => format!("{:.0} µs", time * 1e6),
        time if time < 1.0 => format!("{:.1} ms", time * 1e3),
        time if time < 120.0 => format!("{time:.1} s"),
        time => format!("{:.0} min", time / 60.0),
    }
}

fn bytes(count: usize) -> String {
    match count {
        count if count < 1 << 10 => format!("{count} B"),
        count if count < 1 << 20 => format!("{:.1} KiB", count as f64 / 1024.0),
        count => format!("{:.1} MiB", count as f64 / (1024.0 * 1024.0)),
    }
}
