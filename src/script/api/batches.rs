//! Batch loaders as PEDL (later Determined) has them, and results that are kept.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Dynamic, Engine, FnPtr, Map};

use crate::artifact;
use crate::error::Error;
use crate::record::{BatchLoader, Column, Columns, Name, Pack, ReadOptions, Records};
use crate::registry::Params;
use crate::script::adaptor::{ScriptBatchSource, to_columns};
use crate::script::api::arguments::{Answer, TensorOrMap};
use crate::script::api::loader::batch_map;
use crate::script::api::{Page, options::Options};
use crate::script::callable::Callable;
use crate::script::cast;
use crate::script::host::Host;
use crate::script::memo::{self, Disk};
use crate::script::traceback::{raise, type_phrase};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "batches",
    title: "Batch loaders and caches",
    intro: "A `BatchLoader` is a sequence of records that is read in ranges: `len()` and `get_batch(start, end)`, the end \
            excluded, as in PEDL. The host chooses the ranges and shuffles above them. A trainer takes two of them in the \
            place of records; a config whose loader's script has `make_data_loaders(experiment_config, hparams)` makes its \
            own, and is trained with `trainer.train(config)`.\n\n\
            ```rhai\n\
            let images = range(0, 24).reshape([12, 2]);\n\
            let all = array_loader(images, range(0, 12));\n\
            let train = slice_loader(all, 0, 8);\n\
            let validation = slice_loader(all, 8, 4);\n\
            [train.len, validation.get_batch(0, 2).y.output] // => [8, tensor([8, 9])]\n\
            ```\n\n\
            A loader of one's own reads what a range needs, often from files that `lru_cache` keeps:\n\n\
            ```rhai\n\
            let read = lru_cache(|file| array(file), 2);\n\
            let rows = batch_loader(#{\n    \
                len: || 2,\n    \
                get_batch: |start, end| batch(read.call(\"matrix.npy\")[start..end], range(start, end)),\n\
            });\n\
            rows.get_batch(1, 2).x.input // => tensor([[4.0, 5.0, 6.0]])\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<BatchLoader>("BatchLoader");
    engine.register_global_module(exported_module!(functions).into());
}

/// A place in a loader.
fn place(value: i64, what: &str) -> Answer<usize> {
    usize::try_from(value)
        .map_err(|_| raise(Error::data(format!("{what}: expected a whole number of at least 0, found {value}"))))
}

/// Returns inputs or outputs: a tensor under its usual name, or a map of them.
fn arrays(value: Dynamic, usual: &str) -> Answer<Vec<(Name, crate::tensor::Array)>> {
    let map = Map::from([("x".into(), value)]);
    let batch = to_columns(Dynamic::from(map)).map_err(raise)?;
    let array = |(name, column): (Name, Column)| match column {
        Column::Dense(tensor) => {
            let name = if &*name == "input" { usual.into() } else { name };
            tensor.to_host().map(|array| (name, array)).map_err(raise)
        }
        _ => Err(raise(Error::script(format!("`{name}` holds texts, not numbers")))),
    };
    batch.x.into_iter().map(array).collect()
}

fn closure(context: &NativeCallContext, functions: &Map, name: &str) -> Answer<Callable> {
    let function = functions.get(name).ok_or_else(|| {
        raise(
            Error::script(format!("`batch_loader` needs the function `{name}`"))
                .hint("write `batch_loader(#{ len: || …, get_batch: |start, end| … })`"),
        )
    })?;
    match function.clone().try_cast::<FnPtr>() {
        Some(function) => Callable::new(context, function),
        None => Err(raise(Error::script(format!(
            "`{name}` of `batch_loader`: expected a function, found {}",
            type_phrase(function.type_name())
        )))),
    }
}

#[export_module]
mod functions {
    /// Returns a batch: inputs and outputs, tensors with the records on axis 0 or maps of them. A single tensor is named
    /// `input` or `output`.
    ///
    /// # Errors
    /// First axes that differ.
    ///
    /// ```rhai
    /// batch(zeros([2, 3]), ones([2])).y.keys() // => ["output"]
    /// batch(#{ image: zeros([2, 3]), age: ones([2]) }, ones([2])).x.keys() // => ["age", "image"]
    /// ```
    #[rhai_fn(name = "batch", return_raw)]
    pub fn batch(inputs: TensorOrMap, outputs: TensorOrMap) -> Answer<Map> {
        let parts = Map::from([("x".into(), inputs), ("y".into(), outputs)]);
        to_columns(Dynamic::from(parts)).and_then(batch_map).map_err(raise)
    }

    /// Returns a batch loader made of two functions: `len()`, which is asked once, and `get_batch(start, end)`, which
    /// returns the batch of that range.
    ///
    /// # Errors
    /// A missing function; whatever `len` raises.
    ///
    /// ```rhai
    /// let squares = batch_loader(#{
    ///     len: || 100,
    ///     get_batch: |start, end| batch(range(start, end), range(start, end) * range(start, end)),
    /// });
    /// squares.get_batch(3, 5).y.output // => tensor([9, 16])
    /// ```
    #[rhai_fn(name = "batch_loader", return_raw)]
    pub fn batch_loader(context: NativeCallContext, functions: Map) -> Answer<BatchLoader> {
        let (len, get_batch) = (closure(&context, &functions, "len")?, closure(&context, &functions, "get_batch")?);
        if let Some(name) = functions.keys().find(|name| !matches!(name.as_str(), "len" | "get_batch")) {
            return Err(raise(
                Error::script(format!("`batch_loader` has no function `{name}`")).hint("functions: `len`, `get_batch`"),
            ));
        }
        let source = ScriptBatchSource::closures(&len, get_batch).map_err(raise)?;
        Ok(BatchLoader::new(Arc::new(source)))
    }

    /// Returns a batch loader that is a script: the import path of one with `len()` and `get_batch(start, end)`. It gets
    /// the parameters as `this.params`, and may set fields of `this` in `init`.
    ///
    /// # Errors
    /// A script without these functions; whatever its `init` raises.
    ///
    /// ```rhai
    /// batch_loader("loaders.squares", #{ count: 10 }).get_batch(0, 3).y.output // => tensor([0, 1, 4])
    /// ```
    #[rhai_fn(name = "batch_loader", return_raw)]
    pub fn batch_loader_script(context: NativeCallContext, import: &str, params: Map) -> Answer<BatchLoader> {
        let params = cast::to_params(&Dynamic::from(params), "`params` of `batch_loader`").map_err(raise)?;
        script_loader(&context, import, &params)
    }

    #[rhai_fn(name = "batch_loader", return_raw)]
    pub fn batch_loader_plain(context: NativeCallContext, import: &str) -> Answer<BatchLoader> {
        script_loader(&context, import, &Params::new())
    }

    /// Returns a batch loader of arrays in memory, or of maps of them, with the records on axis 0.
    ///
    /// # Errors
    /// First axes that differ.
    ///
    /// ```rhai
    /// array_loader(zeros([5, 2]), ones([5])).len // => 5
    /// ```
    #[rhai_fn(name = "array_loader", return_raw)]
    pub fn array_loader(inputs: TensorOrMap, outputs: TensorOrMap) -> Answer<BatchLoader> {
        BatchLoader::arrays(arrays(inputs, "input")?, arrays(outputs, "output")?).map_err(raise)
    }

    /// Returns a part of a batch loader: `length` records from `start` on. (The last argument is a length, not an end.)
    ///
    /// # Errors
    /// A part that reaches beyond the end.
    ///
    /// ```rhai
    /// slice_loader(array_loader(zeros([5, 2]), range(0, 5)), 3, 2).get_batch(0, 2).y.output // => tensor([3, 4])
    /// ```
    #[rhai_fn(name = "slice_loader", return_raw)]
    pub fn slice_loader(loader: BatchLoader, start: i64, length: i64) -> Answer<BatchLoader> {
        let (start, length) = (place(start, "`start`")?, place(length, "`length`")?);
        loader.slice(start, length).map_err(raise)
    }

    /// Returns the number of records.
    ///
    /// ```rhai
    /// array_loader(zeros([5, 2]), ones([5])).len() // => 5
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(loader: BatchLoader) -> i64 {
        loader.len() as i64
    }

    /// Returns the batch from `start` (included) to `end` (excluded): a map with `x` and `y`, each a map from name to
    /// values with the records on axis 0. With `start` equal to `end` it has no records.
    ///
    /// # Errors
    /// A range that is not within the loader; whatever reading it raises.
    ///
    /// ```rhai
    /// let all = array_loader(zeros([5, 2]), range(0, 5));
    /// [all.get_batch(1, 3).y.output, all.get_batch(2, 2).x.input.shape] // => [tensor([1, 2]), [0, 2]]
    /// ```
    #[rhai_fn(name = "get_batch", return_raw)]
    pub fn get_batch(loader: BatchLoader, start: i64, end: i64) -> Answer<Map> {
        let (start, end) = (place(start, "`start` of `get_batch`")?, place(end, "`end` of `get_batch`")?);
        loader.get_batch(start, end).and_then(batch_map).map_err(raise)
    }

    /// Returns the loader as records, a row for each of its own: for `split`, `take` and other functions of tables. Their
    /// loader in a config is `component("BatchLoader")`.
    ///
    /// ```rhai
    /// array_loader(zeros([5, 2]), ones([5])).records().len // => 5
    /// ```
    #[rhai_fn(name = "records", return_raw)]
    pub fn records(loader: BatchLoader) -> Answer<Records> {
        loader.records().map_err(raise)
    }

    /// Returns the function with its last `most` results kept in memory, by its arguments; it is called with `.call(…)`.
    /// Whoever asks for what another worker is just computing waits for that; a failure is not kept.
    ///
    /// # Errors
    /// At the call: arguments that are no data.
    ///
    /// ```rhai
    /// let square = lru_cache(|x| x * x, 2);
    /// [square.call(3), square.call(3)] // => [9, 9]
    /// ```
    #[rhai_fn(name = "lru_cache", return_raw)]
    pub fn lru_cache(context: NativeCallContext, function: FnPtr, most: i64) -> Answer<FnPtr> {
        match usize::try_from(most) {
            Ok(most) if most > 0 => memo::recent(Callable::new(&context, function)?, most),
            _ => Err(raise(Error::script(format!("`lru_cache` needs a whole number of at least 1, found {most}")))),
        }
    }

    /// Returns the function with its results kept in files, for this program and every other one that asks the same: by
    /// the text of its script, what it has captured, and its arguments. Of several processes one computes, the others
    /// wait; a damaged file is computed anew. Results are maps, arrays, numbers, texts and tensors. Options: `dir`, the
    /// folder (default `.cache`); `version`, a text that is changed when earlier results are no longer right, for
    /// example because the data has changed.
    ///
    /// # Errors
    /// At the call: arguments or results that are no data, a folder that cannot be written to.
    ///
    /// ```rhai
    /// let slow = memo_disk(|n| range(0, n).sum().item, #{ dir: "cache", version: "1" });
    /// slow.call(5) // => 10
    /// ```
    #[rhai_fn(name = "memo_disk", return_raw)]
    pub fn memo_disk(context: NativeCallContext, function: FnPtr, options: Map) -> Answer<FnPtr> {
        let mut options = Options::new("memo_disk", options);
        let folder = options.text("dir")?.unwrap_or_else(|| ".cache".to_owned());
        let version = options.text("version")?.unwrap_or_default();
        options.finish()?;
        let host = Host::of(&context)?;
        let folder = host.roots().writable(&folder).map_err(raise)?;
        let callable = Callable::new(&context, function)?;
        let source = host.sources().get(callable.label()).map(|script| script.text).unwrap_or_default();
        memo::on_disk(callable, Disk { folder, source, version })
    }

    #[rhai_fn(name = "memo_disk", return_raw)]
    pub fn memo_disk_plain(context: NativeCallContext, function: FnPtr) -> Answer<FnPtr> {
        memo_disk(context, function, Map::new())
    }

    /// Returns records that are built once and then read from one packed file, which all processes share and map: the
    /// function returns records or a batch loader, whose inputs and outputs become columns. The file is named by
    /// `name` and `version`, a text that is changed when it has to be built anew. Options: `dir`, the folder (default
    /// `.cache`).
    ///
    /// # Errors
    /// Whatever the function raises; columns that cannot be packed.
    ///
    /// ```rhai
    /// let clean = cached("squares", "1", #{ dir: "cache" }, || records([#{ x: 2.0, y: 4.0 }, #{ x: 3.0, y: 9.0 }]));
    /// clean.column("y") // => tensor([4.0, 9.0])
    /// ```
    #[rhai_fn(name = "cached", return_raw)]
    pub fn cached(
        context: NativeCallContext,
        name: &str,
        version: &str,
        options: Map,
        build: FnPtr,
    ) -> Answer<Records> {
        let mut options = Options::new("cached", options);
        let folder = options.text("dir")?.unwrap_or_else(|| ".cache".to_owned());
        options.finish()?;
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !plain(name) || !plain(version) || name.starts_with('.') {
            return Err(raise(
                Error::script(format!("`cached` cannot name a file after {name:?} and {version:?}"))
                    .hint("use letters, digits, `-`, `_` and `.`"),
            ));
        }
        let host = Host::of(&context)?;
        let folder = host.roots().writable(&folder).map_err(raise)?.join(name);
        let file = folder.join(format!("{version}.safetensors"));
        let read = || Records::read_with(&file, &ReadOptions { map: host.map(), ..ReadOptions::default() });
        if !file.exists() {
            artifact::make_folder(&folder).map_err(raise)?;
            let _lock = artifact::lock(&folder.join(format!("{version}.lock"))).map_err(raise)?;
            // Another process may have been faster.
            if !file.exists() {
                let built = build.call_within_context::<Dynamic>(&context, ())?;
                pack(built)?.write(&file).map_err(raise)?;
            }
        }
        read().map_err(raise)
    }

    /// Returns the records of one pass in the order of a stream, from an offset on: what is left of the pass that the
    /// offset lies in. Options: `offset` (0), the records of the stream that were taken before, over all passes;
    /// `shuffle`, a seed that orders each pass anew; `rank` (0) and `shards` (1), which of several readers this is and how
    /// many there are: each gets every `shards`-th record; `drop_remainder` (false), whether the last records are left
    /// out, so that all readers have equally many.
    ///
    /// # Errors
    /// A rank that is not below `shards`, fewer records than shards.
    ///
    /// ```rhai
    /// let all = records([#{ x: 0 }, #{ x: 1 }, #{ x: 2 }, #{ x: 3 }, #{ x: 4 }]);
    /// all.stream(#{ offset: 7 }).column("x") // => tensor([2, 3, 4])
    /// all.stream(#{ rank: 1, shards: 2 }).column("x") // => tensor([1, 3])
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream(records: Records, options: Map) -> Answer<Records> {
        let mut options = Options::new("stream", options);
        let offset = options.whole("offset")?.unwrap_or(0);
        let shuffle = options.whole("shuffle")?;
        let rank = options.whole("rank")?.unwrap_or(0) as usize;
        let shards = options.whole("shards")?.unwrap_or(1) as usize;
        let drop_remainder = options.flag("drop_remainder")?.unwrap_or(false);
        options.finish()?;
        records.stream(offset, shuffle, rank, shards, drop_remainder).map_err(raise)
    }

    /// Returns what the loader is, in short.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(loader: BatchLoader) -> String {
        format!("BatchLoader({} records)", loader.len())
    }
}

fn script_loader(context: &NativeCallContext, import: &str, params: &Params) -> Answer<BatchLoader> {
    let component = Host::of(context)?.component(import, params).map_err(raise)?;
    Ok(BatchLoader::new(Arc::new(ScriptBatchSource::module(component).map_err(raise)?)))
}

/// Packs what a builder returned.
fn pack(built: Dynamic) -> Answer<Pack> {
    const BATCH: usize = 256;
    let kind = built.type_name();
    let mut pack = Pack::new();
    if let Some(records) = built.read_lock::<Records>() {
        pack.push_records(&records).map_err(raise)?;
        return Ok(pack);
    }
    let Some(loader) = built.read_lock::<BatchLoader>() else {
        return Err(raise(Error::script(format!(
            "the function of `cached` returned {}, expected records or a batch loader",
            type_phrase(kind)
        ))));
    };
    for start in (0..loader.len()).step_by(BATCH) {
        let batch = loader.get_batch(start, (start + BATCH).min(loader.len())).map_err(raise)?;
        let columns: Columns = [Some(batch.x), batch.y, batch.w].into_iter().flatten().flatten().collect();
        pack.push(columns).map_err(raise)?;
    }
    Ok(pack)
}
