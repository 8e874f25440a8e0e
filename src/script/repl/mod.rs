//! A session of the prompt: variables, functions and imports live from line to line.

mod calls;
mod command;
mod complete;
mod path;
mod preview;
mod profile;
mod replay;

use std::path::Path;

use rhai::{
    AST, Caches, Dynamic, EvalAltResult, Expr, ImmutableString, Module, ParseErrorType, Position, Scope, Shared, Stmt,
};

pub use calls::Called;
pub use command::{COMMANDS, Command, list};
pub use complete::complete;
pub use preview::Answer;
pub use profile::Cost;
pub use replay::replay;

use crate::artifact;
use crate::error::{Error, Result};
use crate::script::api::runs::RunHandle;
use crate::script::host::Host;
use crate::script::source::Script;
use crate::script::{cast, manual, syntax, traceback};
use crate::tensor::Array;

/// The name errors show for what was entered.
const LABEL: &str = "<prompt>";

/// A way to run a compiled entry.
type Way<'a> = dyn FnMut(&mut Session, &AST) -> std::result::Result<Dynamic, Box<EvalAltResult>> + 'a;

/// What was entered so far.
pub struct Session {
    host: Host,
    scope: Scope<'static>,
    functions: AST,
    imports: Vec<(ImmutableString, Shared<Module>)>,
    /// The import paths that entries gave, by name.
    paths: Vec<(String, String)>,
    /// The entries that ran, each with the number of lines before it.
    entered: Vec<(usize, String)>,
    /// What functions that measure themselves call, while there are such.
    measuring: Option<Shared<Module>>,
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
            measuring: None,
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

    /// Runs one entry; returns what the prompt shows of its value, or `None` when it has none.
    ///
    /// # Errors
    /// See [`Session::eval`].
    pub fn answer(&mut self, text: &str) -> Result<Option<Answer>> {
        let value = self.value(text)?;
        Ok((!value.is_unit()).then(|| preview::answer(&self.host, &value)))
    }

    /// Gives a variable a value.
    pub fn set(&mut self, name: &str, value: Dynamic) {
        self.scope.set_value(name.to_owned(), value);
    }

    /// Runs one entry; returns its value.
    fn value(&mut self, text: &str) -> Result<Dynamic> {
        self.value_with(text, &mut |session, entry| session.run(entry))
    }

    /// Compiles one entry and runs it in a way of the caller's.
    fn value_with(&mut self, text: &str, run: &mut Way) -> Result<Dynamic> {
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
        match run(self, &whole) {
            Ok(value) => {
                whole.clear_statements();
                self.functions = whole;
                self.remember(text, self.text[..before].matches('\n').count(), &ast);
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
        self.run_parts(entry, &mut std::iter::once(entry.statements()), &mut |_| ())
    }

    /// Runs statements of an entry, part by part; `done` is told after each.
    fn run_parts<'a>(
        &mut self,
        entry: &AST,
        parts: &mut dyn Iterator<Item = &'a [Stmt]>,
        done: &mut dyn FnMut(&'a [Stmt]),
    ) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
        let engine = self.host.engine();
        let mut global = engine.new_global_runtime_state();
        global.source = Some(LABEL.into());
        global.lib.extend(self.measuring.clone());
        global.lib.push(entry.shared_lib().clone());
        for (name, module) in &self.imports {
            global.push_import(name.clone(), module.clone());
        }
        let (mut value, mut caches) = (Dynamic::UNIT, Caches::new());
        for part in parts {
            // The ways that are not deprecated forget what an entry imports.
            #[allow(deprecated)]
            let given = engine.eval_statements_raw(&mut global, &mut caches, &mut self.scope, part)?;
            value = given;
            done(part);
        }
        self.imports = global.scan_imports_raw().map(|(name, module)| (name.clone(), module.clone())).collect();
        Ok(value)
    }

    fn remember(&mut self, text: &str, lines: usize, ast: &AST) {
        self.entered.push((lines, text.trim_end().to_owned()));
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
    pub fn load(&mut self, file: &str) -> Result<Option<Answer>> {
        let script = self.host.read(&self.host.roots().readable(file)?)?;
        self.answer(&script.text)
    }

    /// Reads all imported scripts, and those of runs that variables hold, again and returns the names. What has a
    /// mistake stays as it was.
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
        for (name, _, value) in self.scope.iter() {
            if let Some(run) = value.read_lock::<RunHandle>() {
                match run.reload() {
                    Ok(()) => names.push(name.to_owned()),
                    Err(error) => errors.push(error.within(format!("the run `{name}` stays as it was"))),
                }
            }
        }
        Error::join(errors).map_or(Ok(names), Err)
    }

    /// Returns the help on a name: what the program explains, a function that was entered, or a script of the project by
    /// its import path.
    ///
    /// # Errors
    /// A name that means nothing.
    pub fn help(&self, name: &str) -> Result<String> {
        let own: String = self
            .functions
            .iter_functions()
            .filter(|function| function.name == name)
            .map(|function| {
                let comment: Vec<&str> =
                    function.comments.iter().map(|line| line.trim_start_matches('/').trim()).collect();
                let head = format!("    {}({})", function.name, function.params.join(", "));
                format!("{}\n", format!("{head}\n\n{}", comment.join("\n")).trim_end())
            })
            .collect();
        match manual::help(name) {
            _ if !own.is_empty() => Ok(own),
            Err(_) if name.contains('.') && !name.starts_with("std.") => manual::help_on_script(&self.host, name),
            found => found,
        }
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
        let text: String = self.entered.iter().map(|(_, entry)| format!("{entry}\n")).collect();
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
