//! A batch: its ids and its components.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, ImmutableString, Map};

use crate::error::Error;
use crate::pipeline::{self, Id, Index};
use crate::record::Name;
use crate::registry::Params;
use crate::script::api::arguments::Answer;
use crate::script::api::random::Rng;
use crate::script::api::{dataset, index::index_of, options::Options};
use crate::script::batches::convert::{from_id, from_items, to_items};
use crate::script::batches::{Batch, Component, Dataset, Item, Made};
use crate::script::host::Host;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

/// Returns a component, or the item of an id that is a text.
fn named(batch: &Batch, name: &str) -> crate::Result<Dynamic> {
    let found = batch.lock().component(name).map(|_| ());
    let id = Id::Text(name.into());
    match found {
        Ok(()) => Ok(Dynamic::from(batch.component(name))),
        Err(_) if batch.index().find(&id).is_some() => batch.item(&id).map(Dynamic::from),
        Err(error) => Err(error),
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns a batch of data: a map of components, each a tensor with an item in each row or an array of items.
    /// Options: `ids`, an array of ids (else 0, 1, 2 …); `batch`, the import path of the script whose functions are its
    /// actions, and `params` for it.
    ///
    /// # Errors
    /// No components, components of different lengths, unknown options.
    ///
    /// ```rhai
    /// batch_of(#{ x: [1.5, 2.5], name: ["a", "b"] }).name[1] // => "b"
    /// ```
    #[rhai_fn(name = "batch_of", return_raw)]
    pub fn batch_of(context: NativeCallContext, components: Map) -> Answer<Batch> {
        batch_of_with(context, components, Map::new())
    }

    #[rhai_fn(name = "batch_of", return_raw)]
    pub fn batch_of_with(context: NativeCallContext, components: Map, options: Map) -> Answer<Batch> {
        let mut options = Options::new("batch_of", options);
        let ids = options.take("ids");
        let named = options.take("batch");
        let params = options.take("params");
        options.finish()?;
        let part = |(name, value): (&rhai::Identifier, &Dynamic)| {
            let items = to_items(value).map_err(|error| error.within(format!("component `{name}`")))?;
            Ok((Name::from(name.as_str()), items))
        };
        let parts = components.iter().map(part).collect::<crate::Result<Vec<_>>>().map_err(raise)?;
        let index = match (ids, parts.first()) {
            (Some(ids), _) => index_of(ids)?,
            (None, Some((_, items))) => Index::count(items.len()).map_err(raise)?,
            (None, None) => return Err(raise(Error::script("`batch_of` needs at least one component"))),
        };
        let mut data = pipeline::Batch::new(index.clone(), Vec::new(), None);
        for (name, items) in parts {
            data.set(&name, items).map_err(raise)?;
        }
        let params = params.map_or(Ok(Params::new()), |params| crate::script::cast::to_params(&params, "`params`"));
        let host = Host::of(&context)?;
        let params = params.map_err(raise)?;
        let module = named.map(|named| dataset::module(&host, &named, params)).transpose().map_err(raise)?;
        let set = Dataset::new(index, Made { module: module.clone(), ..Made::default() });
        Ok(Batch::new(data, Some(set), module, 0, 0))
    }

    /// Returns the ids of the batch as an index.
    ///
    /// ```rhai
    /// dataset(5).batch([3, 1]).index // => index([3, 1])
    /// ```
    #[rhai_fn(get = "index")]
    pub fn index(batch: Batch) -> Index {
        batch.index()
    }

    /// Returns the ids of the batch as an array.
    ///
    /// ```rhai
    /// dataset(5).batch([3, 1]).ids // => [3, 1]
    /// ```
    #[rhai_fn(get = "ids")]
    pub fn ids(batch: Batch) -> List {
        batch.index().ids().map(from_id).collect()
    }

    /// Returns the ids as an array, like `ids`.
    ///
    /// ```rhai
    /// dataset(5).batch([3, 1]).indices // => [3, 1]
    /// ```
    #[rhai_fn(get = "indices")]
    pub fn indices(batch: Batch) -> List {
        ids(batch)
    }

    /// Returns the number of items.
    ///
    /// ```rhai
    /// dataset(5).batch([3, 1]).len // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(batch: Batch) -> i64 {
        batch.lock().len() as i64
    }

    /// Returns the names of the components.
    ///
    /// ```rhai
    /// batch_of(#{ x: [1], y: [2] }).components // => ["x", "y"]
    /// ```
    #[rhai_fn(get = "components", return_raw)]
    pub fn components(batch: Batch) -> Answer<List> {
        let names = batch.lock().names().map_err(raise)?;
        Ok(names.iter().map(|name| Dynamic::from(name.to_string())).collect())
    }

    /// Returns the data of the batch: of one without components what was loaded, a tensor or an array; of one with
    /// components a map of them.
    ///
    /// # Errors
    /// A batch without data.
    ///
    /// ```rhai
    /// dataset(3, #{ preloaded: [5, 6, 7] }).batch([2, 0]).data // => tensor([7, 5])
    /// batch_of(#{ x: [1] }).data.keys() // => ["x"]
    /// ```
    #[rhai_fn(get = "data", return_raw)]
    pub fn data(batch: Batch) -> Answer<Dynamic> {
        let mut data = batch.lock();
        if let Some(items) = data.raw().map_err(raise)? {
            return Ok(from_items(items));
        }
        let names: Vec<Name> = data.components().map_err(raise)?.iter().map(|(name, _)| name.clone()).collect();
        match names.is_empty() {
            true => Err(raise(Error::data("the batch has no data").hint("`load` brings some, or `batch.NAME = …`"))),
            false => Ok(Dynamic::from(
                names.iter().map(|name| ((&**name).into(), Dynamic::from(batch.component(name)))).collect::<Map>(),
            )),
        }
    }

    #[rhai_fn(set = "data", return_raw)]
    pub fn set_data(batch: &mut Batch, value: Dynamic) -> Answer<()> {
        if let Some(map) = value.read_lock::<Map>() {
            // `batch.data.x[0] = 1` puts the components back, which are written already.
            return map.iter().try_for_each(|(name, value)| set_component(batch, name.as_str().into(), value.clone()));
        }
        let items = to_items(&value).map_err(raise)?;
        batch.lock().set_raw(items).map_err(raise)
    }

    /// Returns the data set that the batch was made from, however the batch was changed since.
    ///
    /// # Errors
    /// A batch without one.
    ///
    /// ```rhai
    /// dataset(5, #{ attrs: #{ classes: 2 } }).batch([3]).dataset.classes // => 2
    /// ```
    #[rhai_fn(get = "dataset", return_raw)]
    pub fn dataset_of(batch: Batch) -> Answer<Dataset> {
        batch.about().dataset.clone().ok_or_else(|| raise(Error::script("the batch was made from no data set")))
    }

    /// Returns the number of the batch in its run, from 1; 0 outside of a run.
    ///
    /// ```rhai
    /// dataset(5).next_batch(2).iteration // => 1
    /// ```
    #[rhai_fn(get = "iteration")]
    pub fn iteration(batch: Batch) -> i64 {
        batch.about().iteration as i64
    }

    /// Returns the batch's stream of random numbers: a function of the run's seed and the batch's number in it.
    ///
    /// ```rhai
    /// dataset(5).next_batch(2).rng.below(1) // => 0
    /// ```
    #[rhai_fn(get = "rng")]
    pub fn rng(batch: Batch) -> Rng {
        batch.random()
    }

    /// Returns the item of an id, with its components as fields that can be read and written: `batch[k].labels`. With a
    /// text, a component, which `batch.labels` gives as well, or the item of an id that is a text.
    ///
    /// # Errors
    /// An id that is not in the batch, a component that it does not have.
    ///
    /// ```rhai
    /// let batch = dataset(5, #{ preloaded: #{ x: [0, 10, 20, 30, 40] } }).batch([3, 1]);
    /// batch[1].x // => 10
    /// batch["x"] // => tensor([30, 10])
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn item(batch: &mut Batch, id: i64) -> Answer<Item> {
        batch.item(&Id::Number(id)).map_err(|error| {
            let texts = matches!(batch.index().id(0), Ok(Id::Text(_)));
            raise(match texts {
                true => error.hint(format!("the ids are texts; `batch.at({id})` finds an item by its position")),
                false => error,
            })
        })
    }

    #[rhai_fn(index_get, pure, return_raw)]
    pub fn component(batch: &mut Batch, name: ImmutableString) -> Answer<Dynamic> {
        super::named(batch, &name).map_err(raise)
    }

    #[rhai_fn(index_set, return_raw)]
    pub fn set_item(batch: &mut Batch, id: i64, value: Dynamic) -> Answer<()> {
        // What `batch[k].labels = v` writes is there already; Rhai puts the item back.
        match value.read_lock::<Item>() {
            Some(item) if item.batch.is(batch) => Ok(()),
            _ => Err(raise(
                Error::script(format!("the item `{id}` cannot be replaced as a whole"))
                    .hint("set its components: `batch[id].labels = …`"),
            )),
        }
    }

    #[rhai_fn(index_set, pure, return_raw)]
    pub fn set_component(batch: &mut Batch, name: ImmutableString, value: Dynamic) -> Answer<()> {
        // `batch.images[i] = x` puts the component back, which is written already.
        if value.read_lock::<Component>().is_some_and(|own| own.batch().is(batch) && own.name() == &*name)
            || value.read_lock::<Item>().is_some_and(|item| item.batch.is(batch))
        {
            return Ok(());
        }
        let items = to_items(&value).map_err(|error| raise(error.within(format!("component `{name}`"))))?;
        batch.lock().set(&name, items).map_err(raise)
    }

    /// Returns the item at a position; negative positions count from the end.
    ///
    /// # Errors
    /// A position out of range.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }).at(-1).x // => 6
    /// ```
    #[rhai_fn(name = "at", return_raw)]
    pub fn at(batch: Batch, position: i64) -> Answer<Item> {
        batch.at(position).map_err(raise)
    }
}
