//! A script's function that outlives the call it was given in: a closure with what it can see.
//!
//! Rhai looks functions up where they are called, so a function pointer alone is of no use elsewhere. A
//! [`Callable`] keeps the modules and imports that were in sight when the script handed it over. [`Calls`] is a series
//! of calls with the engine's caches kept warm between them.

use rhai::{
    Caches, Dynamic, EvalAltResult, EvalContext, FnPtr, GlobalRuntimeState, NativeCallContext, Position, Scope,
};

use crate::error::{Error, Result};
use crate::script::clues;
use crate::script::host::{Host, Weak};
use crate::script::traceback::{self, raise};

/// A function of a script, to be called at any time and from any thread.
#[derive(Clone)]
pub struct Callable {
    function: FnPtr,
    /// What the function can see, as it was.
    sight: GlobalRuntimeState,
    label: String,
    host: Weak,
}

impl Callable {
    /// Keeps a function that a script hands to the running native function.
    ///
    /// # Errors
    /// None while the host lives.
    pub fn new(context: &NativeCallContext, function: FnPtr) -> std::result::Result<Self, Box<EvalAltResult>> {
        let host = Host::of(context)?;
        let label = context.call_source().unwrap_or("<script>").to_owned();
        Ok(Callable { function, sight: context.global_runtime_state().clone(), label, host: host.downgrade() })
    }

    /// Returns the function.
    pub fn function(&self) -> &FnPtr {
        &self.function
    }

    /// Returns what tells the function from others of its script, in every process: its name, or of a closure its
    /// parameters and where it begins. (The name of a closure is a hash that differs from process to process.)
    pub fn identity(&self) -> String {
        let name = self.function.fn_name();
        let closure = |module: &rhai::Shared<rhai::Module>| {
            let (.., closure) = module.iter_script_fn_info().find(|(_, _, own, ..)| *own == name)?;
            Some(format!("|{}| at {:?}", closure.params.join(", "), closure.body.start_position()))
        };
        let found = self.function.is_anonymous().then(|| self.sight.lib.iter().find_map(closure)).flatten();
        found.unwrap_or_else(|| name.to_owned())
    }

    /// Returns the name of the script it stands in.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Calls the function within the running script: errors pass through as they are.
    ///
    /// # Errors
    /// Whatever the script raises.
    pub fn raise(&self, arguments: Vec<Dynamic>) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
        let host = self.host.upgrade().ok_or_else(|| raise(Error::script("the script's host is gone")))?;
        let mut sight = self.sight.clone();
        // Limits on operations count one call.
        sight.num_operations = 0;
        let context =
            NativeCallContext::new_with_all_fields(host.engine(), "call", Some(&self.label), &sight, Position::NONE);
        self.function.call_raw(&context, None, arguments)
    }

    /// Calls the function from outside of a script.
    ///
    /// # Errors
    /// Whatever the script raises, with its place.
    pub fn call(&self, arguments: Vec<Dynamic>) -> Result<Dynamic> {
        self.raise(arguments).map_err(|error| match self.host.upgrade() {
            Some(host) => traceback::explain(&host, *error, &self.label),
            None => Error::script("the script's host is gone"),
        })
    }
}

/// Calls of one function, one after another, from one thread.
pub struct Calls {
    name: String,
    curry: Vec<Dynamic>,
    label: String,
    host: Host,
    sight: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
}

impl Callable {
    /// Starts a series of calls; with `apart`, variables that the function has captured are copied, so that each series
    /// has its own.
    ///
    /// # Errors
    /// None while the host lives.
    pub fn calls(&self, apart: bool) -> Result<Calls> {
        let host = self.host.upgrade().ok_or_else(|| Error::script("the script's host is gone"))?;
        let mut sight = self.sight.clone();
        // A call from outside is not nested in the one that handed the function over.
        sight.level = 0;
        Ok(Calls {
            name: self.function.fn_name().to_owned(),
            curry: self
                .function
                .curry()
                .iter()
                .map(|value| if apart { value.clone().flatten() } else { value.clone() })
                .collect(),
            label: self.label.clone(),
            host,
            sight,
            caches: Caches::new(),
            scope: Scope::new(),
        })
    }

    /// Returns a captured variable of the script around it that the function assigns to, if it does.
    pub fn assigns(&self) -> Option<String> {
        let captured = self.function.curry().len();
        if captured == 0 {
            return None;
        }
        let name = self.function.fn_name();
        let all = self.sight.lib.iter().flat_map(|module| module.iter_script_fn_info());
        let (.., definition) = all.into_iter().find(|(_, _, known, ..)| *known == name)?;
        let variables: Vec<&str> = definition.params.iter().take(captured).map(|name| name.as_str()).collect();
        let host = self.host.upgrade()?;
        let text = host.sources().get(&self.label)?.text;
        let lines = |position: Position| position.line().unwrap_or(1).saturating_sub(1);
        let (first, last) = (lines(definition.body.start_position()), lines(definition.body.end_position()));
        // The body, to whole lines: what stands beside it on them may only make the answer more careful.
        let body: String =
            text.lines().skip(first).take(last + 1 - first.min(last)).map(|line| format!("{line}\n")).collect();
        variables.into_iter().find(|name| clues::changes(&body, name)).map(str::to_owned)
    }

    /// Returns whether the function exists with so many parameters, captured variables left aside; functions of the
    /// program itself take any number.
    pub fn takes(&self, count: usize) -> bool {
        let count = count + self.function.curry().len();
        let name = self.function.fn_name();
        let arities: Vec<usize> = self
            .sight
            .lib
            .iter()
            .flat_map(|module| module.iter_script_fn_info())
            .filter(|(.., known, _, _)| *known == name)
            .map(|(.., parameters, _)| parameters)
            .collect();
        arities.is_empty() || arities.contains(&count)
    }
}

impl Calls {
    /// Calls the function; the arguments are used up.
    ///
    /// # Errors
    /// Whatever the script raises, with its place.
    pub fn call(&mut self, arguments: &mut [Dynamic]) -> Result<Dynamic> {
        let mut curry = self.curry.clone();
        let mut all: rhai::FnArgsVec<&mut Dynamic> = curry.iter_mut().chain(arguments.iter_mut()).collect();
        // Limits on operations count one call.
        self.sight.num_operations = 0;
        let mut context =
            EvalContext::new(self.host.engine(), &mut self.sight, &mut self.caches, &mut self.scope, None);
        let result = context.call_fn_raw(&self.name, false, false, &mut all);
        drop(all);
        self.scope.rewind(0);
        result.map_err(|error| {
            // The outermost wrapper is this very call.
            let error = match *error {
                EvalAltResult::ErrorInFunctionCall(called, source, inner, _)
                    if called == self.name && (source.is_empty() || source == self.label) =>
                {
                    inner
                }
                other => Box::new(other),
            };
            traceback::explain(&self.host, *error, &self.label)
        })
    }
}
