//! Calls of native functions through the engine, as a script would make them.

use rhai::{Dynamic, EvalAltResult, Scope};

use super::halt::{Halt, Outcome};
use crate::script::host::Host;

/// The engine's state for calls of native functions; no scripted function is visible in it.
pub(super) struct Natives<'a> {
    host: &'a Host,
    state: Option<State>,
}

struct State {
    global: rhai::GlobalRuntimeState,
    caches: rhai::Caches,
    scope: Scope<'static>,
}

impl<'a> Natives<'a> {
    pub fn new(host: &'a Host) -> Self {
        Natives { host, state: None }
    }

    /// Returns the name of a value's type, as `type_of` gives it.
    pub fn type_name(&self, value: &Dynamic) -> &'a str {
        self.host.engine().map_type_name(value.type_name())
    }

    /// Calls a function; its first argument may be changed.
    ///
    /// # Errors
    /// No such function for these types, and whatever it raises: both are for interpretation to find again.
    pub fn call(&mut self, name: &str, arguments: &mut [Dynamic]) -> Outcome<Dynamic> {
        let state = self.state.get_or_insert_with(|| State {
            global: self.host.engine().new_global_runtime_state(),
            caches: rhai::Caches::new(),
            scope: Scope::new(),
        });
        state.global.num_operations = 0;
        let mut all: rhai::FnArgsVec<&mut Dynamic> = arguments.iter_mut().collect();
        let engine = self.host.engine();
        let mut context = rhai::EvalContext::new(engine, &mut state.global, &mut state.caches, &mut state.scope, None);
        let result = context.call_native_fn_raw(name, true, &mut all);
        state.scope.rewind(0);
        result.map_err(|error| match *error {
            EvalAltResult::ErrorFunctionNotFound(..) => Halt::new(format!("`{name}` does not take these values")),
            _ => Halt::new(format!("`{}` raises an error", name.trim_start_matches("get$"))),
        })
    }
}
