//! How long each statement of an entry takes, and each function that it calls.

use rhai::{AST, Dynamic, ImmutableString, Module, Scope, Shared, Stmt};

use super::Session;
use super::calls::{self, Called, Calls};
use crate::error::Result;
use crate::script::resolver;

/// What one statement cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its text, as far as it stands on that line.
    pub text: String,
    /// Seconds.
    pub seconds: f64,
}

impl Session {
    /// Runs an entry, or the script of that name, and returns its value, what each of its statements cost, and each function of
    /// the entry, of those before it and of scripts that they import; `clock` tells the time in seconds.
    ///
    /// # Errors
    /// See [`Session::eval`].
    pub fn profile(&mut self, entry: &str, clock: &dyn Fn() -> f64) -> Result<(Dynamic, Vec<Cost>, Vec<Called>)> {
        let text = match entry.trim() {
            file if file.ends_with(".rhai") && !file.contains(char::is_whitespace) => {
                self.host.read(&self.host.roots().readable(file)?)?.text.to_string()
            }
            _ => entry.to_owned(),
        };
        let (before, mut starts, mut costs) = (self.text.matches('\n').count(), Vec::new(), Vec::new());
        let calls = Calls::default();
        let imports = self.imports.clone();
        let value = self.value_with(&text, &mut |session, entry| {
            let measuring = session.measuring_functions(&text, before, entry);
            session.imports = session.measuring_imports();
            session.measuring = Some(calls.module());
            let mut last = clock();
            session.run_parts(&measuring, &mut entry.statements().chunks(1), &mut |part: &[Stmt]| {
                let now = clock();
                let position = part.first().map(Stmt::position).unwrap_or_default();
                // Lines of an entry count on from those before it.
                let line = position.line().unwrap_or(0).saturating_sub(before).max(1);
                starts.push(offset(&text, line, position.position().unwrap_or(1)));
                costs.push(Cost { line, text: String::new(), seconds: now - last });
                last = now;
            })
        });
        self.measuring = None;
        // What the entry imported itself stays.
        self.imports.retain(|(name, _)| !imports.iter().any(|(known, _)| known == name));
        self.imports.splice(0..0, imports);
        let value = value?;
        for (at, cost) in costs.iter_mut().enumerate() {
            let end = starts.get(at + 1).copied().unwrap_or(text.len()).max(starts[at]);
            let own = text.get(starts[at]..end).unwrap_or_default();
            cost.text = own.lines().next().unwrap_or_default().trim().to_owned();
        }
        Ok((value, costs, calls.sum()))
    }

    /// Returns an entry's functions and those of all entries before it, measuring themselves.
    fn measuring_functions(&self, text: &str, lines: usize, entry: &AST) -> AST {
        let engine = self.host.engine();
        let mut all = entry.clone_functions_only();
        let earlier = self.entered.iter().map(|(lines, text)| (*lines, text.as_str()));
        for (lines, text) in earlier.chain([(lines, text)]) {
            // Lines count on, so that errors name the right ones.
            let padded = "\n".repeat(lines) + text;
            let Ok(own) = engine.compile_with_scope(&self.scope, &padded) else { continue };
            let mut own = calls::compile(engine, &padded, &own, "");
            own.clear_statements();
            all = all.merge(&own);
        }
        all.set_source(super::LABEL);
        all
    }

    /// Returns the imported modules, those of scripts with functions that measure themselves.
    fn measuring_imports(&self) -> Vec<(ImmutableString, Shared<Module>)> {
        let measuring = |name: &str| -> Option<Shared<Module>> {
            let (_, path) = self.paths.iter().find(|(known, _)| known == name)?;
            let script = resolver::imported(&self.host, path).ok()?;
            let ast = self.host.compile_text(&script).ok()?;
            let mut ast = calls::compile(self.host.engine(), &script.text, &ast, &format!("{name}::"));
            ast.set_source(script.label.to_string());
            Module::eval_ast_as_new(Scope::new(), &ast, self.host.engine()).ok().map(Shared::new)
        };
        let one = |(name, module): &(ImmutableString, Shared<Module>)| {
            (name.clone(), measuring(name).unwrap_or_else(|| module.clone()))
        };
        self.imports.iter().map(one).collect()
    }
}

/// Returns where a column (in characters) of a line begins in a text; both count from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}
