//! Pictures and arrays, each in a file of its own or all in one.

use std::path::Path;
use std::sync::Arc;

use barrage::dataset::{Cache, Dataset, Stations};
use barrage::media::{self, Channels};
use barrage::prelude::*;
use barrage::record::{Files, gather, read_array, read_bytes};
use barrage::script::adaptor::{ScriptAugmentor, ScriptLoader};
use barrage::tensor::Filter;

use super::measure::Work;
use super::native::{Fitted, Input};
use super::{Outcome, data, described, options};

fn host_in(folder: &Path, script: &str, how: &str) -> Result<Host> {
    Host::builder(folder).script("bench", script).interpret(how == "interpreted").build()
}

fn scripted(host: &Host) -> Result<Arc<dyn Loader>> {
    Ok(Arc::new(ScriptLoader::new(host.component("bench", &Params::new())?)?))
}

fn work(
    records: Records,
    loader: Arc<dyn Loader>,
    augmentor: Option<Arc<dyn Augmentor>>,
    threads: usize,
    host: &Host,
) -> Outcome<Work> {
    let stations = Stations { loader, transformer: Arc::new(Fitted::nothing()), augmentor };
    let dataset = Dataset::new(records, stations, Mode::Train, 64, 7, options(threads, Cache::Off))?;
    let _ = dataset.epoch(9).batch(0)?;
    Ok(Work { dataset, epochs: 2, before: (0.0, 0.0), note: described(host) })
}

/// Returns the tensors of a chunk's files, on a new first axis.
fn stacked(records: &[Record], one: impl Fn(&Path) -> Result<Array>, folder: &Path) -> Result<Column> {
    let one = |record: &Record| one(&folder.join(&*record.text("path")?));
    let arrays = records.iter().map(one).collect::<Result<Vec<Array>>>()?;
    Ok(Column::Dense(Array::stack(&arrays)?.into()))
}

pub fn w2(how: &str, threads: usize) -> Outcome<Work> {
    let folder = data()?;
    let records = Records::files(&folder, "w2/*.npy", &Files::default())?;
    let host = host_in(&folder, "fn load(record) { [#{ x: array(record.path) }, #{}] }", how)?;
    let loader: Arc<dyn Loader> = match how {
        "native" => {
            Arc::new(Input(move |records: &[Record]| stacked(records, |path| read_array(path, false), &folder)))
        }
        _ => scripted(&host)?,
    };
    work(records, loader, None, threads, &host)
}

pub fn packed(how: &str, threads: usize) -> Outcome<Work> {
    let folder = data()?;
    let records = Records::read(&folder.join("w2.safetensors"))?;
    let host = host_in(&folder, "fn load(record) { [#{ x: record.data }, #{}] }", how)?;
    let loader: Arc<dyn Loader> = match how {
        "native" => Arc::new(Input(|records: &[Record]| {
            gather(records, "data")?.ok_or_else(|| barrage::Error::data("expected one table"))
        })),
        _ => scripted(&host)?,
    };
    work(records, loader, None, threads, &host)
}

const W3: &str = "
    const MEAN = tensor([0.485, 0.456, 0.406]);
    const DEVIATION = tensor([0.229, 0.224, 0.225]);
    fn load(record) { [#{ x: image(record.path, #{ size: [64, 64], channels: 3 }) }, #{}] }
    fn flip(data_record, params, rng) {
        let picture = data_record.x.x;
        if rng.chance(0.5) { picture = picture.flip(1); }
        data_record.x.x = (picture.to_f32() / 255.0 - global::MEAN) / global::DEVIATION;
        data_record
    }";

pub fn w3(how: &str, threads: usize) -> Outcome<Work> {
    let folder = data()?;
    let records = Records::files(&folder, "w3/*.jpg", &Files::default())?;
    let host = host_in(&folder, W3, how)?;
    let (loader, augmentor): (Arc<dyn Loader>, Arc<dyn Augmentor>) = match how {
        "native" => {
            let decode = |path: &Path| {
                let picture = media::picture(&read_bytes(path)?, Channels::Colour)?;
                picture.resize(64, 64, Filter::Bilinear(true))?.to_host()
            };
            (Arc::new(Input(move |records: &[Record]| stacked(records, decode, &folder))), Arc::new(Flip))
        }
        _ => {
            let flip = host.component("bench.flip", &Params::new())?;
            (scripted(&host)?, Arc::new(ScriptAugmentor::new(flip)?))
        }
    };
    work(records, loader, Some(augmentor), threads, &host)
}

/// Mirrors at random and standardises.
struct Flip;

impl Augmentor for Flip {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
        const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
        const WIDTH: usize = 64;
        let DataRecords::Columns(mut chunk) = chunk else { return Ok(chunk) };
        let Column::Dense(tensor) = &chunk.x[0].1 else { return Ok(DataRecords::Columns(chunk)) };
        let array = tensor.to_host()?;
        let bytes = array.as_u8();
        let mut pixels = Vec::with_capacity(bytes.len());
        for (picture, random) in bytes.chunks_exact(WIDTH * WIDTH * 3).zip(random) {
            let mirrored = random.clone().uniform() < 0.5;
            for row in picture.as_chunks::<3>().0.chunks_exact(WIDTH) {
                let one = |pixel: &[u8; 3]| {
                    std::array::from_fn::<f32, 3, _>(|c| (f32::from(pixel[c]) / 255.0 - MEAN[c]) / DEVIATION[c])
                };
                match mirrored {
                    true => pixels.extend(row.iter().rev().flat_map(one)),
                    false => pixels.extend(row.iter().flat_map(one)),
                }
            }
        }
        chunk.x[0].1 = Column::Dense(Array::from_f32(pixels, array.shape())?.into());
        Ok(DataRecords::Columns(chunk))
    }
}
