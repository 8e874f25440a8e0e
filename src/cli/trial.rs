//! Trials of a run: switches of `train` and `run` that try it and write no artifacts.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::plot::{Line, Plot};
use crate::cli::terminal;
use crate::error::{Error, Result, codes, counted};
use crate::script::host::{Builder, Host, Wanted};
use crate::trainer::{Cause, NEAR_ZERO, Overfit, Range, RateCurve};
use crate::{artifact, assemble};

/// Ways to try a run.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Trials, which write no artifacts")]
pub struct Trials {
    /// Check everything, do one step, and stop
    #[arg(long, conflicts_with_all = ["overfit_batch", "lr_find", "print_config", "json"])]
    dry_run: bool,

    /// Learn the first batch alone by heart, or say why not
    ///
    /// Trains on it for 1000 or STEPS steps, without augmentation, and tells whether its loss falls near zero, as
    /// it does with a sound network, loss and labels.
    #[arg(long, value_name = "STEPS", num_args = 0..=1, require_equals = true, default_missing_value = "1000")]
    #[arg(conflicts_with_all = ["lr_find", "print_config", "json"])]
    overfit_batch: Option<NonZeroUsize>,

    /// Suggest a learning rate, with a curve in lr_find.svg
    ///
    /// Takes a step at each of 100 rates from 1e-7 to 10 and draws the losses into FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "lr_find.svg")]
    #[arg(conflicts_with_all = ["print_config", "json"])]
    lr_find: Option<PathBuf>,

    /// How many learning rates it tries
    #[arg(long, value_name = "N", default_value = "100", requires = "lr_find", hide_default_value = true)]
    lr_find_steps: NonZeroUsize,
}

/// The trial that was asked for.
#[derive(Clone, Debug)]
pub enum Trial {
    /// Everything before the artifact folder, and one step.
    DryRun,
    /// One batch learned by heart, in so many steps at most.
    OverfitBatch(usize),
    /// The learning-rate range test, with the file of its curve.
    FindRate(usize, PathBuf),
}

impl Trials {
    /// Returns the trial that was asked for, if any.
    pub fn chosen(&self) -> Option<Trial> {
        match (self.dry_run, self.overfit_batch, &self.lr_find) {
            (true, ..) => Some(Trial::DryRun),
            (_, Some(steps), _) => Some(Trial::OverfitBatch(steps.get())),
            (_, _, Some(file)) => Some(Trial::FindRate(self.lr_find_steps.get(), file.clone())),
            _ => None,
        }
    }
}

impl Trial {
    /// Tries a run.
    ///
    /// # Errors
    /// Whatever would stop the run, and that the trial did not go as a sound run would.
    pub fn run(&self, host: &Host, wanted: &Wanted) -> Result<()> {
        terminal::notes(wanted.notes);
        match self {
            Trial::DryRun => dry_run(host, wanted),
            Trial::OverfitBatch(steps) => overfit(host, wanted, *steps),
            Trial::FindRate(steps, file) => find_rate(host, wanted, *steps, file),
        }
    }
}

/// Runs a recipe up to its training, and does something else there.
///
/// # Errors
/// Whatever the recipe or `instead` raises, and that the recipe trains nothing.
pub fn run_recipe(
    builder: Builder,
    file: &Path,
    instead: impl Fn(&Host, &Wanted) -> Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let reached = Arc::new(AtomicBool::new(false));
    let seen = reached.clone();
    // What the script prints is not what was asked for.
    let host = builder
        .print(|text| terminal::message(&format!("{text}\n")))
        .instead_of_training(move |host, wanted| {
            seen.store(true, Ordering::SeqCst);
            instead(host, wanted)
        })
        .build()?;
    host.run_file(file).map(drop)?;
    match reached.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err(Error::script(format!("`{}` trains nothing", file.display()))
            .coded(codes::TRAINS_NOTHING)
            .hint("a recipe is tried at its `trainer(…).train(config, train, validation)`")),
    }
}

fn dry_run(host: &Host, wanted: &Wanted) -> Result<()> {
    let run = assemble::dry_run(host, wanted)?;
    terminal::data(&format!(
        "everything is right: {} of {} on {}, validated on {}, would go to `{}`\n\
         first step: loss {}, learning rate {}\n\
         nothing was written\n",
        counted(run.epochs, "epoch"),
        counted(run.batches, "step"),
        counted(run.records, "record"),
        run.validation_records,
        host.roots().label(&run.folder),
        number(run.loss),
        run.learning_rate,
    ));
    Ok(())
}

fn overfit(host: &Host, wanted: &Wanted, steps: usize) -> Result<()> {
    let (found, records) = assemble::overfit(host, wanted, steps, &mut |step, loss| {
        // 0, 1, 2, 5, 10, 20, 50 …
        let power = 10usize.pow(step.max(1).ilog10());
        if [0, 1, 2, 5].contains(&(step / power)) && step % power == 0 {
            terminal::message(&format!("step {step:>5}  loss {}\n", number(loss)));
        }
    })?;
    let first = found.losses.first().copied().unwrap_or(f64::NAN);
    let course = format!("the loss of one batch went from {} to {}", number(first), number(found.last()));
    let done = format!("in {} steps, on {records} records", found.steps());
    match found.learned() {
        Some(true) => {
            terminal::data(&format!("{course} {done}: near zero, the network learns this batch by heart\n"));
            Ok(())
        }
        None if found.causes.is_empty() => {
            terminal::data(&format!("{course} {done}; a loss that may be negative has no zero to fall to\n"));
            Ok(())
        }
        _ => Err(complaint(&found, &format!("{course} {done}"))),
    }
}

fn complaint(found: &Overfit, course: &str) -> Error {
    let rate = found.learning_rate;
    let line = |cause: &Cause| match cause {
        Cause::NotFinite(steps) => {
            format!("it is no number after {steps} steps: lower the learning rate, now {rate}, or scale the inputs")
        }
        Cause::Jumps => {
            format!("it goes up and down: lower the learning rate, now {rate}; `--lr-find` suggests one")
        }
        Cause::Falling => format!(
            "it was still falling: raise the learning rate, now {rate} (`--lr-find` suggests one), or give it more \
             steps with `--overfit-batch={}`",
            found.steps() * 5
        ),
        Cause::Stuck => "it no longer moves: do the last activation and the loss fit each other, are the targets what \
                         the inputs tell, is the network large enough"
            .to_owned(),
        Cause::Contradiction(one, other) => {
            format!("{one} and {other} have the same inputs and different targets: nothing can tell them apart")
        }
        Cause::Constant(output) => format!(
            "output `{output}` is the same for every record: units are dead or saturated; look at the scale of the \
             inputs, the learning rate, and the last activation"
        ),
        Cause::Noise(layers) => {
            format!("layers that add noise slow it down: {}", crate::error::list(layers.iter().map(String::as_str)))
        }
    };
    let share = NEAR_ZERO * 100.0;
    let target = found.reference.map(|reference| {
        format!(
            "near zero is {}: {share} % of what is reached without looking at the inputs",
            number(NEAR_ZERO * reference)
        )
    });
    let error = Error::run(format!("{course}, which is not near zero"));
    found.causes.iter().map(line).fold(error, Error::hint).maybe_hint(target)
}

fn find_rate(host: &Host, wanted: &Wanted, steps: usize, file: &Path) -> Result<()> {
    let range = Range { steps, ..Range::default() };
    let every = (steps / 10).max(1);
    let curve = assemble::find_rate(host, wanted, range, &mut |step, loss| {
        if step % every == 0 {
            terminal::message(&format!("learning rate {:.1e}  loss {}\n", range.rate(step), number(loss)));
        }
    })?;
    artifact::write_atomic(file, draw(&curve).as_bytes())?;
    let ending = match (curve.diverged, curve.trials.last()) {
        (true, Some(last)) => format!("the loss diverged at a learning rate of {:.1e}\n", last.rate),
        _ => String::new(),
    };
    let Some(found) = curve.suggestion() else {
        return Err(Error::run("no learning rate can be suggested: the loss never fell")
            .hint(format!("the curve is in `{}`", file.display()))
            .hint(
                "`--overfit-batch` tells whether the network learns at all; more steps give the test more time: \
                   `--lr-find-steps 500`",
            ));
    };
    terminal::data(&format!(
        "{ending}the loss falls fastest at {:.1e}; a tenth of where it is least is {:.1e}\n\
         suggestion: solver.optimizer.learning_rate={:.1e}\n\
         the curve is in `{}`\n",
        found.steepest,
        found.tenth_of_least,
        found.rate(),
        file.display()
    ));
    Ok(())
}

fn draw(curve: &RateCurve) -> String {
    // A loss that diverges would leave nothing to see of its fall.
    let values = curve.smoothed();
    let least = (0..values.len()).min_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
    let start = values.iter().take(least + 1).copied().fold(f64::NEG_INFINITY, f64::max);
    let ceiling = start + 0.3 * (start - values.get(least).copied().unwrap_or(0.0));
    let rates = || curve.trials.iter().map(|trial| trial.rate);
    let raw = rates().zip(curve.trials.iter().map(|trial| trial.loss)).collect();
    let smoothed = rates().zip(values).collect();
    let line = |name, color, width, points, sets_range| Line { name, color, width, points, sets_range };
    let marks = curve.suggestion().map(|found| {
        let chosen = |rate: f64| if rate == found.rate() { "suggestion, " } else { "" };
        vec![
            (found.steepest, format!("{}falls fastest: {:.1e}", chosen(found.steepest), found.steepest)),
            (found.tenth_of_least, format!("{}least / 10: {:.1e}", chosen(found.tenth_of_least), found.tenth_of_least)),
        ]
    });
    Plot {
        title: "Learning-rate range test",
        across: "learning rate",
        upward: "loss",
        ceiling,
        lines: vec![
            line("loss of each batch", "#b0b8c4", 1.0, raw, false),
            line("smoothed", "#1f5fa8", 2.0, smoothed, true),
        ],
        marks: marks.unwrap_or_default(),
    }
    .svg()
}

/// A number with four significant digits.
fn number(value: f64) -> String {
    match value {
        value if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) => format!("{value:.3e}"),
        value => format!("{value:.4}"),
    }
}
