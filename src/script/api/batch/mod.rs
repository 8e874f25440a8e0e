//! Batches of named components.

mod component;
mod forward;
mod parallel;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, ImmutableString, Map};

use crate::error::Error;
use crate::pipeline::{self, Id, Index};
use crate::record::Name;
use crate::registry::Params;
use crate::script::api::arguments::{Answer, Arguments, NameOrBlock, Source};
use crate::script::api::random::Rng;
use crate::script::api::{Page, dataset, options::Options};
use crate::script::batches::convert::{from_id, from_items, to_items};
use crate::script::batches::{Batch, Component, Dataset, Item, Made, action, apply::Failure, load};
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "batch",
    title: "Batch",
    intro: "A `Batch` has the ids of some items, and components: for each kind of data, an item for each id. A data set makes \
            batches; `batch_of` makes one of data.\n\n\
            ```rhai\n\
            let batch = batch_of(#{ images: zeros([3, 2, 2]), labels: [5, 6, 7] }, #{ ids: [10, 20, 30] });\n\
            batch.images[1] = ones([2, 2]);\n\
            batch[30].labels = 8;\n\
            [batch.images[1].sum().item, batch.labels, batch.at(0).id] // => [4.0, tensor([5, 6, 8]), 10]\n\
            ```\n\n\
            *Components.* `batch.images` stands for the whole component, `batch.images[i]` for the item at a position; both can be \
            written. It has the methods of a tensor. `batch[id]` is the item of an id and `batch.at(position)` the one at a position, \
            with its components as fields. Copies of a batch share its data, so that what a function writes is there for its \
            caller; `deep_copy` makes an independent one.\n\n\
            *Actions.* Each function of the batch's script that takes a batch first is an action: it changes the batch and returns \
            it, or another one; a function that returns nothing has returned its batch. `batch.action(\"name\")` runs one, and so \
            does a pipeline. A script may define `load(batch, src, options)` and `dump(batch, dst, options)` to know formats of \
            its own, and go on to those below with `batch.super_load(src, options)`.\n\n\
            *For users of BatchFlow*, each example of its page on batches: `batches/mine` stands for a class `MyBatch`.\n\n\
            ```rhai\n\
            // batch = MyBatch(index, preloaded=data); Dataset(index, batch_class=MyBatch, preloaded=data)\n\
            let data = #{ images: ones([4, 2]), labels: [0, 1, 0, 1] };\n\
            let ds = dataset(4, #{ batch: \"batches/mine\", params: #{ scale: 2.0 }, preloaded: data, attrs: #{ classes: 2 } });\n\
            let batch = ds.batch([3, 1]);\n\
            // self.load(src=some_data, components=['comp1', 'comp2'])\n\
            batch.load(#{ src: [[1, 2, 3, 4], [5, 6, 7, 8]], dst: [\"comp1\", \"comp2\"] });\n\
            [batch.comp1, batch.comp2] // => [tensor([4, 2]), tensor([8, 6])]\n\
            // image_5 = batch.images[5]; batch.images[i] = new_image; label_k = batch[k].labels; batch[4].masks = new_masks\n\
            batch.images[0] = tensor([5.0, 5.0]);\n\
            batch.masks = [[0, 0], [0, 0]];\n\
            batch[1].masks = tensor([1, 1]);\n\
            [batch.images[0], batch[1].labels, batch.masks] // => [tensor([5.0, 5.0]), 1, tensor([[0, 0], [1, 1]])]\n\
            // batch.dataset, and the D-expression\n\
            batch.dataset.classes // => 2\n\
            // @action: batch.some_action(), batch.change_data(arg1, arg2) with @inbatch_parallel\n\
            batch.action(\"some_action\").action(\"change_data\", [10.0, 1.0]).images // => tensor([[101.0, 101.0], [21.0, 21.0]])\n\
            // .load('/some/path', 'raw') with async per-item readers, .dump(...)\n\
            let files = dataset(files_index(\"items/*.json\", #{ no_ext: true }), #{ batch: \"batches/mine\" });\n\
            let out = collection(files.index);\n\
            files.pipeline().load(\"items\", #{ fmt: \"raw\" }).dump(out, #{ components: \"images\" }).run(2);\n\
            out.data // => tensor([[1.0, 2.0], [3.0, 4.0]])\n\
            // @inbatch_parallel(init='run_once', target='async')\n\
            files.batch([\"a\", \"b\"]).action(\"read_some_data\", \"items/a.json\").masks // => tensor([1.0, 2.0])\n\
            // self.get_model_by_name(model_name)\n\
            let config = #{ model: read_json(\"flowers.json\").model, solver: read_json(\"flowers.json\").solver };\n\
            let p = ds.pipeline().init_model(\"net\", config).action(\"train_my_model\", [\"net\"], #{ ordered: true });\n\
            p.run(2, #{ prefetch: 1 });\n\
            p.m(\"net\").steps // => 2\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Batch>("Batch");
    engine.register_type_with_name::<Component>("Component");
    engine.register_type_with_name::<Item>("Item");
    engine.register_type_with_name::<Failure>("Failure");
    let mut module = exported_module!(functions);
    module.set_iter(std::any::TypeId::of::<Batch>(), |value| match value.try_cast::<Batch>() {
        Some(batch) => {
            let count = batch.lock().len();
            Box::new((0..count).map(move |position| Dynamic::from(Item { batch: batch.clone(), position })))
        }
        None => Box::new(std::iter::empty()),
    });
    component::register(&mut module);
    parallel::register(&mut module);
    engine.register_global_module(module.into());
}

/// Lets components be used as the tensors they are.
pub fn register_forwards(engine: &mut Engine) {
    engine.register_global_module(forward::module().into());
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
            (Some(ids), _) => super::super::index::index_of(ids)?,
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

    /// Returns the batch, loaded from `src`: data of the whole set, from which it takes its items by id. Options:
    /// `src`, which may also stand first; `dst`, the component to fill, or an array of them; `fmt`, the format of
    /// files. Where the batch's script defines `load(batch, src, options)`, that is what runs.
    ///
    /// # Errors
    /// Data that has no item for an id, an unknown format, unknown options.
    ///
    /// ```rhai
    /// let batch = dataset(3).batch([2, 0]);
    /// batch.load(#{ src: [5, 6, 7], dst: "labels" });
    /// batch.load([[0.5, 1.5, 2.5], ["a", "b", "c"]], #{ dst: ["x", "name"] });
    /// [batch.labels, batch.x, batch.name] // => [tensor([7, 5]), tensor([2.5, 0.5]), ["c", "a"]]
    /// ```
    #[rhai_fn(name = "load", return_raw)]
    pub fn load(context: NativeCallContext, batch: Batch, src: Source) -> Answer<Batch> {
        load_with(context, batch, src, Map::new())
    }

    #[rhai_fn(name = "load", return_raw)]
    pub fn load_with(context: NativeCallContext, batch: Batch, src: Source, options: Map) -> Answer<Batch> {
        super::through(&context, batch, "load", "src", src, options)
    }

    /// Returns the batch, loaded as if its script defined no `load`: for a script's own `load` to go on with.
    ///
    /// ```rhai
    /// dataset(3).batch([2]).super_load([5, 6, 7], #{ dst: "x" }).x // => tensor([7])
    /// ```
    #[rhai_fn(name = "super_load", return_raw)]
    pub fn super_load(context: NativeCallContext, batch: Batch, src: Source, options: Map) -> Answer<Batch> {
        load::load(&Host::of(&context)?, &batch, src, options).map_err(raise)?;
        Ok(batch)
    }

    /// Returns the batch, after writing a component to `dst`: a collection, where each item gets the place of its id.
    /// Options: `dst`, which may also stand first; `components`, what to write; `fmt`, the format of files. Where
    /// the batch's script defines `dump(batch, dst, options)`, that is what runs.
    ///
    /// # Errors
    /// An unknown format, unknown options.
    ///
    /// ```rhai
    /// let out = collection(index(2));
    /// batch_of(#{ x: [6, 5] }, #{ ids: [1, 0] }).dump(out, #{ components: "x" });
    /// out.data // => tensor([5, 6])
    /// ```
    #[rhai_fn(name = "dump", name = "save", return_raw)]
    pub fn dump(context: NativeCallContext, batch: Batch, dst: Source) -> Answer<Batch> {
        dump_with(context, batch, dst, Map::new())
    }

    #[rhai_fn(name = "dump", name = "save", return_raw)]
    pub fn dump_with(context: NativeCallContext, batch: Batch, dst: Source, options: Map) -> Answer<Batch> {
        super::through(&context, batch, "dump", "dst", dst, options)
    }

    /// Returns the batch, written as if its script defined no `dump`: for a script's own `dump` to go on with.
    ///
    /// ```rhai
    /// let out = collection(index(1));
    /// batch_of(#{ x: [6] }).super_dump(out, #{ components: "x" });
    /// out.missing // => 0
    /// ```
    #[rhai_fn(name = "super_dump", return_raw)]
    pub fn super_dump(context: NativeCallContext, batch: Batch, dst: Source, options: Map) -> Answer<Batch> {
        load::dump(&Host::of(&context)?, &batch, dst, options).map_err(raise)?;
        Ok(batch)
    }

    /// Returns the batch with a new component.
    ///
    /// # Errors
    /// A name that is taken, another number of items than ids.
    ///
    /// ```rhai
    /// batch_of(#{ x: [1, 2] }).add_component("y", [3, 4]).components // => ["x", "y"]
    /// ```
    #[rhai_fn(name = "add_component", return_raw)]
    pub fn add_component(batch: Batch, name: &str, items: Source) -> Answer<Batch> {
        let items = to_items(&items).map_err(|error| raise(error.within(format!("component `{name}`"))))?;
        batch.lock().add(name, items).map_err(raise)?;
        Ok(batch)
    }

    /// Returns a batch that shares nothing with this one.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [1, 2] });
    /// let other = batch.deep_copy();
    /// other.x[0] = 9;
    /// [batch.x[0], other.x[0]] // => [1, 9]
    /// ```
    #[rhai_fn(name = "deep_copy")]
    pub fn deep_copy(batch: Batch) -> Batch {
        batch.deep_copy()
    }

    /// Returns the batch of the items at an array of positions, which may repeat: its data is independent.
    ///
    /// # Errors
    /// No positions, and one out of range.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6, 7] }).subset([2, 0]).ids // => [2, 0]
    /// ```
    #[rhai_fn(name = "subset", return_raw)]
    pub fn subset(batch: Batch, positions: List) -> Answer<Batch> {
        let count = batch.lock().len();
        let position = |value: &Dynamic| {
            let position = value
                .as_int()
                .map_err(|found| Error::script(format!("expected positions, found {}", type_phrase(found))))?;
            usize::try_from(position)
                .ok()
                .filter(|at| *at < count)
                .ok_or_else(|| Error::data(format!("position {position} is out of range: the batch has {count} items")))
        };
        let positions = positions.iter().map(position).collect::<crate::Result<Vec<_>>>().map_err(raise)?;
        let part = batch.lock().subset(&positions).map_err(raise)?;
        Ok(batch.with(part))
    }

    /// Returns the same data as a batch of another script, whose functions are its actions from now on.
    ///
    /// # Errors
    /// No such script.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ images: ones([2, 2, 2]) }).as_batch("batches/pictures");
    /// batch.action("darken", 0.5).images.max().item // => 0.5
    /// ```
    #[rhai_fn(name = "as_batch", return_raw)]
    pub fn as_batch(context: NativeCallContext, batch: Batch, import: NameOrBlock) -> Answer<Batch> {
        let module = dataset::module(&Host::of(&context)?, &import, Params::new()).map_err(raise)?;
        Ok(batch.changed(|about| about.module = Some(module)))
    }

    /// Returns a data set of the items of the batch, whose batches have the same script.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }).as_dataset().batch([1]).x // => tensor([6])
    /// ```
    #[rhai_fn(name = "as_dataset", return_raw)]
    pub fn as_dataset(batch: Batch) -> Answer<Dataset> {
        let mut data = batch.lock();
        let index = data.index().clone();
        let components = data.components().map_err(raise)?;
        let parts = components.iter().map(|(name, items)| (name.clone(), super::by_id(&index, items))).collect();
        let preloaded = Some(std::sync::Arc::new(pipeline::Source::Named(parts)));
        Ok(Dataset::new(index, Made { module: batch.about().module.clone(), preloaded, ..Made::default() }))
    }

    /// Returns `[merged, rest]`: the batches as one, ids kept, and a rest when they have more items than the option
    /// `batch_size` says, else `()`.
    ///
    /// # Errors
    /// No batches, a component that some have and others have not.
    ///
    /// ```rhai
    /// let parts = merge([batch_of(#{ x: [1, 2, 3] }), batch_of(#{ x: [4, 5] })], #{ batch_size: 4 });
    /// [parts[0].x, parts[1].x] // => [tensor([1, 2, 3, 4]), tensor([5])]
    /// merge([batch_of(#{ x: [1] }), batch_of(#{ x: [2] })])[0].x // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge(batches: List) -> Answer<List> {
        merge_with(batches, Map::new())
    }

    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge_with(batches: List, options: Map) -> Answer<List> {
        let mut options = Options::new("merge", options);
        let size = options.whole("batch_size")?.map(|size| size as usize);
        options.finish()?;
        let parts: Option<Vec<Batch>> = batches.iter().map(|batch| batch.clone().try_cast::<Batch>()).collect();
        let parts = parts.ok_or_else(|| raise(Error::script("`merge`: expected an array of batches")))?;
        let first = parts.first().ok_or_else(|| raise(Error::script("`merge`: there are no batches")))?.clone();
        let mut data: Vec<pipeline::Batch> = parts.iter().map(|part| part.lock().clone()).collect();
        let (merged, rest) = pipeline::Batch::merge(&mut data, size).map_err(raise)?;
        Ok(vec![Dynamic::from(first.with(merged)), rest.map_or(Dynamic::UNIT, |rest| Dynamic::from(first.with(rest)))])
    }

    /// Returns the batch after an action: a function of its script, or `load` and `dump`. Arguments are an array of
    /// them, or a single one.
    ///
    /// # Errors
    /// An unknown action, whatever it raises, a result that is neither a batch nor nothing.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ images: ones([2, 2, 2]) }, #{ batch: "batches/pictures" });
    /// batch.action("darken", [0.5]).images.max().item // => 0.5
    /// batch.action("invert").images.max().item // => 0.5
    /// ```
    #[rhai_fn(name = "action", return_raw)]
    pub fn act(context: NativeCallContext, batch: Batch, name: &str) -> Answer<Batch> {
        act_with(context, batch, name, Dynamic::UNIT)
    }

    #[rhai_fn(name = "action", return_raw)]
    pub fn act_with(context: NativeCallContext, batch: Batch, name: &str, arguments: Arguments) -> Answer<Batch> {
        action::run(&Host::of(&context)?, &batch, name, action::arguments(arguments)).map_err(raise)
    }

    /// Returns what the batch holds.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(batch: Batch) -> String {
        batch.to_string()
    }

    /// Returns the id of an item.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }, #{ ids: ["a", "b"] }).at(1).id // => "b"
    /// ```
    #[rhai_fn(get = "id", return_raw)]
    pub fn id(item: Item) -> Answer<Dynamic> {
        item.id().map(from_id).map_err(raise)
    }

    /// Returns the position of an item in its batch.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }, #{ ids: ["a", "b"] })["b"].position // => 1
    /// ```
    #[rhai_fn(get = "position")]
    pub fn position(item: Item) -> i64 {
        item.position as i64
    }

    /// Returns what a component holds of an item: `item.labels`. It can be written as well.
    ///
    /// # Errors
    /// A component that the batch does not have.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [5, 6] });
    /// for item in batch { item.x = item.x * 10; }
    /// batch.x // => tensor([50, 60])
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn field(item: &mut Item, name: ImmutableString) -> Answer<Dynamic> {
        let value = item.batch.lock().item(&name, item.position);
        value.map(crate::script::cast::from_value).map_err(raise)
    }

    #[rhai_fn(index_set, pure, return_raw)]
    pub fn set_field(item: &mut Item, name: ImmutableString, value: Dynamic) -> Answer<()> {
        let value = crate::script::cast::to_value(&value).map_err(raise)?;
        item.batch.lock().set_item(&name, item.position, value).map_err(raise)
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn item_to_string(item: Item) -> String {
        match item.id() {
            Ok(Id::Text(id)) => format!("Item({id:?})"),
            Ok(Id::Number(id)) => format!("Item({id})"),
            Err(_) => "Item()".to_owned(),
        }
    }
}

/// Runs `load` or `dump` by way of the batch's script, if that defines it.
fn through(
    context: &NativeCallContext,
    batch: Batch,
    name: &'static str,
    key: &str,
    first: Dynamic,
    options: Map,
) -> Answer<Batch> {
    let mut given = load::Given::new(name, options);
    let first = given.merged(key, first).map_err(raise)?;
    let arguments = vec![first, Dynamic::from(given.rest())];
    action::run(&Host::of(context)?, &batch, name, arguments).map_err(raise)
}

/// Returns items as a source that finds them by id.
fn by_id(index: &Index, items: &crate::batch::Items) -> pipeline::Source {
    let pairs = index.ids().enumerate().filter_map(|(at, id)| Some((id, items.get(at).ok()?)));
    pipeline::Source::ById(pairs.collect())
}
