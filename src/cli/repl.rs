//! `barrage repl`: the prompt.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper, Highlighter, Hinter};

use crate::cli::options::Scripts;
use crate::cli::{exit, picture, signals, terminal};
use crate::error::{self, Kind};
use crate::script::repl::{self, Answer, Called, Command, Cost, Session};
use crate::{Error, Result, artifact};

/// Explore line by line: the same functions as in a recipe
///
/// The project root is the current folder. Lines continue until brackets are closed; Tab completes; `:help` lists
/// the commands; Ctrl-C stops what runs; Ctrl-D leaves. Standard input that is no terminal is read the same
/// way, so a session can be piped.
#[derive(clap::Args)]
#[command(after_help = "Example: echo 'tensor([1.0, 2.0]).sum()' | barrage repl")]
pub struct Args {
    /// Show what is piped in, entry by entry, before its answer
    #[arg(long)]
    echo: bool,

    #[command(flatten)]
    scripts: Scripts,
}

/// What the line editor asks about the session.
#[derive(Helper, Highlighter, Hinter)]
struct Lines(Rc<RefCell<Session>>);

impl Completer for Lines {
    type Candidate = Pair;

    fn complete(&self, line: &str, cursor: usize, _: &Context) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, found) = repl::complete(&self.0.borrow(), line, cursor);
        let pair = |name: String| Pair { display: name.clone(), replacement: name };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

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
    go_on(Session::new(host), args.echo)
}

/// Runs the prompt on a session that may have variables.
pub(super) fn go_on(session: Session, echo: bool) -> Result<()> {
    let stop = session.host().stop_flag().clone();
    let prompt = Prompt { stop, session: Rc::new(RefCell::new(session)), echo };
    match std::io::stdin().is_terminal() {
        true => prompt.interactive(),
        false => prompt.piped(),
    }
}

struct Prompt {
    session: Rc<RefCell<Session>>,
    stop: Arc<AtomicBool>,
    echo: bool,
}

/// What stands before an entry.
const PROMPT: &str = "barrage> ";

impl Prompt {
    /// Reads from a terminal: history, editing, Ctrl-C for a new line or to stop what runs.
    fn interactive(self) -> Result<()> {
        let broken = |error: ReadlineError| Error::new(Kind::Run, format!("the prompt failed: {error}"));
        let config = Config::builder().auto_add_history(true).completion_type(CompletionType::List).build();
        let mut editor: Editor<Lines, FileHistory> = Editor::with_config(config).map_err(broken)?;
        editor.set_helper(Some(Lines(self.session.clone())));
        let history = history_file();
        if let Some(file) = &history {
            // A missing history is an empty one.
            let _ = editor.load_history(file);
        }
        loop {
            match editor.readline(PROMPT) {
                // An error is shown and the session goes on.
                Ok(entry) if self.enter(&entry).is_ok_and(|goes_on| !goes_on) => break,
                Ok(_) => (),
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
    fn piped(self) -> Result<()> {
        let (mut entry, mut failed) = (String::new(), None);
        for line in std::io::stdin().lines() {
            let line = line.map_err(|error| Error::new(Kind::Usage, format!("cannot read the session: {error}")))?;
            entry.push_str(&line);
            entry.push('\n');
            if !Session::is_incomplete(&entry) {
                match self.enter(&entry) {
                    Ok(true) => (),
                    Ok(false) => {
                        entry.clear();
                        break;
                    }
                    Err(error) => failed = Some(error),
                }
                entry.clear();
            }
            if failed.as_ref().is_some_and(|error| error.kind() == Kind::Interrupted) {
                break;
            }
        }
        // An entry that is still open tells what it lacks.
        if !entry.is_empty() {
            failed = self.enter(&entry).err().or(failed);
        }
        match failed {
            Some(error) => std::process::exit(i32::from(exit::code(&error))),
            None => Ok(()),
        }
    }

    /// Runs one entry and shows its value or its error; returns whether the session goes on.
    fn enter(&self, entry: &str) -> Result<bool> {
        if self.echo {
            let mut lines = entry.lines();
            terminal::data(&format!("{PROMPT}{}\n", lines.next().unwrap_or_default()));
            lines.for_each(|line| terminal::data(&format!("{:width$}{line}\n", "", width = PROMPT.len())));
        }
        if entry.trim().is_empty() {
            return Ok(true);
        }
        // A Ctrl-C that came too late to stop the entry before must not stop this one.
        self.stop.store(false, Ordering::SeqCst);
        signals::forget();
        let answer = match Command::parse(entry) {
            None => self.session.borrow_mut().answer(entry),
            Some(Ok(Command::Quit)) => return Ok(false),
            Some(command) => command.and_then(|command| self.command(command)),
        };
        match answer {
            Ok(Some(answer)) => show(&answer),
            Ok(None) => (),
            Err(error) => {
                terminal::message(&error::draw(&error, terminal::colored()));
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Runs a command; returns what it shows.
    fn command(&self, command: Command) -> Result<Option<Answer>> {
        let mut session = self.session.borrow_mut();
        let plain = |text: String| Some(Answer { text, picture: None });
        Ok(match command {
            Command::Help(None) => plain(repl::list()),
            Command::Help(Some(name)) => plain(session.help(&name)?),
            Command::Type(text) => plain(session.type_of(&text)?),
            Command::Vars => plain(session.vars()),
            Command::Plot(text) => plain(picture::draw(&session.numbers(&text)?, colored())?),
            Command::Time(text) => {
                let begun = Instant::now();
                let value = session.answer(&text)?;
                terminal::message(&format!("{:.3?}\n", begun.elapsed()));
                value
            }
            Command::Profile(text) => {
                let begun = Instant::now();
                let (_, costs, calls) = session.profile(&text, &|| begun.elapsed().as_secs_f64())?;
                plain(format!("{}{}", table(&costs), functions(&calls)))
            }
            Command::Load(file) => session.load(&file)?,
            Command::Reload => match session.reload()? {
                names if names.is_empty() => plain("nothing was imported".to_owned()),
                names => plain(format!("read again: {}", names.join(", "))),
            },
            Command::Save(file) => session.save(&file).map(|()| None)?,
            Command::Quit => None,
        })
    }
}

/// Whether pictures may have colors.
fn colored() -> bool {
    std::io::stdout().is_terminal() && terminal::colored()
}

/// Shows a value; one that is better seen is drawn below it, where a person looks on.
fn show(answer: &Answer) {
    let end = if answer.text.ends_with('\n') { "" } else { "\n" };
    terminal::data(&format!("{}{end}", answer.text));
    if let (true, Some(picture)) = (std::io::stdout().is_terminal(), &answer.picture)
        && let Ok(drawn) = picture::draw(picture, colored())
    {
        terminal::data(&drawn);
    }
}

/// Returns what statements cost: time, share, line.
fn table(costs: &[Cost]) -> String {
    let all: f64 = costs.iter().map(|cost| cost.seconds).sum();
    let line = |cost: &Cost| {
        let Cost { line, text, seconds } = cost;
        let text: String = text.chars().take(80).collect();
        format!("{:>10.3} ms {:>4.0} %  {line:>4}  {text}\n", seconds * 1e3, 100.0 * seconds / all.max(1e-12))
    };
    costs.iter().map(line).collect()
}

/// Returns what functions cost: the time within them alone, the time with what they called, how often they were called.
fn functions(calls: &[Called]) -> String {
    if calls.is_empty() {
        return String::new();
    }
    let line = |called: &Called| {
        let Called { name, calls, seconds, own } = called;
        format!("{:>10.3} ms {:>10.3} ms  {calls:>7}  {name}\n", own * 1e3, seconds * 1e3)
    };
    let lines: String = calls.iter().map(line).collect();
    format!("\n{:>13} {:>13}  {:>7}  {}\n{lines}", "alone", "with calls", "calls", "function")
}

/// The history below the folder for state, as XDG names it.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?.join("barrage");
    artifact::make_folder(&folder).ok()?;
    Some(folder.join("history"))
}
