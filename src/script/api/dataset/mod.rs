//! Data sets of batches.

mod collection;
mod plan;

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, ImmutableString, Map};

use crate::error::Error;
use crate::pipeline::{Index, Length};
use crate::record::Mode;
use crate::registry::Params;
use crate::script::api::arguments::{Answer, Ids, Shares, float};
use crate::script::api::{Page, options::Options};
use crate::script::batches::convert::{from_id, to_ids, to_source};
use crate::script::batches::{Batch, Batches, Collection, Dataset, Made};
use crate::script::cast;
use crate::script::component;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

pub use plan::{plan, seeds};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "dataset",
    title: "Data sets of batches",
    intro: "A `Dataset` is an index with what batches of it are made of: data, names of components, the script whose functions \
            are their actions, and attributes of your own. It gives batches, whole or in parts.\n\n\
            ```rhai\n\
            let ds = dataset(index(10), #{ preloaded: #{ x: range(0, 10), y: zeros([10]) }, attrs: #{ classes: 2 } });\n\
            ds.split([0.6, 0.3]);\n\
            for batch in ds.train.gen_batch(4) { print(batch.ids); }\n\
            [ds.train.len, ds.test.ids, ds.validation.ids, ds.classes] // => [6, [1, 2, 3], [0], 2]\n\
            ```\n\n\
            *Data by id.* `preloaded`, and what `batch.load` is given, is data of the whole set: a tensor or an array with an item \
            in each row, records, a map of these by component, or a map of items by id. A whole-number id is the row of its item; \
            a text has its position in the index. Batches take copies of their items when they are first looked at: changing a \
            batch never changes the data set.\n\n\
            *Order.* Batches are made for each epoch anew, and its last one may be short; `cross_epochs: true` fills it with items \
            of the next epoch. With `shuffle: seed` the order is a function of the seed and the epoch.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Dataset>("Dataset");
    engine.register_type_with_name::<Batches>("Batches");
    engine.register_type_with_name::<Collection>("Collection");
    engine.register_iterator_result::<Batches, Batch>();
    let mut module = exported_module!(functions);
    collection::register(&mut module);
    engine.register_global_module(module.into());
}

/// Makes the module of batches that a script names: an import path, with dots or slashes, or an import block.
pub fn module(host: &Host, named: &Dynamic, params: Params) -> crate::Result<Arc<component::Component>> {
    let (path, params) = match named.as_immutable_string_ref() {
        Ok(path) => (path.to_string(), params),
        Err(_) => {
            let block = cast::to_params(named, "`batch`")?;
            let path = block.get("import").and_then(|path| path.as_str()).map(str::to_owned);
            let path = path
                .ok_or_else(|| Error::script("`batch`: expected an import path, or a block made by `component(…)`"))?;
            let own = block.get("params").and_then(|params| params.as_object().cloned()).unwrap_or_default();
            (path, own)
        }
    };
    let path = path.trim_end_matches(".rhai").replace('/', ".");
    let component = host.component(&path, &params)?;
    component.init(Mode::Train)?;
    Ok(Arc::new(component))
}

fn shares(value: &Dynamic) -> Answer<Vec<f64>> {
    match value.read_lock::<List>() {
        Some(list) => list.iter().map(|share| float(share, "`shares` of `split`")).collect(),
        None => Ok(vec![float(value, "`shares` of `split`")?]),
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns a data set of an index, or of the ids that make one. Options: `batch`, the import path of the script
    /// whose functions are the actions of its batches (`"my/batches"`, or a block by `component(…)`), and `params` for
    /// it; `components`, names of components, which the script's `components()` may give as well; `preloaded`, data of
    /// the whole set; `attrs`, a map whose fields are attributes of the data set.
    ///
    /// # Errors
    /// Unknown options, no such script, data that is none.
    ///
    /// ```rhai
    /// let ds = dataset(3, #{ preloaded: #{ x: [1.5, 2.5, 3.5] } });
    /// ds.batch([2, 0]).x // => tensor([3.5, 1.5])
    /// ```
    #[rhai_fn(name = "dataset", return_raw)]
    pub fn dataset(context: NativeCallContext, index: Ids) -> Answer<Dataset> {
        dataset_with(context, index, Map::new())
    }

    #[rhai_fn(name = "dataset", return_raw)]
    pub fn dataset_with(context: NativeCallContext, index: Ids, options: Map) -> Answer<Dataset> {
        let host = Host::of(&context)?;
        let mut options = Options::new("dataset", options);
        let named = options.take("batch");
        let params = options.take("params");
        let components = options.take("components");
        let preloaded = options.take("preloaded");
        let attributes = options.take("attrs");
        options.finish()?;
        let index = super::super::super::api::index::index_of(index)?;
        let params = params.map_or(Ok(Params::new()), |params| cast::to_params(&params, "`params`")).map_err(raise)?;
        let module = named.map(|named| super::module(&host, &named, params)).transpose().map_err(raise)?;
        let list = |value: &Dynamic| -> Answer<Vec<crate::record::Name>> {
            match value.read_lock::<List>() {
                Some(list) => {
                    let names = super::super::arguments::texts(&list, "`components` of `dataset`")?;
                    Ok(names.iter().map(|name| name.as_str().into()).collect())
                }
                None => Err(raise(Error::script(format!(
                    "option `components` of `dataset`: expected an array of names, found {}",
                    type_phrase(value.type_name())
                )))),
            }
        };
        let components = match (&components, &module) {
            (Some(components), _) => list(components)?,
            (None, Some(module)) if module.arities("components").contains(&0) => {
                list(&module.call("components", Mode::Train, &mut []).map_err(raise)?)?
            }
            _ => Vec::new(),
        };
        let preloaded = preloaded.map(|data| to_source(&data, &index).map(Arc::new)).transpose();
        let preloaded = preloaded.map_err(|error| raise(error.within("`preloaded`")))?;
        let attributes = match attributes {
            None => Map::new(),
            Some(attributes) => {
                let kind = attributes.type_name();
                attributes.try_cast::<Map>().ok_or_else(|| {
                    raise(Error::script(format!(
                        "option `attrs` of `dataset`: expected a map, found {}",
                        type_phrase(kind)
                    )))
                })?
            }
        };
        Ok(Dataset::new(index, Made { module, components, preloaded, attributes }))
    }

    /// Returns the number of items.
    ///
    /// ```rhai
    /// dataset(3).len // => 3
    /// ```
    #[rhai_fn(get = "len", name = "len")]
    pub fn len(dataset: Dataset) -> i64 {
        dataset.index().len() as i64
    }

    /// Returns the index.
    ///
    /// ```rhai
    /// dataset(["a", "b"]).index // => index(["a", "b"])
    /// ```
    #[rhai_fn(get = "index")]
    pub fn index(dataset: Dataset) -> Index {
        dataset.index().clone()
    }

    /// Returns the ids as an array.
    ///
    /// ```rhai
    /// dataset(["a", "b"]).ids // => ["a", "b"]
    /// ```
    #[rhai_fn(get = "ids")]
    pub fn ids(dataset: Dataset) -> List {
        dataset.index().ids().map(from_id).collect()
    }

    /// Returns the ids as an array, like `ids`.
    ///
    /// ```rhai
    /// dataset(["a", "b"]).indices // => ["a", "b"]
    /// ```
    #[rhai_fn(get = "indices")]
    pub fn indices(dataset: Dataset) -> List {
        ids(dataset)
    }

    /// Returns an attribute of the data set, which the option `attrs` gave it: `dataset.classes`.
    ///
    /// # Errors
    /// A name that is not there.
    ///
    /// ```rhai
    /// dataset(3, #{ attrs: #{ classes: 2 } }).classes // => 2
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn attribute(dataset: &mut Dataset, name: ImmutableString) -> Answer<Dynamic> {
        dataset.attribute(&name).map_err(raise)
    }

    /// Returns the data set, split into `train`, `test` and `validation`. `shares` is the share of training, the rest
    /// being for testing; or an array of shares for training and testing, the rest being for validation; or of all
    /// three. Validation has the first items, testing the next, training the others. Options: `shuffle`, true or a
    /// seed, to draw which items go where.
    ///
    /// # Errors
    /// Shares that add up to more than 1, three that do not add up to 1, fewer items than parts.
    ///
    /// ```rhai
    /// let ds = dataset(10).split([0.6, 0.3]);
    /// [ds.validation.ids, ds.test.ids, ds.train.ids] // => [[0], [1, 2, 3], [4, 5, 6, 7, 8, 9]]
    /// ```
    #[rhai_fn(name = "split", return_raw)]
    pub fn split(dataset: Dataset, shares: Shares) -> Answer<Dataset> {
        split_with(dataset, shares, Map::new())
    }

    #[rhai_fn(name = "split", return_raw)]
    pub fn split_with(dataset: Dataset, shares: Shares, options: Map) -> Answer<Dataset> {
        let mut options = Options::new("split", options);
        let (shuffle, _) = seeds(&mut options, "split")?;
        options.finish()?;
        dataset.split(&super::shares(&shares)?, shuffle).map_err(raise)?;
        Ok(dataset)
    }

    /// Returns the data set, split into folds, each of which `cv(n)` gives with its own `train` and `test`. The first
    /// folds have one item more when the items do not divide evenly. Options: `shuffle`, true or a seed.
    ///
    /// # Errors
    /// Fewer than 2 folds, or more than items.
    ///
    /// ```rhai
    /// let ds = dataset(10).cv_split(3);
    /// [ds.cv(0).test.len, ds.cv(1).test.ids, ds.cv(2).train.len] // => [4, [4, 5, 6], 7]
    /// ```
    #[rhai_fn(name = "cv_split", return_raw)]
    pub fn cv_split(dataset: Dataset, folds: i64) -> Answer<Dataset> {
        cv_split_with(dataset, folds, Map::new())
    }

    #[rhai_fn(name = "cv_split", return_raw)]
    pub fn cv_split_with(dataset: Dataset, folds: i64, options: Map) -> Answer<Dataset> {
        let mut options = Options::new("cv_split", options);
        let (shuffle, _) = seeds(&mut options, "cv_split")?;
        options.finish()?;
        dataset.cross(usize::try_from(folds).unwrap_or(0), shuffle).map_err(raise)?;
        Ok(dataset)
    }

    /// Returns a fold by its number, from 0.
    ///
    /// # Errors
    /// A data set without folds, or without this one.
    ///
    /// ```rhai
    /// dataset(4).cv_split(2).cv(1).test.ids // => [2, 3]
    /// ```
    #[rhai_fn(name = "cv", return_raw)]
    pub fn cv(dataset: Dataset, fold: i64) -> Answer<Dataset> {
        dataset.fold(usize::try_from(fold).unwrap_or(usize::MAX)).map_err(raise)
    }

    /// Returns the part for training.
    ///
    /// # Errors
    /// A data set that was not split.
    ///
    /// ```rhai
    /// dataset(5).split(0.8).train.len // => 4
    /// ```
    #[rhai_fn(get = "train", return_raw)]
    pub fn train(dataset: Dataset) -> Answer<Dataset> {
        dataset.named("train").map_err(raise)
    }

    /// Returns the part for testing.
    ///
    /// # Errors
    /// A data set that was not split, or without a share for testing.
    ///
    /// ```rhai
    /// dataset(5).split(0.8).test.ids // => [0]
    /// ```
    #[rhai_fn(get = "test", return_raw)]
    pub fn test(dataset: Dataset) -> Answer<Dataset> {
        dataset.named("test").map_err(raise)
    }

    /// Returns the part for validation.
    ///
    /// # Errors
    /// A data set that was not split, or without a share for validation.
    ///
    /// ```rhai
    /// dataset(10).split([0.8, 0.1, 0.1]).validation.ids // => [0]
    /// ```
    #[rhai_fn(get = "validation", return_raw)]
    pub fn validation(dataset: Dataset) -> Answer<Dataset> {
        dataset.named("validation").map_err(raise)
    }

    /// Returns the data set of some of the ids, in the order given.
    ///
    /// # Errors
    /// No ids, and one that is not there.
    ///
    /// ```rhai
    /// dataset(["a", "b", "c"]).subset(["c", "a"]).ids // => ["c", "a"]
    /// ```
    #[rhai_fn(name = "subset", return_raw)]
    pub fn subset(dataset: Dataset, ids: List) -> Answer<Dataset> {
        to_ids(&Dynamic::from(ids)).and_then(|ids| dataset.choose(&ids)).map_err(raise)
    }

    /// Returns the batch of some of the ids.
    ///
    /// # Errors
    /// No ids, and one that is not there.
    ///
    /// ```rhai
    /// dataset(["a", "b"], #{ preloaded: [1, 2] }).batch(["b"]).data // => tensor([2])
    /// ```
    #[rhai_fn(name = "batch", return_raw)]
    pub fn batch(dataset: Dataset, ids: List) -> Answer<Batch> {
        to_ids(&Dynamic::from(ids)).and_then(|ids| dataset.batch_of(&ids, 0, 0)).map_err(raise)
    }

    /// Returns batches of so many items, for a `for` loop: one epoch, unless the options say something else. Options:
    /// `shuffle`, true or the seed of the order; `seed`, that of all draws (else that of the order, or 0); `n_epochs` or
    /// `n_iters`, a number of batches; `drop_last`, true to leave out a short batch at the end of an epoch;
    /// `cross_epochs`, true to fill it with items of the next one. A set of fewer items gives smaller batches.
    ///
    /// # Errors
    /// A batch size below 1, both `n_epochs` and `n_iters`, unknown options.
    ///
    /// ```rhai
    /// let seen = [];
    /// for batch in dataset(4).gen_batch(3, #{ n_epochs: 2, cross_epochs: true }) { seen.push(batch.ids); }
    /// seen // => [[0, 1, 2], [3, 0, 1], [2, 3]]
    /// ```
    #[rhai_fn(name = "gen_batch", return_raw)]
    pub fn gen_batch(dataset: Dataset, batch_size: i64) -> Answer<Batches> {
        gen_batch_with(dataset, batch_size, Map::new())
    }

    #[rhai_fn(name = "gen_batch", return_raw)]
    pub fn gen_batch_with(dataset: Dataset, batch_size: i64, options: Map) -> Answer<Batches> {
        let mut options = Options::new("gen_batch", options);
        let (plan, seed) = plan(&mut options, batch_size, "gen_batch", Length::Epochs(1))?;
        options.finish()?;
        dataset.batches(plan, seed).map_err(raise)
    }

    /// Returns the next batch of so many items, without end unless the options say something else, and `()` at the end.
    /// Calls with the same size and options go on where the last one stopped. Options as for `gen_batch`.
    ///
    /// # Errors
    /// See `gen_batch`.
    ///
    /// ```rhai
    /// let ds = dataset(4);
    /// [ds.next_batch(3).ids, ds.next_batch(3).ids, ds.next_batch(3).ids] // => [[0, 1, 2], [3], [0, 1, 2]]
    /// ```
    #[rhai_fn(name = "next_batch", return_raw)]
    pub fn next_batch(dataset: Dataset, batch_size: i64) -> Answer<Dynamic> {
        next_batch_with(dataset, batch_size, Map::new())
    }

    #[rhai_fn(name = "next_batch", return_raw)]
    pub fn next_batch_with(dataset: Dataset, batch_size: i64, options: Map) -> Answer<Dynamic> {
        let mut options = Options::new("next_batch", options);
        let (plan, seed) = plan(&mut options, batch_size, "next_batch", Length::Endless)?;
        options.finish()?;
        Ok(dataset.next(plan, seed).map_err(raise)?.map_or(Dynamic::UNIT, Dynamic::from))
    }

    /// Returns the data set, whose `next_batch` starts anew.
    ///
    /// ```rhai
    /// let ds = dataset(4);
    /// ds.next_batch(3);
    /// ds.reset().next_batch(3).ids // => [0, 1, 2]
    /// ```
    #[rhai_fn(name = "reset")]
    pub fn reset(dataset: Dataset) -> Dataset {
        dataset.reset();
        dataset
    }

    /// Returns what the data set is made of.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(dataset: Dataset) -> String {
        dataset.to_string()
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn batches_to_string(_batches: Batches) -> String {
        "Batches".to_owned()
    }
}
