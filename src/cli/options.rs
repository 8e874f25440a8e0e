//! Options that several verbs share.

use std::path::{Path, PathBuf};

use crate::cli::terminal::Verbosity;
use crate::cli::{events, progress, signals, terminal};
use crate::error::list;
use crate::machine;
use crate::recipe;
use crate::record::{Format, ReadOptions, Schema, Source};
use crate::script::host::{Builder, Host};

/// What a script may see.
#[derive(clap::Args, Clone, Debug)]
pub struct Scripts {
    /// Look up import paths here, too; may be repeated
    ///
    /// Such folders come after the project root, in the order given.
    #[arg(long = "path", value_name = "DIR")]
    pub paths: Vec<PathBuf>,

    /// Let scripts read below this folder; may be repeated
    #[arg(long, value_name = "DIR")]
    pub allow_read: Vec<PathBuf>,

    /// Read large data files instead of mapping them
    #[arg(long)]
    pub no_mmap: bool,

    /// Run scripts record by record (see `explain`)
    #[arg(long)]
    pub interpret: bool,
}

impl Scripts {
    /// Returns how data files are read, with the schema of the training records if there is one.
    pub fn reading(&self, schema: Option<&Schema>) -> ReadOptions {
        ReadOptions { schema: schema.cloned(), map: !self.no_mmap, ..ReadOptions::default() }
    }

    /// Starts a host with these options, printing to standard output and showing progress.
    pub fn host(&self, root: impl AsRef<Path>) -> Builder {
        terminal::trace(&format!("project root: {}", shown(root.as_ref())));
        let mut builder = Host::builder(root.as_ref())
            .print(print)
            .debug(|text| terminal::message(&format!("{text}\n")))
            .trace(terminal::trace)
            .progress(progress::make)
            .bar(crate::cli::bar::make)
            .map(!self.no_mmap)
            .interpret(self.interpret)
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

/// How records are read.
#[derive(clap::Args, Clone, Debug)]
pub struct Input {
    /// `csv`, `json`, `jsonl`, `parquet`, `arrow`; else by name or first byte
    ///
    /// By default the ending of a file's name tells, and of standard input the first byte: `[` begins a JSON array, `{`
    /// JSON lines, `PAR1` Parquet, `ARROW1` Arrow, and anything else CSV.
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    input_format: Option<Format>,
}

impl Input {
    /// Opens a file, or standard input for `-`, which is read to its end.
    pub fn open(&self, path: &Path) -> crate::Result<Source> {
        match path.as_os_str() == "-" {
            true => Source::stream(std::io::stdin().lock(), "<stdin>", self.input_format),
            false => Source::open(path, self.input_format),
        }
    }
}

/// Reads the name of a format.
pub fn format(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| format!("expected {}", list(Format::ALL.map(Format::name))))
}

/// What was prepared elsewhere.
#[derive(clap::Args, Clone, Debug)]
pub struct Prepared {
    /// Begin with what `fit` wrote; may be repeated
    #[arg(long, value_name = "FILE")]
    pub fitted: Vec<PathBuf>,
}

/// How long epochs are.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Limits {
    /// Train and validate on at most N batches an epoch
    #[arg(long, value_name = "N")]
    limit_batches: Option<std::num::NonZeroUsize>,
}

impl Limits {
    /// Returns the number of batches an epoch has at most.
    pub fn batches(self) -> Option<usize> {
        self.limit_batches.map(std::num::NonZeroUsize::get)
    }
}

/// Changes to a config.
#[derive(clap::Args, Clone, Debug)]
pub struct Overrides {
    /// Change the config: `solver.epochs=3`, `+new.key=1`, `~key`
    ///
    /// `solver.epochs=3` sets a key, `+data.classes=10` adds one that is not there, `~services.keep` removes one; the value
    /// is JSON, or else a text.
    #[arg(value_name = "KEY=VALUE", value_parser = override_text)]
    bare: Vec<String>,

    /// Change the config, as a bare KEY=VALUE does
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = override_text)]
    set: Vec<String>,

    /// Print the whole config and where each value came from
    ///
    /// Nothing else is done.
    #[arg(long)]
    pub print_config: bool,
}

impl Overrides {
    /// Returns all overrides: those of `--set`, then the bare ones.
    pub fn all(&self) -> Vec<String> {
        self.set.iter().chain(&self.bare).cloned().collect()
    }
}

/// Reads a change to a config.
pub fn override_text(text: &str) -> Result<String, String> {
    recipe::check_override(text).map(|()| text.to_owned()).map_err(|error| {
        let code = error.code().map(|code| format!(" (see `barrage help {code}`)")).unwrap_or_default();
        let label = error.span_label().map(|label| format!(": {label}")).unwrap_or_default();
        format!("{}{label}{code}", error.message())
    })
}

/// The heading of options about what is written.
pub const OUTPUT: &str = "Output";

/// How training is told about.
#[derive(clap::Args, Clone, Debug)]
pub struct Training {
    /// `bar`, `plain` (a line an epoch) or `none`
    ///
    /// By default a bar where messages go to a terminal, and a line an epoch elsewhere; with `--json` a bar where only
    /// messages go to a terminal, else nothing. A bar never goes into a file.
    #[arg(long, value_name = "HOW", hide_possible_values = true, help_heading = OUTPUT)]
    progress: Option<progress::How>,

    /// Print events as JSON, one a line (`schema --events`)
    ///
    /// Standard output then holds nothing else: what a script prints is an event, too, and so are errors.
    #[arg(long, help_heading = OUTPUT)]
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
pub struct Json {
    /// Print JSON instead of text, errors included
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// How the program writes, whatever it does.
#[derive(clap::Args, Clone, Debug)]
pub struct Output {
    /// Color messages: `auto`, `always` or `never`
    ///
    /// `auto` colors what goes to a terminal, unless the variable `NO_COLOR` is set.
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help_heading = OUTPUT,
        display_order = 900
    )]
    pub color: terminal::Color,

    /// Tell nothing but errors
    ///
    /// No progress, no notes; what was asked for still goes to standard output.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = OUTPUT, display_order = 901)]
    pub quiet: bool,

    /// Also tell what was resolved, and when a stage was done
    ///
    /// Device, threads, folders, seed; stages with the seconds since the start.
    #[arg(short, long, global = true, help_heading = OUTPUT, display_order = 902)]
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
    named.unwrap_or_else(machine::cores)
}

/// The environment variable with the number of threads.
pub const THREADS: &str = "RAYON_NUM_THREADS";
