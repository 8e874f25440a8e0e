//! `barrage fit`: fits the transformer of a config, in parts on any number of machines.

use std::path::{Path, PathBuf};

use crate::assemble::fit::{self, Part, Shard};
use crate::cli::options::{Scripts, override_text};
use crate::cli::terminal;
use crate::error::Kind;
use crate::recipe::{Recipe, Written};
use crate::record::Records;
use crate::script::resolver::Roots;
use crate::{Error, Result, assemble};

/// Fit the transformer of a config, in parts on any number of machines
///
/// Each machine fits a shard of the training records and writes what it learned; `--merge` puts such files together; `barrage
/// train` begins with them (`--fitted`) instead of fitting. The transformer has to define `fit_partial`, `merge` and
/// `finish`, as those of the standard library do.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage fit config.json train.csv --shard 2/8 -o 2.part\n          \
barrage fit config.json --merge 1.part 2.part -o all.part\n          \
barrage train config.json train.csv validation.csv --fitted all.part")]
pub struct Args {
    /// The config
    config: PathBuf,

    /// The training records; with `--merge`, the files to put together
    files: Vec<PathBuf>,

    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Which shard of how many this is: `2/8`
    #[arg(long, value_name = "N/M", default_value = "1/1", value_parser = shard)]
    shard: Shard,

    /// The file holds the records of this shard alone
    #[arg(long)]
    own: bool,

    /// Put files together
    #[arg(long, conflicts_with_all = ["shard", "own"])]
    merge: bool,

    /// Change the config: `solver.epochs=3`, `+new.key=1`, `~key`
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = override_text)]
    set: Vec<String>,

    #[command(flatten)]
    scripts: Scripts,
}

fn shard(text: &str) -> std::result::Result<Shard, String> {
    Shard::parse(text).map_err(|error| error.message().to_owned())
}

/// Fits, or puts together.
pub fn run(args: Args) -> Result<()> {
    let (recipe, _) = Recipe::resolve(&Written::read(&args.config)?.overridden(&args.set)?)?;
    let host = args.scripts.host(Roots::project_of(&args.config)).build()?;
    if args.merge {
        let part = |path: PathBuf| Ok((path.clone(), Part::read(&path)?));
        let parts = args.files.into_iter().map(part).collect::<Result<Vec<_>>>()?;
        let count = parts.len();
        let merged = fit::merge(&host, &recipe, parts)?;
        return write(&merged, &args.output, &format!("put {count} parts together"));
    }
    let records = match args.files.as_slice() {
        [] => assemble::data_loaders(&host, &recipe)?.0,
        [file] => Records::read_with(file, &args.scripts.reading(None))?,
        _ => {
            return Err(Error::new(Kind::Usage, "one file of training records is fitted at a time")
                .hint("`--merge` puts several results together"));
        }
    };
    assemble::check_not_empty(&records, "training")?;
    let chosen = if args.own { records } else { args.shard.cut(&records)? };
    let part = fit::fit_part(&host, &recipe, &chosen, args.shard)?;
    write(&part, &args.output, &format!("fitted shard {}/{}", args.shard.number, args.shard.of))
}

fn write(part: &Part, path: &Path, what: &str) -> Result<()> {
    part.write(path)?;
    terminal::message(&format!("{what}: {} records, written to {}\n", part.records(), path.display()));
    Ok(())
}
