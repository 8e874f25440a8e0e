//! `barrage test`: runs the tests in a project's scripts.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::options::Scripts;
use crate::cli::terminal;
use crate::error::{Error, Kind, Result, codes, draw, near_file};
use crate::script::resolver::Roots;
use crate::script::testing::{self, Script, Testing};

/// Run the tests in the scripts of a project
///
/// A test is a function without parameters whose name begins with `test_`. Golden values are kept below `golden/`.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage test\n          barrage test components/flowers.rhai --filter batch")]
pub struct Args {
    /// Scripts, or folders of scripts; by default all of the project
    paths: Vec<PathBuf>,

    /// Run the tests whose names contain this text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,

    /// Write golden values instead of comparing with them
    #[arg(long)]
    update: bool,

    #[command(flatten)]
    scripts: Scripts,
}

/// Tests.
pub fn run(args: Args) -> Result<()> {
    let first = args.paths.first().cloned().unwrap_or_else(|| PathBuf::from("."));
    if let Some(missing) = args.paths.iter().find(|path| !path.exists()) {
        return Err(Error::new(Kind::Usage, format!("there is no `{}`", missing.display()))
            .coded(codes::WRONG_FILE)
            .maybe_hint(near_file(missing)));
    }
    // The project around the current folder, unless the scripts lie elsewhere.
    let here = Roots::project_of(std::path::Path::new("recipe.rhai"));
    let real = |path: &std::path::Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = match real(&first).starts_with(real(&here)) {
        true => here,
        false => Roots::project_of(&if first.is_dir() { first.join("any.rhai") } else { first.clone() }),
    };
    let paths = if args.paths.is_empty() { vec![root.clone()] } else { args.paths };
    let testing = Arc::new(Testing::new(args.update));
    let (mut done, mut failed) = (0, 0);
    for file in paths.iter().flat_map(|path| testing::files(path)) {
        let script = match Script::read(args.scripts.host(&root).testing(testing.clone()), &file) {
            Ok(Some(script)) => script,
            Ok(None) => continue,
            Err(error) => {
                failed += 1;
                terminal::message(&draw(&error, terminal::colored()));
                continue;
            }
        };
        let wanted: Vec<&String> = script.tests.iter().filter(|test| test.contains(&args.filter)).collect();
        if wanted.is_empty() {
            continue;
        }
        terminal::data(&format!("{}\n", script.label));
        for test in wanted {
            let result = script.run(test);
            if let Err(error) = result.as_ref().map_err(Error::clone)
                && error.kind() == Kind::Interrupted
            {
                return Err(error);
            }
            done += 1;
            failed += usize::from(result.is_err());
            terminal::data(&format!("  {:<6}  {test}\n", if result.is_ok() { "ok" } else { "failed" }));
            if let Err(error) = result {
                terminal::message(&draw(&error, terminal::colored()));
            }
        }
    }
    let plural = if done == 1 { "" } else { "s" };
    let written = match testing.written() {
        0 => String::new(),
        written => format!(", {written} golden values written"),
    };
    match (done, failed) {
        (0, 0) => Err(Error::run("there are no tests")
            .hint("write a function without parameters whose name begins with `test_`")
            .hint("`barrage help testing` explains more")),
        (done, 0) => {
            terminal::data(&format!("{done} test{plural} ok{written}\n"));
            Ok(())
        }
        (done, failed) => Err(Error::run(format!("{failed} of {done} test{plural} failed"))),
    }
}
