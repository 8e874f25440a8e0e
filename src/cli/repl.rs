//! `barrage repl`: the prompt.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    let prompt = Prompt { stop: host.stop_flag().clone(), session: Session::new(host) };
    match std::io::stdin().is_terminal() {
        true => prompt.interactive(),
        false => prompt.piped(),
    }
}

struct Prompt {
    session: Session,
    stop: Arc<AtomicBool>,
}

impl Prompt {
    /// Reads from a terminal: history, editing, Ctrl-C for a new line or to stop what runs.
    fn interactive(mut self) -> Result<()> {
        let broken = |error: ReadlineError| Error::new(Kind::Run, format!("the prompt failed: {error}"));
        let config = Config::builder().auto_add_history(true).build();
        let mut editor: Editor<Lines, FileHistory> = Editor::with_config(config).map_err(broken)?;
        editor.set_helper(Some(Lines));
        let history = history_file();
        if let Some(file) = &history {
            // A missing history is an empty one.
            let _ = editor.load_history(file);
        }
        loop {
            match editor.readline("barrage> ") {
                // An error is shown and the session goes on.
                Ok(entry) => drop(self.enter(&entry)),
                Err(ReadlineError::Interrupted) => (),
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(broken(error)),
            }
        }
        if let Some(file) = history {
            // A history that cannot be kept is no reason to fail.
            let _ = editor.save_history(&file);
        }
        Ok(())
    }

    /// Reads what is piped. The exit code is that of the last error, which is shown where it happened.
    fn piped(mut self) -> Result<()> {
        let (mut entry, mut failed) = (String::new(), None);
        for line in std::io::stdin().lines() {
            let line = line.map_err(|error| Error::new(Kind::Usage, format!("cannot read the session: {error}")))?;
            entry.push_str(&line);
            entry.push('\n');
            if !Session::is_incomplete(&entry) {
                failed = self.enter(&entry).err().or(failed);
                entry.clear();
            }
            if failed.as_ref().is_some_and(|error| error.kind() == Kind::Interrupted) {
                break;
            }
        }
        // An entry that is still open tells what it lacks.
        failed = self.enter(&entry).err().or(failed);
        match failed {
            Some(error) => std::process::exit(i32::from(exit::code(&error))),
            None => Ok(()),
        }
    }

    /// Runs one entry and shows its value or its error.
    fn enter(&mut self, entry: &str) -> Result<()> {
        if entry.trim().is_empty() {
            return Ok(());
        }
        // A Ctrl-C that came too late to stop the entry before must not stop this one.
        self.stop.store(false, Ordering::SeqCst);
        match self.session.eval(entry) {
            Ok(Some(text)) => terminal::data(&format!("{text}\n")),
            Ok(None) => (),
            Err(error) => {
                terminal::message(&error::draw(&error, terminal::colored()));
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The history below the folder for state, as XDG names it.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?.join("barrage");
    artifact::make_folder(&folder).ok()?;
    Some(folder.join("history"))
}
