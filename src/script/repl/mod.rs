//! A session of the prompt: variables, functions and imports live from line to line.

mod command;
mod complete;

use std::path::Path;

use rhai::{
    AST, Caches, Dynamic, EvalAltResult, Expr, ImmutableString, Module, ParseErrorType, Position, Scope, Shared, Stmt,
};

pub use command::{COMMANDS, Command, list};
pub use complete::complete;

use crate::artifact;
use crate::error::{Error, Result};
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::{cast, manual, syntax, traceback};
use crate::tensor::Array;

/// The name errors show for what was entered.
const LABEL: &str = "<prompt>";

/// What was entered so far.
pub struct Session {
    host: Host,
    scope: Scope<'static>,
    functions: AST,
    imports: Vec<(ImmutableString, Shared<Module>)>,
    /// The import paths that entries gave, by name.
    paths: Vec<(String, String)>,
    /// The entries that ran.
    entered: Vec<String>,
    /// All entries as one text: a line number says which entry a function is from, however often others followed.
    text: String,
}

impl Session {
    /// Starts an empty session.
    pub fn new(host: Host) -> Self {
        Session {
            host,
            scope: Scope::new(),
            functions: AST::empty(),
            imports: Vec::new(),
            paths: Vec::new(),
            entered: Vec::new(),
            text: String::new(),
        }
    }

    /// Runs one entry; returns its value as text, or `None` when it has none.
    ///
    /// # Errors
    /// Syntax errors and whatever the entry raises; the session goes on.
    pub fn eval(&mut self, text: &str) -> Result<Option<String>> {
        let value = self.value(text)?;
        Ok((!value.is_unit()).then(|| show(&self.host, &value)))
    }

    /// Runs one entry; returns its value.
    fn value(&mut self, text: &str) -> Result<Dynamic> {
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
                self.remember(text, &ast);
                Ok(value)
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

    fn remember(&mut self, text: &str, ast: &AST) {
        self.entered.push(text.trim_end().to_owned());
        for statement in ast.statements() {
            let Stmt::Import(import, _) = statement else { continue };
            if let Expr::StringConstant(path, _) = &import.0 {
                self.paths.retain(|(name, _)| *name != import.1.name.as_str());
                self.paths.push((import.1.name.to_string(), path.to_string()));
            }
        }
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the type of an entry's value, as scripts know it.
    ///
    /// # Errors
    /// See [`Session::eval`].
    pub fn type_of(&mut self, text: &str) -> Result<String> {
        let value = self.value(text)?;
        Ok(self.kind(&value))
    }

    /// Returns an entry's value as numbers to draw.
    ///
    /// # Errors
    /// See [`Session::eval`]; a value that is no tensor and no list of numbers.
    pub fn numbers(&mut self, text: &str) -> Result<Array> {
        let value = self.value(text)?;
        let tensor = cast::to_tensor(&value).map_err(|error| error.hint("only numbers can be drawn"))?;
        tensor.to_host()
    }

    /// Returns a table of the variables: name, type, and the first line of each value.
    pub fn vars(&self) -> String {
        let mut rows: Vec<[String; 3]> = Vec::new();
        // The newest come first, and hide older ones of their name.
        for (name, _, value) in self.scope.iter_raw() {
            if rows.iter().any(|[known, ..]| known == name) {
                continue;
            }
            let shown = show(&self.host, value);
            let first = shown.lines().next().unwrap_or_default();
            let short: String = first.chars().take(60).collect();
            let more = if short.len() < shown.len() { " …" } else { "" };
            rows.push([name.to_owned(), self.kind(value), format!("{short}{more}")]);
        }
        rows.reverse();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        rows.iter().map(|[name, kind, shown]| format!("{name:first$}  {kind:second$}  {shown}\n")).collect()
    }

    /// Runs a script as if it had been entered.
    ///
    /// # Errors
    /// A file outside of the project or that cannot be read, and see [`Session::eval`].
    pub fn load(&mut self, file: &str) -> Result<Option<String>> {
        let script = self.host.read(&self.host.roots().readable(file)?)?;
        self.eval(&script.text)
    }

    /// Reads all imported scripts again and returns their names. One with a mistake keeps its old functions.
    ///
    /// # Errors
    /// The mistakes of all scripts that could not be read.
    pub fn reload(&mut self) -> Result<Vec<String>> {
        let (mut names, mut errors) = (Vec::new(), Vec::new());
        for (name, path) in self.paths.clone() {
            let engine = self.host.engine();
            match engine.module_resolver().resolve(engine, None, &path, Position::NONE) {
                Ok(module) => {
                    self.imports.retain(|(own, _)| *own != name);
                    self.imports.push((name.as_str().into(), module));
                    names.push(name);
                }
                Err(error) => errors.push(traceback::explain(&self.host, *error, LABEL)),
            }
        }
        Error::join(errors).map_or(Ok(names), Err)
    }

    /// Writes the entries that ran as a script.
    ///
    /// # Errors
    /// A file that exists, or outside of the project, or that cannot be written.
    pub fn save(&self, file: &str) -> Result<()> {
        let path = self.host.roots().writable(file)?;
        if path.exists() {
            return Err(Error::script(format!("there is a file `{file}` already")).hint("choose another name"));
        }
        let text: String = self.entered.iter().map(|entry| format!("{entry}\n")).collect();
        artifact::write_atomic(Path::new(&path), text.as_bytes())
    }

    /// The type of a value as scripts know it.
    fn kind(&self, value: &Dynamic) -> String {
        manual::type_name(self.host.engine().map_type_name(value.type_name()))
    }

    /// Returns whether more lines are needed: a bracket, a text or a comment is open.
    pub fn is_incomplete(text: &str) -> bool {
        if text.trim_start().starts_with(':') {
            return false;
        }
        let mut engine = rhai::Engine::new_raw();
        engine.set_max_expr_depths(0, 0);
        match engine.compile(text) {
            // A comment that is not closed swallows what would be a mistake.
            Ok(_) => text.contains("/*") && engine.compile(format!("{text}\n)")).is_ok(),
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

#[cfg(test)]
mod tests {
    use super::Session;

    #[test]
    fn a_pattern_in_a_text_is_no_comment() {
        assert!(!Session::is_incomplete("files(\"images/*/*.png\")"));
        assert!(Session::is_incomplete("1 + 2 /* and"));
        assert!(!Session::is_incomplete("1 + 2 /* and */"));
    }
}
