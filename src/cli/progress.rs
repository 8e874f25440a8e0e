//! How a run looks: a bar on a terminal, one line an epoch otherwise.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal;
use crate::trainer::{EpochRow, History, Progress, Run, Step};

/// Makes the display of a run.
pub fn make() -> Box<dyn Progress> {
    Box::new(Display { bar: None, started: None })
}

struct Display {
    bar: Option<ProgressBar>,
    started: Option<Instant>,
}

impl Display {
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => terminal::message(&format!("{text}\n")),
        }
    }
}

impl Progress for Display {
    fn run_begin(&mut self, run: &Run) {
        self.started = Some(now());
        self.line(&format!(
            "training on {} records, validating on {}: {} epochs of {} steps, {} trainable parameters",
            run.records, run.validation_records, run.epochs, run.batches, run.trainable
        ));
        if terminal::interactive() {
            let bar = ProgressBar::with_draw_target(Some(run.batches as u64), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len} {msg} {per_sec} {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            self.bar = Some(bar);
        }
    }

    fn batch(&mut self, at: &Step) {
        if let Some(bar) = &self.bar {
            if at.batch == 0 {
                bar.reset();
                bar.set_length(at.batches as u64);
                bar.set_prefix(format!("epoch {}/{}", at.epoch + 1, at.epochs));
            }
            bar.set_message(values(at.logs));
            bar.inc(1);
        }
    }

    fn epoch_end(&mut self, row: &EpochRow, epochs: usize) {
        let width = epochs.to_string().len();
        self.line(&format!("epoch {:>width$}/{epochs}  {}", row.epoch + 1, values(&row.logs)));
    }

    fn message(&mut self, line: &str) {
        self.line(line);
    }

    fn run_end(&mut self, history: &History) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        let stopped = history.stopped.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        self.line(&format!("{} epochs, {} steps in {seconds:.2} s{stopped}", history.epochs.len(), history.steps));
    }
}

/// Log values with four significant digits.
fn values(logs: &[(String, f64)]) -> String {
    let one = |(name, value): &(String, f64)| match *value {
        value if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) => format!("{name} {value:.3e}"),
        value => format!("{name} {value:.4}"),
    };
    logs.iter().map(one).collect::<Vec<_>>().join("  ")
}

/// The display may show how long a run took; nothing else depends on it.
fn now() -> Instant {
    Instant::now()
}
