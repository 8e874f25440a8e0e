//! `barrage repl`: the prompt.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Completer, Config, Editor, Helper, Highlighter, Hinter};

use crate::cli::options::Scripts;
use crate::cli::{exit, terminal};
use crate::error::{self, Kind};
use crate::script::repl::Session;
use crate::{Error, Result, artifact};

/// Explore line by line: the same functions as in a recipe
///
/// The project root is the current folder. Lines continue until brackets are closed; Ctrl-D leaves. Standard
/// input that is no terminal is read the same way, so a session can be piped.
#[derive(clap::Args)]
#[command(after_help = "Example: echo 'tensor([1.0, 2.0]).sum()' | barrage repl")]
pub struct Args {
    #[command(flatten)]
    scripts: Scripts,
}

#[derive(Completer, Helper, Highlighter, Hinter)]
struct Lines;

impl Validator for Lines {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(match Session::is_incomplete(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

/// Runs the prompt.
pub fn run(args: Args) -> Result<()> {
    let host = args.scripts.host(".").build()?;
    let stop = host.stop_flag().clone();
    let mut session = Session::new(host);
    let broken = |error: ReadlineError| Error::new(Kind::Run, format!("the prompt failed: {error}"));
    let config = Config::builder().auto_add_history(true).build();
    let mut editor: Editor<Lines, FileHistory> = Editor::with_config(config).map_err(broken)?;
    editor.set_helper(Some(Lines));
    let history = history_file();
    if let Some(file) = &history {
        // A missing history is an empty one.
        let _ = editor.load_history(file);
    }
    let interactive = std::io::IsTerminal::is_terminal(&std::io::stdin());
    let prompt = if interactive { "barrage> " } else { "" };
    let mut failed = None;
    loop {
        match editor.readline(prompt) {
            Ok(line) if line.trim().is_empty() => continue,
            Ok(line) => match session.eval(&line) {
                Ok(Some(text)) => terminal::data(&format!("{text}\n")),
                Ok(None) => (),
                Err(error) => {
                    stop.store(false, std::sync::atomic::Ordering::SeqCst);
                    terminal::message(&error::draw(&error, terminal::colored()));
                    failed = Some(error);
                }
            },
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(broken(error)),
        }
    }
    if let Some(file) = history.filter(|_| interactive) {
        let _ = editor.save_history(&file);
    }
    // A piped session that failed says so by its exit code; the error itself is already shown.
    match failed {
        Some(error) if !interactive => std::process::exit(i32::from(exit::code(&error))),
        _ => Ok(()),
    }
}

/// The history below the folder for state, as XDG names it.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?.join("barrage");
    artifact::make_folder(&folder).ok()?;
    Some(folder.join("history"))
}
