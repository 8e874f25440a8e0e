//! Tables of numbers and of texts, from the file to the batch.

use std::sync::Arc;
use std::time::Instant;

use barrage::dataset::{Cache, Dataset, Stations};
use barrage::media::{Cutting, Padding, Vocabulary, pad_sequences};
use barrage::prelude::*;
use barrage::record::{gather, gather_list};
use barrage::script::adaptor::{ScriptLoader, ScriptTransformer};

use super::measure::{Work, cpu_seconds};
use super::native::{Fitted, Input};
use super::{Outcome, data, described, host, options};

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

pub fn w4(how: &str, threads: usize) -> Outcome<Work> {
    let (wall, cpu) = (Instant::now(), cpu_seconds()?);
    let records = Records::read(&data()?.join("w4.csv"))?;
    let names = records.columns().to_vec();
    let loader: Arc<dyn Loader> = Arc::new(Input(move |records: &[Record]| {
        gather_list(records, &names)?.ok_or_else(|| barrage::Error::data("expected numbers"))
    }));
    let host = host(W4, how == "interpreted")?;
    let native = Fitted::new(
        |records| match gather_list(&records.to_vec(), records.columns())? {
            Some(Column::Dense(x)) => Ok((x.mean(Some(&[0]), false)?, x.std(Some(&[0]), false)?)),
            _ => Err(barrage::Error::data("expected numbers")),
        },
        |(mean, deviation), mut chunk| {
            if let Column::Dense(tensor) = &chunk.x[0].1 {
                chunk.x[0].1 = Column::Dense(tensor.sub(mean)?.div(deviation)?);
            }
            Ok(chunk)
        },
    );
    let mut transformer: Box<dyn Transformer> = match how {
        "native" => Box::new(native),
        _ => Box::new(ScriptTransformer::new(host.component("bench", &Params::new())?, loader.clone(), Mode::Train)?),
    };
    transformer.fit(&records, &*loader)?;
    let stations = Stations { loader, transformer: Arc::from(transformer), augmentor: None };
    let dataset = Dataset::new(records, stations, Mode::Train, 1024, 7, options(threads, Cache::Off))?;
    let before = (wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    Ok(Work { dataset, epochs: 1, before, note: described(&host) })
}

const WORDS: usize = 20_000;
const LENGTH: usize = 64;

fn cutting() -> Cutting {
    Cutting { lower: false, filters: String::new(), ..Cutting::default() }
}

/// Counting the words and one epoch count; reading the lines does not, as for the peers.
pub fn w5(how: &str, threads: usize) -> Outcome<Work> {
    let records = Records::read(&data()?.join("w5.txt"))?;
    let host = host("fn load(record) { [#{ x: record.text }, #{}] }", how == "interpreted")?;
    let (wall, cpu) = (Instant::now(), cpu_seconds()?);
    let loader: Arc<dyn Loader> = match how {
        "native" => Arc::new(Input(|records: &[Record]| {
            gather(records, "text")?.ok_or_else(|| barrage::Error::data("expected one table"))
        })),
        _ => Arc::new(ScriptLoader::new(host.component("bench", &Params::new())?)?),
    };
    let native = Fitted::new(
        |records| {
            let lines = records.texts("text")?;
            Ok(Vocabulary::learn(lines.iter().map(|line| &**line), cutting(), Some(WORDS), Some("<unknown>")))
        },
        |vocabulary, mut chunk| {
            if let Column::Text(lines) = &chunk.x[0].1 {
                let padding = Padding { maxlen: Some(LENGTH), before: false, cut_before: false, value: 0 };
                let numbers: Vec<Vec<i64>> = lines.iter().map(|line| vocabulary.encode(line)).collect();
                chunk.x[0].1 = Column::Dense(pad_sequences(&numbers, padding)?);
            }
            Ok(chunk)
        },
    );
    let params = serde_json::json!({
        "input": "x", "maxlen": LENGTH, "num_words": WORDS, "lower": false, "filters": "",
    });
    let params = params.as_object().cloned().unwrap_or_default();
    let mut transformer: Box<dyn Transformer> = match how {
        "native" => Box::new(native),
        _ => {
            let component = host.component("std.transformers.vocabulary", &params)?;
            Box::new(ScriptTransformer::new(component, loader.clone(), Mode::Train)?)
        }
    };
    transformer.fit(&records, &*loader)?;
    let stations = Stations { loader, transformer: Arc::from(transformer), augmentor: None };
    let dataset = Dataset::new(records, stations, Mode::Train, 64, 7, options(threads, Cache::Off))?;
    let before = (wall.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    Ok(Work { dataset, epochs: 1, before, note: described(&host) })
}
