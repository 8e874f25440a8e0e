//! What a host is made from, collected before its engine is made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use rhai::Engine;

use super::{Host, Settings, Shared, Wanted};
use crate::error::Result;
use crate::record::{Augmentor, Loader, Transformer};
use crate::registry::Params;
use crate::script::bar::Bar;
use crate::script::source::Sources;
use crate::script::testing::Testing;
use crate::script::{Limits, engine, lint};
use crate::trainer::Progress;

/// Collects what a host needs before its engine is made.
///
/// ```
/// use barrage::script::Host;
/// let host = Host::builder("examples/iris").build()?;
/// assert_eq!(host.eval("1 + 2")?.as_int(), Ok(3));
/// # Ok::<(), barrage::Error>(())
/// ```
pub struct Builder(pub(super) Settings);

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
    /// may fail returns `Result<T, Box<EvalAltResult>>`; `?` turns an [`Error`](crate::Error) into that.
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
