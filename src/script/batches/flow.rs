//! What a run of a pipeline keeps: variables, config, models, and how far it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rhai::{Array as List, Dynamic, Map};

use crate::error::{self, Error, Result};
use crate::script::batches::metrics::Metrics;
use crate::script::batches::model::Model;
use crate::script::traceback::type_phrase;

/// How a value is put into a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the place of the old value.
    Write,
    /// Behind the elements of an array.
    Append,
    /// All its elements behind those of an array.
    Extend,
    /// Into a map, or metrics into metrics.
    Update,
}

impl Mode {
    /// Returns the mode of a name: `w`, `a`, `e` or `u`, or the whole word.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str) -> Result<Mode> {
        match name {
            "w" | "write" => Ok(Mode::Write),
            "a" | "append" => Ok(Mode::Append),
            "e" | "extend" => Ok(Mode::Extend),
            "u" | "update" => Ok(Mode::Update),
            _ => Err(Error::script(format!("unknown save mode `{name}`"))
                .hint("modes: `w` writes, `a` appends to an array, `e` extends one, `u` updates a map or metrics")),
        }
    }
}

/// What a run keeps; all batches of the run share it.
#[derive(Default)]
pub struct Flow {
    variables: Mutex<BTreeMap<String, Dynamic>>,
    config: Mutex<Map>,
    models: Mutex<BTreeMap<String, Model>>,
    /// Configs of models that are made with the first batch.
    awaited: Mutex<BTreeMap<String, Dynamic>>,
    total: Mutex<Option<usize>>,
    /// How often each step was run, and how long it took.
    times: Mutex<BTreeMap<String, (u64, Duration)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flow {
    /// Returns a variable.
    ///
    /// # Errors
    /// A name that was never set.
    pub fn variable(&self, name: &str) -> Result<Dynamic> {
        let known = lock(&self.variables);
        known.get(name).cloned().ok_or_else(|| {
            let names = || known.keys().map(String::as_str);
            let error = Error::script(format!("the pipeline has no variable `{name}`"))
                .maybe_hint(error::did_you_mean(name, names()));
            match known.is_empty() {
                true => error.hint(format!("`.init_variable(\"{name}\", ())` makes it")),
                false => error.hint(format!("variables: {}", error::list(names()))),
            }
        })
    }

    /// Returns whether there is a variable.
    pub fn has(&self, name: &str) -> bool {
        lock(&self.variables).contains_key(name)
    }

    /// Puts a value into a variable.
    ///
    /// # Errors
    /// A mode that does not go with what is there.
    pub fn save(&self, name: &str, value: Dynamic, mode: Mode) -> Result<()> {
        let mut known = lock(&self.variables);
        let slot = known.entry(name.to_owned()).or_insert(Dynamic::UNIT);
        put(slot, value, mode).map_err(|error| error.within(format!("variable `{name}`")))
    }

    /// Forgets a variable.
    pub fn forget(&self, name: &str) {
        lock(&self.variables).remove(name);
    }

    /// Returns the variables as a map.
    pub fn variables(&self) -> Map {
        lock(&self.variables).iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()
    }

    /// Forgets all variables.
    pub fn reset_variables(&self) {
        lock(&self.variables).clear();
    }

    /// Returns the value at a path of the config: `model/lr`.
    pub fn setting(&self, path: &str) -> Option<Dynamic> {
        let mut value = Dynamic::from(lock(&self.config).clone());
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let inner = value.read_lock::<Map>()?.get(part)?.clone();
            value = inner;
        }
        Some(value)
    }

    /// Adds to the config.
    pub fn configure(&self, more: Map) {
        lock(&self.config).extend(more);
    }

    /// Returns the config.
    pub fn config(&self) -> Map {
        lock(&self.config).clone()
    }

    /// Notes a run of a step; labels are sorted as steps stand.
    pub fn took(&self, label: &str, time: Duration) {
        let mut times = lock(&self.times);
        match times.get_mut(label) {
            Some(entry) => *entry = (entry.0 + 1, entry.1 + time),
            None => drop(times.insert(label.to_owned(), (1, time))),
        }
    }

    /// Returns for each step: its name, how often it was run, and the seconds it took in all.
    pub fn times(&self) -> Vec<(String, u64, f64)> {
        let times = lock(&self.times);
        let name = |label: &str| label.split_once(' ').map_or(label, |(_, name)| name).to_owned();
        times.iter().map(|(label, (count, took))| (name(label), *count, took.as_secs_f64())).collect()
    }

    /// Sets how many batches the run has, if that is known.
    pub fn expect(&self, total: Option<usize>) {
        *lock(&self.total) = total;
    }

    /// Returns how many batches the run has, if that is known.
    pub fn total(&self) -> Option<usize> {
        *lock(&self.total)
    }

    /// Returns a model.
    ///
    /// # Errors
    /// A name that is not there.
    pub fn model(&self, name: &str) -> Result<Model> {
        let known = lock(&self.models);
        known.get(name).cloned().ok_or_else(|| {
            let names = || known.keys().map(String::as_str);
            let error = Error::script(format!("the pipeline has no model `{name}`"))
                .maybe_hint(error::did_you_mean(name, names()));
            match known.is_empty() {
                true => error.hint(format!("`.init_model(\"{name}\", config)` makes it")),
                false => error.hint(format!("models: {}", error::list(names()))),
            }
        })
    }

    /// Returns whether there is a model, or will be with the first batch.
    pub fn has_model(&self, name: &str) -> bool {
        lock(&self.models).contains_key(name) || lock(&self.awaited).contains_key(name)
    }

    /// Has a model made with the first batch.
    pub fn await_model(&self, name: &str, config: Dynamic) {
        lock(&self.awaited).insert(name.to_owned(), config);
    }

    /// Returns the config of a model that is still to be made.
    pub fn pending(&self, name: &str) -> Option<Dynamic> {
        match lock(&self.models).contains_key(name) {
            true => None,
            false => lock(&self.awaited).get(name).cloned(),
        }
    }

    /// Adds a model.
    pub fn add_model(&self, name: &str, model: Model) {
        lock(&self.models).insert(name.to_owned(), model);
    }

    /// Returns all models.
    pub fn models(&self) -> Vec<(String, Model)> {
        lock(&self.models).iter().map(|(name, model)| (name.clone(), model.clone())).collect()
    }

    /// Takes over the variables, models and config of another run where this one has none of the name.
    pub fn join(&self, other: &Flow) {
        for (name, value) in lock(&other.variables).iter() {
            lock(&self.variables).entry(name.clone()).or_insert_with(|| value.clone());
        }
        for (name, model) in lock(&other.models).iter() {
            lock(&self.models).entry(name.clone()).or_insert_with(|| model.clone());
        }
        for (name, config) in lock(&other.awaited).iter() {
            lock(&self.awaited).entry(name.clone()).or_insert_with(|| config.clone());
        }
        for (name, value) in lock(&other.config).iter() {
            lock(&self.config).entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// Returns a copy that goes its own way; models are shared.
    #[must_use]
    pub fn copy(&self) -> Flow {
        let copy = Flow::default();
        copy.join(self);
        copy
    }
}

fn put(slot: &mut Dynamic, value: Dynamic, mode: Mode) -> Result<()> {
    let no = |slot: &Dynamic, verb: &str, what: &str| {
        Err(Error::script(format!("expected {what} to {verb}, found {}", type_phrase(slot.type_name()))))
    };
    // Arrays are long: they are only looked at.
    let here = if slot.is_array() || slot.is_map() { Dynamic::UNIT } else { slot.clone() };
    match mode {
        Mode::Write => *slot = value,
        Mode::Append if slot.is_unit() => *slot = Dynamic::from(vec![value]),
        Mode::Append => match slot.write_lock::<List>() {
            Some(mut list) => list.push(value),
            None => return no(&here, "append to", "an array"),
        },
        Mode::Extend if slot.is_unit() => *slot = value,
        Mode::Extend => {
            let kind = value.type_name();
            let more = match value.read_lock::<List>() {
                Some(list) => list.clone(),
                None => match crate::script::batches::convert::to_items(&value) {
                    Ok(items) => (0..items.len())
                        .map(|at| items.get(at).map(crate::script::cast::from_value))
                        .collect::<Result<List>>()?,
                    Err(_) => {
                        return Err(Error::script(format!(
                            "expected an array or a tensor, found {}",
                            type_phrase(kind)
                        )));
                    }
                },
            };
            match slot.write_lock::<List>() {
                Some(mut list) => list.extend(more),
                None => return no(&here, "extend", "an array"),
            }
        }
        Mode::Update if slot.is_unit() => *slot = value,
        Mode::Update => {
            let other = value.read_lock::<Metrics>().map(|metrics| metrics.clone());
            if let Some(other) = other {
                let known = slot.read_lock::<Metrics>().map(|metrics| metrics.clone());
                let Some(known) = known else { return no(&here, "update", "metrics") };
                *slot = Dynamic::from(known.joined(&other)?);
                return Ok(());
            }
            let Some(more) = value.read_lock::<Map>().map(|map| map.clone()) else {
                return no(&value, "update with", "a map or metrics");
            };
            match slot.write_lock::<Map>() {
                Some(mut map) => map.extend(more),
                None => return no(&here, "update", "a map"),
            }
        }
    }
    Ok(())
}
