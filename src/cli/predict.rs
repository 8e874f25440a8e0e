//! `barrage predict`: scores records with a trained model.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::assemble::Model;
use crate::cli::options::{Input, Scripts, format};
use crate::cli::{signals, terminal};
use crate::error::{Kind, codes, did_you_mean, list};
use crate::record::{Fields, Format, Name, NewFile, Records, Value, Writer};
use crate::tensor::{Array, Dtype};
use crate::{Error, Result, artifact, assemble};

/// Where scores go when nothing is said about it.
const DEFAULT: &str = "scores.json";

/// Score records with a trained model
///
/// Writes the outputs of each record, in the order of the records, as JSON (an array of one object a record), JSON
/// lines, CSV (a column for each number: `species_0`, `species_1` …), Parquet or Arrow. Large files are scored part by part.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage predict score.csv artifacts -o scores.json\n          \
                        barrage predict score.csv artifacts --keep id -o scores.csv\n          \
                        cat score.jsonl | barrage predict - artifacts --format csv | head")]
pub struct Args {
    /// The records to score, without outputs; `-` is standard input
    score: PathBuf,

    /// The artifact folder of a run
    artifacts: PathBuf,

    /// The file to write; `-` is standard output
    ///
    /// Without it, scores go to `scores.json`, or to standard output where `--format` is given or records come from
    /// standard input. The file is replaced once it is whole.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// `json`, `jsonl`, `csv`, `parquet`, `arrow`; else by FILE's ending
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,

    /// Carry these columns of the records along, before the outputs
    ///
    /// In CSV the columns that the training records do not have are carried as they are written.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    keep: Vec<String>,

    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    scripts: Scripts,
}

/// Scores.
pub fn run(args: Args) -> Result<()> {
    signals::end_at_once(None);
    let (target, format) = target(&args)?;
    let host = args.scripts.host(artifact::Folder::open(&args.artifacts)?.join(artifact::layout::SCRIPTS)).build()?;
    let model = assemble::load(&host, &args.artifacts)?;
    terminal::trace(&format!("loaded the best checkpoint of `{}`", args.artifacts.display()));
    check_keep(&args.keep, model.outputs().iter().map(|(name, _)| name))?;

    let source = args.input.open(&args.score)?;
    let read = source.format();
    let verbatim: &[String] = if format == Format::Csv { &args.keep } else { &[] };
    let parts = source.parts(model.schema(), model.batch_size(), verbatim)?;
    terminal::trace(&format!("reading {} as {read}", args.score.display()));
    check_columns(&args.keep, parts.columns(), &args.score)?;

    let mut writer = Writer::new(format, Out::open(&target)?);
    let mut count = 0;
    for part in parts {
        let part = part?;
        let scores = table(&model, &model.predict(&part)?)?;
        check_keep(&args.keep, scores.columns().iter())?;
        let scores = if args.keep.is_empty() { scores } else { part.select(&args.keep)?.beside(&scores)? };
        writer.write(&scores).map_err(|error| error.within(target.name()))?;
        count += part.len();
        terminal::trace(&format!("scored {count} records"));
    }
    writer.finish().map_err(|error| error.within(target.name()))?.keep()
}

/// Returns where scores go, and in which format.
fn target(args: &Args) -> Result<(Target, Format)> {
    let streamed = args.format.is_some() || args.score.as_os_str() == "-";
    let target = match &args.output {
        Some(path) if path.as_os_str() == "-" => Target::Stdout,
        Some(path) => Target::File(path.clone()),
        None if streamed => Target::Stdout,
        None => Target::File(DEFAULT.into()),
    };
    let format = match (args.format, &target) {
        (Some(format), _) => format,
        (None, Target::Stdout) => Format::Json,
        (None, Target::File(path)) => {
            Format::of(path).map_err(|error| error.of_kind(Kind::Usage).hint("or name the format with `--format`"))?
        }
    };
    match (&target, format) {
        (Target::Stdout, Format::Parquet | Format::Arrow) => {
            let name = if format == Format::Arrow { "Arrow" } else { "Parquet" };
            Err(Error::new(Kind::Usage, format!("{name} is no text: it goes into a file"))
                .hint(format!("name it with `-o scores.{format}`")))
        }
        // Scoring may take long; where it cannot be written is told before.
        (Target::File(path), _) => match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) if !folder.is_dir() => Err(Error::artifact(format!("cannot write `{}`", path.display()))
                .coded(codes::UNWRITABLE)
                .hint(format!("make the folder `{}` first", folder.display()))),
            _ => Ok((target, format)),
        },
        _ => Ok((target, format)),
    }
}

/// Checks that no column that is kept has the name of an output, and none is kept twice.
fn check_keep<'a>(keep: &[String], outputs: impl Iterator<Item = &'a Name> + Clone) -> Result<()> {
    for (at, name) in keep.iter().enumerate() {
        if keep[..at].contains(name) {
            return Err(Error::new(Kind::Usage, format!("`--keep` names `{name}` twice")));
        }
        if outputs.clone().any(|output| **output == **name) {
            return Err(Error::new(Kind::Usage, format!("`--keep {name}`: the model has an output of that name"))
                .hint("rename the column in the records, or leave it out"));
        }
    }
    Ok(())
}

/// Checks that the columns that are kept are there.
fn check_columns(keep: &[String], columns: &[Name], score: &Path) -> Result<()> {
    let names = || columns.iter().map(|name| &**name);
    match keep.iter().find(|name| !names().any(|known| known == name.as_str())) {
        Some(unknown) => Err(Error::data(format!("`--keep {unknown}`: {} has no such column", score.display()))
            .coded(codes::UNKNOWN_COLUMN)
            .maybe_hint(did_you_mean(unknown, names()))
            .hint(format!("columns: {}", list(names())))),
        None => Ok(()),
    }
}

/// Returns scores as a table; no scores still have the network's outputs as columns.
fn table(model: &Model, scores: &[Fields]) -> Result<Records> {
    if scores.is_empty() {
        let column = |(name, shape): (Name, Vec<usize>)| {
            let shape: Vec<usize> = std::iter::once(0).chain(shape).collect();
            Ok((name, Array::from_f32(Vec::new(), &shape)?.cast(Dtype::F32).into()))
        };
        return Records::from_columns(model.outputs().into_iter().map(column).collect::<Result<_>>()?, "the scores");
    }
    let row = |score: &Fields| score.iter().map(|(name, field)| (name.clone(), Value::from(field.clone()))).collect();
    Records::from_rows(scores.iter().map(row).collect(), "the scores")
}

/// Where scores go.
enum Target {
    Stdout,
    File(PathBuf),
}

impl Target {
    fn name(&self) -> String {
        match self {
            Target::Stdout => "<stdout>".to_owned(),
            Target::File(path) => path.display().to_string(),
        }
    }
}

/// What scores are written to.
enum Out {
    Stdout(BufWriter<io::Stdout>),
    New(NewFile),
    /// A device or a pipe: it stays what it is.
    Special(BufWriter<std::fs::File>),
}

impl Out {
    fn open(target: &Target) -> Result<Out> {
        let Target::File(path) = target else { return Ok(Out::Stdout(BufWriter::new(io::stdout()))) };
        let special = path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
        if special {
            return Ok(Out::Special(BufWriter::new(artifact::open_special(path)?)));
        }
        let file = NewFile::create(path)?;
        signals::end_at_once(Some(file.temporary().to_owned()));
        Ok(Out::New(file))
    }

    fn keep(self) -> Result<()> {
        match self {
            Out::New(file) => file.keep(),
            Out::Stdout(_) | Out::Special(_) => Ok(()),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Stdout(out) => out.write(bytes).inspect_err(terminal::closed),
            Out::New(out) => out.write(bytes),
            Out::Special(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Stdout(out) => out.flush().inspect_err(terminal::closed),
            Out::New(out) => out.flush(),
            Out::Special(out) => out.flush(),
        }
    }
}
