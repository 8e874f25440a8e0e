//! Scripts that run on whole columns: which must, what they then give, and what is refused.

mod generated;
mod named;
mod workers;

use std::fmt::Write;
use std::sync::Arc;

use barrage::batch;
use barrage::random::{Random, Stream};
use barrage::record::{Augmentor, DataColumns, DataRecords, Field, Loader, Mode, Records, Row, Transformer, Value};
use barrage::script::Host;
use barrage::script::adaptor::{ScriptAugmentor, ScriptLoader, ScriptTransformer};
use barrage::script::vectorise::{How, Report};
use barrage::tensor::Array;

/// Records with a field of each type; `n` is missing in a few of them.
pub fn table(len: usize) -> Records {
    let words = ["setosa", "virginica", "versicolor", "Other kind", ""];
    let row = |i: usize| -> Row {
        let x = (i * 7919 % 1009) as f64 / 100.0 - 3.0;
        let tensor = |shape: &[usize], factor: f32| {
            let size: usize = shape.iter().product();
            let values = (0..size).map(|at| ((i * 31 + at * 17) % 101) as f32 * factor - 5.0).collect();
            Value::from(Array::from_f32(values, shape).unwrap())
        };
        vec![
            ("a".into(), x.into()),
            ("b".into(), (x * x / 7.0 - 1.0).into()),
            ("i".into(), ((i * 13 % 29) as i64 - 9).into()),
            ("j".into(), ((i * 5 % 7) as i64).into()),
            ("flag".into(), i.is_multiple_of(3).into()),
            ("s".into(), words[i * 3 % 5].into()),
            ("t".into(), words[i * i % 4].into()),
            ("text".into(), format!("Word {} of, {} words! {}", i % 5, i % 3, words[i % 5]).as_str().into()),
            ("v".into(), tensor(&[4], 0.1)),
            ("m".into(), tensor(&[2, 3], 0.25)),
            (
                "pixels".into(),
                Array::from_u8((0..36).map(|at| ((i + at) % 256) as u8).collect(), &[6, 6]).unwrap().into(),
            ),
            (
                "picture".into(),
                Array::from_u8((0..90).map(|at| ((i * 7 + at * 3) % 256) as u8).collect(), &[6, 5, 3]).unwrap().into(),
            ),
            ("history".into(), tensor(&[8, 2], 0.5)),
            ("target".into(), (x * 2.0).into()),
            ("image".into(), "images/grey.png".into()),
            ("file".into(), "note.txt".into()),
        ]
    };
    Records::from_rows((0..len).map(row).collect(), "table").unwrap()
}

/// What a station gave: one line a record and value, with every bit, or the error.
pub fn bits(outcome: barrage::Result<DataRecords>) -> Result<String, String> {
    let chunk = outcome.map_err(|error| barrage::error::draw(&error, false))?;
    let columns = batch::columns(chunk, &|at| format!("record {at}")).map_err(|error| error.to_string())?;
    Ok(lines(&columns))
}

fn lines(columns: &DataColumns) -> String {
    let mut text = String::new();
    for (at, record) in batch::split(columns).into_iter().enumerate() {
        let parts = [("x", Some(record.x)), ("y", record.y), ("w", record.w)];
        for (part, fields) in parts.into_iter().filter_map(|(part, fields)| Some((part, fields?))) {
            for (name, field) in fields {
                let shown = match field {
                    Field::Tensor(tensor) => {
                        let array = tensor.to_host().unwrap();
                        let values: Vec<u64> = match array.dtype().is_float() {
                            true => array.as_f64().iter().map(|value| value.to_bits()).collect(),
                            false => array.as_i64().iter().map(|&value| value as u64).collect(),
                        };
                        format!("{} {:?} {values:x?}", array.dtype(), array.shape())
                    }
                    Field::Text(text) => format!("{text:?}"),
                    Field::Texts(texts) => format!("{texts:?}"),
                };
                writeln!(text, "{at} {part}.{name} {shown}").unwrap();
            }
        }
    }
    text
}

/// The kinds of record functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot {
    Loader,
    Transformer,
    Augmentor,
}

/// What is run: a function of a script, or a component of the standard library.
pub struct Subject<'a> {
    /// The text of `under.test`; empty for the standard library.
    pub script: &'a str,
    pub import: &'a str,
    pub slot: Slot,
    pub params: serde_json::Value,
}

impl<'a> Subject<'a> {
    /// A script of its own, with parameters of many kinds.
    pub fn script(script: &'a str, slot: Slot) -> Self {
        let params = serde_json::json!({ "name": "v", "deviation": 0.25, "probability": 0.5, "factor": 3 });
        Subject { script, import: "under.test", slot, params }
    }

    /// Runs the function on records, or on what [`LOADER`] makes of them, followed or interpreted.
    pub fn run(&self, records: &Records, mode: Mode, interpret: bool) -> (Result<String, String>, Vec<Report>) {
        let params = self.params.as_object().unwrap();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script/files");
        let host = Host::builder(root)
            .script("under.test", self.script)
            .script("under.loader", LOADER)
            .interpret(interpret)
            .build()
            .unwrap();
        let rows = records.to_vec();
        let component = || host.component(self.import, params);
        let run = || -> barrage::Result<DataRecords> {
            if self.slot == Slot::Loader {
                return ScriptLoader::new(component()?)?.load(&rows, mode);
            }
            let loader = host.component("under.loader", &serde_json::Map::new())?;
            let loader: Arc<dyn Loader> = Arc::new(ScriptLoader::new(loader)?);
            let loaded = DataRecords::Columns(batch::columns(loader.load(&rows, mode)?, &|at| format!("record {at}"))?);
            if self.slot == Slot::Transformer {
                let mut transformer = ScriptTransformer::new(component()?, loader.clone(), Mode::Train)?;
                transformer.fit(records, &*loader)?;
                return transformer.transform(loaded, mode);
            }
            let random: Vec<Random> =
                (0..rows.len() as u64).map(|at| Random::new(5, Stream::Augment, &[0, at])).collect();
            ScriptAugmentor::new(component()?)?.augment(loaded, &random)
        };
        let outcome = bits(run());
        let wanted = match self.slot {
            Slot::Loader => "loader",
            Slot::Transformer => "transformer",
            Slot::Augmentor => "augmentor",
        };
        let reports = host.functions().into_iter();
        (outcome, reports.filter(|report| report.slot == wanted && report.import == self.import).collect())
    }

    /// Checks that followed and interpreted are the same, and returns why the script was interpreted, if it was.
    pub fn same(&self, records: &Records, mode: Mode) -> Option<String> {
        let script = format!("{} {}", self.import, self.script);
        let (followed, reports) = self.run(records, mode, false);
        let (interpreted, _) = self.run(records, mode, true);
        if followed != interpreted {
            let (one, other) = (format!("{followed:?}"), format!("{interpreted:?}"));
            let at = one.bytes().zip(other.bytes()).position(|(a, b)| a != b).unwrap_or(0);
            let part = |text: &str| text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
            panic!("{script}\n{}\ninstead of\n{}", part(&one), part(&other));
        }
        let why = reports.first().and_then(|report| match &report.how {
            How::Interpreted { why, place: Some(place) } => Some(format!("{why} at {place}")),
            How::Interpreted { why, place: None } => Some(why.clone()),
            _ => None,
        });
        // The nets above have to refuse what would differ; this one may not be needed.
        assert!(!why.as_ref().is_some_and(|why| why.contains("came out differently")), "{script}\n{why:?}");
        why.or_else(|| {
            let Some(report) = reports.first() else { return Some("never made".to_owned()) };
            (report.followed == 0 && followed.is_ok()).then(|| format!("never followed: {report:?}"))
        })
    }
}

/// A loader of all fields, for transformers and augmentors under test.
pub const LOADER: &str = "fn load(record) {
    #{ x: #{ a: record.a, i: record.i, s: record.s, text: record.text, v: record.v, m: record.m, pixels: record.pixels,
             picture: record.picture, history: record.history },
       y: #{ label: record.t, number: record.j, hot: one_hot(record.j, 7) } }
}";

/// Checks a script as [`Subject::same`] does.
pub fn same(script: &str, slot: Slot, records: &Records, mode: Mode) -> Option<String> {
    Subject::script(script, slot).same(records, mode)
}
