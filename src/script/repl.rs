//! A session of the prompt: variables, functions and imports live from line to line.

use rhai::{AST, Dynamic, ParseErrorType, Position, Scope};

use crate::error::Result;
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::traceback;

/// What was entered so far.
pub struct Session {
    host: Host,
    scope: Scope<'static>,
    functions: AST,
    entries: usize,
}

impl Session {
    /// Starts an empty session.
    pub fn new(host: Host) -> Self {
        Session { host, scope: Scope::new(), functions: AST::empty(), entries: 0 }
    }

    /// Runs one entry; returns its value as text, or `None` when it has none.
    ///
    /// # Errors
    /// Syntax errors and whatever the entry raises; the session goes on.
    pub fn eval(&mut self, text: &str) -> Result<Option<String>> {
        self.entries += 1;
        let script = Script { label: format!("<line {}>", self.entries).into(), text: text.into(), file: None };
        self.host.sources().insert(script.clone());
        let mut ast = self
            .host
            .engine()
            .compile_with_scope(&self.scope, text)
            .map_err(|error| traceback::explain_parse(&self.host, &error, &script.label))?;
        ast.set_source(&*script.label);
        let mut whole = self.functions.merge(&ast);
        whole.set_source(&*script.label);
        let depth = self.scope.len();
        let result = self.host.engine().eval_ast_with_scope::<Dynamic>(&mut self.scope, &whole);
        match result {
            Ok(value) => {
                whole.clear_statements();
                self.functions = whole;
                Ok((!value.is_unit()).then(|| show(&self.host, &value)))
            }
            Err(error) => {
                self.scope.rewind(depth);
                Err(traceback::explain(&self.host, *error, &script.label))
            }
        }
    }

    /// Returns whether more lines are needed: a bracket, a text or a comment is open.
    pub fn is_incomplete(text: &str) -> bool {
        let mut engine = rhai::Engine::new_raw();
        engine.set_max_expr_depths(0, 0);
        match engine.compile(text) {
            Ok(_) => text.rfind("/*").is_some_and(|open| !text[open..].contains("*/")),
            Err(error) => {
                let end = end_of(text.trim_end());
                match error.err_type() {
                    ParseErrorType::UnexpectedEOF => true,
                    ParseErrorType::BadInput(lexer) => {
                        matches!(lexer, rhai::LexError::UnterminatedString) && text.matches('`').count() % 2 == 1
                    }
                    _ => at_or_after(error.position(), end),
                }
            }
        }
    }
}

/// Returns a value as the prompt prints it: types print themselves through `to_string`.
fn show(host: &Host, value: &Dynamic) -> String {
    if value.is_string() {
        return format!("{:?}", value.to_string());
    }
    if let Ok(character) = value.as_char() {
        return format!("{character:?}");
    }
    let mut scope = Scope::new();
    scope.push_dynamic("value", value.clone());
    host.engine().eval_with_scope::<String>(&mut scope, "value.to_string()").unwrap_or_else(|_| value.to_string())
}

fn end_of(text: &str) -> (usize, usize) {
    let lines = text.lines().count().max(1);
    (lines, text.lines().last().map_or(0, |line| line.chars().count()))
}

fn at_or_after(position: Position, end: (usize, usize)) -> bool {
    match (position.line(), position.position()) {
        (Some(line), column) => (line, column.unwrap_or(0)) > end,
        _ => true,
    }
}
