//! The standard streams, and how the program was asked to use them.

use std::ffi::OsStr;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;

/// When messages are colored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is told beside the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors alone.
    Quiet,
    /// Progress and notes.
    #[default]
    Normal,
    /// Also what was resolved, and when each stage was done.
    Verbose,
}

/// How the program was asked to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// When messages are colored.
    pub color: Color,
    /// How much is told beside the data.
    pub verbosity: Verbosity,
    /// Whether standard output holds JSON alone.
    pub json: bool,
}

static SETTINGS: OnceLock<(Settings, Instant)> = OnceLock::new();

/// The bar that is drawn now; whatever else is written goes above it.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Sets how the program writes, once, before anything is written.
pub fn set(settings: Settings) {
    let _ = SETTINGS.set((settings, Instant::now()));
}

/// Returns how the program was asked to write.
pub fn settings() -> Settings {
    SETTINGS.get().map(|(settings, _)| *settings).unwrap_or_default()
}

/// Writes data to standard output. A closed pipe ends the program quietly, as other tools do; data that cannot be
/// written for another reason must not be missed by who asked for them.
pub fn data(text: &str) {
    beside_bar(|| {
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            closed(&error);
        }
    });
}

/// Ends the program because standard output takes no more.
pub fn closed(error: &std::io::Error) {
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or(&reason).to_lowercase();
    let _ = writeln!(std::io::stderr(), "error: cannot write to standard output: {reason}");
    std::process::exit(1);
}

/// Writes a message to standard error.
pub fn message(text: &str) {
    beside_bar(|| {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    });
}

/// Writes notes to standard error, a line each, unless the program was asked to be quiet.
pub fn notes(notes: &[String]) {
    if settings().verbosity > Verbosity::Quiet {
        let lines: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
        message(&lines);
    }
}

/// Writes a line about what was resolved or done, with the seconds since the start, when the program was asked to be
/// verbose.
pub fn trace(text: &str) {
    if let Some((Settings { verbosity: Verbosity::Verbose, .. }, started)) = SETTINGS.get() {
        message(&format!("[{:8.3} s] {text}\n", started.elapsed().as_secs_f64()));
    }
}

/// Draws a bar from now on, or none.
pub fn show(bar: Option<ProgressBar>) {
    *current() = bar;
}

fn current() -> MutexGuard<'static, Option<ProgressBar>> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

fn beside_bar(write: impl FnOnce()) {
    let bar = current();
    match &*bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Returns whether messages are colored.
pub fn colored() -> bool {
    colors(std::io::stderr().is_terminal())
}

/// Returns whether what goes to a stream is colored.
fn colors(terminal: bool) -> bool {
    match settings().color {
        Color::Always => true,
        Color::Never => false,
        // As https://no-color.org says, an empty value does not count.
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !dumb(),
    }
}

fn dumb() -> bool {
    std::env::var_os("TERM").as_deref() == Some(OsStr::new("dumb"))
}

/// Returns whether a bar can be drawn: messages go to a terminal that can move its cursor.
pub fn interactive() -> bool {
    std::io::stderr().is_terminal() && !dumb()
}

/// Returns whether data go to a terminal.
pub fn data_is_seen() -> bool {
    std::io::stdout().is_terminal()
}
