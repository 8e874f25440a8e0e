//! A function of a component, lowered once, with the component's state as a value.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::halt::{Halt, Outcome};
use super::program::Program;
use super::report::ElementLoop;
use super::run::Run;
use super::value::Value;
use super::{loops, lower};
use crate::record::Mode;
use crate::script::{Component, Limits};

/// A function that can be followed.
pub(super) struct Prepared {
    program: Program,
    /// The state by its version and mode.
    states: Mutex<Vec<(u64, Mode, Arc<Value>)>>,
    /// The first loop over elements of a tensor that was run.
    element_loop: OnceLock<ElementLoop>,
}

impl Prepared {
    /// Lowers a function.
    pub fn new(component: &Component, function: &str, arity: usize) -> Outcome<Prepared> {
        let host = component.host();
        if host.interpret() {
            return Err(Halt::new("`--interpret` is given"));
        }
        if !unlimited(host.limits()) {
            return Err(Halt::new("limits are set for scripts"));
        }
        let program = lower::lower(host, component.compiled(), function, arity)?;
        Ok(Prepared { program, states: Mutex::default(), element_loop: OnceLock::new() })
    }

    /// Calls the function for `len` lanes.
    pub fn call(&self, component: &Component, mode: Mode, arguments: Vec<Value>, len: usize) -> Outcome<Value> {
        let host = component.host();
        let this = self.state(component, mode);
        let mut run = Run::new(&self.program, host, &this);
        let result = run.call(0, arguments, len)?;
        if self.element_loop.get().is_none()
            && let Some((function, at)) = run.element_loop()
            && let Some(function) = self.program.functions.get(function)
            && let Some(place) = host.sources().place(&function.script, at)
        {
            let _ = self.element_loop.set(ElementLoop { instead: loops::instead(component.compiled(), at), place });
        }
        Ok(result)
    }

    /// Returns the first loop over elements of a tensor that was run.
    pub fn element_loop(&self) -> Option<&ElementLoop> {
        self.element_loop.get()
    }

    /// Returns the component's state as a value, made once for each state and mode.
    fn state(&self, component: &Component, mode: Mode) -> Arc<Value> {
        let version = component.version();
        let mut known = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(own, ..)| *own == version);
        if let Some((.., value)) = known.iter().find(|(_, own, _)| *own == mode) {
            return value.clone();
        }
        let value = Arc::new(Value::from_dynamic(component.state_in(mode)));
        known.push((version, mode, value.clone()));
        value
    }
}

/// Limits count what interpretation does; a script is followed only when it has all the room it wants.
fn unlimited(limits: &Limits) -> bool {
    let usual = Limits::default();
    limits.operations == 0 && limits.text >= usual.text && limits.array >= usual.array && limits.map >= usual.map
}
