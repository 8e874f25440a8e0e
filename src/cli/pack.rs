//! `barrage pack`: many small files, or what a loader makes of records, become one file that is mapped.

use std::path::{Path, PathBuf};

use crate::cli::options::Scripts;
use crate::cli::terminal;
use crate::record::{Column, Files, Name, Pack, Records, read_array, read_bytes};
use crate::script::resolver::Roots;
use crate::tensor::{Array, Tensor};
use crate::{Error, Result, assemble};

/// Pack many small files, or the output of a loader, into one file
///
/// The file is read with `read_records`, which maps it: records in random order are many times faster to read than
/// from files of their own. Of a pattern of files, the columns are `path`, `label`, `class` and `data`: the array of
/// a `.npy` file, else the bytes, which `image` and `sound` decode. With `--loader`, the columns are the inputs and
/// outputs that the loader gives for each record.
#[derive(clap::Args)]
#[command(after_help = "Examples: barrage pack 'images/**/*.jpg' images.safetensors\n          \
barrage pack train.csv train.safetensors --loader loaders.picture")]
pub struct Args {
    /// A file of records, or a pattern of files (`images/**/*.jpg`)
    source: String,

    /// The file to write, which ends in `.safetensors`
    output: PathBuf,

    /// The import path of a loader: a script below the current folder
    #[arg(long, value_name = "IMPORT")]
    loader: Option<String>,

    /// The loader's parameters, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    params: String,

    #[command(flatten)]
    scripts: Scripts,
}

/// Records packed at a time.
const CHUNK: usize = 256;

/// Packs.
pub fn run(args: Args) -> Result<()> {
    if args.output.extension().is_none_or(|ending| ending != "safetensors") {
        return Err(Error::data(format!("`{}` does not end in .safetensors", args.output.display()))
            .hint("a packed file is one of that format, which other programs read too"));
    }
    let pattern = args.source.contains(['*', '?', '[']);
    let records = match pattern {
        true => list(&args.source)?,
        false => Records::read_with(Path::new(&args.source), &args.scripts.reading(None))?,
    };
    let pack = match &args.loader {
        Some(import) => {
            let params = serde_json::from_str(&args.params)
                .map_err(|error| Error::recipe(format!("`--params`: expected a map in JSON: {error}")))?;
            let host = args.scripts.host(Roots::project_of(Path::new("recipe"))).build()?;
            assemble::pack(&host, import, &params, &records)?
        }
        None => {
            let mut pack = Pack::new();
            match pattern {
                true => contents_of(&records, &mut pack)?,
                false => pack.push_records(&records)?,
            }
            pack
        }
    };
    let len = pack.len();
    pack.write(&args.output)?;
    terminal::message(&format!("packed {len} records into {}\n", args.output.display()));
    Ok(())
}

/// Packs listed files with what is in them.
fn contents_of(records: &Records, pack: &mut Pack) -> Result<()> {
    for chunk in records.to_vec().chunks(CHUNK) {
        let mut columns = batch_of(records, pack.len(), chunk.len())?;
        let data = chunk.iter().map(|record| contents(&record.text("path")?)).collect::<Result<Vec<_>>>()?;
        columns.push(("data".into(), stacked(data)?));
        pack.push(columns)?;
    }
    Ok(())
}

/// Lists files below the current folder, with labels when they lie in folders.
fn list(pattern: &str) -> Result<Records> {
    let root = if pattern.starts_with('/') { Path::new("/") } else { Path::new(".") };
    let relative = pattern.trim_start_matches('/');
    let labelled = Records::files(root, relative, &Files { label: true, classes: None });
    let files = match labelled {
        Err(error) if error.message().starts_with("a file without a folder") => {
            Records::files(root, relative, &Files::default())?
        }
        other => other?,
    };
    if pattern.starts_with('/') { files.below("/", pattern) } else { Ok(files) }
}

/// Returns the columns of the list for some rows.
fn batch_of(records: &Records, start: usize, len: usize) -> Result<Vec<(Name, Column)>> {
    let part = records.take(&(start..start + len).collect::<Vec<_>>())?;
    let column = |name: &Name| {
        let column = match &**name {
            "class" => Column::Dense(part.column(name)?),
            _ => Column::Text(part.texts(name)?),
        };
        Ok((name.clone(), column))
    };
    part.columns().iter().map(column).collect()
}

/// Returns the array of a `.npy` file, or the bytes of any other.
fn contents(path: &str) -> Result<Array> {
    let file = Path::new(path);
    match file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
        true => read_array(file, false),
        false => {
            let bytes = read_bytes(file)?;
            let shape = [bytes.len()];
            Array::from_u8(bytes, &shape)
        }
    }
}

fn stacked(arrays: Vec<Array>) -> Result<Column> {
    let alike = arrays.windows(2).all(|pair| pair[0].shape() == pair[1].shape() && pair[0].dtype() == pair[1].dtype());
    match alike && arrays.first().is_some_and(|array| array.rank() != 1 || array.dtype() != crate::tensor::Dtype::U8) {
        true => Ok(Column::Dense(Array::stack(&arrays)?.into())),
        // Bytes of files are of different lengths sooner or later.
        false => Ok(Column::Ragged(arrays.into_iter().map(Tensor::from).collect())),
    }
}
