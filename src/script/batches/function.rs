//! A function that a script names or hands over, to be called for many items from any thread.

use std::sync::Arc;

use rhai::{Dynamic, FnPtr, NativeCallContext};

use crate::error::{self, Error, Result};
use crate::record::Mode;
use crate::script::api::arguments::Answer;
use crate::script::callable::{Callable, Calls};
use crate::script::component::{Component, Session};
use crate::script::traceback::{raise, type_phrase};

/// A function of a script.
#[derive(Clone)]
pub enum Function {
    /// One that was handed over.
    Pointer(Callable),
    /// One of a module, by its name.
    Named(Arc<Component>, String),
}

impl Function {
    /// Returns the function that a script hands over, or names: a text is a function of the module, or of the
    /// calling script.
    ///
    /// # Errors
    /// Neither a function nor a name of one.
    pub fn new(context: &NativeCallContext, value: &Dynamic, module: Option<&Arc<Component>>) -> Answer<Function> {
        if let Some(pointer) = value.read_lock::<FnPtr>() {
            return Ok(Function::Pointer(Callable::new(context, pointer.clone())?));
        }
        let Ok(name) = value.as_immutable_string_ref() else {
            return Err(raise(Error::script(format!(
                "expected a function or the name of one, found {}",
                type_phrase(value.type_name())
            ))));
        };
        if let Some(module) = module.filter(|module| module.has(&name)) {
            return Ok(Function::Named(module.clone(), name.to_string()));
        }
        let own: Vec<&str> = context
            .namespaces()
            .iter()
            .flat_map(|module| module.iter_script_fn_info().map(|(_, _, name, ..)| name))
            .collect();
        if own.contains(&name.as_str()) {
            return Ok(Function::Pointer(Callable::new(context, FnPtr::new(name.as_str())?)?));
        }
        let names = module.map(|module| module.functions()).unwrap_or_default();
        let names = names.iter().map(String::as_str).chain(own);
        Err(raise(
            Error::script(format!("there is no function `{}`", name.as_str()))
                .maybe_hint(error::did_you_mean(&name, names)),
        ))
    }

    /// Returns the name errors show.
    pub fn name(&self) -> String {
        match self {
            Function::Pointer(callable) if callable.function().is_anonymous() => "the function".to_owned(),
            Function::Pointer(callable) => format!("`{}`", callable.function().fn_name()),
            Function::Named(_, name) => format!("`{name}`"),
        }
    }

    /// Returns whether it can be called with so many arguments.
    pub fn takes(&self, count: usize) -> bool {
        match self {
            Function::Pointer(callable) => callable.takes(count),
            Function::Named(module, name) => module.arities(name).contains(&count),
        }
    }

    /// Returns the variable of the script around it that it assigns to, if it does.
    pub fn assigns(&self) -> Option<String> {
        match self {
            Function::Pointer(callable) => callable.assigns(),
            Function::Named(..) => None,
        }
    }

    /// Starts a series of calls; `apart` gives it copies of the variables around it.
    ///
    /// # Errors
    /// None while the host lives.
    pub fn start(&self, apart: bool) -> Result<Running<'_>> {
        Ok(match self {
            Function::Pointer(callable) => Running::Calls(Box::new(callable.calls(apart)?)),
            Function::Named(module, name) => Running::Session(Box::new(module.session(Some(Mode::Train))), name),
        })
    }

    /// Calls the function once.
    ///
    /// # Errors
    /// Whatever it raises.
    pub fn call(&self, mut arguments: Vec<Dynamic>) -> Result<Dynamic> {
        self.start(false)?.call(&mut arguments)
    }
}

/// A series of calls.
pub enum Running<'a> {
    /// Of a function that was handed over.
    Calls(Box<Calls>),
    /// Of a module's function.
    Session(Box<Session<'a>>, &'a str),
}

impl Running<'_> {
    /// Calls the function; the arguments are used up.
    ///
    /// # Errors
    /// Whatever it raises.
    pub fn call(&mut self, arguments: &mut [Dynamic]) -> Result<Dynamic> {
        match self {
            Running::Calls(calls) => calls.call(arguments),
            Running::Session(session, name) => session.call(name, arguments),
        }
    }
}
