//! Loading, as a program beside others of its kind: `cargo bench --bench loading -- W1 scripted 2`.
//!
//! Arguments: the workload, `native` or `scripted`, the number of threads and, where two are not enough, of epochs.
//! Prints one line of JSON: records, wall and CPU seconds of an epoch (the mean of all but the first), records a
//! second (of the first epoch, too) and a CPU second, and the most memory in MB that the process held in each epoch.
//! Files are those of `$BENCH_HOME/data`.
//!
//! * **W1** 60 000 images of 28×28 bytes in memory: to numbers from 0 to 1, a random horizontal shift of up to 2,
//!   batches of 64.
//! * **W2** 20 000 `.npy` files of bytes, 64×64×3 (`w2/*.npy`), in random order, batches of 64. **W2packed**: the same
//!   from the one file that `barrage pack 'w2/*.npy' w2.safetensors` makes of them.
//! * **W3** 5 000 JPEG pictures of 256×256 (`w3/*.jpg`): decoded, brought to 64×64, mirrored at random, standardised,
//!   batches of 64.
//! * **W4** a CSV of 1 000 000 × 20 numbers (`w4.csv`): reading, mean and deviation of each column, one epoch of
//!   shuffled, standardised batches of 1 024.
//! * **W5** 100 000 lines of text (`w5.txt`): a vocabulary of 20 000 words, each line as 64 word numbers, batches of 64.
//! * **keys**, **branch**, **text** 200 000 records of 8 columns, batches of 64: four of them selected; a scaler with a
//!   branch; class names as numbers. `interpreted` in place of `scripted` runs the same scripts record by record.

#[path = "loading/files.rs"]
mod files;
#[path = "loading/measure.rs"]
mod measure;
#[path = "loading/native.rs"]
mod native;
#[path = "loading/tables.rs"]
mod tables;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use barrage::dataset::{Cache, Dataset, Options, Stations};
use barrage::prelude::*;
use barrage::random::{Random, Stream};
use barrage::record::gather;
use barrage::script::adaptor::{ScriptAugmentor, ScriptLoader};
use measure::{Work, report};
use native::Fitted;

/// As the program itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    // `cargo test` runs benchmarks too; without a workload there is nothing to measure.
    let [workload, how, threads, epochs @ ..] = arguments.as_slice() else { return Ok(()) };
    let threads: usize = threads.parse()?;
    barrage::cli::memory::keep_small();
    let mut work = match workload.as_str() {
        "W1" => w1(how, threads)?,
        "W2" => files::w2(how, threads)?,
        "W2packed" => files::packed(how, threads)?,
        "W3" => files::w3(how, threads)?,
        "W4" => tables::w4(how, threads)?,
        "W5" => tables::w5(how, threads)?,
        "keys" | "branch" | "text" => columns(workload, how, threads)?,
        other => return Err(format!("unknown workload `{other}`").into()),
    };
    if let [epochs] = epochs {
        work.epochs = epochs.parse()?;
    }
    report(&work)
}

/// Threads as the peers count them: one is the thread that uses the batches.
fn options(threads: usize, cache: Cache) -> Options {
    Options { workers: if threads > 1 { threads } else { 0 }, cache, ..Options::default() }
}

fn host(script: &str, interpret: bool) -> Result<Host> {
    Host::builder(std::env::temp_dir()).script("bench", script).interpret(interpret).build()
}

/// The folder with the files that are read.
fn data() -> Outcome<PathBuf> {
    let home = std::env::var("BENCH_HOME").map_err(|_| "the files are those of `$BENCH_HOME/data`: set BENCH_HOME")?;
    Ok(PathBuf::from(home).join("data"))
}

fn described(host: &Host) -> String {
    let reports = host.functions();
    reports.iter().map(|report| format!("{} {}", report.function, report.how.name())).collect::<Vec<_>>().join(", ")
}

const W1: &str = "
    fn load(record) { [#{ image: record.image.to_f32() / 255.0 }, #{ label: record.label }] }
    fn shift(data_record, params, rng) {
        let by = rng.below(5) - 2;
        data_record.x.image = data_record.x.image.pad([[0, 0], [2, 2]], 0.0).slice(1, 2 - by, 30 - by);
        data_record
    }";

fn w1(how: &str, threads: usize) -> Outcome<Work> {
    const IMAGES: usize = 60_000;
    let mut random = Random::new(0, Stream::Script, &[]);
    let mut pixels = Vec::with_capacity(IMAGES * 784);
    (0..IMAGES * 784 / 4).for_each(|_| pixels.extend(random.bits().to_le_bytes()));
    let labels: Vec<i64> = (0..IMAGES).map(|_| random.below(10) as i64).collect();
    let images = Array::from_u8(pixels, &[IMAGES, 28, 28])?;
    let labels = Array::from_i64(labels, &[IMAGES])?;
    let records = Records::from_columns(vec![("image".into(), images.into()), ("label".into(), labels.into())], "w1")?;
    let host = host(W1, how == "interpreted")?;
    let none = Params::new();
    let (loader, augmentor): (Arc<dyn Loader>, Arc<dyn Augmentor>) = match how {
        "native" => (Arc::new(Images), Arc::new(Shift)),
        _ => (
            Arc::new(ScriptLoader::new(host.component("bench", &none)?)?),
            Arc::new(ScriptAugmentor::new(host.component("bench.shift", &none)?)?),
        ),
    };
    let stations = Stations { loader, transformer: Arc::new(Fitted::nothing()), augmentor: Some(augmentor) };
    let dataset = Dataset::new(records, stations, Mode::Train, 64, 7, options(threads, Cache::Off))?;
    let _ = dataset.epoch(9).batch(0)?;
    Ok(Work { dataset, epochs: 2, before: (0.0, 0.0), note: described(&host) })
}

/// Pixels as numbers from 0 to 1.
struct Images;

impl Loader for Images {
    fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
        let column = |name: &str| gather(records, name)?.ok_or_else(|| barrage::Error::data("expected one table"));
        let image = match column("image")? {
            Column::Dense(tensor) => Column::Dense(tensor.to_f32()?.div(255.0)?),
            other => other,
        };
        let y = Some(vec![("label".into(), column("label")?)]);
        Ok(DataRecords::Columns(DataColumns { len: records.len(), x: vec![("image".into(), image)], y, w: None }))
    }
}

/// Moves each row of an image to the side.
struct Shift;

impl Augmentor for Shift {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        let DataRecords::Columns(mut chunk) = chunk else { return Ok(chunk) };
        let Column::Dense(tensor) = &chunk.x[0].1 else { return Ok(DataRecords::Columns(chunk)) };
        let array = tensor.to_host()?;
        let mut pixels = array.as_f32().into_owned();
        for (image, random) in pixels.chunks_exact_mut(784).zip(random) {
            let by = random.clone().below(5) as i64 - 2;
            for row in image.chunks_exact_mut(28) {
                match by {
                    by if by > 0 => {
                        row.copy_within(..28 - by as usize, by as usize);
                        row[..by as usize].fill(0.0);
                    }
                    by => {
                        row.copy_within((-by) as usize.., 0);
                        row[28 - (-by) as usize..].fill(0.0);
                    }
                }
            }
        }
        chunk.x[0].1 = Column::Dense(Array::from_f32(pixels, array.shape())?.into());
        Ok(DataRecords::Columns(chunk))
    }
}

/// A native loader that selects fields, or leaves columns out.
fn selector(names: &[String]) -> Result<Arc<dyn Loader>> {
    let params = serde_json::json!({ "inputs": { "x": names }, "outputs": { "y": "y" } });
    let entry = barrage::registry::lookup(barrage::loader::LIST, "KeySelector");
    let entry = entry.ok_or_else(|| barrage::Error::run("there is no `KeySelector`"))?;
    Ok(Arc::from(entry.make(params.as_object().unwrap_or(&Params::new()))?))
}

const KEYS: &str = "fn load(record) { [#{ x: [record.c0, record.c1, record.c2, record.c3] }, #{ y: record.y }] }";

const BRANCH: &str = "fn load(record) {
        let x = record.c0;
        if x > 0.5 { x = 0.5 + (x - 0.5) * 0.1; } else if x < -0.5 { x = -0.5; }
        [#{ x: [x, record.c1] }, #{ y: record.y }]
    }";

const TEXT: &str = "
    const NAMES = [\"setosa\", \"versicolor\", \"virginica\"];
    fn load(record) { [#{ x: [record.c0, record.c1] }, #{ y: global::NAMES.index_of(record.name) }] }";

/// The scripted loaders that are compared with native ones.
struct ByHand(&'static str);

impl Loader for ByHand {
    fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
        use barrage::record::{Cells64, gather_cells64};
        let missing = || barrage::Error::data("expected one table");
        let floats = |name: &str| match gather_cells64(records, name)? {
            Some(Cells64::Floats(values)) => Ok(values),
            _ => Err(missing()),
        };
        let (mut x, other) = (floats("c0")?, floats("c1")?);
        let y = match self.0 {
            "branch" => {
                for x in &mut x {
                    *x = if *x > 0.5 { 0.5 + (*x - 0.5) * 0.1 } else { x.max(-0.5) };
                }
                gather(records, "y")?.ok_or_else(missing)?
            }
            _ => match gather_cells64(records, "name")? {
                Some(Cells64::Texts(names)) => {
                    let known = ["setosa", "versicolor", "virginica"];
                    let number =
                        |name: &Arc<str>| known.iter().position(|known| **known == **name).map_or(-1, |at| at as i64);
                    let numbers: Vec<i64> = names.iter().map(number).collect();
                    Column::Dense(Array::from_i64(numbers, &[records.len()])?.into())
                }
                _ => return Err(missing()),
            },
        };
        let both: Vec<f32> = x.iter().zip(&other).flat_map(|(&a, &b)| [a as f32, b as f32]).collect();
        let x = vec![("x".into(), Column::Dense(Array::from_f32(both, &[records.len(), 2])?.into()))];
        Ok(DataRecords::Columns(DataColumns { len: records.len(), x, y: Some(vec![("y".into(), y)]), w: None }))
    }
}

fn columns(workload: &str, how: &str, threads: usize) -> Outcome<Work> {
    const RECORDS: usize = 200_000;
    let mut random = Random::new(1, Stream::Script, &[]);
    let text: String = std::iter::once("c0,c1,c2,c3,c4,c5,c6,name,y\n".to_owned())
        .chain((0..RECORDS).map(|_| {
            let numbers: Vec<String> = (0..7).map(|_| format!("{:.5}", random.normal())).collect();
            let name = ["setosa", "versicolor", "virginica"][random.below(3) as usize];
            format!("{},{name},{}\n", numbers.join(","), random.below(3))
        }))
        .collect();
    let file = std::env::temp_dir().join(format!("barrage-loading-{}.csv", std::process::id()));
    std::fs::write(&file, text)?;
    let records = Records::read(&file)?;
    std::fs::remove_file(&file)?;
    let (script, native): (&str, Arc<dyn Loader>) = match workload {
        "keys" => (KEYS, selector(&["c0", "c1", "c2", "c3"].map(str::to_owned))?),
        "branch" => (BRANCH, Arc::new(ByHand("branch"))),
        _ => (TEXT, Arc::new(ByHand("text"))),
    };
    let host = host(script, how == "interpreted")?;
    let loader = match how {
        "native" => native,
        _ => Arc::new(ScriptLoader::new(host.component("bench", &Params::new())?)?),
    };
    let stations = Stations { loader, transformer: Arc::new(Fitted::nothing()), augmentor: None };
    // Each epoch loads anew: what is measured is the loader, through the batch.
    let dataset = Dataset::new(records, stations, Mode::Train, 64, 7, options(threads, Cache::Off))?;
    let _ = dataset.epoch(9).batch(0)?;
    Ok(Work { dataset, epochs: 101, before: (0.0, 0.0), note: described(&host) })
}
