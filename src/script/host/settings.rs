//! What a host is told when it is made, and gives to those who ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use rhai::Engine;

use super::Host;
use crate::error::Result;
use crate::recipe::{Recipe, Written};
use crate::record::{Augmentor, Loader, Records, Transformer};
use crate::registry::Params;
use crate::script::Limits;
use crate::script::bar::{Bar, MakeBar};
use crate::script::resolver::Roots;
use crate::script::testing::Testing;
use crate::search::Trial;
use crate::trainer::Progress;

/// Makes a native component from its parameters.
pub type Factory<T> = Arc<dyn Fn(&Params) -> Result<Box<T>> + Send + Sync>;

/// Registers functions and types with an engine.
pub(super) type Register = Arc<dyn Fn(&mut Engine) + Send + Sync>;

/// Receives text that scripts print.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// What a script asked to be trained.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The resolved recipe, overrides and all.
    pub recipe: &'a Recipe,
    /// What resolving it had to say.
    pub notes: &'a [String],
    /// The training records.
    pub train: &'a Records,
    /// The validation records.
    pub validation: &'a Records,
    /// The artifact folder.
    pub folder: &'a Path,
    /// Whether an existing run is moved out of the way.
    pub overwrite: bool,
}

/// What is done instead of training.
pub type Instead = Arc<dyn Fn(&Host, &Wanted) -> Result<()> + Send + Sync>;

/// Makes the display of one training run.
pub type ProgressFactory = Arc<dyn Fn() -> Box<dyn Progress> + Send + Sync>;

/// What a host is made from.
#[derive(Clone)]
pub(super) struct Settings {
    pub roots: Roots,
    pub limits: Limits,
    pub stop: Arc<AtomicBool>,
    pub overwrite: bool,
    pub map: bool,
    pub instead: Option<Instead>,
    pub limit_batches: Option<usize>,
    pub fitted: Vec<PathBuf>,
    pub interpret: bool,
    pub arguments: Vec<String>,
    pub overrides: Vec<String>,
    pub trial: Option<Arc<Trial>>,
    pub watch: bool,
    pub testing: Option<Arc<Testing>>,
    pub show_config: Option<Sink>,
    pub print: Sink,
    pub debug: Sink,
    pub trace: Option<Sink>,
    pub progress: ProgressFactory,
    pub bar: Option<MakeBar>,
    pub loaders: BTreeMap<String, Factory<dyn Loader>>,
    pub transformers: BTreeMap<String, Factory<dyn Transformer>>,
    pub augmentors: BTreeMap<String, Factory<dyn Augmentor>>,
    pub scripts: BTreeMap<String, Arc<str>>,
    pub extend: Vec<Register>,
}

impl Host {
    /// Returns the tests that run, if any do.
    pub fn testing(&self) -> Option<&Arc<Testing>> {
        self.0.settings.testing.as_ref()
    }

    /// Returns whether scripts that are edited while a run goes on are taken over.
    pub fn watches(&self) -> bool {
        self.0.settings.watch
    }

    /// Returns the trial that scripts run in, if they do.
    pub fn trial(&self) -> Option<&Arc<Trial>> {
        self.0.settings.trial.as_ref()
    }

    /// Returns what scripts may use up.
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Returns whether scripts are interpreted even where they could run on whole columns.
    pub fn interpret(&self) -> bool {
        self.0.settings.interpret
    }

    /// Returns the folders this host may read.
    pub fn roots(&self) -> &Roots {
        &self.0.settings.roots
    }

    /// Returns the flag that stops scripts and training.
    pub fn stop_flag(&self) -> &Arc<AtomicBool> {
        &self.0.settings.stop
    }

    /// Returns whether an existing run is moved out of the way.
    pub fn overwrite(&self) -> bool {
        self.0.settings.overwrite
    }

    /// Returns whether large data files are mapped instead of read.
    pub fn map(&self) -> bool {
        self.0.settings.map
    }

    /// Returns what is done instead of training, when runs are not to be started.
    pub fn instead_of_training(&self) -> Option<&Instead> {
        self.0.settings.instead.as_ref()
    }

    /// Returns the files of what the transformer was fitted to elsewhere.
    pub fn fitted(&self) -> &[PathBuf] {
        &self.0.settings.fitted
    }

    /// Returns how many batches an epoch has at most.
    pub fn limit_batches(&self) -> Option<usize> {
        self.0.settings.limit_batches
    }

    /// Returns whether nothing may be written: a run is tried, checked or shown, and not started.
    pub fn rehearses(&self) -> bool {
        self.0.settings.instead.is_some() || self.0.settings.show_config.is_some()
    }

    /// Keeps a table that a script writes in a rehearsal, for when the script reads the file again.
    pub(crate) fn keep_unwritten(&self, file: PathBuf, records: Records) {
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner).insert(file, records);
    }

    /// Returns a table that a script wrote in a rehearsal.
    pub(crate) fn unwritten(&self, file: &Path) -> Option<Records> {
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned()
    }

    /// Returns the arguments after `--` on the command line.
    pub fn arguments(&self) -> &[String] {
        &self.0.settings.arguments
    }

    /// Returns the recipe of the config that a script trains, with its overrides and what it extends, and notes
    /// about it; `None` when it was shown instead (see [`Builder::show_config`](super::Builder::show_config)).
    ///
    /// # Errors
    /// See [`Recipe::resolve`] and [`Written::overridden`].
    pub fn recipe(&self, config: Written) -> Result<Option<(Recipe, Vec<String>)>> {
        let settings = &self.0.settings;
        let find = |path: &Path| settings.roots.readable(&path.to_string_lossy());
        let written = config.extended(&find)?.overridden(&settings.overrides)?;
        let (recipe, notes) = Recipe::resolve(&written)?;
        let Some(show) = &settings.show_config else { return Ok(Some((recipe, notes))) };
        show(&recipe.explain(&written));
        Ok(None)
    }

    /// Prints a text as `print` does.
    pub fn print(&self, text: &str) {
        (self.0.settings.print)(text);
    }

    /// Tells a person something that is no result: where `debug` goes.
    pub fn tell(&self, text: &str) {
        (self.0.settings.debug)(text);
    }

    /// Tells what was resolved or done, when someone wants to know.
    pub fn trace(&self, text: impl FnOnce() -> String) {
        if let Some(sink) = &self.0.settings.trace {
            sink(&text());
        }
    }

    /// Makes the display of one training run.
    pub fn progress(&self) -> Box<dyn Progress> {
        (self.0.settings.progress)()
    }

    /// Makes the display of a pipeline's run, where somebody looks.
    pub fn bar(&self, total: Option<u64>, title: &str) -> Option<Box<dyn Bar>> {
        self.0.settings.bar.as_ref().and_then(|make| make(total, title))
    }

    /// Returns a native loader that the embedding program added.
    pub fn native_loader(&self, name: &str) -> Option<&Factory<dyn Loader>> {
        self.0.settings.loaders.get(name)
    }

    /// Returns a native transformer that the embedding program added.
    pub fn native_transformer(&self, name: &str) -> Option<&Factory<dyn Transformer>> {
        self.0.settings.transformers.get(name)
    }

    /// Returns a native augmentor that the embedding program added.
    pub fn native_augmentor(&self, name: &str) -> Option<&Factory<dyn Augmentor>> {
        self.0.settings.augmentors.get(name)
    }

    /// Returns the names of all native components that the embedding program added.
    pub fn native_names(&self) -> impl Iterator<Item = &str> {
        self.0
            .settings
            .loaders
            .keys()
            .chain(self.0.settings.transformers.keys())
            .chain(self.0.settings.augmentors.keys())
            .map(String::as_str)
    }

    /// Returns the scripts that the embedding program added: path without ending, and text.
    pub(crate) fn scripts(&self) -> &BTreeMap<String, Arc<str>> {
        &self.0.settings.scripts
    }
}
