//! Options that several verbs share.

use std::path::{Path, PathBuf};

use crate::cli::terminal::Verbosity;
use crate::cli::{events, progress, signals, terminal};
use crate::recipe;
use crate::script::host::{Builder, Host};

/// What a script may see.
#[derive(clap::Args, Clone, Debug)]
pub struct Scripts {
    /// Look up import paths in this folder too, after the project root; may be repeated
    #[arg(long = "path", value_name = "DIR")]
    pub paths: Vec<PathBuf>,

    /// Let scripts read data below this folder; may be repeated
    #[arg(long, value_name = "DIR")]
    pub allow_read: Vec<PathBuf>,
}

impl Scripts {
    /// Starts a host with these options, printing to standard output and showing progress.
    pub fn host(&self, root: impl AsRef<Path>) -> Builder {
        terminal::trace(&format!("project root: {}", shown(root.as_ref())));
        let mut builder = Host::builder(root.as_ref())
            .print(print)
            .debug(|text| terminal::message(&format!("{text}\n")))
            .trace(terminal::trace)
            .progress(progress::make)
            .stop(signals::stop_flag());
        for folder in &self.paths {
            builder = builder.path(folder);
        }
        for folder in &self.allow_read {
            builder = builder.allow_read(folder);
        }
        builder
    }
}

/// Prints what a script prints: as data, or as an event where standard output holds nothing else; a person who sees
/// the progress of the run sees it too.
fn print(text: &str) {
    if !terminal::settings().json {
        return terminal::data(&format!("{text}\n"));
    }
    events::print(text);
    if progress::how() != progress::How::None {
        terminal::message(&format!("{text}\n"));
    }
}

/// Returns a folder as `-v` shows it.
fn shown(folder: &Path) -> String {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).display().to_string()
}

/// Changes to a config.
#[derive(clap::Args, Clone, Debug)]
pub struct Overrides {
    /// Change the config: `solver.epochs=3` sets a key, `+data.classes=10` adds one that is not there,
    /// `~services.keep` removes one; the value is JSON, or else a text
    #[arg(value_name = "KEY=VALUE", value_parser = override_text)]
    bare: Vec<String>,

    /// Change the config, as a bare KEY=VALUE does; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = override_text)]
    set: Vec<String>,

    /// Print the whole config with where each value came from, and do nothing else
    #[arg(long)]
    pub print_config: bool,
}

impl Overrides {
    /// Returns all overrides: those of `--set`, then the bare ones.
    pub fn all(&self) -> Vec<String> {
        self.set.iter().chain(&self.bare).cloned().collect()
    }
}

fn override_text(text: &str) -> Result<String, String> {
    recipe::check_override(text).map(|()| text.to_owned()).map_err(|error| {
        let code = error.code().map(|code| format!(" (see `barrage help {code}`)")).unwrap_or_default();
        let label = error.span_label().map(|label| format!(": {label}")).unwrap_or_default();
        format!("{}{label}{code}", error.message())
    })
}

/// How training is told about.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Training {
    /// `bar`, `plain` (a line an epoch) or `none`; by default a bar on a terminal, lines elsewhere
    #[arg(long, value_name = "HOW", hide_possible_values = true)]
    progress: Option<progress::How>,

    /// Write events as JSON to standard output, one a line (see `barrage schema --events`)
    #[arg(long)]
    json: bool,
}

impl Training {
    /// Sets how progress is shown.
    pub fn set(&self) {
        progress::set(self.progress);
    }
}

/// How results are printed.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Json {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// How the program writes, whatever it does.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Color messages: `auto`, `always` or `never`; `NO_COLOR` switches `auto` off
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", hide_default_value = true,
          hide_possible_values = true, display_order = 900)]
    pub color: terminal::Color,

    /// Tell nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 901)]
    pub quiet: bool,

    /// Tell what was resolved (device, threads, folders), and when each stage was done
    #[arg(short, long, global = true, display_order = 902)]
    pub verbose: bool,
}

impl Output {
    /// Returns how much is told.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Returns how many threads compute.
pub fn threads() -> usize {
    let named = std::env::var(THREADS).ok().and_then(|text| text.parse().ok()).filter(|&threads| threads > 0);
    named.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// The environment variable with the number of threads.
pub const THREADS: &str = "RAYON_NUM_THREADS";
