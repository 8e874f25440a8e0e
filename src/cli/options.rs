//! Options that several verbs share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::{progress, terminal};
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
