//! A script's function that outlives the call it was given in: a closure with what it can see.
//!
//! Rhai looks functions up where they are called, so a function pointer alone is of no use elsewhere. A
//! [`Callable`] keeps the modules and imports that were in sight when the script handed it over.

use rhai::{Dynamic, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position};

use crate::error::{Error, Result};
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
