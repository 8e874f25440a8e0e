//! A scripted batch loader: closures `len` and `get_batch`, or a script with functions of these names.

use std::sync::Arc;

use rhai::{Array as List, Dynamic, Map};

use crate::batch;
use crate::error::{Error, Result};
use crate::record::{BatchSource, Column, Columns, DataColumns, Field, Mode, Name, common_length};
use crate::script::callable::Callable;
use crate::script::traceback::type_phrase;
use crate::script::{Component, cast};

/// Functions of a script behind the trait of batch sources. The length is asked for once.
pub struct ScriptBatchSource {
    functions: Functions,
    len: usize,
}

enum Functions {
    Closure(Callable),
    Module(Component),
}

impl ScriptBatchSource {
    /// Wraps closures.
    ///
    /// # Errors
    /// A length that is no whole number of at least 0; whatever `len` raises.
    pub fn closures(len: &Callable, get_batch: Callable) -> Result<Self> {
        Ok(ScriptBatchSource { len: length(&len.call(Vec::new())?)?, functions: Functions::Closure(get_batch) })
    }

    /// Wraps a script, running its `init`.
    ///
    /// # Errors
    /// A script without `len()` and `get_batch(start, end)`; whatever `init` and `len` raise.
    pub fn module(component: Component) -> Result<Self> {
        component.slot("len", 0..=0, "fn len() { … }")?;
        component.slot("get_batch", 2..=2, "fn get_batch(start, end) { batch(inputs, outputs) }")?;
        component.init(Mode::Train)?;
        let len = component.call("len", Mode::Train, &mut [])?;
        let len = length(&len).map_err(|error| component.returned("len", error))?;
        Ok(ScriptBatchSource { functions: Functions::Module(component), len })
    }
}

impl BatchSource for ScriptBatchSource {
    fn len(&self) -> usize {
        self.len
    }

    fn range(&self, start: usize, end: usize) -> Result<DataColumns> {
        let mut arguments = [Dynamic::from(start as i64), Dynamic::from(end as i64)];
        let place = || format!("`get_batch({start}, {end})`");
        match &self.functions {
            Functions::Closure(get_batch) => {
                let value = get_batch.call(arguments.into())?;
                to_columns(value).map_err(|error| error.within(place()))
            }
            Functions::Module(component) => {
                let value = component.call("get_batch", Mode::Train, &mut arguments)?;
                to_columns(value).map_err(|error| component.returned("get_batch", error))
            }
        }
    }

    /// Reads each run of neighbours once, in ascending order, and puts the records into the order that was asked for.
    fn rows(&self, rows: &[usize]) -> Result<DataColumns> {
        let mut sorted = rows.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut batches = Vec::new();
        for run in sorted.chunk_by(|a, b| a + 1 == *b) {
            let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
            let batch = self.range(first, last + 1)?;
            if batch.len != run.len() {
                return Err(Error::data(format!(
                    "expected {} records for the range {first} to {}, found {}",
                    run.len(),
                    last + 1,
                    batch.len
                )));
            }
            batches.push(batch);
        }
        let joined = batch::concat(&batches)?;
        if sorted == rows {
            return Ok(joined);
        }
        let places: Vec<usize> = rows.iter().map(|row| sorted.partition_point(|known| known < row)).collect();
        batch::take(&joined, &places)
    }
}

fn length(value: &Dynamic) -> Result<usize> {
    value.as_int().ok().and_then(|len| usize::try_from(len).ok()).ok_or_else(|| {
        Error::script(format!("`len` of a batch loader: expected a whole number of at least 0, found {value:?}"))
    })
}

/// Returns the batch a script wrote: what `batch` returns, `[inputs, outputs]`, or a map with `x` and `y`; a single
/// tensor is named `input` or `output`.
pub fn to_columns(value: Dynamic) -> Result<DataColumns> {
    const HINT: &str = "return `batch(inputs, outputs)`: tensors with the records on axis 0, or maps of them";
    let kind = value.type_name();
    let refuse = |found: &str| Error::script(format!("expected a batch, found {found}")).hint(HINT);
    let (x, y) = if value.is_array() {
        let parts = value.into_array().unwrap_or_default();
        if parts.is_empty() || parts.len() > 2 {
            return Err(refuse(&format!("a list of {}", parts.len())));
        }
        let mut parts = parts.into_iter();
        (parts.next().unwrap_or_default(), parts.next())
    } else {
        let mut map = value.try_cast::<Map>().ok_or_else(|| refuse(&type_phrase(kind)))?;
        let x = map.remove("x").ok_or_else(|| refuse("a map without `x`"))?;
        let y = map.remove("y").filter(|y| !y.is_unit());
        if let Some(name) = map.keys().next() {
            return Err(refuse(&format!("a map with `{name}`")));
        }
        (x, y)
    };
    let mut batch = DataColumns { len: 0, x: part(x, "input")?, y: y.map(|y| part(y, "output")).transpose()?, w: None };
    batch.len = common_length(&batch)?;
    Ok(batch)
}

fn part(value: Dynamic, name: &str) -> Result<Columns> {
    let one = |value: &Dynamic, name: Name| -> Result<(Name, Column)> {
        if value.read_lock::<List>().is_some_and(|list| list.is_empty()) {
            return Err(Error::script(format!("`{name}` is an empty array, whose dtype is unknown"))
                .hint("for an empty batch take no rows of a tensor: `images[0..0]`"));
        }
        let column = match cast::to_field(value).map_err(|error| error.within(format!("`{name}`")))? {
            Field::Tensor(tensor) => Column::Dense(tensor),
            Field::Texts(texts) => Column::Text(texts.iter().map(Arc::clone).collect()),
            Field::Text(_) => return Err(Error::script(format!("`{name}` is one text: expected a text a record"))),
        };
        Ok((name, column))
    };
    match value.read_lock::<Map>() {
        Some(map) => map.iter().map(|(name, value)| one(value, name.as_str().into())).collect(),
        None => Ok(vec![one(&value, name.into())?]),
    }
}
