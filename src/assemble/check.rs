//! A recipe is checked without training: everything `train` checks before it makes a folder, a preview of
//! what the run costs, and what in the data looks like a mistake.

use std::path::Path;

use crate::assemble::run::{Fitted, Run, assemble};
use crate::assemble::{blame, leaks};
use crate::dataset::{Arrays, Dataset};
use crate::error::{Error, Result, Subject};
use crate::recipe::Recipe;
use crate::script::{Host, Wanted, vectorise};
use crate::service::clock;
use crate::trainer::{Footprint, GradientCheck};

/// What checking found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the run is made of and what it costs; `None` when errors hide it.
    pub facts: Option<Facts>,
    /// What would stop the run until after its first step.
    pub errors: Vec<Error>,
    /// What looks like a mistake and does not stop training.
    pub warnings: Vec<Error>,
}

/// What a run is made of and what it costs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Training records in a pass.
    pub records: usize,
    /// Validation records.
    pub validation_records: usize,
    /// Records in a batch.
    pub batch_size: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Epochs at most.
    pub epochs: usize,
    /// Inputs of a first batch: name, dtype and shape.
    pub inputs: Vec<Values>,
    /// Outputs of a first batch.
    pub outputs: Vec<Values>,
    /// Numbers that training changes.
    pub trainable: usize,
    /// Other numbers of the network.
    pub fixed: usize,
    /// Memory, in bytes, beside that of the records.
    pub memory: Footprint,
    /// Memory that the loaded records take, in bytes; 0 when they are not kept.
    pub records_bytes: usize,
    /// What steps took.
    pub time: Time,
    /// Gradients against differences of the loss, where that was asked for.
    pub gradients: Vec<GradientCheck>,
}

/// A named array of a batch.
#[derive(Clone, Debug)]
pub struct Values {
    /// Its name.
    pub name: String,
    /// Its dtype: `f32`.
    pub dtype: &'static str,
    /// Its shape, the batch first.
    pub shape: Vec<usize>,
}

/// What a few steps took, in seconds: estimates, of this machine as busy as it was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Time {
    /// Steps that were measured.
    pub measured: usize,
    /// Loading, until the first batch was there: all records, when they are kept.
    pub first_load: f64,
    /// Making a batch after that; the median.
    pub load: f64,
    /// Forward, backward and update; the median.
    pub compute: f64,
    /// Scoring a batch of validation records.
    pub score: f64,
    /// An epoch, with its validation.
    pub epoch: f64,
}

impl Time {
    /// Returns whether making batches takes longer than computing with them.
    pub fn is_data_bound(&self) -> bool {
        self.load > self.compute
    }
}

/// Steps that are measured at most, and the time after which no other one is.
const STEPS: usize = 12;
const ENOUGH_SECONDS: f64 = 0.25;

/// Checks a run that is not started; nothing is written. What is wrong is in the report.
///
/// With `gradients`, those of losses and weights are compared with differences of the loss, too.
pub fn check(host: &Host, wanted: &Wanted, gradients: bool) -> Report {
    let note = |note: &String| Error::recipe(note.clone());
    let mut report = Report { warnings: wanted.notes.iter().map(note).collect(), ..Report::default() };
    // Records are looked at whatever else is wrong.
    match leaks::of_records(wanted.train, wanted.validation) {
        Ok(found) => report.warnings.extend(found),
        Err(error) => report.errors.extend(error.split()),
    }
    match run(host, wanted, gradients, &mut report) {
        Ok(facts) => report.facts = Some(facts),
        Err(error) => report.errors.extend(error.split()),
    }
    report
}

fn run(host: &Host, wanted: &Wanted, gradients: bool, report: &mut Report) -> Result<Facts> {
    let mut recipe = wanted.recipe.clone();
    recipe.dataset.seed.get_or_insert(0);
    let mut run = assemble(host, &recipe, Fitted::Afresh, wanted.train, wanted.validation, Path::new("artifacts"))?;
    let started = clock::now();
    // An error here is found again, and explained, by the check.
    let _ = run.trainer.train_data().epoch(0).batch(0);
    let first_load = since(started);
    run.check(&recipe)?;
    let loops = host.functions();
    report.warnings.extend(loops.iter().filter_map(vectorise::Report::warning));
    report.warnings.extend(leaks::unseen_classes(run.trainer.train_data(), run.trainer.validation_data())?);
    let compared = match gradients {
        true => compare_gradients(&recipe, &run, report)?,
        false => Vec::new(),
    };
    Ok(Facts { gradients: compared, ..facts(&recipe, &mut run, first_load)? })
}

/// Compares gradients on the first batch; those that are wrong are errors of the report.
fn compare_gradients(recipe: &Recipe, run: &Run, report: &mut Report) -> Result<Vec<GradientCheck>> {
    let batch = run.trainer.train_data().epoch(0).batch(0)?;
    let found = run.trainer.check_gradients(&batch)?;
    // A wrong loss makes the gradients of all weights wrong.
    let of_loss = |check: &&GradientCheck| check.output.is_some();
    let wrong: Vec<&GradientCheck> = found.iter().filter(|check| check.disagreement.is_some()).collect();
    let losses = wrong.iter().any(of_loss);
    for check in wrong.into_iter().filter(|check| !losses || of_loss(check)) {
        let Some((gradient, difference)) = check.disagreement else { continue };
        let error = Error::recipe(format!(
            "the gradient of the loss by {} is {gradient:.6e}, differences of the loss say {difference:.6e}",
            check.what
        ));
        let hint = match of_loss(&check) {
            true => {
                "an operation of the loss cuts the gradient off or has another one: `detach`, `round`, a comparison, `to_array`"
            }
            false => "a scripted layer on the way, or an operation without a gradient, is differentiated wrongly",
        };
        let subject = check.output.as_ref().map_or(Subject::Loss, |output| Subject::Output(output.to_string()));
        report.errors.push(blame::blame(recipe, error.hint(hint).about(subject)));
    }
    Ok(found)
}

fn facts(recipe: &Recipe, run: &mut Run, first_load: f64) -> Result<Facts> {
    let time = measure(run, first_load)?;
    let trainer = &run.trainer;
    let (train, validation) = (trainer.train_data(), trainer.validation_data());
    let count = |trainable: bool| -> usize {
        let weights = trainer.network().weights().iter().filter(|weight| weight.trainable == trainable);
        weights.map(|weight| weight.shape.iter().product::<usize>()).sum()
    };
    let batch = train.epoch(0).batch(0)?;
    let arrays = || batch.x.iter().chain(batch.y.iter().flatten()).chain(batch.w.iter().flatten());
    let bytes: usize = arrays().map(|(_, array)| array.size() * array.dtype().size()).sum();
    let validation_records = validation.map_or(0, Dataset::len);
    let kept = match recipe.dataset.cache {
        crate::recipe::Cache::Off => 0,
        _ => bytes / batch.len.max(1) * (train.len() + validation_records),
    };
    Ok(Facts {
        records: train.len(),
        validation_records,
        batch_size: recipe.solver.batch_size,
        steps: train.batches(),
        epochs: recipe.solver.epochs,
        inputs: values(&batch.x),
        outputs: batch.y.as_ref().map(values).unwrap_or_default(),
        trainable: count(true),
        fixed: count(false),
        memory: trainer.footprint(batch.len)?,
        // More than this is not kept.
        records_bytes: if kept <= crate::dataset::CACHE_BUDGET_BYTES as usize { kept } else { 0 },
        time,
        gradients: Vec::new(),
    })
}

fn values(arrays: &Arrays) -> Vec<Values> {
    let one = |(name, array): &(crate::record::Name, crate::tensor::Array)| Values {
        name: name.to_string(),
        dtype: array.dtype().name(),
        shape: array.shape().to_vec(),
    };
    arrays.iter().map(one).collect()
}

/// Takes a few steps as training would. The clock decides how many, and nothing else.
fn measure(run: &mut Run, first_load: f64) -> Result<Time> {
    let (mut loads, mut computes, mut loaded) = (Vec::new(), Vec::new(), Vec::new());
    let data = run.trainer.train_data();
    let batches = data.batches().max(1);
    // Batches first, in the order of an epoch, which keeps its permutation from one to the next.
    let (mut epoch, begun) = (data.epoch(0), clock::now());
    while loads.len() < STEPS.min(batches) && (loads.len() < 2 || since(begun) < ENOUGH_SECONDS) {
        let started = clock::now();
        loaded.push(epoch.batch(loads.len())?);
        loads.push(since(started));
    }
    let begun = clock::now();
    while computes.len() < STEPS && (computes.len() < 2 || since(begun) < ENOUGH_SECONDS) {
        let step = computes.len();
        let started = clock::now();
        let rate = run.trainer.rate_at(step as u64)?;
        run.trainer.learn(&loaded[step % loaded.len()], rate)?;
        computes.push(since(started));
    }
    // The first of each takes memory that the others use again.
    let later = |times: &mut Vec<f64>| match times.len() {
        0 | 1 => median(times),
        _ => median(&mut times[1..]),
    };
    let (load, compute) = (later(&mut loads), later(&mut computes));
    let (mut score, mut scored) = (0.0, 0);
    let first = run.trainer.validation_data().map(|data| (data.epoch(0).batch(0), data.batches()));
    if let Some((batch, batches)) = first {
        let batch = batch?;
        let started = clock::now();
        run.trainer.score(&batch)?;
        (score, scored) = (since(started), batches);
    }
    let epoch = (load + compute) * batches as f64 + score * scored as f64;
    Ok(Time { measured: computes.len(), first_load, load, compute, score, epoch })
}

fn since(started: std::time::Duration) -> f64 {
    clock::now().saturating_sub(started).as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
