//! How long the functions of an entry take: each function's text gets a statement that measures until it is left.
//!
//! What is measured is compiled anew from the text, with `let … = …;` after the brace that opens a function: a value that
//! is dropped when the function is left, however that happens. Functions keep their lines.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use rhai::{AST, Engine, Module, Shared};

use crate::clock::Stopwatch;

/// The native function that measuring text calls; scripts cannot write such a name by accident.
const ENTER: &str = "profiled__enter";

/// The variable that holds what is dropped.
const HELD: &str = "profiled__held";

/// What the calls of one function cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// Its name, with that of its module before it.
    pub name: String,
    /// How often it was called.
    pub calls: usize,
    /// Seconds from its calls to their ends; of a function that calls itself the outermost count.
    pub seconds: f64,
    /// Seconds of these that were not spent in other functions of scripts.
    pub own: f64,
}

/// The calls that are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// In the order of their first calls.
    functions: Vec<Called>,
    /// The calls under way on each thread, innermost last: which function, and the seconds spent in calls within.
    under_way: HashMap<ThreadId, Vec<(usize, f64)>>,
}

/// A call under way, until it is dropped.
struct Running {
    calls: Calls,
    begun: Stopwatch,
}

impl Drop for Running {
    fn drop(&mut self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut state = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { functions, under_way } = &mut *state;
        let stack = under_way.entry(std::thread::current().id()).or_default();
        let Some((at, within)) = stack.pop() else { return };
        if let Some((_, within)) = stack.last_mut() {
            *within += seconds;
        }
        if stack.iter().all(|(other, _)| *other != at) {
            functions[at].seconds += seconds;
        }
        functions[at].own += (seconds - within).max(0.0);
    }
}

impl Calls {
    fn enter(&self, name: &str) -> Arc<Running> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.functions.iter().position(|function| function.name == name);
        let at = known.unwrap_or_else(|| {
            state.functions.push(Called { name: name.to_owned(), calls: 0, seconds: 0.0, own: 0.0 });
            state.functions.len() - 1
        });
        state.functions[at].calls += 1;
        state.under_way.entry(std::thread::current().id()).or_default().push((at, 0.0));
        Arc::new(Running { calls: self.clone(), begun: Stopwatch::start() })
    }

    /// Returns the native function, in a module to be looked through with the functions of scripts.
    pub fn module(&self) -> Shared<Module> {
        let (calls, mut module) = (self.clone(), Module::new());
        rhai::FuncRegistration::new(ENTER)
            .in_global_namespace()
            .with_purity(false)
            .with_volatility(true)
            .set_into_module(&mut module, move |name: &str| calls.enter(name));
        module.build_index();
        module.into()
    }

    /// Returns what was counted, the most expensive first.
    pub fn sum(&self) -> Vec<Called> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).functions.clone();
        all.sort_by(|a, b| b.own.total_cmp(&a.own));
        all
    }
}

/// Returns a text whose functions measure themselves, as `ast` has them; `prefix` stands before their names.
pub(super) fn measuring(text: &str, ast: &AST, prefix: &str) -> String {
    let lines: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut places: Vec<(usize, String)> = Vec::new();
    for function in ast.iter_fn_def() {
        let position = function.body.start_position();
        let (Some(line), Some(column)) = (position.line(), position.position()) else { continue };
        let Some(start) = lines.get(line - 1) else { continue };
        let rest = &text[*start..];
        let Some((at, '{')) = rest.char_indices().nth(column - 1) else { continue };
        let name = if function.name.starts_with("anon$") {
            format!("closure of line {line}")
        } else {
            function.name.to_string()
        };
        places.push((start + at + 1, format!("{prefix}{name}")));
    }
    places.sort();
    places.dedup_by_key(|(at, _)| *at);
    let mut measuring = text.to_owned();
    for (at, name) in places.iter().rev() {
        measuring.insert_str(*at, &format!(" let {HELD} = {ENTER}({name:?});"));
    }
    measuring
}

/// Returns the functions of a text, measuring; those of `ast` where that cannot be compiled.
pub(super) fn compile(engine: &Engine, text: &str, ast: &AST, prefix: &str) -> AST {
    engine.compile(measuring(text, ast, prefix)).unwrap_or_else(|_| ast.clone())
}
