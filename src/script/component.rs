//! A scripted component: a script, its state, and the functions the host calls by name.
//!
//! A component's script is evaluated once, which gives a module whose functions keep their own imports
//! and constants. Its state is the map `this`: it may change in `init` and `fit` only; everywhere else a
//! read-only copy is bound, so that any number of workers can share one component. No lock is held while
//! a script runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rhai::{AST, Dynamic, Map, Module, Position, Scope, Stmt};

use crate::error::{self, Error, Result};
use crate::record::Mode;
use crate::registry::Params;
use crate::script::cast;
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::{traceback, writes};

/// A compiled script that may serve as a component.
pub struct Compiled {
    /// Its text and name.
    pub script: Script,
    ast: AST,
    functions: Vec<(String, usize)>,
    writes: BTreeMap<String, Position>,
}

impl Compiled {
    /// Compiles a script.
    ///
    /// # Errors
    /// Syntax errors; statements other than `const` and `import` beside the functions, since they would
    /// run whenever the component is made.
    pub fn new(host: &Host, script: Script) -> Result<Self> {
        host.sources().insert(script.clone());
        let ast = host.compile_text(&script)?;
        if let Some(statement) = ast.statements().iter().find(|statement| !is_declaration(statement)) {
            let error = Error::script(format!("`{}` runs statements, so it cannot be a component", script.label))
                .hint("a component's script holds functions, `const` and `import`; a recipe is another file");
            return Err(match host.sources().place(&script.label, statement.position()) {
                Some(place) => error.at(place),
                None => error,
            });
        }
        let functions =
            ast.iter_functions().map(|function| (function.name.to_owned(), function.params.len())).collect();
        let writes = writes::writes(&ast);
        Ok(Compiled { script, ast, functions, writes })
    }

    /// Returns how many parameters each version of a function takes, in increasing order.
    pub fn arities(&self, name: &str) -> Vec<usize> {
        let mut arities: Vec<usize> =
            self.functions.iter().filter(|(known, _)| known == name).map(|(_, arity)| *arity).collect();
        arities.sort_unstable();
        arities
    }

    /// Returns the names of the functions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|(name, _)| name.as_str())
    }
}

fn is_declaration(statement: &Stmt) -> bool {
    match statement {
        Stmt::Import(..) | Stmt::Export(..) | Stmt::Noop(..) => true,
        Stmt::Var(_, flags, _) => flags.bits() & 1 == 1,
        _ => false,
    }
}

/// A component made from an import path and parameters.
pub struct Component {
    host: Host,
    compiled: Arc<Compiled>,
    module: Arc<Module>,
    import: String,
    function: Option<String>,
    params: Dynamic,
    state: RwLock<State>,
    bound: Mutex<Vec<Bound>>,
}

struct State {
    value: Map,
    version: u64,
}

/// A read-only copy of the state, made once for each mode and thread that needs it.
struct Bound {
    version: u64,
    mode: Mode,
    this: Dynamic,
}

impl Component {
    /// Makes a component and runs its `init`.
    pub(crate) fn new(
        host: &Host,
        compiled: Arc<Compiled>,
        import: &str,
        function: Option<String>,
        params: &Params,
    ) -> Result<Self> {
        if let Some(name) = &function
            && compiled.arities(name).is_empty()
        {
            return Err(Error::recipe(format!("no function `{name}` in `{}`", compiled.script.label))
                .maybe_hint(error::did_you_mean(name, compiled.names()))
                .hint(format!("functions: {}", error::list(compiled.names())))
                .within(format!("import `{import}`")));
        }
        let module = Module::eval_ast_as_new(Scope::new(), &compiled.ast, host.engine())
            .map_err(|error| traceback::explain(host, *error, &compiled.script.label))?;
        let params = cast::from_params(params);
        let mut value = Map::new();
        value.insert("params".into(), params.clone());
        let component = Component {
            host: host.clone(),
            compiled,
            module: Arc::new(module),
            import: import.to_owned(),
            function,
            params,
            state: RwLock::new(State { value, version: 0 }),
            bound: Mutex::new(Vec::new()),
        };
        Ok(component)
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the import path.
    pub fn import(&self) -> &str {
        &self.import
    }

    /// Returns the script.
    pub fn script(&self) -> &Script {
        &self.compiled.script
    }

    /// Returns the parameters as a script sees them.
    pub fn params(&self) -> Dynamic {
        self.params.clone()
    }

    /// Returns whether the component has a function of this name.
    pub fn has(&self, name: &str) -> bool {
        !self.compiled.arities(name).is_empty()
    }

    /// Returns how many parameters each version of a function takes.
    pub fn arities(&self, name: &str) -> Vec<usize> {
        self.compiled.arities(name)
    }

    /// Returns the name of the function that fills a slot: the one the import path names, else the slot's
    /// own name (`load`, `build` …), with the number of parameters it takes.
    ///
    /// # Errors
    /// No such function, or one that takes another number of parameters; the error says what is wanted.
    pub fn slot(&self, usual: &str, arities: std::ops::RangeInclusive<usize>, wanted: &str) -> Result<(String, usize)> {
        let name = self.function.as_deref().unwrap_or(usual);
        let known = self.arities(name);
        if known.is_empty() {
            return Err(Error::recipe(format!("`{}` has no function `{usual}`", self.script().label))
                .maybe_hint(error::did_you_mean(usual, self.compiled.names()))
                .hint(format!("write `{wanted}`, or name another function in the import path"))
                .within(format!("import `{}`", self.import)));
        }
        match known.iter().rev().find(|arity| arities.contains(arity)) {
            Some(&arity) => Ok((name.to_owned(), arity)),
            None => Err(Error::recipe(format!("`{name}` takes {} parameters", known[0]))
                .hint(format!("write `{wanted}`"))
                .within(format!("import `{}`", self.import))),
        }
    }

    /// Runs `init`, if there is one.
    pub fn init(&self, mode: Mode) -> Result<()> {
        match self.arities("init").contains(&0) {
            true => self.change("init", mode, &mut []).map(drop),
            false => Ok(()),
        }
    }

    /// Calls a function that may change the state.
    ///
    /// # Errors
    /// Whatever the script raises; the state is then as before.
    pub fn change(&self, name: &str, mode: Mode, arguments: &mut [Dynamic]) -> Result<Dynamic> {
        let mut value = self.read_state().value.clone();
        value.insert("mode".into(), mode.name().into());
        let mut this = Dynamic::from(value);
        let result = self.session(None).call_with(&mut this, name, arguments)?;
        let value = this.try_cast::<Map>().ok_or_else(|| {
            Error::script(format!("`{name}` replaced `this` by something else"))
                .hint("set fields of it: `this.mean = …`")
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.value = value;
        state.version += 1;
        Ok(result)
    }

    /// Starts a series of calls in a mode; `this` is read-only.
    pub fn session(&self, mode: Option<Mode>) -> Session<'_> {
        Session { component: self, mode, bound: None, caller: Caller::new(self) }
    }

    /// Calls a function once; see [`Component::session`] for many calls.
    pub fn call(&self, name: &str, mode: Mode, arguments: &mut [Dynamic]) -> Result<Dynamic> {
        self.session(Some(mode)).call(name, arguments)
    }

    /// Returns the fields of the state that the script set itself.
    pub fn state(&self) -> Map {
        let mut value = self.read_state().value.clone();
        for preset in ["params", "mode", "loader"] {
            value.remove(preset);
        }
        value
    }

    /// Sets a field of the state.
    pub fn set(&self, name: &str, field: Dynamic) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.value.insert(name.into(), field);
        state.version += 1;
    }

    fn read_state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn bind(&self, mode: Mode) -> Bound {
        let version = self.read_state().version;
        {
            let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
            bound.retain(|bound| bound.version == version);
            if let Some(found) = bound.iter().position(|bound| bound.mode == mode) {
                return bound.swap_remove(found);
            }
        }
        let mut value = self.read_state().value.clone();
        value.insert("mode".into(), mode.name().into());
        Bound { version, mode, this: Dynamic::from(value).into_read_only() }
    }
}

/// A series of calls into one component, with the engine's caches kept warm between them.
pub struct Session<'a> {
    component: &'a Component,
    mode: Option<Mode>,
    bound: Option<Bound>,
    caller: Caller,
}

impl Session<'_> {
    /// Calls a function with the read-only state as `this`. The arguments are used up.
    ///
    /// # Errors
    /// Whatever the script raises, with its place.
    pub fn call(&mut self, name: &str, arguments: &mut [Dynamic]) -> Result<Dynamic> {
        let component = self.component;
        if let Some(position) = component.compiled.writes.get(name) {
            let error = traceback::read_only("");
            let script = &component.compiled.script;
            return Err(match component.host.sources().place(&script.label, *position) {
                Some(place) => error.at(place),
                None => error,
            });
        }
        let mode = self.mode.unwrap_or(Mode::Score);
        let bound = self.bound.get_or_insert_with(|| component.bind(mode));
        self.caller.call(component, &mut bound.this, name, arguments)
    }

    fn call_with(&mut self, this: &mut Dynamic, name: &str, arguments: &mut [Dynamic]) -> Result<Dynamic> {
        self.caller.call(self.component, this, name, arguments)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(bound) = self.bound.take() {
            self.component.bound.lock().unwrap_or_else(PoisonError::into_inner).push(bound);
        }
    }
}

/// The engine's state for calls into one module.
struct Caller {
    global: rhai::GlobalRuntimeState,
    caches: rhai::Caches,
    scope: Scope<'static>,
}

impl Caller {
    fn new(component: &Component) -> Self {
        let mut global = component.host.engine().new_global_runtime_state();
        global.source = Some((&*component.compiled.script.label).into());
        global.lib.push(component.module.clone());
        Caller { global, caches: rhai::Caches::new(), scope: Scope::new() }
    }

    fn call(
        &mut self,
        component: &Component,
        this: &mut Dynamic,
        name: &str,
        arguments: &mut [Dynamic],
    ) -> Result<Dynamic> {
        let mut all: rhai::FnArgsVec<&mut Dynamic> = std::iter::once(this).chain(arguments.iter_mut()).collect();
        // Limits on operations count one call.
        self.global.num_operations = 0;
        let mut context =
            rhai::EvalContext::new(component.host.engine(), &mut self.global, &mut self.caches, &mut self.scope, None);
        let result = context.call_fn_raw(name, true, true, &mut all);
        self.scope.rewind(0);
        result.map_err(|error| {
            let label = &component.compiled.script.label;
            // The outermost wrapper is the host's own call.
            let error = match *error {
                rhai::EvalAltResult::ErrorInFunctionCall(called, source, inner, _)
                    if called == name && (source.is_empty() || *source == **label) =>
                {
                    inner
                }
                other => Box::new(other),
            };
            traceback::explain(&component.host, *error, label)
        })
    }
}
