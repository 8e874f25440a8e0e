//! How a run looks: a bar, a line an epoch, or nothing; with `--json` also one event a line on standard output.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::artifact::Saved;
use crate::cli::terminal::{self, Verbosity};
use crate::cli::{events, options};
use crate::error::counted;
use crate::trainer::{EpochRow, History, Progress, Run, Step};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// A bar with the running means, and a line an epoch above it.
    Bar,
    /// A line an epoch.
    Plain,
    /// Nothing.
    None,
}

static HOW: OnceLock<Option<How>> = OnceLock::new();

/// The bar is drawn no more often than this.
const REDRAW: Duration = Duration::from_millis(60);

/// Sets how progress is shown, once; `None` leaves it to [`how`].
pub fn set(wanted: Option<How>) {
    let _ = HOW.set(wanted);
}

/// Returns how progress is shown. A bar never goes into a file; with `--json` a person is only spoken to where the two
/// streams go to different places.
pub fn how() -> How {
    let wanted = HOW.get().copied().flatten();
    let interactive = terminal::interactive();
    let settings = terminal::settings();
    match wanted {
        Some(How::Bar) if !interactive => How::Plain,
        Some(how) => how,
        None if settings.verbosity == Verbosity::Quiet => How::None,
        None if settings.json => match interactive && !terminal::data_is_seen() {
            true => How::Bar,
            false => How::None,
        },
        None if interactive => How::Bar,
        None => How::Plain,
    }
}

/// Makes the display of a run.
pub fn make() -> Box<dyn Progress> {
    Box::new(Display { how: how(), json: terminal::settings().json, bar: None, run: None, waited: Duration::ZERO })
}

struct Display {
    how: How,
    json: bool,
    bar: Option<Bar>,
    run: Option<Started>,
    waited: Duration,
}

/// A run that has begun.
struct Started {
    at: Instant,
    epoch_at: Instant,
    /// Steps until the last epoch is over, when it is not ended earlier.
    steps: u64,
    /// Steps done since the start.
    done: u64,
}

struct Bar {
    bar: ProgressBar,
    drawn: Instant,
}

impl Display {
    fn line(&self, text: &str) {
        if self.how != How::None {
            terminal::message(&format!("{text}\n"));
        }
    }

    fn seconds(&self) -> f64 {
        self.run.as_ref().map_or(0.0, |run| run.at.elapsed().as_secs_f64())
    }
}

impl Progress for Display {
    fn run_begin(&mut self, run: &Run) {
        let now = now();
        let steps = run.epochs.saturating_sub(run.first_epoch) as u64 * run.batches as u64;
        self.run = Some(Started { at: now, epoch_at: now, steps, done: 0 });
        if self.json {
            events::start(run, options::threads());
        }
        terminal::trace(&format!(
            "run: folder {}, seed {}, device {}, {} threads",
            std::path::absolute(&run.folder).unwrap_or_else(|_| run.folder.clone()).display(),
            run.seed,
            run.device,
            options::threads()
        ));
        self.line(&format!(
            "training on {}, validating on {}: {} of {}, {}",
            counted(run.records, "record"),
            run.validation_records,
            counted(run.epochs, "epoch"),
            counted(run.batches, "step"),
            counted(run.trainable, "trainable parameter")
        ));
        if self.how == How::Bar {
            let bar = ProgressBar::with_draw_target(Some(run.batches as u64), ProgressDrawTarget::stderr());
            // The message is cut where the terminal is narrow, its last metrics first; a bar never takes two lines.
            let style = ProgressStyle::with_template("{prefix} [{bar:20}] {pos}/{len} {wide_msg}");
            bar.set_prefix(format!("epoch {}/{}", run.first_epoch + 1, run.epochs));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            terminal::show(Some(bar.clone()));
            self.bar = Some(Bar { bar, drawn: now });
        }
    }

    fn batch(&mut self, at: &Step) {
        let Some(run) = &mut self.run else { return };
        run.done += 1;
        let Some(Bar { bar, drawn }) = &mut self.bar else { return };
        // Numbers are made into text only when they are drawn: a step may take microseconds.
        let last = at.batch + 1 == at.batches;
        let now = now();
        if at.batch > 0 && !last && now.duration_since(*drawn) < REDRAW {
            return;
        }
        *drawn = now;
        if at.batch == 0 {
            run.epoch_at = now;
            bar.set_length(at.batches as u64);
            bar.set_prefix(format!("epoch {}/{}", at.epoch + 1, at.epochs));
        }
        bar.set_message(format!("{}  {}", pace(run, at, now), values(at.logs)));
        bar.set_position(at.batch as u64 + 1);
    }

    fn validation_begin(&mut self) {
        if let Some(Bar { bar, .. }) = &self.bar {
            bar.set_message("validating");
        }
    }

    fn epoch_end(&mut self, row: &EpochRow, epochs: usize) {
        if self.json {
            events::epoch(row, self.seconds());
        }
        let width = epochs.to_string().len();
        self.line(&format!("epoch {:>width$}/{epochs}  {}", row.epoch + 1, values(&row.logs)));
    }

    fn saved(&mut self, saved: &Saved) {
        if self.json {
            events::checkpoint(saved);
        }
        terminal::trace(&format!("saved: {} after epoch {}", saved.path.display(), saved.epoch + 1));
    }

    fn message(&mut self, line: &str) {
        if self.json {
            events::message(line);
        }
        self.line(line);
    }

    fn waited(&mut self, time: Duration) {
        self.waited = time;
    }

    fn run_end(&mut self, history: &History) {
        let seconds = self.seconds();
        if self.json {
            events::end(history, seconds);
        }
        self.clear();
        let stopped = history.stopped.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let share = 100.0 * self.waited.as_secs_f64() / seconds.max(1e-9);
        self.line(&format!(
            "{}, {} in {seconds:.2} s, {share:.0} % of it waiting for data{stopped}",
            counted(history.epochs.len(), "epoch"),
            counted(history.steps as usize, "step")
        ));
    }
}

impl Display {
    fn clear(&mut self) {
        if let Some(Bar { bar, .. }) = self.bar.take() {
            terminal::show(None);
            bar.finish_and_clear();
        }
    }
}

impl Drop for Display {
    /// An error ends a run without its end; the bar must not stay in its way.
    fn drop(&mut self) {
        self.clear();
    }
}

/// Returns the rate of this epoch's steps, and the time that the rest of the run takes at the pace so far, validation
/// included.
fn pace(run: &Started, at: &Step, now: Instant) -> String {
    let epoch = now.duration_since(run.epoch_at).as_secs_f64();
    // The first step of an epoch is where its clock starts.
    let rate = match at.batch > 0 && epoch > 0.0 {
        true => format!("{} steps/s  ", short(at.batch as f64 / epoch)),
        false => String::new(),
    };
    let elapsed = now.duration_since(run.at).as_secs_f64();
    let left = elapsed / run.done.max(1) as f64 * run.steps.saturating_sub(run.done) as f64;
    format!("{rate}{} left", duration(left))
}

/// Returns a number with three digits: `0.123`, `12.3`, `1234`.
fn short(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// Returns a time as a person reads it: `45 s`, `12:05`, `1:02:03`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_short() {
        for (seconds, text) in [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (725.0, "12:05"), (3723.0, "1:02:03")] {
            assert_eq!(duration(seconds), text);
        }
        for (rate, text) in [(0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (1234.4, "1234")] {
            assert_eq!(short(rate), text);
        }
    }

    #[test]
    fn the_time_left_is_that_of_the_whole_run() {
        let start = Instant::now();
        let run = Started { at: start, epoch_at: start + Duration::from_secs(10), steps: 100, done: 25 };
        let logs = Vec::new();
        let at = Step { epoch: 2, epochs: 10, batch: 4, batches: 10, loss: 0.0, logs: &logs };
        assert_eq!(pace(&run, &at, start + Duration::from_secs(20)), "0.400 steps/s  1:00 left");
        let first = Step { batch: 0, ..at };
        assert_eq!(pace(&run, &first, start + Duration::from_secs(20)), "1:00 left");
    }
}
