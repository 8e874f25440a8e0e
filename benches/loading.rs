//! Loading, as a program beside others of its kind: `cargo bench --bench loading -- W1 scripted 2`.
//!
//! Arguments: the workload, `native` or `scripted`, the number of threads and, where two are not enough, of epochs.
//! Prints one line of JSON: records, wall and CPU seconds of the last epoch, records a second (of the first epoch,
//! too) and a CPU second, and the most memory in MB that the process held in each epoch.
//!
//! * **W1** 60 000 images of 28×28 bytes in memory: to numbers from 0 to 1, a random horizontal shift of up to 2,
//!   batches of 64.
//! * **W4** a CSV of 1 000 000 × 20 numbers (`$BENCH_HOME/data/w4.csv`): reading, mean and deviation of each column,
//!   one epoch of shuffled, standardised batches of 1 024.
//! * **keys**, **branch**, **text** 200 000 records of 8 columns, batches of 64: four of them selected; a scaler with a
//!   branch; class names as numbers. `interpreted` in place of `scripted` runs the same scripts record by record.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use barrage::dataset::{Cache, Dataset, Options, Stations};
use barrage::prelude::*;
use barrage::random::{Random, Stream};
use barrage::record::{
    Augmentor, Column, DataColumns, DataRecords, Fields, Loader, Mode, Name, Record, Records, Transformer, gather,
};
use barrage::registry::Params;
use barrage::script::adaptor::{ScriptAugmentor, ScriptLoader, ScriptTransformer};
use barrage::tensor::{Array, Tensor};

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

/// What is measured.
struct Work {
    dataset: Dataset,
    epochs: u64,
    /// Seconds and CPU seconds before the first epoch that count.
    before: (f64, f64),
    note: String,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    // `cargo test` runs benchmarks too; without a workload there is nothing to measure.
    let [workload, how, threads, epochs @ ..] = arguments.as_slice() else { return Ok(()) };
    let threads: usize = threads.parse()?;
    let mut work = match workload.as_str() {
        "W1" => w1(how, threads)?,
        "W4" => w4(how, threads)?,
        "keys" | "branch" | "text" => columns(workload, how, threads)?,
        other => return Err(format!("unknown workload `{other}`").into()),
    };
    if let [epochs] = epochs {
        work.epochs = epochs.parse()?;
    }
    report(&work)
}

#[allow(clippy::print_stdout)]
fn report(work: &Work) -> Outcome<()> {
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    let mut records = 0;
    for epoch in 0..work.epochs {
        forget_peak();
        let (wall, cpu) = (Instant::now(), cpu_seconds()?);
        let mut batches = work.dataset.epoch(epoch);
        records = 0;
        for index in 0..work.dataset.batches() {
            records += batches.batch(index)?.len;
        }
        times.push((wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu));
        drop(batches);
        peaks.push(peak_megabytes()?);
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let (wall, cpu) = (last.0 + work.before.0, last.1 + work.before.1);
    let line = serde_json::json!({
        "records": records, "wall": wall, "cpu": cpu, "rps": records as f64 / wall,
        "rps_first": records as f64 / first.0, "rpcpu": records as f64 / cpu.max(1e-9), "note": work.note,
        "peak_mb": peaks,
    });
    println!("{line}");
    Ok(())
}

/// Has the kernel count the most memory anew; where it cannot, the peaks are those since the start.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory of this process since [`forget_peak`].
fn peak_megabytes() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("unknown form of /proc/self/status")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok((kilobytes / 102.4).round() / 10.0)
}

/// The CPU seconds of this process, from the kernel's account of it: those of ended threads are in it.
fn cpu_seconds() -> Outcome<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').ok_or("unknown form of /proc/self/stat")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("a field is missing")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Threads as the peers count them: one is the thread that uses the batches.
fn options(threads: usize, cache: Cache) -> Options {
    Options { workers: if threads > 1 { threads } else { 0 }, cache, ..Options::default() }
}

fn host(script: &str, interpret: bool) -> Result<Host> {
    Host::builder(std::env::temp_dir()).script("bench", script).interpret(interpret).build()
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
    let stations = Stations { loader, transformer: Arc::new(Identity), augmentor: Some(augmentor) };
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

/// Changes nothing.
struct Identity;

impl Transformer for Identity {
    fn fit(&mut self, _: &Records, _: &dyn Loader) -> Result<()> {
        Ok(())
    }
    fn transform(&self, chunk: DataRecords, _: Mode) -> Result<DataRecords> {
        Ok(chunk)
    }
    fn postprocess(&self, score: Fields) -> Result<Fields> {
        Ok(score)
    }
    fn has_postprocess(&self) -> bool {
        false
    }
    fn network_params(&self) -> Params {
        Params::new()
    }
    fn save(&self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }
    fn load(&mut self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }
    fn check_storable(&self) -> Result<()> {
        Ok(())
    }
}

/// A native loader that selects fields, or leaves columns out.
fn selector(names: &[String]) -> Result<Arc<dyn Loader>> {
    let params = serde_json::json!({ "inputs": { "x": names }, "outputs": { "y": "y" } });
    let entry = barrage::registry::lookup(barrage::loader::LIST, "KeySelector");
    let entry = entry.ok_or_else(|| barrage::Error::run("there is no `KeySelector`"))?;
    Ok(Arc::from(entry.make(params.as_object().unwrap_or(&Params::new()))?))
}

const W4: &str = "
    fn fit(records) {
        let x = this.loader.load_all(records).x.x;
        this.mean = x.mean(0);
        this.deviation = x.std(0);
    }
    fn transform(data_record) {
        data_record.x.x = (data_record.x.x - this.mean) / this.deviation;
        data_record
    }";

/// A native transformer that standardises.
struct Standardise(Option<(Tensor, Tensor)>);

impl Transformer for Standardise {
    fn fit(&mut self, records: &Records, _: &dyn Loader) -> Result<()> {
        let columns = records.columns().iter().map(|name| records.column(name)).collect::<Result<Vec<_>>>()?;
        let x = Tensor::stack(&columns, 1)?;
        self.0 = Some((x.mean(Some(&[0]), false)?, x.std(Some(&[0]), false)?));
        Ok(())
    }
    fn transform(&self, chunk: DataRecords, _: Mode) -> Result<DataRecords> {
        let (DataRecords::Columns(mut chunk), Some((mean, deviation))) = (chunk, &self.0) else {
            return Err(barrage::Error::run("expected columns"));
        };
        if let Column::Dense(tensor) = &chunk.x[0].1 {
            chunk.x[0].1 = Column::Dense(tensor.sub(mean)?.div(deviation)?);
        }
        Ok(DataRecords::Columns(chunk))
    }
    fn postprocess(&self, score: Fields) -> Result<Fields> {
        Ok(score)
    }
    fn has_postprocess(&self) -> bool {
        false
    }
    fn network_params(&self) -> Params {
        Params::new()
    }
    fn save(&self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }
    fn load(&mut self, _: &std::path::Path) -> Result<()> {
        Ok(())
    }
    fn check_storable(&self) -> Result<()> {
        Ok(())
    }
}

/// All columns side by side, and no outputs.
struct All(Vec<Name>);

impl Loader for All {
    fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
        let x = barrage::record::gather_list(records, &self.0)?;
        let x = x.ok_or_else(|| barrage::Error::data("expected numbers"))?;
        Ok(DataRecords::Columns(DataColumns { len: records.len(), x: vec![("x".into(), x)], y: None, w: None }))
    }
}

fn w4(how: &str, threads: usize) -> Outcome<Work> {
    let home = std::env::var("BENCH_HOME").map_err(|_| "W4 reads `$BENCH_HOME/data/w4.csv`: set BENCH_HOME")?;
    let (wall, cpu) = (Instant::now(), cpu_seconds()?);
    let records = Records::read(&std::path::Path::new(&home).join("data/w4.csv"))?;
    let loader: Arc<dyn Loader> = Arc::new(All(records.columns().to_vec()));
    let host = host(W4, how == "interpreted")?;
    let mut transformer: Box<dyn Transformer> = match how {
        "native" => Box::new(Standardise(None)),
        _ => Box::new(ScriptTransformer::new(host.component("bench", &Params::new())?, loader.clone(), Mode::Train)?),
    };
    transformer.fit(&records, &*loader)?;
    let stations = Stations { loader, transformer: Arc::from(transformer), augmentor: None };
    let dataset = Dataset::new(records, stations, Mode::Train, 1024, 7, options(threads, Cache::Off))?;
    let before = (wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    Ok(Work { dataset, epochs: 1, before, note: described(&host) })
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
    let stations = Stations { loader, transformer: Arc::new(Identity), augmentor: None };
    // Each epoch loads anew: what is measured is the loader, through the batch.
    let dataset = Dataset::new(records, stations, Mode::Train, 64, 7, options(threads, Cache::Off))?;
    let _ = dataset.epoch(9).batch(0)?;
    Ok(Work { dataset, epochs: 5, before: (0.0, 0.0), note: described(&host) })
}
