//! A scripted component: a script, its state, and the functions the host calls by name.
//!
//! A component's script is evaluated once, which gives a module whose functions keep their own imports
//! and constants. Its state is the map `this`: it may change in `init` and `fit` only; everywhere else a
//! read-only copy is bound, so that any number of workers can share one component. No lock is held while
//! a script runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rhai::{Dynamic, Map, Module, Scope};

use crate::error::{self, Error, Result, codes};
use crate::record::Mode;
use crate::registry::{self, Params};
use crate::script::cast;
use crate::script::compiled::Compiled;
use crate::script::declaration::{self, Declaration};
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::traceback;
use crate::script::vectorise::ItemFollower;

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
    /// Functions of items, by name and number of parameters.
    items: Mutex<BTreeMap<(String, usize), Arc<ItemFollower>>>,
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
    /// Returns what runs a function of items for all of them at once, made once.
    pub(in crate::script) fn follower_of_items(&self, function: &str, arity: usize) -> Arc<ItemFollower> {
        let mut known = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(ItemFollower::new(self, function, arity));
        known.entry((function.to_owned(), arity)).or_insert_with(make).clone()
    }

    /// Makes a component; its parameters are checked against what the script declares, and defaults filled in.
    /// `more` are parameters from elsewhere, which may be unknown to it.
    pub(crate) fn new(
        host: &Host,
        compiled: Arc<Compiled>,
        import: &str,
        function: Option<String>,
        params: &Params,
        more: &Params,
    ) -> Result<Self> {
        check_function(&compiled, import, function.as_deref())?;
        let mut component = Component { function, ..Component::undeclared(host, compiled, import)? };
        let params = cast::from_params(&component.checked(params, more)?);
        component.set("params", params.clone());
        component.params = params;
        Ok(component)
    }

    /// Returns what the script declares of its parameters, if it does.
    ///
    /// # Errors
    /// Whatever `params()` raises; a declaration that cannot be understood.
    pub fn declaration(&self) -> Result<Option<Declaration>> {
        if !self.arities(declaration::FUNCTION).contains(&0) {
            return Ok(None);
        }
        let value = self.call(declaration::FUNCTION, Mode::Train, &mut [])?;
        let functions: Vec<&str> = self.compiled.names().collect();
        let declaration = Declaration::read(&value, &functions);
        declaration.map(Some).map_err(|error| self.returned(declaration::FUNCTION, error))
    }

    /// Makes a component whose parameters are asked for: none is given, and none is missed.
    pub(crate) fn undeclared(host: &Host, compiled: Arc<Compiled>, import: &str) -> Result<Self> {
        let module = Module::eval_ast_as_new(Scope::new(), &compiled.ast, host.engine())
            .map_err(|error| traceback::explain(host, *error, &compiled.script.label))?;
        Ok(Component {
            host: host.clone(),
            compiled,
            module: Arc::new(module),
            import: import.to_owned(),
            function: None,
            params: Dynamic::from(Map::new()),
            state: RwLock::new(State { value: Map::new(), version: 0 }),
            bound: Mutex::new(Vec::new()),
            items: Mutex::default(),
        })
    }

    /// Checks parameters that are given, where others may come from elsewhere; see [`registry::check_given`].
    pub(crate) fn check_given(&self, function: Option<&str>, params: &Params) -> Result<()> {
        check_function(&self.compiled, &self.import, function)?;
        let declaration = self.declaration()?;
        let declared = declaration.as_ref().and_then(|all| all.of(function));
        declared.map_or(Ok(()), |declared| registry::check_given(&self.import, declared, params))
    }

    fn checked(&self, params: &Params, more: &Params) -> Result<Params> {
        let declaration = self.declaration()?;
        let mut all = params.clone();
        let Some(declared) = declaration.as_ref().and_then(|all| all.of(self.function.as_deref())) else {
            all.extend(more.clone());
            return Ok(all);
        };
        let known = |name: &String| declared.iter().any(|parameter| parameter.name == *name);
        let (own, other): (Params, Params) = more.clone().into_iter().partition(|(name, _)| known(name));
        all.extend(own);
        let mut checked = registry::check(&self.import, declared, &all)?;
        checked.extend(other);
        Ok(checked)
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the compiled script.
    pub(crate) fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// Returns a number that changes with the state.
    pub(crate) fn version(&self) -> u64 {
        self.read_state().version
    }

    /// Returns the state as a function sees it in a mode.
    pub(crate) fn state_in(&self, mode: Mode) -> Dynamic {
        let mut value = self.read_state().value.clone();
        value.insert("mode".into(), mode.name().into());
        Dynamic::from(value)
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

    /// Returns the names of its functions, sorted.
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.compiled.names().filter(|name| *name != declaration::FUNCTION).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns how many parameters each version of a function takes.
    pub fn arities(&self, name: &str) -> Vec<usize> {
        self.compiled.arities(name)
    }

    /// Returns the name of a function's first parameter.
    pub fn first_parameter(&self, name: &str) -> Option<&str> {
        self.compiled.versions(name).find_map(|function| function.parameters.first()).map(String::as_str)
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
                .coded(codes::NO_FUNCTION)
                .maybe_hint(error::did_you_mean(usual, self.compiled.names()))
                .hint(format!("write `{wanted}`, or name another function in the import path"))
                .within(format!("import `{}`", self.import)));
        }
        match known.iter().rev().find(|arity| arities.contains(arity)) {
            Some(&arity) => Ok((name.to_owned(), arity)),
            None => {
                let plural = if known[0] == 1 { "" } else { "s" };
                let expected = match (arities.start(), arities.end()) {
                    (least, most) if least == most => least.to_string(),
                    (least, most) => format!("{least} to {most}"),
                };
                let error =
                    Error::recipe(format!("`{name}` takes {} parameter{plural}, expected {expected}", known[0]))
                        .coded(codes::WRONG_SIGNATURE)
                        .hint(format!("write `{wanted}`"))
                        .within(format!("import `{}`", self.import));
                Err(match self.compiled.defined(name) {
                    Some(place) => error.at(place),
                    None => error,
                })
            }
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
        let given = arguments.first().and_then(|argument| argument.read_lock::<Map>().map(|map| field_names(&map)));
        let result = self.session(None).call_with(&mut this, name, arguments, given)?;
        let value = this.try_cast::<Map>().ok_or_else(|| {
            Error::script(format!("`{name}` replaced `this` by something else"))
                .coded(codes::READ_ONLY)
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

    /// Adds to an error about what a function returned whose function it is and where that is defined.
    #[must_use]
    pub fn returned(&self, function: &str, error: Error) -> Error {
        let error = error.within(format!("what `{function}` of `{}` returned", self.import)).coded(codes::WRONG_RETURN);
        match self.compiled.defined(function) {
            Some(place) => error.at(place),
            None => error,
        }
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

    /// Returns the fields of a variable's map, as far as they are known: those of `this`, of the parameters, and
    /// of a called function's first argument.
    fn fields(&self, this: &Dynamic, owner: &str, function: &str, given: Option<&Vec<String>>) -> Option<Vec<String>> {
        let first = || self.compiled.versions(function).find_map(|function| function.parameters.first());
        match owner {
            "this" => this.read_lock::<Map>().map(|map| field_names(&map)),
            "params" | "this.params" => self.params.read_lock::<Map>().map(|map| field_names(&map)),
            _ if first().is_some_and(|name| name == owner) => given.cloned(),
            _ => None,
        }
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
        if let Some(write) = component.compiled.writes.get(name) {
            let error = Error::script(format!("`this` cannot be changed in `{name}`, which sets {}", write.what))
                .coded(codes::READ_ONLY)
                .hint("a component's state may change in `init` and `fit` only; use `let` for what one call needs");
            let script = &component.compiled.script;
            return Err(match component.host.sources().place(&script.label, write.position) {
                Some(place) => error.at(place),
                None => error,
            });
        }
        let mode = self.mode.unwrap_or(Mode::Score);
        let bound = self.bound.get_or_insert_with(|| component.bind(mode));
        self.caller.call(component, &mut bound.this, name, arguments, None)
    }

    fn call_with(
        &mut self,
        this: &mut Dynamic,
        name: &str,
        arguments: &mut [Dynamic],
        given: Option<Vec<String>>,
    ) -> Result<Dynamic> {
        self.caller.call(self.component, this, name, arguments, given)
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
        given: Option<Vec<String>>,
    ) -> Result<Dynamic> {
        let mut all: rhai::FnArgsVec<&mut Dynamic> = std::iter::once(&mut *this).chain(arguments.iter_mut()).collect();
        // Limits on operations count one call.
        self.global.num_operations = 0;
        let mut context =
            rhai::EvalContext::new(component.host.engine(), &mut self.global, &mut self.caches, &mut self.scope, None);
        let result = context.call_fn_raw(name, true, true, &mut all);
        drop(all);
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
            let fields = |owner: &str| component.fields(this, owner, name, given.as_ref());
            let error = traceback::explain_with(&component.host, *error, label, &fields);
            // Rhai does not say where a recursion without end was.
            match component.compiled.defined(name) {
                Some(place) => error.at(place),
                None => error,
            }
        })
    }
}

/// Checks that the function which an import path names is there.
fn check_function(compiled: &Compiled, import: &str, function: Option<&str>) -> Result<()> {
    let Some(name) = function.filter(|name| compiled.arities(name).is_empty()) else { return Ok(()) };
    Err(Error::recipe(format!("no function `{name}` in `{}`", compiled.script.label))
        .coded(codes::NO_FUNCTION)
        .maybe_hint(error::did_you_mean(name, compiled.names()))
        .hint(format!("functions: {}", error::list(compiled.names())))
        .within(format!("import `{import}`")))
}

fn field_names(map: &Map) -> Vec<String> {
    map.keys().map(ToString::to_string).collect()
}
