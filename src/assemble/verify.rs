//! Shows for a recipe of one's own that a run that is stopped and resumed ends with the bits of one that is not.
//!
//! A short run is done as a whole. Then it is done again, stopped after some step, and resumed from its folder, as a new
//! program would: stations, network, services and metrics are made again, and everything else comes from the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::artifact::layout::Position;
use crate::artifact::weights::Named;
use crate::artifact::{self, Checkpoint, Folder, layout};
use crate::assemble::{rehearse, resume, train};
use crate::error::{Error, Kind, Result};
use crate::recipe::Recipe;
use crate::script::{Host, Wanted};
use crate::trainer::{Progress, Quiet, Run, Step};

/// How long the runs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Epochs at most.
    pub epochs: usize,
    /// Batches in an epoch at most.
    pub batches: usize,
    /// Moments at which the run is stopped, at least 1.
    pub stops: usize,
}

impl Default for Extent {
    fn default() -> Self {
        Extent { epochs: 3, batches: 10, stops: 4 }
    }
}

/// What stopping after a step and resuming gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The step after which the run was stopped, from 1.
    pub step: u64,
    /// Where that is.
    pub position: Position,
    /// What differs from the whole run, a line each; none when every bit is the same.
    pub differences: Vec<String>,
}

/// Does a short run of the recipe whole, and again with stops; `tell` sees each stop when it was looked at. Everything
/// is written below a temporary folder, which is removed.
///
/// # Errors
/// Whatever would stop the runs, and that someone asked to stop.
pub fn verify_resume(host: &Host, wanted: &Wanted, extent: Extent, tell: &mut dyn FnMut(&Stop)) -> Result<Vec<Stop>> {
    let recipe = shortened(host, wanted, extent)?;
    let root = tempfile::tempdir().map_err(|error| Error::run(format!("no temporary folder can be made: {error}")))?;
    let whole = root.path().join("whole");
    let mut counted = Counted::default();
    started(host, wanted, &recipe, &whole)?.trainer.train(&mut counted)?;
    let expected = Outcome::read(&whole, host)?;
    let steps = counted.steps;
    let mut stops = Vec::new();
    for number in 1..=extent.stops.max(1) as u64 {
        // Spread evenly, the first and the last step among them where there are several.
        let after = match extent.stops.max(1) as u64 {
            1 => steps.div_ceil(2),
            count => 1 + (number - 1) * steps.saturating_sub(1) / (count - 1),
        };
        if stops.last().is_some_and(|stop: &Stop| stop.step == after) {
            continue;
        }
        let folder = root.path().join(format!("stopped_{number}"));
        let mut run = started(host, wanted, &recipe, &folder)?;
        let mut brake = Brake { after, flag: run.trainer.stop_flag() };
        run.trainer.train(&mut brake)?;
        let position = run.trainer.position();
        drop(run);
        let inside = host.at(folder.join(layout::SCRIPTS))?;
        let mut run = resume::go_on(&inside, &folder, Some((wanted.train, wanted.validation)), &mut Quiet)?;
        run.trainer.set_stop_flag(Arc::default());
        run.trainer.train(&mut Quiet)?;
        if host.stop_flag().load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Interrupted, "the trial was interrupted; it has written nothing"));
        }
        let stop = Stop { step: after, position, differences: expected.differences(&Outcome::read(&folder, host)?) };
        tell(&stop);
        stops.push(stop);
    }
    Ok(stops)
}

/// Returns the recipe of a short run that can be resumed.
fn shortened(host: &Host, wanted: &Wanted, extent: Extent) -> Result<Recipe> {
    let mut recipe = wanted.recipe.clone();
    recipe.dataset.seed.get_or_insert(0);
    let solver = &mut recipe.solver;
    solver.epochs = solver.epochs.min(extent.epochs.max(1));
    recipe.services.resume_checkpoints = true;
    recipe.services.keep = None;
    rehearse::shorten(host, &mut recipe, extent.batches.max(1), wanted.train)?;
    Ok(recipe)
}

/// Starts a run that no one can stop from outside.
fn started(host: &Host, wanted: &Wanted, recipe: &Recipe, folder: &Path) -> Result<super::Run> {
    let prepared = Folder::prepare(folder, false)?;
    let mut run = train::begin(host, recipe, wanted.train, wanted.validation, prepared)?;
    run.trainer.set_stop_flag(Arc::default());
    Ok(run)
}

/// Counts steps.
#[derive(Default)]
struct Counted {
    steps: u64,
}

impl Progress for Counted {
    fn run_begin(&mut self, _: &Run) {
        self.steps = 0;
    }

    fn batch(&mut self, _: &Step) {
        self.steps += 1;
    }
}

/// Stops a run after a step.
struct Brake {
    after: u64,
    flag: Arc<AtomicBool>,
}

impl Progress for Brake {
    fn batch(&mut self, _: &Step) {
        self.after = self.after.saturating_sub(1);
        if self.after == 0 {
            self.flag.store(true, Ordering::Relaxed);
        }
    }
}

/// What a run left behind, as far as it may not depend on stops.
struct Outcome {
    report: String,
    best: Named,
    last: Option<Checkpoint>,
}

impl Outcome {
    fn read(folder: &Path, host: &Host) -> Result<Self> {
        if host.stop_flag().load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Interrupted, "the trial was interrupted; it has written nothing"));
        }
        let folder = Folder::open(folder)?;
        let best = folder.join(layout::BEST_CHECKPOINT).join(layout::MODEL);
        let (last, damaged) = folder.latest_checkpoint()?;
        if let Some(error) = damaged.into_iter().next() {
            return Err(error);
        }
        Ok(Outcome {
            report: artifact::read_text(&folder.join(layout::REPORT))?,
            best: if best.exists() { artifact::weights::load(&best)? } else { Named::new() },
            last,
        })
    }

    fn differences(&self, other: &Outcome) -> Vec<String> {
        let mut lines = Vec::new();
        if self.report != other.report {
            let pairs = self.report.lines().zip(other.report.lines()).enumerate();
            let epoch = pairs.filter(|(_, (own, found))| own != found).map(|(line, _)| line).next();
            lines.push(match epoch {
                Some(line) => format!("`{}` differs from epoch {line} on", layout::REPORT),
                None => format!("`{}` has other epochs", layout::REPORT),
            });
        }
        compare("the best weights", &self.best, &other.best, &mut lines);
        let (Some(own), Some(found)) = (&self.last, &other.last) else {
            if self.last.is_some() != other.last.is_some() {
                lines.push("only one run has a checkpoint".to_owned());
            }
            return lines;
        };
        compare("the weights", &own.weights, &found.weights, &mut lines);
        compare("the optimizer's state", &own.optimizer, &found.optimizer, &mut lines);
        compare("the arrays of services", &own.services, &found.services, &mut lines);
        if own.state.position() != found.state.position() || own.state.step != found.state.step {
            lines.push(format!("one run ends {}, the other {}", own.state.position(), found.state.position()));
        }
        if own.state.learning_rate.to_bits() != found.state.learning_rate.to_bits() {
            let (own, found) = (own.state.learning_rate, found.state.learning_rate);
            lines.push(format!("the learning rate is {own} in one run and {found} in the other"));
        }
        // Where TensorBoard's files end is no part of the result: a resumed run begins new ones.
        let names = own.state.services.keys().chain(found.state.services.keys()).filter(|name| *name != "tensorboard");
        for name in names {
            let line = format!("the state of the service `{name}`");
            if own.state.services.get(name) != found.state.services.get(name) && !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }
}

/// Compares arrays bit for bit.
fn compare(what: &str, own: &Named, other: &Named, lines: &mut Vec<String>) {
    if own.iter().map(|(name, _)| name).ne(other.iter().map(|(name, _)| name)) {
        return lines.push(format!("{what} have other names"));
    }
    for ((name, own), (_, found)) in own.iter().zip(other) {
        if own.same(found) {
            continue;
        }
        let (own, found) = (own.to_f64_vec(), found.to_f64_vec());
        let gaps: Vec<f64> =
            own.iter().zip(&found).filter(|(a, b)| a.to_bits() != b.to_bits()).map(|(a, b)| (a - b).abs()).collect();
        let most = gaps.iter().copied().fold(0.0, f64::max);
        let count = gaps.len();
        lines.push(format!("{what}: {count} of {} numbers of `{name}` differ, by at most {most:.1e}", own.len()));
    }
}
