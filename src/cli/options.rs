//! Options that several verbs share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::{progress, terminal};
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
        let mut builder = Host::builder(root.as_ref())
            .print(|text| terminal::data(&format!("{text}\n")))
            .debug(|text| terminal::message(&format!("{text}\n")))
            .progress(progress::make)
            .stop(stop_flag());
        for folder in &self.paths {
            builder = builder.path(folder);
        }
        for folder in &self.allow_read {
            builder = builder.allow_read(folder);
        }
        builder
    }
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

/// Returns the flag that Ctrl-C sets: the first one asks to stop, the second ends the program.
pub fn stop_flag() -> Arc<AtomicBool> {
    static FLAG: std::sync::OnceLock<Arc<AtomicBool>> = std::sync::OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = flag.clone();
        // Without a handler Ctrl-C ends the program at once, which loses nothing that was saved.
        let _ = ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            terminal::message("\nstopping (training ends after its step); a second Ctrl-C ends the program at once\n");
        });
        flag
    })
    .clone()
}
