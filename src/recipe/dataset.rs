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
}

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
        Value::Object(map)
    }
}
