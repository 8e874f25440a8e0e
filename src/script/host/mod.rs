//! The host: folders a script may see, where printed text goes, the engine, and native components that
//! an embedding program adds.

mod builder;
mod functions;
mod running;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use rhai::Engine;

use crate::error::{Error, Result};
use crate::record::Records;
use crate::script::compiled::Compiled;
use crate::script::resolver::Roots;
use crate::script::source::Sources;
use crate::script::{Limits, lint, manual, traceback};
use crate::search::Trial;

use functions::Known;
use settings::Settings;

pub use builder::Builder;
pub(crate) use running::reason;
pub use settings::{Factory, Instead, ProgressFactory, Sink, Wanted};

/// A scripting host; cheap to clone.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    settings: Settings,
    sources: Sources,
    engine: OnceLock<Engine>,
    known: OnceLock<lint::Known>,
    manual: OnceLock<Vec<manual::Function>>,
    compiled: Mutex<BTreeMap<PathBuf, Arc<Compiled>>>,
    unwritten: Mutex<BTreeMap<PathBuf, Records>>,
    /// The names of functions that the embedding program registered.
    added: OnceLock<BTreeSet<String>>,
    /// The record functions of components, in the order in which they were made.
    functions: Mutex<Vec<Known>>,
}

impl Host {
    /// Starts a host whose project root is the given folder.
    pub fn builder(root: impl Into<PathBuf>) -> Builder {
        Builder(Settings {
            roots: Roots { root: root.into(), paths: Vec::new(), readable: Vec::new(), own: None },
            limits: Limits::default(),
            stop: Arc::new(AtomicBool::new(false)),
            overwrite: false,
            map: true,
            instead: None,
            limit_batches: None,
            fitted: Vec::new(),
            interpret: false,
            arguments: Vec::new(),
            overrides: Vec::new(),
            trial: None,
            watch: false,
            testing: None,
            show_config: None,
            print: Arc::new(|_| ()),
            debug: Arc::new(|_| ()),
            trace: None,
            progress: Arc::new(|| Box::new(crate::trainer::Quiet)),
            bar: None,
            loaders: BTreeMap::new(),
            transformers: BTreeMap::new(),
            augmentors: BTreeMap::new(),
            scripts: BTreeMap::new(),
            extend: Vec::new(),
        })
    }

    /// Makes a host like this one with another project root, as for the scripts of an artifact folder.
    ///
    /// # Errors
    /// A folder that does not exist.
    pub fn at(&self, root: impl Into<PathBuf>) -> Result<Host> {
        let mut settings = self.0.settings.clone();
        // Data is still named relative to where the run is used from.
        settings.roots.readable.push(settings.roots.root.clone());
        settings.roots.root = root.into();
        Builder(settings).build()
    }

    /// Makes a host like this one for a trial: what `hparams` returns is the trial's, what is written goes into its
    /// folder, what is printed to `print`; its runs are not shown.
    ///
    /// # Errors
    /// A folder of the trial that does not exist.
    pub fn for_trial(&self, trial: Arc<Trial>, print: Sink) -> Result<Host> {
        let mut settings = self.0.settings.clone();
        settings.roots.own = Some(trial.folder.clone());
        settings.trial = Some(trial);
        settings.print = print;
        settings.progress = Arc::new(|| Box::new(crate::trainer::Quiet));
        settings.bar = None;
        Builder(settings).build()
    }

    /// Makes a host like this one that has compiled nothing yet.
    ///
    /// # Errors
    /// A folder that is gone meanwhile.
    pub fn again(&self) -> Result<Host> {
        Builder(self.0.settings.clone()).build()
    }

    /// Returns the host of the running script.
    pub(crate) fn of(context: &rhai::NativeCallContext) -> std::result::Result<Host, Box<rhai::EvalAltResult>> {
        context
            .engine()
            .default_tag()
            .read_lock::<Weak>()
            .and_then(|weak| weak.upgrade())
            .ok_or_else(|| traceback::raise(Error::script("the script's host is gone")))
    }

    /// Returns a handle that does not keep the host alive.
    pub(crate) fn downgrade(&self) -> Weak {
        Weak(Arc::downgrade(&self.0))
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        self.0.engine.get_or_init(Engine::new_raw)
    }

    /// Returns the functions scripts may call, with their numbers of parameters.
    pub fn known_functions(&self) -> &lint::Known {
        self.0.known.get_or_init(|| lint::known(self.engine()))
    }

    /// Returns what the manual says of the functions scripts may call, for errors; read from the engine once.
    pub(crate) fn manual(&self) -> &[manual::Function] {
        self.0.manual.get_or_init(|| manual::all(self.engine()))
    }

    /// Returns whether the embedding program registered functions of this name.
    pub(crate) fn has_added(&self, name: &str) -> bool {
        self.0.added.get().is_some_and(|added| added.contains(name))
    }

    /// Returns the texts compiled so far.
    pub fn sources(&self) -> &Sources {
        &self.0.sources
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.0.settings.roots.root.display())
    }
}

/// A handle of the host that the engine may hold.
#[derive(Clone)]
pub struct Weak(std::sync::Weak<Shared>);

impl Weak {
    pub(crate) fn upgrade(&self) -> Option<Host> {
        self.0.upgrade().map(Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_host_goes_to_any_thread() {
        fn check<T: Send + Sync + Clone>() {}
        check::<Host>();
    }

    #[test]
    fn scripts_of_the_embedding_program_are_found_after_files() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::builder(folder.path())
            .script("ours.double", "fn double(x) { 2 * x }")
            .script("broken", "fn double(x) { 2 * }")
            .build()
            .unwrap();
        let value = |text: &str| host.eval(text).map(|value| value.to_string());
        assert_eq!(value("import \"ours/double\" as ours; ours::double(4)").unwrap(), "8");
        std::fs::create_dir(folder.path().join("ours")).unwrap();
        std::fs::write(folder.path().join("ours/double.rhai"), "fn double(x) { 20 * x }").unwrap();
        assert_eq!(value("import \"ours/double\" as ours; ours::double(4)").unwrap(), "80");
        let error = value("import \"broken\" as broken; 1").unwrap_err();
        assert_eq!(error.place().unwrap().to_string(), "broken.rhai:1:20");
        let error = value("import \"ours/dubble\" as ours; 1").unwrap_err();
        assert_eq!(error.hints()[0], "did you mean `ours/double`?");
    }

    #[test]
    fn native_functions_raise_errors_of_ours() {
        fn refuse() -> std::result::Result<i64, Box<rhai::EvalAltResult>> {
            Err(Error::data("nothing was measured").hint("measure first"))?
        }
        let host = Host::builder(".").extend(|engine| _ = engine.register_fn("refuse", refuse)).build().unwrap();
        let error = host.eval("let x = 1;\nrefuse()").unwrap_err();
        assert_eq!((error.message(), error.hints()), ("nothing was measured", &["measure first".to_owned()][..]));
        assert_eq!(error.place().unwrap().to_string(), "<script>:2:1");
        assert_eq!(error.kind(), Kind::Data);
    }

    #[test]
    fn actions_called_as_methods_are_told_how() {
        let host = Host::builder(".").build().unwrap();
        let error = host.eval("let batch = dataset(4).batch([1]);\nbatch.darken(0.5)").unwrap_err();
        assert_eq!(error.message(), "unknown function `darken`");
        assert!(error.hints().iter().any(|hint| hint.ends_with("`.action(\"darken\")`")), "{:?}", error.hints());
        let other = host.eval("let x = 1;\nx.darken(0.5)").unwrap_err();
        assert!(other.hints().iter().all(|hint| !hint.contains("action")), "{:?}", other.hints());
    }
}
