//! What starts with a colon at the prompt.

use crate::error::{Error, Result, did_you_mean};

/// A command of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Explains a name, or lists the commands.
    Help(Option<String>),
    /// Tells the type of a value, without showing it.
    Type(String),
    /// Lists the variables.
    Vars,
    /// Draws a value in the terminal: an image, or a curve.
    Plot(String),
    /// Runs an entry and tells how long it took.
    Time(String),
    /// Runs an entry, or a script, and tells how long each of its statements took.
    Profile(String),
    /// Runs a script as if it had been entered.
    Load(String),
    /// Reads imported scripts again.
    Reload,
    /// Writes what was entered to a file.
    Save(String),
    /// Ends the session.
    Quit,
}

/// The commands: name, argument, what they do.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    (":help", "[NAME]", "explain a function, a component, a page of the manual; without a name, this list"),
    (":doc", "NAME", "the same, also of functions that were entered and of scripts: `:doc components.noise`"),
    (":type", "EXPRESSION", "tell the type of a value, without showing it"),
    (":vars", "", "list the variables"),
    (":plot", "EXPRESSION", "draw numbers as a curve, [height, width] or [height, width, channels] as an image"),
    (":time", "ENTRY", "run it and tell how long it took"),
    (
        ":profile",
        "ENTRY",
        "run it, or a script by its file's name, and tell how long each statement and each function took",
    ),
    (":load", "FILE", "run a script as if it had been entered here"),
    (
        ":reload",
        "",
        "read imported scripts, and those of runs, again; one with a mistake is shown, and the old one stays",
    ),
    (":save", "FILE", "write what was entered, and ran, as a script"),
    (":quit", "", "leave, as Ctrl-D does"),
];

impl Command {
    /// Reads a line that starts with a colon; `None` for any other.
    pub fn parse(line: &str) -> Option<Result<Command>> {
        let line = line.trim();
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        name.starts_with(':').then(|| Self::from_parts(name, argument.trim()))
    }

    fn from_parts(name: &str, argument: &str) -> Result<Command> {
        let needed = |make: fn(String) -> Command| match argument {
            "" => {
                let what = COMMANDS.iter().find(|(own, ..)| *own == name).map_or("", |(_, argument, _)| argument);
                Err(Error::script(format!("`{name}` needs an argument")).hint(format!("write `{name} {what}`")))
            }
            argument => Ok(make(argument.to_owned())),
        };
        match name {
            ":doc" => needed(|name| Command::Help(Some(name))),
            ":help" | ":h" | ":?" => Ok(Command::Help((!argument.is_empty()).then(|| argument.to_owned()))),
            ":type" | ":t" => needed(Command::Type),
            ":vars" => Ok(Command::Vars),
            ":plot" => needed(Command::Plot),
            ":time" => needed(Command::Time),
            ":profile" => needed(Command::Profile),
            ":load" | ":l" => needed(Command::Load),
            ":reload" | ":r" => Ok(Command::Reload),
            ":save" => needed(Command::Save),
            ":quit" | ":q" | ":exit" => Ok(Command::Quit),
            _ => Err(Error::script(format!("there is no command `{name}`"))
                .maybe_hint(did_you_mean(name, COMMANDS.iter().map(|(name, ..)| *name)))
                .hint("`:help` lists the commands")),
        }
    }
}

/// Returns the list of commands as a text.
pub fn list() -> String {
    let line = |(name, argument, doc): &(&str, &str, &str)| format!("{:<18} {doc}\n", format!("{name} {argument}"));
    let lines: String = COMMANDS.iter().map(line).collect();
    format!("{lines}\nAnything else is Rhai, as in a recipe. `:help NAME` explains one thing: `:help split`.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_commands() {
        let parse =
            |line: &str| Command::parse(line).map(|command| command.map_err(|error| error.message().to_owned()));
        assert_eq!(parse("1 + 1"), None);
        assert_eq!(parse(" :help  split "), Some(Ok(Command::Help(Some("split".into())))));
        assert_eq!(parse(":time let x = 1;"), Some(Ok(Command::Time("let x = 1;".into()))));
        assert_eq!(parse(":type"), Some(Err("`:type` needs an argument".into())));
        assert_eq!(parse(":hlep"), Some(Err("there is no command `:hlep`".into())));
    }

    #[test]
    fn every_command_of_the_list_is_known() {
        for (name, argument, _) in COMMANDS {
            let line = if argument.is_empty() { (*name).to_owned() } else { format!("{name} x") };
            assert!(Command::parse(&line).is_some_and(|command| command.is_ok()), "{name}");
            assert!(list().contains(name));
        }
    }
}
