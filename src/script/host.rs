//! The host: folders a script may see, where printed text goes, the engine, and native components that
//! an embedding program adds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::{Dynamic, Engine, Scope};

use crate::error::{Error, Kind, Result, codes, near_file};
use crate::recipe::{Recipe, Written};
use crate::record::{Augmentor, Loader, Records, Transformer};
use crate::registry::Params;
use crate::script::bar::{Bar, MakeBar};
use crate::script::compiled::Compiled;
use crate::script::component::Component;
use crate::script::resolver::{self, Resolved, Roots};
use crate::script::source::{Script, Sources};
use crate::script::testing::Testing;
use crate::script::vectorise::{Follower, Report};
use crate::script::{Limits, engine, lint, manual, syntax, traceback};
use crate::search::Trial;
use crate::trainer::Progress;

/// Makes a native component from its parameters.
pub type Factory<T> = Arc<dyn Fn(&Params) -> Result<Box<T>> + Send + Sync>;

/// Registers functions and types with an engine.
type Register = Arc<dyn Fn(&mut Engine) + Send + Sync>;

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

/// The record functions that a host remembers.
const MOST_FUNCTIONS: usize = 64;

/// A station of a run: a scripted function, or a native component.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "there are a handful in a run")]
enum Known {
    Scripted(Arc<Follower>),
    Native(Report),
}

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

/// What a host is made from.
#[derive(Clone)]
struct Settings {
    roots: Roots,
    limits: Limits,
    stop: Arc<AtomicBool>,
    overwrite: bool,
    map: bool,
    instead: Option<Instead>,
    limit_batches: Option<usize>,
    fitted: Vec<PathBuf>,
    interpret: bool,
    arguments: Vec<String>,
    overrides: Vec<String>,
    trial: Option<Arc<Trial>>,
    watch: bool,
    testing: Option<Arc<Testing>>,
    show_config: Option<Sink>,
    print: Sink,
    debug: Sink,
    trace: Option<Sink>,
    progress: ProgressFactory,
    bar: Option<MakeBar>,
    loaders: BTreeMap<String, Factory<dyn Loader>>,
    transformers: BTreeMap<String, Factory<dyn Transformer>>,
    augmentors: BTreeMap<String, Factory<dyn Augmentor>>,
    scripts: BTreeMap<String, Arc<str>>,
    extend: Vec<Register>,
}

/// Collects what a host needs before its engine is made.
///
/// ```
/// use barrage::script::Host;
/// let host = Host::builder("examples/iris").build()?;
/// assert_eq!(host.eval("1 + 2")?.as_int(), Ok(3));
/// # Ok::<(), barrage::Error>(())
/// ```
pub struct Builder(Settings);

impl Builder {
    /// Adds a folder in which import paths are looked up after the project root (`--path`).
    #[must_use]
    pub fn path(mut self, folder: impl Into<PathBuf>) -> Self {
        self.0.roots.paths.push(folder.into());
        self
    }

    /// Adds a folder outside the project from which scripts may read data (`--allow-read`).
    #[must_use]
    pub fn allow_read(mut self, folder: impl Into<PathBuf>) -> Self {
        self.0.roots.readable.push(folder.into());
        self
    }

    /// Sets what scripts may use up.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// Moves an existing run out of the way instead of refusing the folder (`--overwrite`).
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.0.overwrite = overwrite;
        self
    }

    /// Sets whether large data files are mapped instead of read (`--no-mmap` turns it off).
    #[must_use]
    pub fn map(mut self, map: bool) -> Self {
        self.0.map = map;
        self
    }

    /// Begins with what `barrage fit` wrote, instead of fitting the transformer (`--fitted`).
    #[must_use]
    pub fn fitted(mut self, parts: Vec<PathBuf>) -> Self {
        self.0.fitted = parts;
        self
    }

    /// Interprets every script record by record, even where it could run on whole columns (`--interpret`).
    #[must_use]
    pub fn interpret(mut self, interpret: bool) -> Self {
        self.0.interpret = interpret;
        self
    }

    /// Lets `train` do something else with what it is given, such as checking it: the script ends there, and what
    /// it writes itself before that is kept in memory and not written.
    #[must_use]
    pub fn instead_of_training(
        mut self,
        instead: impl Fn(&Host, &Wanted) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.0.instead = Some(Arc::new(instead));
        self
    }

    /// Takes over scripts that are edited while a run goes on, between its epochs (`--watch`).
    #[must_use]
    pub fn watch(mut self, watch: bool) -> Self {
        self.0.watch = watch;
        self
    }

    /// Lets scripts compare with golden values, as tests do.
    #[must_use]
    pub fn testing(mut self, testing: Arc<Testing>) -> Self {
        self.0.testing = Some(testing);
        self
    }

    /// Trains and validates on at most so many batches an epoch (`--limit-batches`).
    #[must_use]
    pub fn limit_batches(mut self, limit: Option<usize>) -> Self {
        self.0.limit_batches = limit;
        self
    }

    /// Sets what `args()` returns.
    #[must_use]
    pub fn arguments(mut self, arguments: Vec<String>) -> Self {
        self.0.arguments = arguments;
        self
    }

    /// Sets changes to each config that a script trains, as on the command line: `solver.epochs=3`.
    #[must_use]
    pub fn overrides(mut self, overrides: Vec<String>) -> Self {
        self.0.overrides = overrides;
        self
    }

    /// Instead of training, gives the text of the resolved config to the sink and ends the script
    /// (`--print-config`).
    #[must_use]
    pub fn show_config(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.0.show_config = Some(Arc::new(sink));
        self
    }

    /// Sets the flag that stops scripts and training when it becomes true.
    #[must_use]
    pub fn stop(mut self, stop: Arc<AtomicBool>) -> Self {
        self.0.stop = stop;
        self
    }

    /// Sets where `print` goes; by default nowhere.
    #[must_use]
    pub fn print(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.0.print = Arc::new(sink);
        self
    }

    /// Sets where `debug` goes; by default nowhere.
    #[must_use]
    pub fn debug(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.0.debug = Arc::new(sink);
        self
    }

    /// Sets who is told what was resolved and which stage is done; by default nobody.
    #[must_use]
    pub fn trace(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.0.trace = Some(Arc::new(sink));
        self
    }

    /// Sets the display of training runs; by default there is none.
    #[must_use]
    pub fn progress(mut self, make: impl Fn() -> Box<dyn Progress> + Send + Sync + 'static) -> Self {
        self.0.progress = Arc::new(make);
        self
    }

    /// Shows how far runs of pipelines are, where they ask for a bar: `make` gets the number of batches, if it is
    /// known, and a title. By default nothing is shown.
    #[must_use]
    pub fn bar(mut self, make: impl Fn(Option<u64>, &str) -> Option<Box<dyn Bar>> + Send + Sync + 'static) -> Self {
        self.0.bar = Some(Arc::new(make));
        self
    }

    /// Adds a native loader under a name that recipes may import; it is made from the parameters that the
    /// recipe gives ([`Arguments::check`](crate::registry::Arguments::check) checks them against a declaration).
    #[must_use]
    pub fn loader<T: Loader + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Params) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make = move |params: &Params| make(params).map(|made| Box::new(made) as Box<dyn Loader>);
        self.0.loaders.insert(name.into(), Arc::new(make));
        self
    }

    /// Adds a native transformer under a name that recipes may import; it is made from the parameters that the
    /// recipe gives ([`Arguments::check`](crate::registry::Arguments::check) checks them against a declaration).
    #[must_use]
    pub fn transformer<T: Transformer + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Params) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make = move |params: &Params| make(params).map(|made| Box::new(made) as Box<dyn Transformer>);
        self.0.transformers.insert(name.into(), Arc::new(make));
        self
    }

    /// Adds a native augmentor under a name that recipes may import; it is made from the parameters that the
    /// recipe gives ([`Arguments::check`](crate::registry::Arguments::check) checks them against a declaration).
    #[must_use]
    pub fn augmentor<T: Augmentor + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Params) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make = move |params: &Params| make(params).map(|made| Box::new(made) as Box<dyn Augmentor>);
        self.0.augmentors.insert(name.into(), Arc::new(make));
        self
    }

    /// Adds a script from a text, under the import path that finds it (`networks.small`): for a program that
    /// brings its scripts along. A file of the same path below the project root comes first.
    #[must_use]
    pub fn script(mut self, path: impl AsRef<str>, text: impl Into<String>) -> Self {
        self.0.scripts.insert(path.as_ref().replace('.', "/"), text.into().into());
        self
    }

    /// Registers functions and types of the embedding program with the engine of scripts. A function that
    /// may fail returns `Result<T, Box<EvalAltResult>>`; `?` turns an [`Error`] into that.
    #[must_use]
    pub fn extend(mut self, register: impl Fn(&mut Engine) + Send + Sync + 'static) -> Self {
        self.0.extend.push(Arc::new(register));
        self
    }

    /// Makes the host.
    ///
    /// # Errors
    /// A project root or path that does not exist.
    pub fn build(self) -> Result<Host> {
        let settings = Settings { roots: self.0.roots.canonical()?, ..self.0 };
        let host = Host(Arc::new(Shared {
            settings,
            sources: Sources::default(),
            engine: OnceLock::new(),
            known: OnceLock::new(),
            manual: OnceLock::new(),
            compiled: Mutex::new(BTreeMap::new()),
            unwritten: Mutex::new(BTreeMap::new()),
            added: OnceLock::new(),
            functions: Mutex::new(Vec::new()),
        }));
        let settings = &host.0.settings;
        let mut engine = engine::make(&host, &settings.limits, settings.print.clone(), settings.debug.clone());
        let before = if settings.extend.is_empty() { BTreeSet::new() } else { lint::signatures(&engine) };
        for register in &settings.extend {
            register(&mut engine);
        }
        if !settings.extend.is_empty() {
            let added = lint::signatures(&engine).difference(&before).map(|(name, _)| name.clone()).collect();
            let _ = host.0.added.set(added);
        }
        // The engine refers to the host weakly, so that neither keeps the other alive.
        let _ = host.0.engine.set(engine);
        Ok(host)
    }
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

    /// Returns what scripts may use up.
    pub fn limits(&self) -> &Limits {
        &self.0.settings.limits
    }

    /// Returns whether scripts are interpreted even where they could run on whole columns.
    pub fn interpret(&self) -> bool {
        self.0.settings.interpret
    }

    pub(crate) fn note_function(&self, follower: &Arc<Follower>) {
        self.note(Known::Scripted(follower.clone()));
    }

    /// Notes that a station is a native component.
    pub(crate) fn note_native(&self, slot: &str, import: &str) {
        if let Some(slot) = ["loader", "transformer", "augmentor"].into_iter().find(|known| *known == slot) {
            self.note(Known::Native(Report::native(slot, import)));
        }
    }

    fn note(&self, known: Known) {
        let mut functions = self.0.functions.lock().unwrap_or_else(PoisonError::into_inner);
        // A host may train any number of runs; the latest are asked for.
        if functions.len() >= MOST_FUNCTIONS {
            functions.remove(0);
        }
        functions.push(known);
    }

    /// Forgets how the functions of earlier runs were run.
    pub(crate) fn forget_functions(&self) {
        self.0.functions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns how loaders, transformers and augmentors of the latest run are run, in the order in which they were made.
    pub fn functions(&self) -> Vec<Report> {
        let functions = self.0.functions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let report = |known: &Known| match known {
            Known::Scripted(follower) => follower.report(self),
            Known::Native(report) => report.clone(),
        };
        functions.iter().map(report).collect()
    }

    /// Returns the folders this host may read.
    pub fn roots(&self) -> &Roots {
        &self.0.settings.roots
    }

    /// Returns the texts compiled so far.
    pub fn sources(&self) -> &Sources {
        &self.0.sources
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
    /// about it; `None` when it was shown instead (see [`Builder::show_config`]).
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

    /// Runs a recipe from a file.
    ///
    /// # Errors
    /// A missing file, a syntax error, or whatever the recipe raises, with its place.
    pub fn run_file(&self, file: &Path) -> Result<Dynamic> {
        let script = self.read(file)?;
        self.run(&mut Scope::new(), script)
    }

    /// Runs a text as a script and returns its last value; errors show it as `<script>`.
    ///
    /// # Errors
    /// A syntax error, or whatever the script raises.
    pub fn eval(&self, text: &str) -> Result<Dynamic> {
        self.eval_with(&mut Scope::new(), text)
    }

    /// Runs a text as a script that sees the variables of a scope, and leaves its own there.
    ///
    /// ```
    /// use barrage::prelude::*;
    /// let host = Host::builder(".").build()?;
    /// let mut scope = Scope::new();
    /// scope.push("rate", 0.5);
    /// host.eval_with(&mut scope, "let half = rate * 10.0;")?;
    /// assert_eq!(scope.get_value::<f64>("half"), Some(5.0));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// A syntax error, or whatever the script raises.
    pub fn eval_with(&self, scope: &mut Scope, text: &str) -> Result<Dynamic> {
        self.run(scope, Script { label: "<script>".into(), text: text.into(), file: None })
    }

    fn run(&self, scope: &mut Scope, script: Script) -> Result<Dynamic> {
        self.0.sources.insert(script.clone());
        let ast = self.compile_text(&script)?;
        self.engine()
            .eval_ast_with_scope::<Dynamic>(scope, &ast)
            .map_err(|error| traceback::explain(self, *error, &script.label))
    }

    /// Compiles a text; the syntax tree carries the label as its source.
    pub(crate) fn compile_text(&self, script: &Script) -> Result<rhai::AST> {
        let mut ast =
            self.engine().compile(&*script.text).map_err(|error| syntax::explain_parse(self, &error, &script.label))?;
        ast.set_source(&*script.label);
        lint::check(self, &ast, &script.label)?;
        Ok(ast)
    }

    /// Reads a script, remembering its text for errors.
    pub(crate) fn read(&self, file: &Path) -> Result<Script> {
        let label = self.0.settings.roots.label(file);
        let text = std::fs::read_to_string(file).map_err(|error| {
            Error::new(Kind::Script, format!("cannot read the script `{}`: {}", file.display(), reason(&error)))
                .coded(codes::WRONG_FILE)
                .maybe_hint(near_file(file))
        })?;
        Ok(Script { label: label.into(), text: text.into(), file: Some(file.to_owned()) })
    }

    /// Finds the script an import path names and compiles it, once.
    ///
    /// # Errors
    /// An unknown path lists every place that was looked at and the nearest name.
    pub fn resolve(&self, path: &str) -> Result<(Arc<Compiled>, Option<String>)> {
        let Resolved { script, function } = resolver::resolve(self, path)?;
        let key = script.file.clone().unwrap_or_else(|| PathBuf::from(&*script.label));
        let mut compiled = self.0.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.get(&key).filter(|known| known.script.text == script.text) {
            return Ok((known.clone(), function));
        }
        let fresh = Arc::new(Compiled::new(self, script)?);
        compiled.insert(key, fresh.clone());
        Ok((fresh, function))
    }

    /// Makes the component an import path names.
    ///
    /// # Errors
    /// See [`Host::resolve`]; also parameters that are not what its `params()` declares.
    pub fn component(&self, path: &str, params: &Params) -> Result<Component> {
        self.component_with(path, params, &Params::new())
    }

    /// Checks the parameters of a component that gets more of them from elsewhere, without making it.
    ///
    /// # Errors
    /// See [`Host::resolve`]; given parameters that are not what its `params()` declares.
    pub fn check_given(&self, path: &str, params: &Params) -> Result<()> {
        let (compiled, function) = self.resolve(path)?;
        Component::undeclared(self, compiled, path)?.check_given(function.as_deref(), params)
    }

    /// Makes the component an import path names to ask it for its parameters; it has none.
    pub(crate) fn undeclared(&self, path: &str) -> Result<Component> {
        let (compiled, _) = self.resolve(path)?;
        Component::undeclared(self, compiled, path)
    }

    /// Makes the component an import path names, with parameters of the recipe and more from elsewhere, which are
    /// passed on where the component does not declare them.
    ///
    /// # Errors
    /// See [`Host::component`].
    pub fn component_with(&self, path: &str, params: &Params, more: &Params) -> Result<Component> {
        let (compiled, function) = self.resolve(path)?;
        Component::new(self, compiled, path, function, params, more)
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

/// Returns an I/O error in plain words.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
