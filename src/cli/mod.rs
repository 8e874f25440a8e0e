//! The command line: the only room with standard streams and exit codes.
//!
//! One file for each verb, with its `Args` and `run`. Data goes to standard output, everything else to
//! standard error.

mod check;
mod check_json;
mod completions;
mod evaluate;
mod exit;
mod help;
mod inspect;
mod man;
mod new;
mod options;
mod picture;
mod plot;
mod predict;
mod progress;
mod repl;
mod resume;
mod run;
mod schema;
mod terminal;
mod train;
mod trial;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trains networks from recipes: data preparation, networks, losses and more as scripts that are edited
/// without compiling, everything hot native.
#[derive(Parser)]
#[command(name = "barrage", version, about, disable_help_subcommand = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 recipe or script, 4 data or artifacts, \
130 interrupted (see `barrage help exit-codes`).\n\nExample: barrage run examples/iris_scripted/recipe.rhai"
)]
struct Arguments {
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
    Check(check::Args),
    Inspect(inspect::Args),
    New(new::Args),
    Schema(schema::Args),
    Repl(repl::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Names the number of threads in the environment, unless it is named there already.
///
/// Candle asks for it at every matrix product; without the variable it counts the machine's cores anew each
/// time, which takes longer than a small product itself.
fn name_threads() {
    const THREADS: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(THREADS).is_none() {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // SAFETY: this is the first thing the program does, so no other thread reads the environment.
        unsafe { std::env::set_var(THREADS, threads.to_string()) };
    }
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    name_threads();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    let result = match arguments.verb {
        Verb::Run(args) => run::run(args),
        Verb::Train(args) => train::run(args),
        Verb::Resume(args) => resume::run(args),
        Verb::Predict(args) => predict::run(args),
        Verb::Check(args) => return check::run(&args),
        Verb::Schema(args) => schema::run(args),
        Verb::Evaluate(args) => evaluate::run(args),
        Verb::Inspect(args) => inspect::run(args),
        Verb::New(args) => new::run(args),
        Verb::Repl(args) => repl::run(args),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => man::run(args),
        Verb::Help(args) => help::run(args),
    };
    exit::finish(result)
}
