//! The command line: the only room with standard streams and exit codes.
//!
//! One file for each verb, with its `Args` and `run`. Data goes to standard output, everything else to
//! standard error.

mod bar;
mod check;
mod check_json;
mod completions;
mod config;
mod evaluate;
mod events;
mod exit;
mod explain;
mod export;
mod fit;
mod help;
mod inspect;
mod man;
pub mod memory;
mod new;
mod options;
mod pack;
mod picture;
mod plot;
mod predict;
mod progress;
mod repl;
mod replay;
mod resume;
mod run;
mod schema;
mod search;
mod signals;
mod terminal;
mod test;
mod train;
mod trial;
mod verify_resume;
mod watch;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use options::Output;
use terminal::Settings;

/// Trains networks from recipes: data preparation, networks, losses and more as scripts that are edited
/// without compiling, everything hot native.
#[derive(Parser)]
#[command(name = "barrage", version, about, disable_help_subcommand = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 recipe or script, 4 data or artifacts, \
130 or 143 interrupted (see `barrage help exit-codes`).\n\nExample: barrage run examples/iris_scripted/recipe.rhai"
)]
struct Arguments {
    #[command(flatten)]
    output: Output,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Run(run::Args),
    Train(train::Args),
    Resume(resume::Args),
    Predict(predict::Args),
    Evaluate(evaluate::Args),
    Export(export::Args),
    Check(check::Args),
    VerifyResume(verify_resume::Args),
    Explain(explain::Args),
    Inspect(inspect::Args),
    New(new::Args),
    Pack(pack::Args),
    Fit(fit::Args),
    Schema(schema::Args),
    Search(search::Args),
    Test(test::Args),
    Repl(repl::Args),
    Replay(replay::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Names the number of threads in the environment, unless it is named there already.
///
/// Candle asks for it at every matrix product; without the variable it counts the machine's cores anew each
/// time, which takes longer than a small product itself.
fn name_threads() {
    if std::env::var_os(options::THREADS).is_none() {
        let threads = options::threads();
        // SAFETY: this is the first thing the program does, so no other thread reads the environment.
        unsafe { std::env::set_var(options::THREADS, threads.to_string()) };
    }
}

/// Returns the command line as it is declared, with its help: one screen a verb, what `-h` and `--help` both print.
fn command() -> clap::Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::HelpShort).help("Print help");
    let mut command = Arguments::command().disable_help_flag(true).arg(help.clone().display_order(990));
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for verb in verbs {
        command = command.mut_subcommand(verb, |verb| {
            let about = verb.get_long_about().or(verb.get_about()).cloned().unwrap_or_default();
            verb.disable_help_flag(true)
                .arg(help.clone().help_heading(options::OUTPUT).display_order(903))
                .before_help(about)
                .help_template("{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}")
        });
    }
    command
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    name_threads();
    memory::keep_small();
    let parsed = command().try_get_matches().and_then(|matches| {
        let arguments = Arguments::from_arg_matches(&matches)?;
        Ok((arguments, asks_for_json(&matches)))
    });
    let (arguments, json) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let json = std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
            terminal::set(Settings { json, ..Settings::default() });
            return exit::usage(&error);
        }
    };
    let Output { color, .. } = arguments.output;
    terminal::set(Settings { color, verbosity: arguments.output.verbosity(), json });
    terminal::trace(&format!("barrage {}, {} threads", env!("CARGO_PKG_VERSION"), options::threads()));
    run(arguments.verb)
}

/// Whether the verb has the option `--json`, and it was given.
fn asks_for_json(matches: &ArgMatches) -> bool {
    let verb = matches.subcommand().map(|(_, verb)| verb);
    verb.and_then(|verb| verb.try_get_one::<bool>("json").ok().flatten()).copied().unwrap_or(false)
}

fn run(verb: Verb) -> ExitCode {
    let result = match verb {
        Verb::Run(args) => run::run(args),
        Verb::Train(args) => train::run(args),
        Verb::Resume(args) => resume::run(args),
        Verb::Predict(args) => predict::run(args),
        Verb::Pack(args) => pack::run(args),
        Verb::Export(args) => export::run(args),
        Verb::Fit(args) => fit::run(args),
        Verb::Check(args) => return check::run(&args),
        Verb::VerifyResume(args) => verify_resume::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Schema(args) => schema::run(args),
        Verb::Evaluate(args) => evaluate::run(args),
        Verb::Inspect(args) => inspect::run(args),
        Verb::New(args) => new::run(args),
        Verb::Search(args) => search::run(args),
        Verb::Test(args) => test::run(args),
        Verb::Repl(args) => repl::run(args),
        Verb::Replay(args) => replay::run(args),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => man::run(args),
        Verb::Help(args) => help::run(args),
    };
    exit::finish(result)
}
