//! Finds scripts by import path, and keeps every file access inside the project.
//!
//! A dotted path (`augment.noise.gaussian`) is looked up below the project root, then below each extra
//! path, then among the scripts of an embedding program; `std.…` is the embedded standard library. The
//! longest prefix that is a file is the script, what remains is a function in it. Rhai's own `import "augment/noise" as noise;` uses the same
//! places.

use std::cell::RefCell;
use std::path::{Component as Part, Path, PathBuf};
use std::sync::Arc;

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use crate::error::{Error, Kind, Result, codes, near_file, nearest};
use crate::script::host::{Host, Weak};
use crate::script::source::Script;
use crate::script::{stdlib, syntax, traceback};

/// The folders of a project.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The project root: scripts and data below it are visible.
    pub root: PathBuf,
    /// Further folders in which import paths are looked up.
    pub paths: Vec<PathBuf>,
    /// Further folders from which data may be read.
    pub readable: Vec<PathBuf>,
}

impl Roots {
    /// Returns the nearest parent of a recipe that holds a `barrage.toml`, else the recipe's folder.
    pub fn project_of(recipe: &Path) -> PathBuf {
        let folder = recipe.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        absolute.ancestors().find(|parent| parent.join("barrage.toml").is_file()).unwrap_or(&absolute).to_owned()
    }

    /// Returns the same folders with links resolved.
    pub fn canonical(self) -> Result<Self> {
        let resolve = |folder: &PathBuf| {
            folder.canonicalize().map_err(|_| {
                Error::new(Kind::Usage, format!("the folder `{}` does not exist", folder.display()))
                    .coded(codes::NO_FOLDER)
                    .maybe_hint(near_file(folder))
                    .hint("scripts and data are looked up below folders that exist")
            })
        };
        Ok(Roots {
            root: resolve(&self.root)?,
            paths: self.paths.iter().map(resolve).collect::<Result<_>>()?,
            readable: self.readable.iter().map(resolve).collect::<Result<_>>()?,
        })
    }

    /// Returns the name errors show for a file: the path below the root, or as it is.
    pub fn label(&self, file: &Path) -> String {
        let absolute = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let shown = std::iter::once(&self.root)
            .chain(&self.paths)
            .find_map(|root| absolute.strip_prefix(root).ok())
            .unwrap_or(file);
        shown.to_string_lossy().replace('\\', "/")
    }

    /// Returns a path as messages show it: relative to the current folder, if it lies below it.
    pub fn near(&self, path: &Path) -> PathBuf {
        let here = std::env::current_dir().ok();
        let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
        match below {
            Some(below) if below.as_os_str().is_empty() => PathBuf::from("."),
            Some(below) => below.to_owned(),
            None => path.to_owned(),
        }
    }

    /// Returns the project root for the end of a sentence: nothing when it is the current folder.
    fn shown(&self) -> String {
        match self.near(&self.root) {
            root if root == Path::new(".") => String::new(),
            root => format!(" `{}`", root.display()),
        }
    }

    /// Returns the file a script may read under this name.
    ///
    /// # Errors
    /// `..`, a link out of the project, and folders that were not allowed are refused.
    pub fn readable(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(name);
        let mut file = self.joined(path)?;
        if !file.exists() {
            // The scripts of a run name data relative to where it was trained, or to an allowed folder.
            let elsewhere = self.readable.iter().map(|folder| folder.join(path)).find(|other| other.exists());
            file = elsewhere.unwrap_or(file);
        }
        let real = file.canonicalize().map_err(|error| {
            let missing = Error::data(format!("cannot read `{name}`: {}", super::host::reason(&error)))
                .coded(codes::UNREADABLE_DATA);
            let folder = file.parent().unwrap_or(&self.root);
            let names = names_in(folder);
            let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            missing
                .maybe_hint(
                    nearest(&wanted, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?")),
                )
                .hint(format!("file names are relative to the project root{}", self.shown()))
        })?;
        self.check_inside(&real, name)?;
        Ok(real)
    }

    /// Returns the file or folder a script may write under this name (it need not exist): only below the
    /// project root, whatever else may be read.
    ///
    /// # Errors
    /// See [`Roots::readable`].
    pub fn writable(&self, name: &str) -> Result<PathBuf> {
        let file = self.joined(Path::new(name))?;
        let parent = file.parent().unwrap_or(&self.root);
        // The nearest folder that exists decides where the file really lies.
        let existing = parent.ancestors().find(|folder| folder.exists()).unwrap_or(&self.root);
        let real = existing.canonicalize().unwrap_or_else(|_| existing.to_owned());
        match real.starts_with(&self.root) {
            true => Ok(self.near(&file)),
            false => Err(self.outside(name).hint("scripts write below the project root only: name a file there")),
        }
    }

    fn joined(&self, path: &Path) -> Result<PathBuf> {
        if path.components().any(|part| part == Part::ParentDir) {
            return Err(Error::script(format!("`{}` leaves the project: `..` is not allowed", path.display()))
                .coded(codes::OUTSIDE)
                .hint("give a path below the project root, or allow the folder with `--allow-read DIR` and name it absolutely"));
        }
        Ok(self.root.join(path))
    }

    fn check_inside(&self, real: &Path, name: &str) -> Result<()> {
        let mut allowed = std::iter::once(&self.root).chain(&self.paths).chain(&self.readable);
        match allowed.any(|root| real.starts_with(root)) {
            true => Ok(()),
            false => Err(self.outside(name).hint("allow its folder with `--allow-read DIR`")),
        }
    }

    fn outside(&self, name: &str) -> Error {
        Error::script(format!("`{name}` lies outside the project{}", self.shown())).coded(codes::OUTSIDE)
    }
}

/// A script and the function in it that an import path names.
pub struct Resolved {
    /// The script.
    pub script: Script,
    /// The function, when the path goes on beyond the file.
    pub function: Option<String>,
}

/// Finds the script an import path names; see the module's text for the order.
///
/// # Errors
/// Lists every place that was looked at, and the nearest name.
pub fn resolve(host: &Host, path: &str) -> Result<Resolved> {
    let parts: Vec<&str> = path.split('.').collect();
    let plain = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !parts.iter().all(plain) {
        return Err(Error::recipe(format!("`{path}` is not an import path"))
            .coded(codes::NOT_A_PATH)
            .hint("write it with dots: `loaders.iris`, or `augment.noise.gaussian` for a function in a script"));
    }
    let mut looked = Vec::new();
    // The longest prefix first; at most one part may remain, since modules do not nest inside a file.
    for taken in [parts.len(), parts.len().saturating_sub(1)].into_iter().filter(|taken| *taken > 0) {
        let relative = parts[..taken].join("/");
        let function = parts.get(taken).map(|name| (*name).to_owned());
        match find(host, &relative, &mut looked)? {
            Some(script) => return Ok(Resolved { script, function }),
            None => continue,
        }
    }
    let known = known_paths(host);
    let near = nearest(path, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    Err(Error::recipe(format!("no component `{path}`"))
        .coded(codes::UNKNOWN_COMPONENT)
        .maybe_hint(near)
        .hint(format!("looked at: {}", looked.join(", "))))
}

/// Finds a script by its path without ending, below the roots and in the standard library.
fn find(host: &Host, relative: &str, looked: &mut Vec<String>) -> Result<Option<Script>> {
    if let Some(name) = relative.strip_prefix("std/") {
        looked.push(format!("the standard library's `{relative}.rhai`"));
        return Ok(stdlib::text(name).map(|text| Script {
            label: format!("{relative}.rhai").into(),
            text: text.into(),
            file: None,
        }));
    }
    let roots = host.roots();
    for (number, root) in std::iter::once(&roots.root).chain(&roots.paths).enumerate() {
        let file = root.join(format!("{relative}.rhai"));
        looked.push(match number {
            0 => format!("`{relative}.rhai`"),
            _ => format!("`{}`", file.display()),
        });
        if file.is_file() {
            let real = file.canonicalize().unwrap_or_else(|_| file.clone());
            roots.check_inside(&real, &format!("{relative}.rhai"))?;
            return host.read(&real).map(Some);
        }
    }
    // Scripts that the embedding program brought along.
    Ok(host.scripts().get(relative).map(|text| Script {
        label: format!("{relative}.rhai").into(),
        text: text.clone(),
        file: None,
    }))
}

/// Returns the import paths of all scripts below the root and in the standard library, for hints.
pub(super) fn known_paths(host: &Host) -> Vec<String> {
    let dotted = |path: &Path| path.with_extension("").to_string_lossy().replace(['/', '\\'], ".");
    let root = &host.roots().root;
    let below = walkdir::WalkDir::new(root).max_depth(4).sort_by_file_name().into_iter().filter_map(|entry| {
        let entry = entry.ok()?;
        let relative = entry.path().strip_prefix(root).ok()?;
        (entry.path().extension()? == "rhai").then(|| dotted(relative))
    });
    below
        .take(2000)
        .chain(host.scripts().keys().map(|name| name.replace('/', ".")))
        .chain(stdlib::names().map(|name| format!("std.{}", name.replace('/', "."))))
        .collect()
}

thread_local! {
    /// The scripts whose import is under way on this thread, outermost first.
    static UNDER_WAY: RefCell<Vec<Arc<str>>> = const { RefCell::new(Vec::new()) };
}

/// Marks a script's import as under way, until it is dropped.
struct UnderWay;

impl UnderWay {
    /// # Errors
    /// The script is being imported already: scripts import each other in a circle.
    fn enter(label: &Arc<str>) -> Result<Self> {
        UNDER_WAY.with_borrow_mut(|way| match way.iter().position(|known| known == label) {
            Some(at) => {
                let circle: Vec<&str> = way[at..].iter().chain([label]).map(|label| &**label).collect();
                Err(Error::script(format!("scripts import each other in a circle: `{}`", circle.join("` → `")))
                    .coded(codes::IMPORT_CIRCLE)
                    .hint("move what several of them need into a script of its own"))
            }
            None => {
                way.push(label.clone());
                Ok(UnderWay)
            }
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.with_borrow_mut(|way| _ = way.pop());
    }
}

/// Finds the script that an `import` statement names.
///
/// # Errors
/// A path out of the project, and one without a script, with the places that were looked at.
pub fn imported(host: &Host, path: &str) -> Result<Script> {
    let relative = path.strip_suffix(".rhai").unwrap_or(path).replace('.', "/");
    if relative.starts_with('/') || Path::new(&relative).components().any(|part| part == Part::ParentDir) {
        return Err(Error::script(format!("the import `{path}` leaves the project"))
            .coded(codes::OUTSIDE)
            .hint("import paths are relative to the project root, without `..`"));
    }
    let mut looked = Vec::new();
    find(host, &relative, &mut looked)?.ok_or_else(|| {
        let slashed: Vec<String> = known_paths(host).iter().map(|name| name.replace('.', "/")).collect();
        let near = nearest(&relative, slashed.iter().map(String::as_str));
        Error::script(format!("no script `{path}` to import"))
            .coded(codes::NO_SCRIPT)
            .maybe_hint(near.map(|near| format!("did you mean `{near}`?")))
            .hint(format!("looked at: {}", looked.join(", ")))
    })
}

/// Resolves Rhai's `import` statements for one host.
pub struct Resolver(pub(crate) Weak);

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> std::result::Result<Shared<Module>, Box<EvalAltResult>> {
        let fail = |error: Error| Box::new(EvalAltResult::ErrorRuntime(rhai::Dynamic::from(error), position));
        let host = self.0.upgrade().ok_or_else(|| fail(Error::script("the script's host is gone")))?;
        let script = imported(&host, path).map_err(fail)?;
        let label = script.label.clone();
        let _under_way = UnderWay::enter(&label).map_err(fail)?;
        let ast = compile(engine, &host, script).map_err(fail)?;
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine)
            .map_err(|error| fail(traceback::explain(&host, *error, &label)))?;
        Ok(Arc::new(module))
    }
}

fn compile(engine: &Engine, host: &Host, script: Script) -> Result<AST> {
    host.sources().insert(script.clone());
    let mut ast = engine.compile(&*script.text).map_err(|error| syntax::explain_parse(host, &error, &script.label))?;
    ast.set_source(&*script.label);
    crate::script::lint::check(host, &ast, &script.label)?;
    Ok(ast)
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
