//! The section `dataset`, resolved.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::imports::{self, Import};

/// How records are loaded, transformed and augmented.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Turns a record into named inputs, outputs and sample weights.
    pub loader: Import,
    /// Fitted on the training records, applied to all.
    pub transformer: Import,
    /// Change training records anew in each epoch, in this order.
    pub augmentor: Vec<Import>,
    /// The field that tells how often a training record is in an epoch.
    pub sample_count: Option<String>,
    /// The seed of everything random in the run.
    pub seed: Option<u64>,
    /// Whether each epoch has the training records in another order.
    pub shuffle: bool,
    /// Whether a last training batch that is not full is left out.
    pub drop_last: bool,
    /// Whether loaded records are kept in memory.
    pub cache: Cache,
    /// Threads that load records; 0 loads in the training thread.
    pub workers: Option<usize>,
    /// Batches that workers make ahead of the training step.
    pub prefetch: Option<usize>,
    /// The field whose values are drawn equally often.
    pub balance: Option<String>,
    /// The field in proportion to which training records are drawn.
    pub sample_probability: Option<String>,
    /// The field by whose length training records of a batch are chosen alike.
    pub bucket: Option<String>,
    /// What is added to values of different lengths, by name.
    pub pad: Map<String, Value>,
    /// What becomes of records that cannot be loaded.
    pub on_error: OnError,
}

/// What becomes of records that cannot be loaded.
#[derive(Clone, Debug, PartialEq)]
pub enum OnError {
    /// The run stops.
    Stop,
    /// They are left out.
    Skip(Limit),
    /// They are left out and listed.
    Quarantine(Limit),
}

/// How many records may fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// So many.
    Count(usize),
    /// This fraction of all.
    Fraction(f64),
}

impl OnError {
    /// Returns how many of `len` records may fail; `None` when the first failure stops the run.
    pub fn limit(&self, len: usize) -> Option<usize> {
        match self {
            OnError::Stop => None,
            OnError::Skip(Limit::Count(count)) | OnError::Quarantine(Limit::Count(count)) => Some(*count),
            OnError::Skip(Limit::Fraction(part)) | OnError::Quarantine(Limit::Fraction(part)) => {
                Some((len as f64 * part).ceil() as usize)
            }
        }
    }

    fn resolve(fields: &Fields) -> Self {
        let inner = fields.map_if_any("on_error");
        let policy = match &inner {
            Some(inner) => inner.text("policy"),
            None => fields.text("on_error"),
        };
        let limit = match &inner {
            Some(inner) => match inner.whole_if_any("limit") {
                Some(count) => Limit::Count(count),
                None => Limit::Fraction(inner.number("limit")),
            },
            None => Limit::Fraction(DEFAULT_LIMIT),
        };
        match policy.as_str() {
            "skip" => OnError::Skip(limit),
            "quarantine" => OnError::Quarantine(limit),
            _ => OnError::Stop,
        }
    }

    fn to_json(&self) -> Value {
        let written = |policy: &str, limit: &Limit| match limit {
            Limit::Count(count) => json!({ "policy": policy, "limit": count }),
            Limit::Fraction(fraction) => json!({ "policy": policy, "limit": fraction }),
        };
        match self {
            OnError::Stop => json!("stop"),
            OnError::Skip(limit) => written("skip", limit),
            OnError::Quarantine(limit) => written("quarantine", limit),
        }
    }
}

/// The default of `on_error.limit`: where more than a tenth fails, something else is wrong.
const DEFAULT_LIMIT: f64 = 0.1;

/// Whether loaded records are kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// When they fit.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Dataset {
    pub(super) fn resolve(fields: &Fields) -> Self {
        Dataset {
            loader: imports::one(fields, "loader"),
            transformer: imports::one(fields, "transformer"),
            augmentor: imports::list(fields, "augmentor"),
            sample_count: fields.text_if_any("sample_count"),
            seed: fields.get("seed").0.whole(),
            shuffle: fields.flag("shuffle"),
            drop_last: fields.flag("drop_last"),
            cache: match fields.get("cache").0.flag() {
                Some(true) => Cache::On,
                Some(false) => Cache::Off,
                None => Cache::Auto,
            },
            workers: fields.whole_if_any("workers"),
            prefetch: fields.whole_if_any("prefetch"),
            balance: fields.text_if_any("balance"),
            sample_probability: fields.text_if_any("sample_probability"),
            bucket: fields.text_if_any("bucket"),
            pad: fields.get("pad").0.to_map(),
            on_error: OnError::resolve(fields),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("loader".to_owned(), self.loader.to_json());
        map.insert("transformer".to_owned(), self.transformer.to_json());
        map.insert("augmentor".to_owned(), imports::all_to_json(&self.augmentor));
        map.extend(self.sample_count.as_ref().map(|field| ("sample_count".to_owned(), json!(field))));
        map.extend(self.seed.map(|seed| ("seed".to_owned(), json!(seed))));
        map.insert("shuffle".to_owned(), json!(self.shuffle));
        map.insert("drop_last".to_owned(), json!(self.drop_last));
        let cache = match self.cache {
            Cache::Auto => json!("auto"),
            Cache::On => json!(true),
            Cache::Off => json!(false),
        };
        map.insert("cache".to_owned(), cache);
        map.extend(self.workers.map(|workers| ("workers".to_owned(), json!(workers))));
        map.extend(self.prefetch.map(|prefetch| ("prefetch".to_owned(), json!(prefetch))));
        for (name, field) in
            [("balance", &self.balance), ("sample_probability", &self.sample_probability), ("bucket", &self.bucket)]
        {
            map.extend(field.as_ref().map(|field| (name.to_owned(), json!(field))));
        }
        map.insert("pad".to_owned(), Value::Object(self.pad.clone()));
        map.insert("on_error".to_owned(), self.on_error.to_json());
        Value::Object(map)
    }
}
