//! A session of the prompt: variables, functions and imports live from line to line.

use rhai::{AST, Caches, Dynamic, EvalAltResult, ImmutableString, Module, ParseErrorType, Position, Scope, Shared};

use crate::error::Result;
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::{syntax, traceback};

/// The name errors show for what was entered.
const LABEL: &str = "<prompt>";

/// What was entered so far.
pub struct Session {
    host: Host,
    scope: Scope<'static>,
    functions: AST,
    imports: Vec<(ImmutableString, Shared<Module>)>,
    /// All entries as one text: a line number says which entry a function is from, however often others followed.
    text: String,
}

impl Session {
    /// Starts an empty session.
    pub fn new(host: Host) -> Self {
        Session { host, scope: Scope::new(), functions: AST::empty(), imports: Vec::new(), text: String::new() }
    }

    /// Runs one entry; returns its value as text, or `None` when it has none.
    ///
    /// # Errors
    /// Syntax errors and whatever the entry raises; the session goes on.
    pub fn eval(&mut self, text: &str) -> Result<Option<String>> {
        let before = self.text.len();
        // The lines before keep their places and are not compiled again.
        let padded = "\n".repeat(self.text.matches('\n').count()) + text;
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
        let script = Script { label: LABEL.into(), text: self.text.as_str().into(), file: None };
        self.host.sources().insert(script);
        let mut ast = self.host.engine().compile_with_scope(&self.scope, &padded).map_err(|error| {
            let error = syntax::explain_parse(&self.host, &error, LABEL);
            // What does not compile stays out of the text, which is read again for the places of configs.
            let lines = self.text[before..].matches('\n').count();
            self.text.truncate(before);
            self.text.push_str(&"\n".repeat(lines));
            error
        })?;
        ast.set_source(LABEL);
        let mut whole = self.functions.merge(&ast);
        whole.set_source(LABEL);
        let depth = self.scope.len();
        match self.run(&whole) {
            Ok(value) => {
                whole.clear_statements();
                self.functions = whole;
                Ok((!value.is_unit()).then(|| show(&self.host, &value)))
            }
            Err(error) => {
                self.scope.rewind(depth);
                Err(traceback::explain(&self.host, *error, LABEL))
            }
        }
    }

    /// Runs the statements of an entry with the functions and imports of all entries.
    fn run(&mut self, entry: &AST) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
        let engine = self.host.engine();
        let mut global = engine.new_global_runtime_state();
        global.source = Some(LABEL.into());
        global.lib.push(entry.shared_lib().clone());
        for (name, module) in &self.imports {
            global.push_import(name.clone(), module.clone());
        }
        // The ways that are not deprecated forget what an entry imports.
        #[allow(deprecated)]
        let value = engine.eval_statements_raw(&mut global, &mut Caches::new(), &mut self.scope, entry.statements())?;
        self.imports = global.scan_imports_raw().map(|(name, module)| (name.clone(), module.clone())).collect();
        Ok(value)
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
