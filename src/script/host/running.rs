//! Scripts that are run, and components that are found.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use rhai::{Dynamic, Scope};

use super::Host;
use crate::error::{Error, Kind, Result, codes, near_file};
use crate::registry::Params;
use crate::script::compiled::Compiled;
use crate::script::component::Component;
use crate::script::resolver::{self, Resolved};
use crate::script::source::Script;
use crate::script::{lint, syntax, traceback};

impl Host {
    /// Runs a recipe from a file.
    ///
    /// # Errors
    /// A missing file, a syntax error, or whatever the recipe raises, with its place.
    pub fn run_file(&self, file: &Path) -> Result<Dynamic> {
        let script = self.read(file)?;
        self.run(&mut Scope::new(), script)
    }

    /// Runs a text as a script and returns its last value; errors show it as `<script>`.
    ///
    /// # Errors
    /// A syntax error, or whatever the script raises.
    pub fn eval(&self, text: &str) -> Result<Dynamic> {
        self.eval_with(&mut Scope::new(), text)
    }

    /// Runs a text as a script that sees the variables of a scope, and leaves its own there.
    ///
    /// ```
    /// use barrage::prelude::*;
    /// let host = Host::builder(".").build()?;
    /// let mut scope = Scope::new();
    /// scope.push("rate", 0.5);
    /// host.eval_with(&mut scope, "let half = rate * 10.0;")?;
    /// assert_eq!(scope.get_value::<f64>("half"), Some(5.0));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// A syntax error, or whatever the script raises.
    pub fn eval_with(&self, scope: &mut Scope, text: &str) -> Result<Dynamic> {
        self.run(scope, Script { label: "<script>".into(), text: text.into(), file: None })
    }

    fn run(&self, scope: &mut Scope, script: Script) -> Result<Dynamic> {
        self.0.sources.insert(script.clone());
        let ast = self.compile_text(&script)?;
        self.engine()
            .eval_ast_with_scope::<Dynamic>(scope, &ast)
            .map_err(|error| traceback::explain(self, *error, &script.label))
    }

    /// Compiles a text; the syntax tree carries the label as its source.
    pub(crate) fn compile_text(&self, script: &Script) -> Result<rhai::AST> {
        let mut ast =
            self.engine().compile(&*script.text).map_err(|error| syntax::explain_parse(self, &error, &script.label))?;
        ast.set_source(&*script.label);
        lint::check(self, &ast, &script.label)?;
        Ok(ast)
    }

    /// Reads a script, remembering its text for errors.
    pub(crate) fn read(&self, file: &Path) -> Result<Script> {
        let label = self.0.settings.roots.label(file);
        let text = std::fs::read_to_string(file).map_err(|error| {
            Error::new(Kind::Script, format!("cannot read the script `{}`: {}", file.display(), reason(&error)))
                .coded(codes::WRONG_FILE)
                .maybe_hint(near_file(file))
        })?;
        Ok(Script { label: label.into(), text: text.into(), file: Some(file.to_owned()) })
    }

    /// Finds the script an import path names and compiles it, once.
    ///
    /// # Errors
    /// An unknown path lists every place that was looked at and the nearest name.
    pub fn resolve(&self, path: &str) -> Result<(Arc<Compiled>, Option<String>)> {
        let Resolved { script, function } = resolver::resolve(self, path)?;
        let key = script.file.clone().unwrap_or_else(|| PathBuf::from(&*script.label));
        let mut compiled = self.0.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.get(&key).filter(|known| known.script.text == script.text) {
            return Ok((known.clone(), function));
        }
        let fresh = Arc::new(Compiled::new(self, script)?);
        compiled.insert(key, fresh.clone());
        Ok((fresh, function))
    }

    /// Makes the component an import path names.
    ///
    /// # Errors
    /// See [`Host::resolve`]; also parameters that are not what its `params()` declares.
    pub fn component(&self, path: &str, params: &Params) -> Result<Component> {
        self.component_with(path, params, &Params::new())
    }

    /// Checks the parameters of a component that gets more of them from elsewhere, without making it.
    ///
    /// # Errors
    /// See [`Host::resolve`]; given parameters that are not what its `params()` declares.
    pub fn check_given(&self, path: &str, params: &Params) -> Result<()> {
        let (compiled, function) = self.resolve(path)?;
        Component::undeclared(self, compiled, path)?.check_given(function.as_deref(), params)
    }

    /// Makes the component an import path names to ask it for its parameters; it has none.
    pub(crate) fn undeclared(&self, path: &str) -> Result<Component> {
        let (compiled, _) = self.resolve(path)?;
        Component::undeclared(self, compiled, path)
    }

    /// Makes the component an import path names, with parameters of the recipe and more from elsewhere, which are
    /// passed on where the component does not declare them.
    ///
    /// # Errors
    /// See [`Host::component`].
    pub fn component_with(&self, path: &str, params: &Params, more: &Params) -> Result<Component> {
        let (compiled, function) = self.resolve(path)?;
        Component::new(self, compiled, path, function, params, more)
    }
}

/// Returns an I/O error in plain words.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
    }
}
