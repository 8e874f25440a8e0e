//! The standard streams.

use std::io::{IsTerminal, Write};

/// Writes data to standard output; a closed pipe ends the program quietly, as other tools do.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a message to standard error.
pub fn message(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
}

/// Writes notes to standard error, a line each.
pub fn notes(notes: &[String]) {
    let lines: String = notes.iter().map(|note| format!("note: {note}\n")).collect();
    message(&lines);
}

/// Returns whether messages are colored: on a terminal, unless `NO_COLOR` is set.
pub fn colored() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Returns whether messages go to a terminal.
pub fn interactive() -> bool {
    std::io::stderr().is_terminal()
}
