//! Tables of records.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, EvalAltResult, FnPtr, Map};

use crate::error::{Error, Result as Outcome};
use crate::record::{Name, ReadOptions, Record, Records, Value};
use crate::script::api::arguments::{Answer, Num, float, texts as names_of};
use crate::script::api::files::read_options;
use crate::script::api::{Page, options::Options};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::Tensor;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "records",
    title: "Records",
    intro: "`Records` is an ordered table of rows with typed columns, read from a file or made from a list of maps. It is \
            never changed: `split`, `filter`, `map` and the rest return new tables that share their data. \
            `for record in records` goes through the rows, `records[0]` is the first and `records[-1]` the last.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Records>("Records");
    engine.register_iterator::<RecordsIterator>();
    engine.register_type_with_name::<RecordsIterator>("Records");
    let mut module = exported_module!(functions);
    module.set_iter(std::any::TypeId::of::<Records>(), |value| match value.try_cast::<Records>() {
        Some(records) => Box::new(RecordsIterator { records, next: 0 }.map(Dynamic::from)),
        None => Box::new(std::iter::empty()),
    });
    engine.register_global_module(module.into());
}

/// Goes through the rows.
#[derive(Clone)]
struct RecordsIterator {
    records: Records,
    next: usize,
}

impl Iterator for RecordsIterator {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let index = self.next;
        self.next += 1;
        (index < self.records.len()).then(|| self.records.record(index))
    }
}

fn row(map: &Map) -> Outcome<Vec<(Name, Value)>> {
    map.iter()
        .map(|(name, value)| {
            let value = cast::to_value(value).map_err(|error| error.within(format!("field `{name}`")))?;
            Ok((Name::from(name.as_str()), value))
        })
        .collect()
}

fn count(value: i64, what: &str) -> Answer<usize> {
    usize::try_from(value)
        .map_err(|_| raise(Error::data(format!("{what}: expected a whole number of at least 0, found {value}"))))
}

/// Calls a script's function with a record; the first failure is kept, with its record.
fn call(context: &NativeCallContext, function: &FnPtr, record: &Record) -> Answer<Dynamic> {
    function.call_within_context::<Dynamic>(context, (record.clone(),))
}

/// Runs an operation that takes a callback of ours while the callback runs a script: a script's own error
/// passes through whole.
fn with_script<T>(run: impl FnOnce(&dyn Fn(Box<EvalAltResult>) -> Error) -> Outcome<T>) -> Answer<T> {
    let raised = std::sync::Mutex::new(None);
    let keep = |error: Box<EvalAltResult>| {
        if let Ok(mut slot) = raised.lock() {
            slot.get_or_insert(error);
        }
        Error::script("a function failed")
    };
    let result = run(&keep);
    match (result, raised.into_inner().ok().flatten()) {
        (_, Some(error)) => Err(error),
        (result, None) => result.map_err(raise),
    }
}

/// Reads a file, or what the script itself has written there in a rehearsal.
fn read(host: &Host, name: &str, options: &ReadOptions) -> Answer<Records> {
    if host.rehearses()
        && let Some(records) = host.roots().output(name).ok().and_then(|file| host.unwritten(&file))
    {
        return Ok(records);
    }
    let file = host.roots().readable(name).map_err(raise)?;
    Records::read_with(&file, options).map_err(raise)
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the records of a file by the ending of its name, which is relative to the project root. `.gz` and
    /// `.zst` after it are unpacked first.
    ///
    /// - `.csv`, `.tsv`: a header row, then a record a line. Empty fields and `NA` are missing; the type of a column is
    ///   the one all its values have: whole numbers, numbers, true/false or text.
    /// - `.json`: an array of objects; `.jsonl`: an object a line; `.txt`: the column `text`, a record a line.
    /// - `.parquet`, `.arrow` and `.feather`, in a binary with the cargo feature `parquet`: typed columns; dates, times and
    ///   decimals are refused, and so is what is compressed within an Arrow file.
    /// - `.npy`, `.npz`: arrays of NumPy with the records on axis 0, the column `value` or one of each name.
    /// - `.safetensors`: tensors with the records on axis 0, and what `write` and `barrage pack` make.
    /// - `.idx` and names such as `train-images-idx3-ubyte`: the column `value`; see `read_columns` for MNIST.
    /// - `.ts`: labelled series of the UCR archive, the columns `series` (steps, channels) and `label`.
    /// - `.tar`: files of one name before the first dot are one record, what follows the dot is the column.
    ///
    /// Large files of numbers are mapped, not read: they must not be cut short by another program meanwhile, which the
    /// operating system answers by ending this one (`--no-mmap` reads instead).
    ///
    /// # Errors
    /// A missing file, a file outside the project, a mistake in it with its line or byte.
    ///
    /// ```rhai
    /// let data = read_records("flowers.csv");
    /// [data.len, data.columns] // => [6, ["petal_length", "petal_width", "species"]]
    /// read_records("matrix.npy").column("value").shape // => [2, 3]
    /// ```
    #[rhai_fn(name = "read_records", return_raw)]
    pub fn read_records(context: NativeCallContext, name: &str) -> Answer<Records> {
        read_records_like(context, name, Map::new())
    }

    /// Returns the records of a file, read as the options say.
    ///
    /// - `like`: records whose columns give their types to those of the same name, so that a column of a small file
    ///   does not become something else; a value that does not fit is an error.
    /// - `format`: what the ending does not say: `"cifar10"` or `"cifar100"` for the binary version of CIFAR (columns
    ///   `image`, u8 of rows, columns, channels, and `label`; CIFAR-100 has `coarse_label` too), `"raw"` for numbers
    ///   alone, or any ending's name.
    /// - `shape`, `dtype` (`u8`, `i16`, `f32` …, little-endian) and `skip` (bytes before the first record): what the
    ///   records of a raw file are.
    /// - `delimiter`: what stands between two values of a CSV file, one character (`";"`); `header`: false where its
    ///   first line is a record, whose columns then are `column_0`, `column_1` …; `names`: the names of the columns;
    ///   `missing`: what stands where a value is missing, in place of an empty field, `NA`, `NaN`, `nan`, `null`.
    /// - `mmap`: false to read a large file instead of mapping it.
    ///
    /// ```rhai
    /// let train = read_records("flowers.csv");
    /// read_records("flowers.csv", #{ like: train }).len // => 6
    /// read_records("flowers.csv", #{ header: false, names: ["a", "b", "c"] }).columns // => ["a", "b", "c"]
    /// read_records("pixels-idx3-ubyte", #{ format: "raw", shape: [4], dtype: "u8", skip: 16 }).column("value").shape // => [2, 4]
    /// ```
    #[rhai_fn(name = "read_records", return_raw)]
    pub fn read_records_like(context: NativeCallContext, name: &str, options: Map) -> Answer<Records> {
        let host = Host::of(&context)?;
        let mut options = Options::new("read_records", options);
        let like = options.records("like")?;
        let read = read_options(&host, &mut options)?;
        options.finish()?;
        let schema = like.map(|like| like.schema().clone());
        super::read(&host, name, &ReadOptions { schema, ..read })
    }

    /// Returns records made from a list of maps; each map is a row.
    ///
    /// # Errors
    /// Something else than maps in the list, values a record cannot hold.
    ///
    /// ```rhai
    /// let data = records([#{ x: 1.5, label: "a" }, #{ x: 2.5, label: "b" }]);
    /// [data.len, data[1].label] // => [2, "b"]
    /// ```
    #[rhai_fn(name = "records", return_raw)]
    pub fn records(rows: List) -> Answer<Records> {
        let read = |(index, item): (usize, &Dynamic)| {
            let kind = type_phrase(item.type_name());
            let map = item
                .read_lock::<Map>()
                .ok_or_else(|| Error::data(format!("record {index}: expected a map, found {kind}")))?;
            row(&map).map_err(|error| error.within(format!("record {index}")))
        };
        let rows = rows.iter().enumerate().map(read).collect::<Outcome<Vec<_>>>().map_err(raise)?;
        Records::from_rows(rows, "records").map_err(raise)
    }

    /// Returns the number of rows.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 2 }]).len // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len", pure)]
    pub fn len(records: &mut Records) -> i64 {
        records.len() as i64
    }

    /// Returns the names of the columns.
    ///
    /// ```rhai
    /// records([#{ x: 1, y: 2 }]).columns // => ["x", "y"]
    /// ```
    #[rhai_fn(get = "columns", name = "columns", pure)]
    pub fn columns(records: &mut Records) -> List {
        records.columns().iter().map(|name| Dynamic::from(name.to_string())).collect()
    }

    /// Returns a row; negative positions count from the end.
    ///
    /// # Errors
    /// A position outside the table.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 2 }])[-1].x // => 2
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn index(records: &mut Records, index: i64) -> Answer<Record> {
        let length = records.len() as i64;
        let position = if index < 0 { index + length } else { index };
        match (0..length).contains(&position) {
            true => Ok(records.record(position as usize)),
            false => Err(raise(Error::data(format!("row {index} is out of range: there are {length} rows")))),
        }
    }

    /// Returns the rows of a range of positions.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 2 }, #{ x: 3 }])[1..3].column("x") // => tensor([2, 3])
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn index_range(records: &mut Records, positions: std::ops::Range<i64>) -> Answer<Records> {
        let length = records.len() as i64;
        let from_start = |position: i64| if position < 0 { position.saturating_add(length) } else { position };
        let (start, end) = (from_start(positions.start), from_start(positions.end));
        match (0..=length).contains(&start) && (start..=length).contains(&end) {
            true => records.take(&(start as usize..end as usize).collect::<Vec<_>>()).map_err(raise),
            false => Err(raise(Error::data(format!(
                "rows {}..{} are out of range: there are {length} rows",
                positions.start, positions.end
            )))),
        }
    }

    /// Returns a column of numbers as a tensor: whole numbers are i64, others f32, true/false u8.
    ///
    /// # Errors
    /// An unknown column, a column of text, missing values.
    ///
    /// ```rhai
    /// records([#{ x: 1.0 }, #{ x: 3.0 }]).column("x").mean().item // => 2.0
    /// ```
    #[rhai_fn(name = "column", pure, return_raw)]
    pub fn column(records: &mut Records, name: &str) -> Answer<Tensor> {
        records.column(name).map_err(raise)
    }

    /// Returns a column of text as an array.
    ///
    /// # Errors
    /// An unknown column, a column of numbers, missing values.
    ///
    /// ```rhai
    /// records([#{ s: "a" }, #{ s: "b" }]).texts("s") // => ["a", "b"]
    /// ```
    #[rhai_fn(name = "texts", pure, return_raw)]
    pub fn texts(records: &mut Records, name: &str) -> Answer<List> {
        let texts = records.texts(name).map_err(raise)?;
        Ok(texts.iter().map(|text: &Arc<str>| Dynamic::from(text.to_string())).collect())
    }

    /// Returns two tables, `[first, second]`, drawn at random: the first has the given fraction of the rows
    /// (above 0, below 1). Rows keep their order in each. Options: `seed` (a whole number, default 0) draws
    /// which rows; `stratify` names a column whose values are split in the same proportion.
    ///
    /// # Errors
    /// A fraction that leaves one part empty, an unknown column or option.
    ///
    /// ```rhai
    /// let data = records([#{ x: 1 }, #{ x: 2 }, #{ x: 3 }, #{ x: 4 }]);
    /// let parts = data.split(0.75, #{ seed: 7 });
    /// [parts[0].len, parts[1].len] // => [3, 1]
    /// ```
    #[rhai_fn(name = "split", pure, return_raw)]
    pub fn split_with(records: &mut Records, fraction: Num, options: Map) -> Answer<List> {
        let mut options = Options::new("split", options);
        let seed = options.whole("seed")?.unwrap_or(0);
        let stratify = options.text("stratify")?;
        options.finish()?;
        let (first, second) =
            records.split(float(&fraction, "`fraction` of `split`")?, seed, stratify.as_deref()).map_err(raise)?;
        Ok(vec![Dynamic::from(first), Dynamic::from(second)])
    }

    #[rhai_fn(name = "split", pure, return_raw)]
    pub fn split(records: &mut Records, fraction: Num) -> Answer<List> {
        split_with(records, fraction, Map::new())
    }

    /// Returns pairs `[training, validation]`, `k` of them: each row is in the validation part of one. Options: `seed` (a
    /// whole number, default 0) draws which rows; `stratify` names a column whose values are dealt out evenly.
    ///
    /// # Errors
    /// Fewer than 2 folds, or more than rows; an unknown column or option.
    ///
    /// ```rhai
    /// let data = records([#{ x: 1 }, #{ x: 2 }, #{ x: 3 }, #{ x: 4 }, #{ x: 5 }]);
    /// data.folds(2, #{ seed: 7 }).map(|fold| [fold[0].len, fold[1].len]) // => [[2, 3], [3, 2]]
    /// ```
    #[rhai_fn(name = "folds", pure, return_raw)]
    pub fn folds_with(records: &mut Records, k: i64, options: Map) -> Answer<List> {
        let mut options = Options::new("folds", options);
        let seed = options.whole("seed")?.unwrap_or(0);
        let stratify = options.text("stratify")?;
        options.finish()?;
        let folds = records.folds(count(k, "`folds`")?, seed, stratify.as_deref()).map_err(raise)?;
        let pair = |(train, validation)| Dynamic::from(vec![Dynamic::from(train), Dynamic::from(validation)]);
        Ok(folds.into_iter().map(pair).collect())
    }

    #[rhai_fn(name = "folds", pure, return_raw)]
    pub fn folds(records: &mut Records, k: i64) -> Answer<List> {
        folds_with(records, k, Map::new())
    }

    /// Returns the rows for which the function returns true.
    ///
    /// # Errors
    /// Whatever the function raises; a value that is neither true nor false.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 5 }]).filter(|record| record.x > 2).len // => 1
    /// ```
    #[rhai_fn(name = "filter", pure, return_raw)]
    pub fn filter(context: NativeCallContext, records: &mut Records, keep: FnPtr) -> Answer<Records> {
        with_script(|failed| {
            records.filter(&|record| {
                let value = call(&context, &keep, record).map_err(failed)?;
                value.as_bool().map_err(|found| {
                    Error::script(format!(
                        "`filter` needs true or false from its function, found {}",
                        type_phrase(found)
                    ))
                    .within(record.place())
                })
            })
        })
    }

    /// Returns the rows that the function makes, one map for each row.
    ///
    /// # Errors
    /// Whatever the function raises; a value that is no map.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 5 }]).map(|record| #{ double: record.x * 2 })[1].double // => 10
    /// ```
    #[rhai_fn(name = "map", pure, return_raw)]
    pub fn map(context: NativeCallContext, records: &mut Records, change: FnPtr) -> Answer<Records> {
        with_script(|failed| {
            records.map(&|record| {
                let value = call(&context, &change, record).map_err(failed)?;
                let kind = type_phrase(value.type_name());
                let map = value.try_cast::<Map>().ok_or_else(|| {
                    Error::script(format!("`map` needs a map from its function, found {kind}")).within(record.place())
                })?;
                row(&map).map_err(|error| error.within(record.place()))
            })
        })
    }

    /// Returns the first `n` rows.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 2 }]).head(1).len // => 1
    /// ```
    #[rhai_fn(name = "head", pure, return_raw)]
    pub fn head(records: &mut Records, n: i64) -> Answer<Records> {
        Ok(records.head(count(n, "`head`")?))
    }

    /// Returns the rows at the given positions, in that order; negative ones count from the end.
    ///
    /// # Errors
    /// A position outside the table.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 2 }]).take([1, 0, 1]).column("x").to_array() // => [2, 1, 2]
    /// ```
    #[rhai_fn(name = "take", pure, return_raw)]
    pub fn take(records: &mut Records, positions: List) -> Answer<Records> {
        let positions = positions
            .iter()
            .map(|position| match position.as_int() {
                Ok(position) if position < 0 => count(position.saturating_add(records.len() as i64), "`take`"),
                Ok(position) => count(position, "`take`"),
                Err(found) => {
                    Err(raise(Error::data(format!("`take` needs whole numbers, found {}", type_phrase(found)))))
                }
            })
            .collect::<Answer<Vec<_>>>()?;
        records.take(&positions).map_err(raise)
    }

    /// Returns a table with the named columns only, in the given order.
    ///
    /// # Errors
    /// An unknown column.
    ///
    /// ```rhai
    /// records([#{ x: 1, y: 2 }]).select(["y"]).columns // => ["y"]
    /// ```
    #[rhai_fn(name = "select", pure, return_raw)]
    pub fn select(records: &mut Records, names: List) -> Answer<Records> {
        let names = names_of(&names, "`select`")?;
        records.select(&names).map_err(raise)
    }

    /// Returns the rows of both tables, which must have the same columns.
    ///
    /// # Errors
    /// Columns that differ.
    ///
    /// ```rhai
    /// (records([#{ x: 1 }]) + records([#{ x: 2 }])).len // => 2
    /// ```
    #[rhai_fn(name = "concat", name = "+", return_raw)]
    pub fn concat(records: Records, other: Records) -> Answer<Records> {
        Records::concat(&[records, other]).map_err(raise)
    }

    /// Returns a table in text: for each column its type, how many values are missing, and its range.
    ///
    /// ```rhai
    /// print(records([#{ x: 1.5 }, #{ x: 2.5 }]).describe());
    /// ```
    #[rhai_fn(name = "describe", pure)]
    pub fn describe(records: &mut Records) -> String {
        records.describe()
    }

    /// Writes the table to a file: CSV, JSON, JSONL, Parquet or Arrow by its ending. The name is relative to the project
    /// root.
    ///
    /// # Errors
    /// A folder that does not exist, a file outside the project.
    ///
    /// ```rhai
    /// records([#{ x: 1 }, #{ x: 2 }]).write("small.jsonl");
    /// read_records("small.jsonl").column("x") // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "write", pure, return_raw)]
    pub fn write(context: NativeCallContext, records: &mut Records, name: &str) -> Answer<()> {
        let host = Host::of(&context)?;
        let file = host.roots().output(name).map_err(raise)?;
        if host.rehearses() {
            host.keep_unwritten(file, records.clone());
            return Ok(());
        }
        records.write(&file).map_err(raise)
    }

    /// Returns the first rows as a table in text.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(records: &mut Records) -> String {
        records.to_string()
    }
}
