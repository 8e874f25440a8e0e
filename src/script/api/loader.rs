//! The loader a transformer is given as `this.loader`.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, EvalAltResult, Map};

use crate::batch;
use crate::record::{Column, Columns, DataColumns, DataRecords, Loader, Mode, Record, Records};
use crate::script::api::Page;
use crate::script::{cast, traceback::raise};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "loader",
    title: "The loader of a transformer",
    intro: "A transformer reaches the recipe's loader as `this.loader`, so that `fit` does not care how the data is stored.\n\n\
            ```rhai\n\
            fn fit(records) {\n    \
                let batch = this.loader.load_all(records);\n    \
                this.mean = batch.x.flower.mean(0);\n\
            }\n\
            ```",
    register,
};

/// A loader as scripts see it.
#[derive(Clone)]
pub struct LoaderHandle {
    loader: Arc<dyn Loader>,
    mode: Mode,
}

impl LoaderHandle {
    /// Wraps a loader; records are loaded in the given mode.
    pub fn new(loader: Arc<dyn Loader>, mode: Mode) -> Self {
        LoaderHandle { loader, mode }
    }
}

/// Records loaded at a time, so that a large set is not held twice.
const CHUNK: usize = 1024;

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<LoaderHandle>("Loader");
    engine.register_global_module(exported_module!(functions).into());
}

fn columns(columns: Columns) -> Dynamic {
    let column = |column: Column| match column {
        Column::Dense(tensor) => Dynamic::from(tensor),
        Column::Ragged(tensors) => Dynamic::from(tensors.into_iter().map(Dynamic::from).collect::<List>()),
        Column::Text(texts) => {
            Dynamic::from(texts.iter().map(|text| Dynamic::from(text.to_string())).collect::<List>())
        }
        Column::Texts(texts) => {
            let list = |texts: &Arc<[Arc<str>]>| {
                Dynamic::from(texts.iter().map(|text| Dynamic::from(text.to_string())).collect::<List>())
            };
            Dynamic::from(texts.iter().map(list).collect::<List>())
        }
    };
    Dynamic::from(columns.into_iter().map(|(name, values)| ((*name).into(), column(values))).collect::<Map>())
}

/// Returns a batch as scripts see it: a map with `x`, and `y` and `w` when it has them.
///
/// # Errors
/// None so far.
pub fn batch_map(batch: DataColumns) -> crate::Result<Map> {
    let mut map = Map::new();
    map.insert("x".into(), columns(batch.x));
    if let Some(y) = batch.y {
        map.insert("y".into(), columns(y));
    }
    if let Some(w) = batch.w {
        map.insert("w".into(), columns(w));
    }
    Ok(map)
}

#[export_module]
mod functions {
    /// Returns the data record of one record: a map with `x`, `y` and, if the loader gives weights, `w`.
    ///
    /// # Errors
    /// Whatever the loader raises.
    ///
    /// ```rhai
    /// fn fit(records) { this.shape = this.loader.load(records[0]).x.flower.shape; }
    /// ```
    #[rhai_fn(name = "load", return_raw)]
    pub fn load(loader: LoaderHandle, record: Record) -> Result<Dynamic, Box<EvalAltResult>> {
        let loaded = loader.loader.load(std::slice::from_ref(&record), loader.mode).map_err(raise)?;
        Ok(batch::rows(loaded).into_iter().next().map_or(Dynamic::UNIT, cast::from_data_record))
    }

    /// Returns all records loaded as one batch: a map with `x`, `y` and, if the loader gives weights, `w`,
    /// each a map from name to values. Numbers of one shape are a tensor stacked on axis 0, numbers of
    /// different shapes an array of tensors, texts an array.
    ///
    /// # Errors
    /// Whatever the loader raises; records whose values do not go together.
    #[rhai_fn(name = "load_all", return_raw)]
    pub fn load_all(loader: LoaderHandle, records: Records) -> Result<Map, Box<EvalAltResult>> {
        let all = records.to_vec();
        let place = |index: usize| all.get(index).map_or_else(String::new, Record::place);
        let mut chunks = Vec::new();
        for (number, chunk) in all.chunks(CHUNK).enumerate() {
            let loaded: DataRecords = loader.loader.load(chunk, loader.mode).map_err(raise)?;
            chunks.push(batch::columns(loaded, &|index| place(number * CHUNK + index)).map_err(raise)?);
        }
        batch::concat(&chunks).and_then(batch_map).map_err(raise)
    }

    /// Returns the name of the type.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(_loader: LoaderHandle) -> String {
        "Loader".to_owned()
    }
}
