//! Tests in the scripts of a project: functions without parameters whose names begin with `test_`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rhai::{AST, CallFnOptions, Dynamic, Scope, Stmt};
use serde_json::Value;

use crate::artifact::{self, layout};
use crate::error::{Error, Result, codes};
use crate::script::host::{Builder, Host};
use crate::script::{golden, traceback};

/// What the name of a test begins with.
pub const PREFIX: &str = "test_";

/// The folder of golden values below the project root.
pub const GOLDEN: &str = "golden";

/// Scripts that are looked at, at most.
const FILES: usize = 10_000;

/// What a host knows while tests run.
#[derive(Debug, Default)]
pub struct Testing {
    update: bool,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    /// Where the golden values of the test lie, without ending.
    place: PathBuf,
    written: usize,
}

/// The tests of one script.
pub struct Script {
    /// Its name below the project root.
    pub label: String,
    /// The names of its tests, in the order of the file.
    pub tests: Vec<String>,
    host: Host,
    ast: AST,
    file: PathBuf,
}

impl Testing {
    /// Prepares for tests; with `update` golden values are written instead of compared.
    pub fn new(update: bool) -> Self {
        Testing { update, now: Mutex::default() }
    }

    /// Compares a value with the golden one of the running test, or writes it.
    ///
    /// # Errors
    /// No golden value yet; one that differs.
    pub fn golden(&self, name: Option<&str>, found: &Value, tolerance: f64) -> Result<()> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = now.place.clone().into_os_string();
        if let Some(name) = name {
            file.push(format!(".{name}"));
        }
        file.push(".json");
        let file = PathBuf::from(file);
        if self.update {
            let text = format!("{}\n", serde_json::to_string_pretty(found).unwrap_or_default());
            if std::fs::read_to_string(&file).is_ok_and(|known| known == text) {
                return Ok(());
            }
            file.parent().map_or(Ok(()), artifact::make_folder)?;
            now.written += 1;
            return artifact::write_atomic(&file, text.as_bytes());
        }
        let shown = file.display();
        if !file.is_file() {
            return Err(Error::run(format!("there is no golden value `{shown}` yet"))
                .hint("`barrage test --update` writes it: look at it before you keep it"));
        }
        // The reader of JSON may be off by the last bit: both sides are read.
        let found: Value = serde_json::from_str(&found.to_string()).unwrap_or_else(|_| found.clone());
        golden::check(&artifact::read_json(&file)?, &found, tolerance, &format!("the golden value `{shown}`"))
            .map_err(|error| error.hint("if the new value is right, `barrage test --update` takes it over"))
    }

    /// Returns how many golden values were written.
    pub fn written(&self) -> usize {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).written
    }
}

/// Returns all scripts below a folder that may have tests, or the file alone; those of runs are left out.
pub fn files(root: &Path) -> Vec<PathBuf> {
    if root.is_file() {
        return vec![root.to_owned()];
    }
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|entry| {
        let hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let output = entry.file_name() == "target" || entry.path().join(layout::NETWORK_PARAMS).is_file();
        !hidden && !output
    });
    let scripts = entries.filter_map(|entry| Some(entry.ok()?.into_path()));
    scripts.filter(|path| path.extension().is_some_and(|ending| ending == "rhai")).take(FILES).collect()
}

impl Script {
    /// Compiles a script, if it has tests.
    ///
    /// # Errors
    /// One with tests that does not compile.
    pub fn read(builder: Builder, file: &Path) -> Result<Option<Script>> {
        // Most scripts of a project have no tests, and a host takes longer to make than a file to read.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if !text.contains(&format!("fn {PREFIX}")) {
            return Ok(None);
        }
        let host = builder.build()?;
        let script = host.read(file)?;
        host.sources().insert(script.clone());
        let ast = host.compile_text(&script)?;
        let place = |name: &str| text.find(&format!("fn {name}("));
        let mut tests: Vec<String> = ast
            .iter_functions()
            .filter(|function| function.name.starts_with(PREFIX) && function.params.is_empty())
            .map(|function| function.name.to_owned())
            .collect();
        tests.sort_by_key(|name| place(name));
        Ok((!tests.is_empty()).then(|| Script {
            label: script.label.to_string(),
            tests,
            host,
            ast,
            file: file.to_owned(),
        }))
    }

    /// Runs one test.
    ///
    /// # Errors
    /// Whatever the test raises.
    pub fn run(&self, test: &str) -> Result<()> {
        let Some(testing) = self.host.testing() else {
            return Err(Error::run("no tests are run here").coded(codes::NOT_AVAILABLE));
        };
        let root = &self.host.roots().root;
        let below = self.file.canonicalize().unwrap_or_else(|_| self.file.clone());
        let below = below.strip_prefix(root).unwrap_or(&self.file).with_extension("");
        testing.now.lock().unwrap_or_else(PoisonError::into_inner).place =
            self.host.roots().near(&root.join(GOLDEN).join(below).join(test));
        // The constants and imports of a component are needed; the statements of a recipe would train.
        let declares = self.ast.statements().iter().all(|statement| match statement {
            Stmt::Import(..) | Stmt::Export(..) | Stmt::Noop(..) => true,
            Stmt::Var(_, flags, _) => flags.bits() & 1 == 1,
            _ => false,
        });
        let options = CallFnOptions::new().eval_ast(declares);
        self.host
            .engine()
            .call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, test, ())
            .map(drop)
            .map_err(|error| traceback::explain(&self.host, *error, &self.label))
    }
}
