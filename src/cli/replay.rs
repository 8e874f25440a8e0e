//! `barrage replay`: the prompt on a step of a run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::artifact::Folder;
use crate::assemble;
use crate::cli::options::Scripts;
use crate::cli::{repl, terminal};
use crate::error::{Error, Result};
use crate::record::Records;
use crate::script::api::runs::RunHandle;
use crate::script::repl::{Session, replay};
use crate::script::resolver::Roots;

/// Look at one training step of a run again
///
/// Opens the prompt on exactly the batch of that step: `batch`, `stages` (its records before and after every station) and
/// `run`, whose weights are those before the step where a checkpoint leads to them.
#[derive(clap::Args)]
#[command(after_help = "Example: barrage replay artifacts --step 40 --record 3")]
pub struct Args {
    /// The artifact folder of the run
    artifacts: PathBuf,

    /// The training step, from 1
    #[arg(long, value_name = "N")]
    step: u64,

    /// One record of the batch, from 0: `record` is then what each station made of it
    #[arg(long, value_name = "K")]
    record: Option<usize>,

    /// The recipe that made the records, where they are no files
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,

    /// Show what is piped in, entry by entry, before its answer
    #[arg(long)]
    echo: bool,

    #[command(flatten)]
    scripts: Scripts,
}

/// Replays.
pub fn run(args: Args) -> Result<()> {
    let folder = Folder::open(&args.artifacts)?;
    let records = args.recipe.as_deref().map(|recipe| made(&args.scripts, recipe)).transpose()?;
    let scripts = assemble::scripts_at(folder.path(), args.step)?;
    let host = args.scripts.host(scripts).build()?;
    let records = records.as_ref().map(|(train, validation)| (train, validation));
    let found = assemble::replay(&host, folder.path(), records, args.step)?;
    let weights = match found.weights {
        true => "the weights of `run` are those before the step",
        false => "its checkpoint is gone: the weights of `run` are those of the beginning",
    };
    let mut session = Session::new(host);
    let records = replay(&mut session, RunHandle::new(found.live), found.epoch, found.batch, args.record)?;
    terminal::notes(&[format!(
        "step {}: batch {} of epoch {}, {records} records; {weights}; see `batch`, `stages`{} and `run`",
        args.step,
        found.batch + 1,
        found.epoch + 1,
        if args.record.is_some() { ", `record`" } else { "" }
    )]);
    repl::go_on(session, args.echo)
}

/// Runs a recipe up to its training, for the records that it makes.
fn made(scripts: &Scripts, recipe: &Path) -> Result<(Records, Records)> {
    let found: Arc<Mutex<Option<(Records, Records)>>> = Arc::default();
    let slot = found.clone();
    let host = scripts
        .host(Roots::project_of(recipe))
        .print(|text| terminal::message(&format!("{text}\n")))
        .instead_of_training(move |_, wanted| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((wanted.train.clone(), wanted.validation.clone()));
            Ok(())
        })
        .build()?;
    host.run_file(recipe).map(drop)?;
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    found.ok_or_else(|| Error::script(format!("`{}` trains nothing, so it makes no records", recipe.display())))
}
