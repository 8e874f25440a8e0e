//! Exit codes, and errors on standard error.

use std::process::ExitCode;

use crate::cli::{events, signals, terminal};
use crate::error::{self, Error, Kind, codes};

/// The codes, as `barrage help exit-codes` prints them.
pub const CODES: &str = "\
0    done
1    the run started and failed
2    wrong usage of the command line
3    the recipe, the config or a script is wrong
4    data, a data file or an artifact folder is wrong
130  interrupted by Ctrl-C (SIGINT)
143  asked to end (SIGTERM); likewise 129 when the terminal was closed (SIGHUP)
";

/// Returns the exit code of an error.
pub fn code(error: &Error) -> u8 {
    match error.kind() {
        Kind::Run => 1,
        Kind::Usage => 2,
        Kind::Recipe | Kind::Script => 3,
        Kind::Data | Kind::Artifact => 4,
        Kind::Interrupted => signals::exit_code(),
    }
}

/// Prints the error, if any, and returns the exit code.
pub fn finish(result: crate::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let code = code(&error);
    if terminal::settings().json {
        error.clone().split().iter().for_each(|one| events::error(one, code));
    }
    report(&error);
    ExitCode::from(code)
}

/// Prints an error, with the pages that tell more about it.
pub fn report(error: &Error) {
    terminal::message(&error::draw(error, terminal::colored()));
    let mut codes: Vec<&str> = std::iter::once(error).chain(error.also()).filter_map(Error::code).collect();
    codes.sort_unstable();
    codes.dedup();
    if !codes.is_empty() {
        let pages: Vec<String> = codes.iter().map(|code| format!("`barrage help {code}`")).collect();
        terminal::message(&format!("\nmore about it: {}\n", pages.join(", ")));
    }
}

/// Prints what clap has to say: help on standard output, mistakes on standard error.
pub fn usage(error: &clap::Error) -> ExitCode {
    let failed = error.use_stderr();
    if !failed {
        // Nothing is left to do when the terminal is gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if terminal::settings().json {
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let text = lines.join(" ");
        events::error(&Error::new(Kind::Usage, text.trim_start_matches("error: ")).coded(codes::USAGE), 2);
    }
    let shown = error.render();
    let shown = if terminal::colored() { shown.ansi().to_string() } else { shown.to_string() };
    terminal::message(&shown.replacen("error:", &format!("error[{}]:", codes::USAGE), 1));
    ExitCode::from(2)
}
